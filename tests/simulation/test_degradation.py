"""Backlogs, storms and hot spots: who waits how many turns for whom. Turns are counted, never seconds."""

import math
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from consumers.engine import Bounds, Engine
from consumers.memory import MemoryReader
from schemas.topics import partition_for
from tests.support.cluster import Cluster, settle
from tests.support.world import DAY, at, written

pytestmark = pytest.mark.simulation

POLICY = """
clocks:
  - {clock: first, target: 10m, start: [created], stop: [assigned], warn: [50%],
     on_breach: [{after: 0s, do: escalate, notify: [supervisor]}]}
  - {clock: whole, target: 1h, start: [created], stop: [resolved],
     on_breach: [{after: 0s, notify: [supervisor]}]}
"""
FIRINGS = 3
"""How often an untouched ticket's clocks fire."""
BOUNDS = Bounds()


def cluster(partitions: int = 1) -> Cluster:
    """A cluster at the beginning of time."""
    made = Cluster(written(POLICY), partitions=partitions)
    made.clock.time = at(0)
    return made


def ticket_in(partition: int, partitions: int, number: int) -> str:
    """The name of a ticket that belongs to a partition."""
    names = (f"T{number}-{salt}" for salt in range(10_000))
    return next(name for name in names if partition_for(name.encode(), partitions) == partition)


class Tail:
    """Reads what the journal has gained, partition by partition."""

    def __init__(self, c: Cluster) -> None:
        self._reader, self._done = MemoryReader(c.broker), [0] * c.partitions

    def read(self) -> list[tuple[int, bytes]]:
        """Partition and value of each record that was committed since the last look."""
        found = []
        for number, start in enumerate(self._done):
            for record in self._reader.read("tickets.journal", number, start):
                found.append((number, record.value or b""))
                self._done[number] = record.offset + 1
        return found


def kind(value: bytes) -> str:
    """Whether a journal record is of an event or of a clock."""
    return "clock" if b'"kind":"clock"' in value else "event"


def due(value: bytes) -> bytes:
    """When the firing of a journal record was due."""
    return value.partition(b'"due":"')[2].partition(b'"')[0]


def turned(engine: Engine, tail: Tail, turns: int) -> Iterator[Counter[str]]:
    """Turn so often; after each turn how many events and clocks it has decided."""
    for _ in range(turns):
        engine.turn()
        yield Counter(kind(value) for _, value in tail.read())


def test_a_storm_of_clocks_and_a_backlog_of_records_share_every_turn() -> None:
    """10,500 overdue clocks and 10,000 records: each turn does its bound of either, as long as there are."""
    tickets, records = 3_500, 10_000
    c = cluster()
    for number in range(tickets):
        c.publish("created", number % 60, ticket=f"T{number}", arrives=60)
    c.clock.time = at(60)
    engine = c.worker()
    settle(engine)
    for number in range(records):
        c.publish("created", 2 * DAY, ticket=f"LATER{number}")
    c.clock.time = at(2 * DAY)
    tail = Tail(c)
    tail.read()
    most = max(records, tickets * FIRINGS)
    done = list(turned(engine, tail, math.ceil(most / BOUNDS.max_records)))
    whole = records // BOUNDS.max_records
    assert done[:whole] == [Counter(event=BOUNDS.max_records, clock=BOUNDS.max_firings)] * whole
    assert sum(done, Counter()) == Counter(event=records, clock=tickets * FIRINGS)


def test_a_storm_fires_in_due_order_within_each_partition() -> None:
    """Whatever records come between, a partition's overdue clocks fire in the order of their deadlines."""
    c = cluster(partitions=3)
    for number in range(1_200):
        c.publish("created", number * 37 % 240, ticket=f"T{number}", arrives=240)
    c.clock.time = at(240)  # not even the first warning is due
    settle(c.worker())
    tail = Tail(c)
    tail.read()
    for number in range(3_000):
        c.publish("created", 2 * DAY, ticket=f"LATER{number}")
    c.clock.time = at(2 * DAY)
    settle(c.worker(bounds=Bounds(max_records=40, max_firings=40)))
    fired: dict[int, list[bytes]] = {}
    for number, value in tail.read():
        if kind(value) == "clock":
            fired.setdefault(number, []).append(due(value))
    assert sum(map(len, fired.values())) == 1_200 * FIRINGS
    assert sorted(fired) == [0, 1, 2]
    for dues in fired.values():
        assert dues == sorted(dues)


