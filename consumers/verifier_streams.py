"""The topics as the verifier reads them: each as a stream, with a bounded window where order may differ."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from pydantic_core import from_json

from consumers.dead_letters import refusal
from consumers.log import Record
from schemas.topics import Topic, topic_name

WINDOW: Final = 10_000
"""How many records of an output are kept while their cause is looked for.

The engine writes outputs in the order of their causes, and states at the end of a transaction: no transaction
may have more of them than this (see `engine.Bounds`).
"""

_BEGIN: Final = re.compile(rb'\{"specversion":"1\.0","id":"([A-Za-z0-9._-]{1,64})/([0-9]{1,18})["/]')
"""How an output of ours begins; most need not be parsed to know their cause."""

Cause = tuple[str, int]
"""Ticket id and seq: the journal record that an output's id names."""


def attributes(value: bytes | None) -> dict[str, Any]:
    """The CloudEvent in a record of ours; empty where it is none."""
    try:
        document = from_json(value or b"")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def cause_of(record: Record) -> Cause | None:
    """What an output follows from, as its id says; None where it does not say it."""
    begin = _BEGIN.match(record.value or b"")
    if begin is not None:
        return begin[1].decode(), int(begin[2])
    identifier = attributes(record.value).get("id")
    if not isinstance(identifier, str):
        return None
    ticket_id, _, rest = identifier.partition("/")
    seq = rest.partition("/")[0]
    return (ticket_id, int(seq)) if seq.isascii() and seq.isdecimal() and len(seq) < 19 else None


class _Unnamed(NamedTuple):
    """Stands for the cause of a record that names none."""


_UNNAMED: Final = _Unnamed()


class Outputs:
    """One output topic's partition, where records are found by their cause."""

    def __init__(self, records: Iterator[Record], *, complete: bool) -> None:
        """Read records as they are needed; `complete`: the topic has all that was ever written to it."""
        self._records = records
        self._complete = complete
        self._met = False
        self._index: dict[Cause | None, list[Record]] = {}
        self._held = 0

    @property
    def missing_counts(self) -> bool:
        """Whether a record that is not there was lost: it is not that the topic has forgotten it by now."""
        return self._complete or self._met

    def look(self, cause: Cause, count: int) -> list[Record]:
        """The records held for a cause, after reading on until there are `count` or the window is full."""
        while len(self._index.get(cause, ())) < count and self._held < WINDOW and self._read() is not None:
            pass
        return list(self._index.get(cause, ()))

    def drop(self, cause: Cause) -> None:
        """Let go of all records of a cause that stand together here; nobody knows what they should be."""
        if cause in self._index or not self._held:
            while self._read() == cause:
                pass
        dropped = self._index.pop(cause, ())
        self._held -= len(dropped)
        self._met = self._met or bool(dropped)

    def _read(self) -> Cause | _Unnamed | None:
        """Hold one more record; returns its cause, None at the end."""
        record = next(self._records, None)
        if record is None:
            return None
        cause = cause_of(record)
        self._index.setdefault(cause, []).append(record)
        self._held += 1
        return cause or _UNNAMED

    def take(self, cause: Cause, record: Record) -> None:
        """Let a record go that was looked at and accounted for."""
        held = self._index[cause]
        held.remove(record)
        self._held -= 1
        self._met = True
        if not held:
            del self._index[cause]

    def rest(self) -> Iterator[tuple[Cause | None, Record]]:
        """All that nobody took, what was not read yet included."""
        for cause, held in self._index.items():
            for record in held:
                yield cause, record
        for record in self._records:
            yield cause_of(record), record


def watched(records: Iterator[Record], alive: dict[str, Cause]) -> Iterator[Record]:
    """State records that have a value; `alive` gets the latest of each ticket, until its tombstone."""
    for record in records:
        ticket_id = (record.key or b"").decode("utf-8", "replace")
        if record.value is None:
            alive.pop(ticket_id, None)
        else:
            alive[ticket_id] = cause_of(record) or (ticket_id, 0)
            yield record


class Letter(NamedTuple):
    """A dead letter and the offset of the record that it is about; None where that cannot be read."""

    record: Record
    offset: int | None


@dataclass(slots=True)
class DeadLetters:
    """The dead letters of a partition, in the order of the records that they are about.

    Those about another topic with the prefix are a subscriber's: no law speaks of them.
    """

    records: Iterator[Record]
    prefix: str
    partition: int
    complete: bool
    met: bool = False
    _next: Letter | None = None

    def before(self, offset: int) -> Iterator[Letter]:
        """Those about records before `offset`, and those that do not say what they are about."""
        while (letter := self._peek()) is not None and (letter.offset is None or letter.offset < offset):
            self._next = None
            yield letter

    def about(self, offset: int) -> list[Letter]:
        """Those about the record at `offset`."""
        found = []
        while (letter := self._peek()) is not None and letter.offset == offset:
            self._next = None
            self.met = True
            found.append(letter)
        return found

    @property
    def missing_counts(self) -> bool:
        """Whether a dead letter that is not there was lost, and not forgotten by now."""
        return self.complete or self.met

    def _peek(self) -> Letter | None:
        if self._next is None:
            self._next = next(filter(None, map(self._letter, self.records)), None)
        return self._next

    def _letter(self, record: Record) -> Letter | None:
        """The letter, unless it is a subscriber's."""
        said = refusal(record)
        if said is None:
            return Letter(record, None)
        if said.topic in (topic_name(self.prefix, topic) for topic in Topic if topic is not Topic.EVENTS):
            return None
        ours = (topic_name(self.prefix, Topic.EVENTS), self.partition)
        return Letter(record, said.offset if (said.topic, said.partition) == ours else None)


def scout(records: Iterator[Record], committed: int) -> Iterator[tuple[int, int]]:
    """Where the journal names events before `committed`: pairs of the record's own and the event's offset.

    The verifier asks it how far the events go that belong between two journal records.
    """
    for record in records:
        data = attributes(record.value).get("data")
        cause = data.get("cause") if isinstance(data, dict) else None
        if not isinstance(cause, dict) or cause.get("partition") != record.partition:
            continue
        offset = cause.get("offset")
        if isinstance(offset, int):
            if offset >= committed:
                return
            yield record.offset, offset
