"""`dlq replay`: sends the records of dead letters again, as they were received."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final

from consumers.dead_letters import event_id, received_headers
from consumers.log import LogError, Publisher, Record
from ops import OperationError
from ops.dlq import DeadLetters, Letter, Place, fits
from schemas.topics import partition_for

_BATCH_RECORDS: Final = 500
_BATCH_BYTES: Final = 16 * 1024 * 1024
"""After so much the replay waits for confirmations: a publisher keeps in memory what it has none for."""

_REMEMBERED: Final = 100_000
"""Of so many records it is known that they were sent. One that comes again later is only a duplicate more."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which dead letters are asked for: those that fit everything that is named. Nothing named: all.

    `ids`: ids of CloudEvents. `since`: only those written from then on, UTC.
    """

    codes: frozenset[str] = frozenset()
    places: frozenset[Place] = frozenset()
    ids: frozenset[str] = frozenset()
    since: datetime | None = None

    @property
    def singles(self) -> bool:
        """Whether letters are named one by one."""
        return bool(self.places or self.ids)


@dataclass(slots=True)
class Outcome:
    """How many records were sent and confirmed (of a trial: would be), and what became of the others.

    `repeated`: letters of a record that was sent already. `refused`: asked for, but cannot be sent again.
    `left_out`: letters of subscribers, when nobody named them. `missing`: what was named and is not there.
    """

    sent: int = 0
    repeated: int = 0
    refused: int = 0
    left_out: int = 0
    missing: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether all that was asked for was sent."""
        return not self.refused and not self.missing

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {
            "sent": self.sent,
            "repeated": self.repeated,
            "refused": self.refused,
            "left_out": self.left_out,
            "missing": self.missing,
        }


Tell = Callable[[Letter], None]
"""Told of each letter that was sent and confirmed, and of each that is refused: its `obstacle` says why."""


class Replay:
    """Sends dead letters again. Use it once."""

    def __init__(self, letters: DeadLetters, publisher: Publisher | None, tell: Tell) -> None:
        """Send through `publisher`; None is for a trial: nothing is sent."""
        self._letters, self._publisher, self._tell = letters, publisher, tell
        self._outcome = Outcome()
        self._waiting: list[Letter] = []
        self._waiting_bytes = 0
        self._last: Place | None = None
        self._sent: dict[bytes, None] = {}

    def run(self, selection: Selection) -> Outcome:
        """Send what is asked for. Raises OperationError: how many were sent before it failed."""
        missing = {*map(str, selection.places), *selection.ids}
        try:
            for record, letter in self._letters.read(selection.places):
                if not fits(letter, selection.codes, selection.since):
                    continue
                identifier = event_id(record) if selection.ids else None
                if selection.ids and identifier not in selection.ids:
                    continue
                missing -= {str(letter.place), identifier or ""}
                self._take(record, letter, named=selection.singles)
            self._confirm()
        except LogError as problem:
            raise OperationError(self._stopped(problem)) from None
        self._outcome.missing = sorted(missing)
        return self._outcome

    def _take(self, record: Record, letter: Letter, *, named: bool) -> None:
        if letter.foreign and not named:
            self._outcome.left_out += 1
        elif letter.obstacle is not None:
            self._outcome.refused += 1
            self._tell(letter)
        elif self._is_new(record):
            self._send(record, letter)
        else:
            self._outcome.repeated += 1

    def _is_new(self, record: Record) -> bool:
        """Whether this record was not sent yet: one that is refused again has a further letter each time."""
        digest = _digest(record)
        if digest in self._sent:
            return False
        self._sent[digest] = None
        if len(self._sent) > _REMEMBERED:
            del self._sent[next(iter(self._sent))]
        return True

    def _send(self, record: Record, letter: Letter) -> None:
        assert letter.said is not None  # noqa: S101 - else it has an obstacle
        if self._publisher is not None:
            key, partitions = record.key, self._letters.partitions
            partition = letter.said.partition if key is None else partition_for(key, partitions)
            self._publisher.send(self._letters.events, key, record.value, received_headers(record), partition)
        self._waiting.append(letter)
        self._waiting_bytes += sum(len(part or b"") for part in _parts(record))
        if len(self._waiting) >= _BATCH_RECORDS or self._waiting_bytes >= _BATCH_BYTES:
            self._confirm()

    def _confirm(self) -> None:
        if self._publisher is not None:
            self._publisher.flush()
        for letter in self._waiting:
            self._outcome.sent += 1
            self._last = letter.place
            self._tell(letter)
        self._waiting.clear()
        self._waiting_bytes = 0

    def _stopped(self, problem: LogError) -> str:
        so_far = f", the last of them {self._last}" if self._last is not None else ""
        return (
            f"Sending stopped, for {problem}. {self._outcome.sent} letters were sent and confirmed{so_far}. "
            "Do the same again later: an event that arrived already is recognised by its source and id."
        )


def _digest(record: Record) -> bytes:
    """Stands for all that came with a record."""
    hashed = blake2b(digest_size=16)
    for part in _parts(record):
        hashed.update(b"-" if part is None else b"%d:" % len(part))
        hashed.update(part or b"")
    return hashed.digest()


def _parts(record: Record) -> Iterator[bytes | None]:
    """Key, value, and names and values of the headers, as they were received."""
    yield from (record.key, record.value)
    for name, content in received_headers(record):
        yield name.encode("utf-8", "surrogateescape")
        yield content
