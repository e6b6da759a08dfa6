"""Workers that are killed and stopped while events flow."""

import random
from datetime import UTC, datetime

import pytest

from tests.support.processes import Worker
from tests.support.traffic import Plan, Traffic
from tests.support.traffic_foreign import Follower
from tests.support.traffic_system import System

# Eleven workers start one after another, on a machine that may be busy.
pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

RECORDS = 10_000
SMALL_BATCHES = {"batch_max_records": "100"}
"""Many transactions, so that most kills hit an open one."""


def _traffic(seed: int, records: int = RECORDS) -> Traffic:
    return Traffic(Plan(records, records // 5, seed=seed, merges=20), datetime.now(UTC))


def _uncommitted(system: System) -> Follower:
    """Follows the journal with the records of open transactions."""
    return system.follow("journal", isolation="read_uncommitted")


def _wait_for(written: int, journal: Follower, worker: Worker) -> None:
    """Wait until the journal has grown to that many records, those of open transactions included."""
    while journal.ends() < written:
        worker.check()


def _kill_within_a_transaction(worker: Worker, system: System, journal: Follower) -> None:
    """Kill it within a transaction: it stands still while it is asked whether one is open."""
    with system.follow("journal") as committed:
        worker.suspend()
        while committed.ends() == journal.ends():
            worker.resume()
            worker.check()
            journal.ends()  # it takes as long as a few milliseconds, in which the worker goes on
            worker.suspend()
        worker.kill()


def _aborted(system: System) -> int:
    """How many journal records belong to transactions that were aborted."""
    written = system.read("journal", isolation="read_uncommitted")
    return len(written) - len(system.read("journal"))


def test_ten_kills_lose_nothing_and_double_nothing(system: System) -> None:
    """Killed within ten transactions, a run is verified clean, with every verdict there once."""
    traffic = _traffic(seed=5)
    system.publish(traffic.records())
    # All in the first half: after the last one there must be enough left that some of it is in a transaction.
    moments = sorted(random.Random(5).sample(range(1, RECORDS // 2), 10))
    with (
        system.workers("a", **SMALL_BATCHES) as (worker,),
        _uncommitted(system) as journal,
    ):
        for written in moments:
            worker.start()
            _wait_for(written, journal, worker)
            _kill_within_a_transaction(worker, system, journal)
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
        _uncommitted(system) as journal,
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
    with system.workers("a", **SMALL_BATCHES, **patient) as (worker,), _uncommitted(system) as journal:
        worker.start()
        _wait_for(1_000, journal, worker)
        worker.kill()
        worker.start()
        system.settle(traffic.expected, worker)
        assert worker.stop() == 0
    system.check(traffic.expected)
