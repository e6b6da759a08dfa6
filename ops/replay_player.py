"""The engine of `replay`: on the in-memory log and a virtual clock.

While records are read the clock stands before all time, so that what is due follows the arrivals; after the
last one it goes from one due instant to the next, up to the last microsecond before the end.

What the engine itself writes to the events topic, `ticket.absorbed`, comes directly after the event that
caused it, with the same arrival: the place that it would have if nothing else had been waiting. So the input
is cut after every event that may cause one, and the result does not depend on the size of a batch. In the
offsets of the journal it counts, and so does the end of the transaction that wrote it.

What comes out is handed over as it is decided, and no log keeps it: a transaction in memory never fails.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from consumers.clock import VirtualClock
from consumers.engine import Bounds, Engine
from consumers.log import Outgoing, Record, Restart
from consumers.memory import MemoryBroker, MemoryLog, MemoryReader
from consumers.processor import Tally
from ops.replay_events import Incoming
from producers.outbox import Outbox
from schemas.envelope import Code
from schemas.instants import EARLIEST, to_epoch
from schemas.state import Ticket
from schemas.topics import Topic, topic_name
from workflow.decide import Accepted
from workflow.policy import Policies

_PREFIX: Final = "replay"
_GROUP: Final = "replay"
_MICROSECOND: Final = timedelta(microseconds=1)
_BEFORE_ALL: Final = EARLIEST - _MICROSECOND
_OF_THE_ENGINE: Final[Mapping[str, int | None]] = {"line": None}
"""The place of an event that stands in no file and no topic."""


@dataclass(slots=True)
class Summary:
    """What was replayed, and what is left in the state.

    `lines` (events that were read) and `absorbed` events of the engine: each of them is exactly one of
    `applied`, `duplicate` and `rejected` (by code). `firings`: how often a clock fired.
    """

    lines: int = 0
    absorbed: int = 0
    applied: int = 0
    duplicate: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    firings: int = 0
    tickets: int = 0

    def add(self, tally: Tally) -> None:
        """Count what one transaction did."""
        for (_, outcome), count in tally.events.items():
            if outcome == "applied":
                self.applied += count
            elif outcome == "duplicate":
                self.duplicate += count
            else:
                self.rejected[outcome] = self.rejected.get(outcome, 0) + count
        self.firings += len(tally.lateness_seconds)

    def __str__(self) -> str:
        """What became of the events; the sum is right only with those of the engine."""
        own = f" and {self.absorbed} of the engine's own" if self.absorbed else ""
        ends = f"{self.applied} applied, {self.duplicate} duplicate, {sum(self.rejected.values())} rejected"
        return f"{self.lines} events{own}: {ends}"

    def as_dict(self) -> dict[str, object]:
        """For machines; `rejected` sorted by code."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return {**fields, "rejected": dict(sorted(self.rejected.items()))}


class Outlet(Protocol):
    """Takes what a replay decides."""

    def applied(self, fact: Accepted, partition: int) -> None:
        """An event was applied, or a clock fired."""

    def refused(self, letter: Outgoing, place: Mapping[str, int | None], code: Code, message: str) -> None:
        """An event was refused; `letter` is its dead letter, `place` where the event stands."""

    def left(self, ticket: Ticket, partition: int) -> None:
        """A ticket is in the state at the end."""


