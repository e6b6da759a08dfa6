"""Workers that are killed and stopped while events flow."""

import random
from datetime import UTC, datetime

import pytest

from tests.support.processes import Worker
from tests.support.traffic import Plan, Traffic
from tests.support.traffic_foreign import Follower
from tests.support.traffic_system import System

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]

RECORDS = 10_000
SMALL_BATCHES = {"batch_max_records": "100"}
"""Many transactions, so that most kills hit an open one."""


def _traffic(seed: int, records: int = RECORDS) -> Traffic:
    return Traffic(Plan(records, records // 5, seed=seed, merges=20), datetime.now(UTC))


def _wait_for(written: int, journal: Follower, worker: Worker) -> None:
    """Wait until the journal has grown to that many records, those of open transactions included."""
    while journal.ends() < written:
        worker.check()


def _aborted(system: System) -> int:
    """How many journal records belong to transactions that were aborted."""
    written = system.read("journal", isolation="read_uncommitted")
    return len(written) - len(system.read("journal"))


def test_ten_kills_lose_nothing_and_double_nothing(system: System) -> None:
    """Killed at ten random moments and restarted, a run is verified clean, with every verdict there once."""
    traffic = _traffic(seed=5)
    system.publish(traffic.records())
    moments = sorted(random.Random(5).sample(range(1, RECORDS * 9 // 10), 10))
    with system.workers("a", **SMALL_BATCHES) as (worker,), system.follow("journal") as journal:
        for written in moments:
            worker.start()
            _wait_for(written, journal, worker)
            worker.kill()
        worker.start()
        system.settle(traffic.expected, worker)
        assert worker.stop() == 0
    assert _aborted(system) > 0, "no kill hit an open transaction: the test proves nothing"
    system.check(traffic.expected)


def test_of_two_workers_one_is_killed_and_one_is_stopped(system: System) -> None:
    """The partitions of a killed worker go to the other, those of a stopped one wait for nobody."""
    traffic = _traffic(seed=7)
    system.publish(traffic.records())
    with (
        system.workers(
            "a", "b", request_timeout_seconds="4", transaction_timeout_seconds="5",
            session_timeout_seconds="6", **SMALL_BATCHES,
        ) as (killed, stopped),
        system.follow("journal") as journal,
    ):  # fmt: skip
        killed.start()
        stopped.start()
        killed.ready()
        stopped.ready()
        _wait_for(RECORDS // 4, journal, stopped)
        killed.kill()
        _wait_for(RECORDS // 2, journal, stopped)
        assert stopped.stop() == 0
        stopped.start()
        system.settle(traffic.expected, stopped)
        assert stopped.stop() == 0
    system.check(traffic.expected)


def test_a_killed_worker_goes_on_at_once_under_its_id(system: System) -> None:
    """A restart aborts what the killed worker had open and takes its partitions, before its session ends."""
    traffic = _traffic(seed=11, records=3_000)
    system.publish(traffic.records())
    # Were the session or the transaction waited for, nothing would be committed within the test's time.
    patient = {
        "transaction_timeout_seconds": "800",
        "session_timeout_seconds": "1800",
        "max_poll_interval_seconds": "3600",
    }
    with system.workers("a", **SMALL_BATCHES, **patient) as (worker,), system.follow("journal") as journal:
        worker.start()
        _wait_for(1_000, journal, worker)
        worker.kill()
        worker.start()
        system.settle(traffic.expected, worker)
        assert worker.stop() == 0
    system.check(traffic.expected)
