"""What a backlog costs in memory: a batch, and nothing for what waits behind it or was done before it."""

import tracemalloc

import pytest

from consumers.clock import VirtualClock
from consumers.engine import Bounds, Engine
from producers.outbox import Outbox
from tests.support.backlog import Backlog
from tests.support.cluster import Watcher
from tests.support.world import at, written

pytestmark = pytest.mark.simulation

POLICY = "clocks: [{clock: whole, target: 1h, start: [created], stop: [resolved]}]"
TICKETS = 20
MIB = 1024 * 1024


class Forgetful(Watcher):
    """Keeps none of what it is told."""

    def committed(self, tally: object, seconds: float) -> None:
        del tally, seconds


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("events", [50_000, pytest.param(1_000_000, marks=pytest.mark.long)])
def test_memory_follows_the_open_tickets_and_not_the_backlog(events: int) -> None:
    """Once each ticket remembers as many events as it may, the rest of a backlog adds less than 1 MiB."""
    log, clock = Backlog(events, TICKETS), VirtualClock(at(0))
    engine = Engine(log, clock, written(POLICY), Outbox("tickets", 1, "g"), Forgetful(), Bounds())
    warm = 300 * TICKETS  # a ticket remembers its last 256 events
    tracemalloc.start()
    while log.polled < warm:
        engine.turn()
    tracemalloc.reset_peak()
    settled, _ = tracemalloc.get_traced_memory()
    for _ in range(4):
        engine.turn()
    _, early = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    while log.polled < events:
        engine.turn()
    left, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert log.largest <= Bounds().max_records
    assert log.positions[0].offset == events
    assert log.sent > events
    assert left - settled < MIB
    assert peak - early < MIB
