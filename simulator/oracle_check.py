"""Every clock of a history against the oracle of seconds.

A ticket's events are given to the oracle in the order of their offsets, with their arrivals. When a clock
fired it takes from the journal, for that depends on when a worker's clock said so; what fired, that it was
due then, and that it was not due before an event that came first, it says itself.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from functools import cache
from typing import Any, Final

from schemas.instants import to_epoch
from schemas.records import SOURCE
from schemas.topics import Topic
from simulator.agenda import SECOND
from simulator.oracle.lines import alike, line, tidy
from simulator.oracle.seconds import Line, Oracle, Sent
from simulator.oracle.terms import Versions
from simulator.outputs import journal, refused
from simulator.policies import DOCUMENTS, START
from simulator.traffic import Arriving
from simulator.world import World

_BEFORE: Final = 60 * 3600
_HORIZON: Final = 140 * 3600
_START_US: Final = to_epoch(START)
_GRACE_SECONDS: Final = 1
"""What is due in the moment in which the history ends need not have fired."""


@cache
def _versions(policy: int) -> Versions:
    return Versions(DOCUMENTS[policy], START, _BEFORE, _HORIZON)


class _Led(Oracle):
    """An oracle of one ticket that is told when to fire."""

    def _absorb(self, *_: Any) -> None:
        """What the survivor learns arrives as an event of its own."""

    def refusal(self, event: Sent) -> str | None:
        """What an event is refused for now, `duplicate` included."""
        return self._refusal(event, self.tickets.get(event.ticket))

    def apply(self, event: Sent) -> Line:
        """Apply an event; returns its record."""
        self._apply(event, self.tickets.get(event.ticket))
        return self.lines[-1]

    def fire_first(self) -> Line | None:
        """Fire what is due first; None where nothing is."""
        due = min(self.waiting(), default=None, key=lambda each: each[:5])
        if due is None:
            return None
        at, name, clock, _, _, threshold = due
        ticket = self.tickets[name]
        if clock == "reopening_window":
            self._leave(ticket, at)
        else:
            self._fire(ticket, ticket.clocks[clock], threshold, at, at)
        return self.lines[-1]

    def due_before(self, instant: int | Fraction) -> bool:
        """Whether anything is due before an instant."""
        return any(due[0] < instant for due in self.waiting())


@dataclass(slots=True)
class _Story:
    """What there is of one ticket: its events with their places and arrivals, and its journal."""

    events: list[tuple[tuple[int, int], Sent]] = field(default_factory=list)
    journal: list[Mapping[str, Any]] = field(default_factory=list)


def against_the_oracle(world: World) -> Iterator[tuple[str | None, str]]:
    """What the oracle does not agree with: the ticket, and a sentence. One for each ticket at most."""
    codes = dict(refused(world))
    end = (world.ended_us - _START_US) // SECOND - _GRACE_SECONDS
    for ticket, story in sorted(_stories(world).items()):
        sentence = _Comparison(world.plan.policy, ticket, story, codes).run(end)
        if sentence is not None:
            yield ticket, f"{ticket}: {sentence}"


class _Comparison:
    """One ticket's journal beside what the oracle makes of its events."""

    def __init__(self, policy: int, ticket: str, story: _Story, codes: Mapping[tuple[int, int], str]) -> None:
        self._oracle = _Led(_versions(policy))
        self._ticket, self._story, self._codes = ticket, story, codes
        self._next = 0

    def run(self, end: int) -> str | None:
        """The first difference; None where there is none. All that is due before `end` has fired."""
        for place, event in self._story.events:
            sentence = self._event(place, event)
            if sentence is not None:
                return sentence
        while self._next < len(self._story.journal):
            if self._is_event(self._story.journal[self._next]):
                return f"{self._where()} follows from no event that is there"
            sentence = self._fire()
            if sentence is not None:
                return sentence
        if self._oracle.due_before(end):
            due = min(self._oracle.waiting())
            return f"{due[2]} #{due[3]} {due[5].name} was due at {float(due[0]):g} and has never fired"
        return None

    def _event(self, place: tuple[int, int], event: Sent) -> str | None:
        self._oracle.arrival = event.arrival
        cause = self._cause(place)
        if cause is not None:
            return self._applied(event, cause)
        expected = self._codes.get(place, "duplicate")
        while (code := self._oracle.refusal(event)) != expected or self._oracle.due_before(event.arrival):
            if self._at_firing():  # it may have come after a firing that changes what becomes of it
                sentence = self._fire()
                if sentence is not None:
                    return sentence
            elif code != expected:
                return f"event {event.id} became {expected}; the oracle says {code or 'applied'}"
            else:
                return f"event {event.id} was decided before what was due before it"
        return None

    def _applied(self, event: Sent, cause: int) -> str | None:
        while self._next < cause:
            if not self._at_firing():
                return f"{self._where()} stands before that of an earlier event"
            sentence = self._fire()
            if sentence is not None:
                return sentence
        if self._oracle.due_before(event.arrival):
            return f"event {event.id} was decided before what was due before it"
        code = self._oracle.refusal(event)
        if code is not None:
            return f"event {event.id} was applied; the oracle says {code}"
        return self._compare(self._oracle.apply(event))

    def _fire(self) -> str | None:
        fired = self._oracle.fire_first()
        if fired is None:
            return f"{self._where()} fires, and nothing is due"
        return self._compare(fired)

    def _compare(self, ours: Line) -> str | None:
        mine, its = _bare(ours), _bare(line(START, self._story.journal[self._next]))
        (its,) = alike([mine], [its])
        where = self._where()
        self._next += 1
        return None if mine == its else f"{where}: {_difference(mine, its)}"

    def _where(self) -> str:
        return f"record {self._story.journal[self._next]['seq']}"

    def _at_firing(self) -> bool:
        waiting = self._next < len(self._story.journal)
        return waiting and not self._is_event(self._story.journal[self._next])

    @staticmethod
    def _is_event(entry: Mapping[str, Any]) -> bool:
        return bool(entry["cause"]["kind"] == "event")

    def _cause(self, place: tuple[int, int]) -> int | None:
        """Which record of the journal follows from the event at that place."""
        for number in range(self._next, len(self._story.journal)):
            cause = self._story.journal[number]["cause"]
            if cause["kind"] == "event" and (cause["partition"], cause["offset"]) == place:
                return number
        return None


