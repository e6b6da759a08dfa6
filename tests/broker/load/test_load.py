"""A hundred thousand events."""

from datetime import UTC, datetime

import pytest

from tests.support.traffic import Plan, Traffic
from tests.support.traffic_system import System


@pytest.mark.timeout(480)
def test_a_hundred_thousand_events_are_each_applied_rejected_or_a_duplicate(system: System) -> None:
    """100,000 events over 20,000 tickets, 5 % duplicates, 5 % bad: every verdict is there, `verify` clean."""
    traffic = Traffic(Plan(100_000, 20_000, seed=3), datetime.now(UTC))
    with system.workers("a", "b") as both:
        for worker in both:
            worker.start()
        for worker in both:
            worker.ready()
        system.publish(traffic.records())
        system.settle(traffic.expected, *both)
        assert [worker.stop() for worker in both] == [0, 0]
    expected = traffic.expected
    assert expected.applied + expected.rejected.total() + expected.duplicate == 100_000
    system.check(expected)
