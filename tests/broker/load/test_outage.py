"""Clocks that came due while no worker ran."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import Message

from tests.support.processes import Worker
from tests.support.traffic import Plan, Sent, Traffic
from tests.support.traffic_foreign import data
from tests.support.traffic_system import System

TICKETS = 60
AHEAD = (timedelta(seconds=5), timedelta(seconds=20), timedelta(seconds=80))
"""Until the first deadline: time enough to take in the tickets and to kill the worker, or else the next."""
WARNED = 0.8
"""The share of it after which the first warning is due."""
OUTAGE = timedelta(seconds=2)


@pytest.mark.timeout(900)  # on a machine that is so busy that it needs the last of them
def test_overdue_clocks_fire_once_each_in_deadline_order_with_their_true_lateness(system: System) -> None:
    """A worker killed before 60 deadlines and started after the last fires each of them late, none twice."""
    with system.workers("a") as (worker,):
        deadlines, earlier = _taken_in_and_killed(system, worker)
        over = max(deadlines.values()) + OUTAGE
        time.sleep((over - datetime.now(UTC)).total_seconds())  # the outage
        worker.start()
        journal = system.await_records("journal", earlier + 4 * TICKETS, worker)
        assert worker.stop() == 0
    fired = [
        message
        for message in journal
        if data(message)["cause"]["kind"] == "clock" and data(message)["ticket_id"] in deadlines
    ]
    _check_order(fired)
    _check_lateness(fired, over)
    causes = [data(message)["cause"] for message in fired]
    assert sorted(
        (cause["threshold"], cause["due"]) for cause in causes if cause["threshold"] == "breach"
    ) == sorted(("breach", _text(deadline)) for deadline in deadlines.values())
    assert len({(message.key(), data(message)["cause"]["threshold"]) for message in fired}) == 2 * TICKETS
    assert system.verify()["totals"]["firings"] == earlier // 2 + 2 * TICKETS


def _taken_in_and_killed(system: System, worker: Worker) -> tuple[dict[str, datetime], int]:
    """Kill the worker once it has taken in tickets none of whose clocks is due yet.

    Returns their deadlines, and how many journal records there are of others: tickets for which this machine
    was too busy.
    """
    for attempt, ahead in enumerate(AHEAD):
        worker.start().ready()
        earlier = 4 * TICKETS * attempt
        begin = datetime.now(UTC)
        # Not in the order of the tickets, and two of them at the same instant.
        deadlines = {
            f"T{attempt}-{n}": begin + ahead + timedelta(milliseconds=n * 37 % TICKETS // 2 * 40)
            for n in range(TICKETS)
        }
        system.publish(_promises(begin, deadlines))
        system.await_records("journal", earlier + 2 * TICKETS, worker)
        worker.kill()
        if datetime.now(UTC) < begin + WARNED * ahead:
            return deadlines, earlier
        worker.start()
        system.await_records("journal", earlier + 4 * TICKETS, worker)
        assert worker.stop() == 0
    raise AssertionError("this machine was too busy to take in a few tickets within a minute")


def _promises(begin: datetime, deadlines: dict[str, datetime]) -> list[Sent]:
    """Complex questions, whose 48 hours are far away, each with a promised deadline."""
    makers = Traffic(Plan(0, 0), begin)
    sent = []
    for ticket_id, deadline in deadlines.items():
        registration = {"channel": "cabinet", "category": "complex", "client": {"id": "c"}, "consent": True}
        registration["description"] = "Когда будет готов ответ ведомства?"
        promise = {"deadline": _text(deadline), "by": "op-7"}
        sent.append(makers.event(ticket_id, "ticket.created.v1", begin, registration))
        sent.append(makers.event(ticket_id, "ticket.promised.v1", begin, promise))
    return sent


def _check_order(fired: list[Message]) -> None:
    for partition in {message.partition() for message in fired}:
        causes = [
            (data(message)["cause"]["due"], str(data(message)["ticket_id"]))
            for message in fired
            if message.partition() == partition
        ]
        assert causes == sorted(causes)


def _check_lateness(fired: list[Message], over: datetime) -> None:
    for message in fired:
        entry = data(message)
        (change,) = entry["clocks"]
        due, found = (datetime.fromisoformat(text) for text in (entry["cause"]["due"], change["found_at"]))
        assert found >= over
        assert change["lateness_seconds"] == (found - due).total_seconds() > OUTAGE.total_seconds()


def _text(instant: datetime) -> str:
    return instant.isoformat(timespec="microseconds").replace("+00:00", "Z")