@pytest.mark.parametrize("hot_tickets", [1, 2_000], ids=["a hot ticket", "a hot partition"])
def test_what_is_hot_holds_up_no_other_partition(hot_tickets: int) -> None:
    """Beside its 10,000 events the 100 of each other partition are decided in as many turns as partitions."""
    # A turn's records go round the partitions: each comes up once before any comes up twice.
    partitions = 6
    c = cluster(partitions)
    hot = [ticket_in(0, partitions, number) for number in range(hot_tickets)]
    for number in range(10_000):
        trigger = "created" if number < hot_tickets else "contacted"
        c.publish(trigger, number / 1000, ticket=hot[number % hot_tickets], id=f"h{number}", arrives=10)
    for partition in range(1, partitions):
        for number in range(100):
            c.publish("created", 0, ticket=ticket_in(partition, partitions, number), arrives=10)
    c.clock.time = at(10)
    engine, tail = c.worker(), Tail(c)
    while len(engine.partitions) < partitions:  # the hot one is restored first, and so has a head start
        engine.turn()
    tail.read()
    decided: Counter[int] = Counter()
    for _ in range(partitions):
        engine.turn()
        decided.update(number for number, _ in tail.read())
    everything = Counter(number for number, _ in _all(c))
    assert {number: everything[number] for number in range(1, partitions)} == dict.fromkeys(
        range(1, partitions), 100
    )
    assert everything[0] < 10_000, "the hot partition was done first: the test proves nothing"
    settle(engine)
    assert Counter(number for number, _ in _all(c))[0] == 10_000
    assert decided.total() <= partitions * BOUNDS.max_records


def _all(c: Cluster) -> list[tuple[int, bytes]]:
    return Tail(c).read()


def test_the_clocks_of_others_fire_while_one_partition_is_hot() -> None:
    """A partition that never comes to its end lets the others fire what is due by the worker's clock."""
    c = cluster(partitions=2)
    hot, quiet = ticket_in(0, 2, 1), ticket_in(1, 2, 1)
    c.publish("created", 0, ticket=hot)
    c.publish("created", 0, ticket=quiet)
    engine = c.worker()
    settle(engine)
    for number in range(10_000):
        c.publish("contacted", 1, ticket=hot, id=f"h{number}")
    c.clock.time = at(DAY)
    tail = Tail(c)
    tail.read()
    engine.turn()
    fired = [kind(value) for number, value in tail.read() if number == 1]
    assert fired == ["clock"] * FIRINGS


class _Calls:
    """Counts calls of functions: what a stretch of work costs, the same on every machine."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        del frame, argument
        self.count += event in ("call", "c_call")


@contextmanager
def counted() -> Iterator[_Calls]:
    """Count the calls of the body."""
    calls = _Calls()
    sys.setprofile(calls)
    try:
        yield calls
    finally:
        sys.setprofile(None)


def test_an_event_of_a_hot_ticket_costs_what_its_first_ones_did() -> None:
    """Of 10,000 events the last 1,000 take no more calls, and no larger state, than the second 1,000."""
    c = cluster()
    kinds = ("assigned", "contacted", "pending", "contacted", "resumed", "contacted", "transferred")
    c.publish("created", 0)
    for number in range(1, 10_000):
        c.publish(kinds[number % len(kinds)], number, id=f"e{number:05}")
    c.clock.time = at(10_000)
    engine = c.worker(bounds=Bounds(max_records=1_000))
    engine.turn()  # restores
    costs: list[int] = []
    while len(costs) < 10:
        with counted() as calls:
            done = engine.turn()
        if done:
            costs.append(calls.count)
    settle(engine)
    states = [len(record.value or b"") for record in c.records("state")]
    assert c.watcher.outcomes()["applied"] > 8_000
    assert costs[-1] <= 1.02 * costs[1]
    assert states[9] <= 1.02 * states[1]
