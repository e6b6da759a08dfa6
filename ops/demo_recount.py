"""The demo's own count of what became of its events, from the topics alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final, NamedTuple

from consumers.dead_letters import refusal
from consumers.log import Record
from schemas.instants import to_epoch
from schemas.records import SOURCE, EventCause, JournalEntry, read_journal
from schemas.strict_json import MalformedJson, loads
from schemas.topics import Topic, topic_name

_MICROSECONDS: Final = 1_000_000


class _Place(NamedTuple):
    partition: int
    offset: int


class _Identity(NamedTuple):
    source: object
    id: object
    subject: object


class _Arrived(NamedTuple):
    at_us: int
    identity: _Identity | None


@dataclass(frozen=True, slots=True)
class Totals:
    """What was counted. `undecided` events are none of applied, rejected and duplicate (yet)."""

    events: int
    by_engine: int
    applied: int
    rejected: Counter[str]
    duplicates: int
    undecided: int
    tickets: int
    latency_seconds: tuple[float, ...]
    """From an applied event's arrival at the broker until it was decided."""
    lateness_seconds: tuple[float, ...]
    """Of the firings of the run's tickets, from when they were due until they were found."""


class Recount:
    """Folds events, journal and dead letters of one run; they may come in any order among themselves."""

    def __init__(self, prefix: str, tag: str) -> None:
        """Count the topics with that prefix; the run's tickets have ids that end with `tag`."""
        self._tag = tag
        self._events = topic_name(prefix, Topic.EVENTS)
        self._journal = topic_name(prefix, Topic.JOURNAL)
        self._dead_letters = topic_name(prefix, Topic.DEAD_LETTER)
        self._arrived: dict[_Place, _Arrived] = {}
        self._decided_us: dict[_Place, int] = {}
        self._codes: dict[_Place, str] = {}
        self._tickets: set[str] = set()
        self._lateness_seconds: list[float] = []

    def apply(self, records: Iterable[Record]) -> None:
        """Take in records."""
        for record in records:
            if record.topic == self._events:
                arrived = _Arrived(record.timestamp_us, _identity(record))
                self._arrived[_Place(record.partition, record.offset)] = arrived
            elif record.topic == self._journal:
                self._applied(read_journal(record.value).data)
            elif record.topic == self._dead_letters:
                self._rejected(record)

    def _applied(self, entry: JournalEntry) -> None:
        if entry.ticket_id.endswith(self._tag):
            self._tickets.add(entry.ticket_id)
            late = (change.lateness_seconds for change in entry.clocks)
            self._lateness_seconds.extend(islice((each for each in late if each is not None), 1))
        if isinstance(entry.cause, EventCause):
            place = _Place(entry.cause.partition, entry.cause.offset)
            self._decided_us[place] = to_epoch(entry.recorded_at)

    def _rejected(self, record: Record) -> None:
        why = refusal(record)
        if why is not None and why.topic == self._events:
            self._codes[_Place(why.partition, why.offset)] = why.code

    def before(self, ends: Mapping[int, int]) -> int:
        """How many of the events lie before these offsets of their partitions."""
        return sum(place.offset < ends.get(place.partition, 0) for place in self._arrived)

    def totals(self) -> Totals:
        """What was counted until now."""
        known = {self._arrived[place].identity for place in self._decided_us.keys() & self._arrived.keys()}
        open_places = self._arrived.keys() - self._decided_us.keys() - self._codes.keys()
        again = [place for place in open_places if self._arrived[place].identity in known - {None}]
        return Totals(
            events=len(self._arrived),
            by_engine=sum(
                arrived.identity is not None and arrived.identity.source == SOURCE
                for arrived in self._arrived.values()
            ),
            applied=len(self._decided_us.keys() & self._arrived.keys()),
            rejected=Counter(self._codes[place] for place in self._codes.keys() & self._arrived.keys()),
            duplicates=len(again),
            undecided=len(open_places) - len(again),
            tickets=len(self._tickets),
            latency_seconds=tuple(
                (self._decided_us[place] - arrived.at_us) / _MICROSECONDS
                for place, arrived in self._arrived.items()
                if place in self._decided_us
            ),
            lateness_seconds=tuple(self._lateness_seconds),
        )


def _identity(record: Record) -> _Identity | None:
    """Source, id and subject of an event in structured mode; None: it has none."""
    try:
        document = loads(record.value or b"")
    except MalformedJson:
        return None
    if not isinstance(document, dict):
        return None
    source, event_id, subject = (document.get(name) for name in ("source", "id", "subject"))
    texts = isinstance(source, str) and isinstance(event_id, str) and isinstance(subject, str)
    return _Identity(source, event_id, subject) if texts else None