def _bare(said: Line) -> Line:
    """Without the time at which the engine found it."""
    said = tidy(said, _HORIZON)
    return said._replace(clocks=tuple(change._replace(found_at=None) for change in said.clocks))


def _difference(mine: Line, its: Line) -> str:
    for name, own, other in zip(Line._fields, mine, its, strict=True):
        if own == other:
            continue
        if name != "clocks" or len(mine.clocks) != len(its.clocks):
            return f"{name} is {other}; the oracle says {own}"
        pairs = zip(mine.clocks, its.clocks, strict=True)
        own_change, other_change = next((a, b) for a, b in pairs if a != b)
        return f"a change is {_said(other_change)}; the oracle says {_said(own_change)}"
    return "nothing differs"


def _said(change: Any) -> str:
    return ", ".join(f"{n} {_plain(v)}" for n, v in change._asdict().items() if v is not None)


def _plain(value: Any) -> str:
    return f"{float(value):g}" if isinstance(value, Fraction) else str(value)


def _stories(world: World) -> dict[str, _Story]:
    stories: dict[str, _Story] = {}
    sent = {(each.partition, each.offset): each.arriving for each in world.published}
    for number in range(world.plan.partitions):
        arrival = 0
        for record in world.reader.read(world.topics[Topic.EVENTS], number):
            arrival = max(arrival, record.timestamp_us)
            seconds = (arrival - _START_US) // SECOND
            place = (number, record.offset)
            event = _heard(sent.get(place), record.value or b"", seconds)
            if event is not None:
                stories.setdefault(event.ticket, _Story()).events.append((place, event))
    for entry in journal(world):
        stories.setdefault(entry["ticket_id"], _Story()).journal.append(entry)
    return stories


def _heard(arriving: Arriving | None, value: bytes, arrival: int) -> Sent | None:
    """An event in the oracle's words; None for what is none."""
    if arriving is not None:
        if arriving.event is None:
            return None
        name, kind, happened, data = arriving.event
        return Sent(kind, arriving.ticket, happened, arrival, name, data)
    document = json.loads(value)
    if document["source"] != SOURCE:
        raise ValueError("somebody but the engine and the channels has written an event")
    data = document["data"]
    learnt = {"ticket": data["ticket"], "registered_at": _seconds(data["registered_at"])}
    return Sent("absorbed", document["subject"], _seconds(document["time"]), arrival, "absorbed", learnt)


def _seconds(text: str) -> int:
    return int((datetime.fromisoformat(text) - START).total_seconds())
