"""Many events: a fifth of the hundred thousand in every test run, all of them with `-m load`."""

from datetime import UTC, datetime

import pytest

from tests.support.traffic import Plan, Traffic
from tests.support.traffic_system import System


@pytest.mark.timeout(900)
@pytest.mark.parametrize("records", [20_000, pytest.param(100_000, marks=pytest.mark.load)])
def test_each_of_many_events_is_applied_rejected_or_a_duplicate(system: System, records: int) -> None:
    """Five a ticket, 5 % duplicates, 5 % bad, two workers: all verdicts are there, `verify` finds nothing."""
    traffic = Traffic(Plan(records, records // 5, seed=3), datetime.now(UTC))
    with system.workers("a", "b") as both:
        for worker in both:
            worker.start()
        for worker in both:
            worker.ready()
        system.publish(traffic.records())
        system.settle(traffic.expected, *both)
        assert [worker.stop() for worker in both] == [0, 0]
    expected = traffic.expected
    assert expected.applied + expected.rejected.total() + expected.duplicate == records
    system.check(expected)