class Player:
    """One replay: feeds the log, turns the engine, and hands over what comes out as it comes."""

    def __init__(self, policies: Policies, outlet: Outlet, batch: int, partitions: int = 1) -> None:
        """`batch`: how many records a transaction has at most, at least 1; it changes nothing that comes out.

        `partitions`: as many as the events have.
        """
        self._outlet, self._batch = outlet, batch
        self.summary = Summary()
        self._arrival = EARLIEST
        self._places: dict[tuple[int, int], Mapping[str, int]] = {}  # by partition and offset: what waits
        self._live: dict[str, int] = {}  # the partition of every ticket in the state
        self._broker = MemoryBroker(
            {topic_name(_PREFIX, topic): partitions for topic in Topic}, lambda: to_epoch(self._arrival)
        )
        self._reader = MemoryReader(self._broker)
        self._events, self._state = topic_name(_PREFIX, Topic.EVENTS), topic_name(_PREFIX, Topic.STATE)
        self._log = MemoryLog(
            self._broker, events=self._events, state=self._state, group=_GROUP, worker_id="replay"
        )
        self._clock = VirtualClock(_BEFORE_ALL)
        self._outbox = Outbox(_PREFIX, partitions, _GROUP)
        bounds = Bounds(max_records=batch, max_firings=sys.maxsize)
        self._engine = Engine(self._log, self._clock, policies, self, self, bounds)
        while not self._engine.ready:
            self._engine.turn()  # takes the partitions

    def feed(self, events: Iterable[Incoming]) -> Iterator[int]:
        """Replay events, a batch at a time; yields the size of each batch."""
        waiting = size = 0
        for incoming in events:
            self._append(incoming)
            waiting += 1
            size += incoming.size
            if incoming.merges or waiting >= self._batch:
                self._process()
                yield size
                waiting = size = 0
        self._process()
        yield size

    def _append(self, incoming: Incoming) -> None:
        self._arrival = incoming.arrival
        partition, stamp = incoming.partition, to_epoch(incoming.arrival)
        offset = self._broker.append(
            self._events, incoming.key, incoming.value, incoming.headers, stamp, partition
        )
        self._places[partition, offset] = incoming.place
        self.summary.lines += 1

    def _process(self) -> None:
        numbers = range(self._log.partitions)
        while len(self._log.at_end(numbers)) < len(numbers):
            self._engine.turn()
        self._places.clear()
        self._trim()

    def _trim(self) -> None:
        """Forget what is done: nobody reads it again."""
        for topic in (self._events, self._state, topic_name(_PREFIX, Topic.DEAD_LETTER)):
            for number, end in self._reader.ends(topic).items():
                self._broker.delete_before(topic, number, end)

    @property
    def held(self) -> int:
        """How many records the log in memory holds."""
        names = [topic_name(_PREFIX, topic) for topic in Topic]
        return sum(len(partition.slots) for name in names for partition in self._broker.topic(name))

    def fire(self, until: datetime) -> Iterator[datetime]:
        """Fire what is due before `until`; yields each instant at which something was."""
        last = until - _MICROSECOND
        while (due_at := self._next_due()) is not None and due_at <= last:
            self._clock.time = max(self._clock.time, due_at)
            self._engine.turn()
            self._trim()
            yield self._clock.time

    def _next_due(self) -> datetime | None:
        heads = (partition.index.head() for partition in self._engine.partitions.values())
        return min((head.at for head in heads if head is not None), default=None)

    @property
    def arrival(self) -> datetime:
        """When the last event arrived."""
        return self._arrival

    def end(self) -> Summary:
        """Hand over what is in the state, let go of it, and say what was done. Nothing more can be played."""
        for ticket_id, number in sorted(self._live.items()):
            ticket = self._engine.partitions[number].get(ticket_id)
            if ticket is not None:
                self._outlet.left(ticket, number)
        del self._engine  # it knows us, and we it: its tickets would stay until garbage is looked for
        summary = self.summary
        summary.tickets = len(self._live)
        summary.absorbed = (
            summary.applied + summary.duplicate + sum(summary.rejected.values()) - summary.lines
        )
        return summary

    # The engine's renderer: what it returns goes to the log, and that needs to know of little.

    def fact(self, fact: Accepted, partition: int) -> Iterator[Outgoing]:
        """Hand a fact over; only what a survivor learns goes on, for the engine is to read it."""
        self._outlet.applied(fact, partition)
        if fact.absorbed is not None:
            yield from (out for out in self._outbox.fact(fact, partition) if out.topic == self._events)

    def state(self, ticket_id: str, ticket: Ticket | None, partition: int) -> Outgoing:
        """Note that a ticket is in the state, or has left it. What it is now, the engine knows."""
        if ticket is None:
            self._live.pop(ticket_id, None)
        else:
            self._live[ticket_id] = partition
        return Outgoing(self._state, partition, ticket_id.encode(), None)

    def dead_letter(self, record: Record, code: Code, message: str) -> Outgoing:
        """Hand a refused record over."""
        letter = self._outbox.dead_letter(record, code, message)
        place = self._places.get((record.partition, record.offset), _OF_THE_ENGINE)
        self._outlet.refused(letter, place, code, message)
        return letter

    # The engine's observer: only what is committed matters, and nothing can go wrong in memory.

    def restored(self, partition: int, tickets: int, seconds: float) -> None:
        """See `Observer`."""

    def dropped(self, partition: int) -> None:
        """See `Observer`."""

    def committed(self, tally: Tally, seconds: float) -> None:
        """Count what was done."""
        del seconds
        self.summary.add(tally)

    def restarted(self, reason: Restart) -> None:
        """A log in memory that refuses a transaction is a bug of ours."""
        raise RuntimeError("the in-memory log refused a transaction") from reason

    def turned(self) -> None:
        """See `Observer`."""
