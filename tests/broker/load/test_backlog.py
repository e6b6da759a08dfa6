"""A worker that comes to a backlog of many events: its memory follows the open tickets, not what waits."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from schemas.instants import format_instant
from tests.support.processes import Worker
from tests.support.system import awaited, registered, uncommitted
from tests.support.traffic import Sent
from tests.support.traffic_system import System

TICKETS = 200
_WARM = TICKETS * 300
"""A ticket remembers the ids of its last 256 events: from here on none gets larger."""
_MOST_MIB = 64
"""More than when so many were done: a fetch and its records come and go. The backlog is 200 MiB."""


def _events(count: int) -> Iterator[Sent]:
    """Registrations, and then contacts without end."""
    time = format_instant(datetime.now(UTC))
    for number in range(TICKETS):
        yield Sent(f"B-{number}".encode(), registered(f"B-{number}").strip())
    for number in range(TICKETS, count):
        ticket = f"B-{number % TICKETS}"
        yield Sent(
            ticket.encode(),
            f'{{"specversion":"1.0","id":"{number}","source":"urn:example:test","type":"ticket.contacted.v1",'
            f'"subject":"{ticket}","time":"{time}","data":{{"by":"client"}}}}'.encode(),
        )


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_worker_works_off_a_million_events_in_bounded_memory(
    system: System, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the peak of its memory nothing depends on how much still waits, or on how much is done."""
    events = 1_000_000
    assert system.publish(_events(events)) == events
    with system.workers("a") as (worker,):
        worker.start().ready()
        _down_to(system, worker, events - _WARM)
        early = worker.peak_mib()
        _down_to(system, worker, 0)
        late = worker.peak_mib()
        assert worker.stop() == 0
    with capsys.disabled():
        print(f"{events} events: peak of {early} MiB after {_WARM} events, and of {late} MiB at the end")
    assert late - early < _MOST_MIB
    assert len(system.codes()) == 0


def _down_to(system: System, worker: Worker, left: int) -> None:
    """Wait until at most so many events wait, as long as the worker lives and some are done."""
    waiting = _waiting(system)
    while waiting > left:
        worker.check()
        awaited(lambda most=waiting: _waiting(system) < most, f"fewer than {waiting} events wait")  # type: ignore[misc]
        waiting = _waiting(system)


def _waiting(system: System) -> int:
    """How many events the group has not committed yet."""
    return uncommitted(system.servers, system.prefix, system.prefix)
