"""The events of one partition as the verifier meets them: each with its arrival, and with its dead letter."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from consumers.dead_letters import refusal
from consumers.log import Record
from consumers.processor import Renderer
from consumers.verifier_compare import Absorptions, Place, fingerprint, same
from consumers.verifier_report import Law
from consumers.verifier_streams import DeadLetters, Letter, attributes
from schemas.envelope import BadRecord, Code, Event, decode
from schemas.events import Absorbed
from schemas.instants import EARLIEST, format_instant, from_epoch
from schemas.records import SOURCE
from schemas.topics import Topic

_ABSORBED = Absorbed.type.encode()


@dataclass(frozen=True, slots=True)
class Met:
    """A record of the events topic: what it decodes to, and its dead letter if it has one."""

    record: Record
    arrival: datetime
    decoded: Event | BadRecord
    letter: Record | None


class Events:
    """Hands the events out in offset order, and says what is wrong with dead letters on the way.

    An arrival is the running maximum of the timestamps from the earliest record that is kept: broker time
    never goes back within a partition, so nothing that is no longer kept could have been later.
    """

    def __init__(
        self,
        place: Place,
        records: Iterator[Record],
        letters: DeadLetters,
        renderer: Renderer,
        absorptions: Absorptions,
    ) -> None:
        self._place, self._letters, self._renderer = place, letters, renderer
        self._absorptions = absorptions
        self._records = records
        self._next = next(records, None)
        self._arrival = EARLIEST
        self.first_timestamp_us = None if self._next is None else self._next.timestamp_us
        if self._next is not None:
            place.counts.kept_since = format_instant(from_epoch(self._next.timestamp_us))

    def before(self, offset: int) -> Iterator[Met]:
        """Those before an offset that were not handed out yet."""
        while self._next is not None and self._next.offset < offset:
            yield self._pop(self._next)

    def at(self, offset: int) -> Met | None:
        """The one at an offset, if there is one that was not handed out yet."""
        if self._next is None or self._next.offset != offset:
            return None
        return self._pop(self._next)

    def rest(self, committed: int) -> None:
        """Look at what comes after the committed offset: absorbed events; and at the last dead letters."""
        for record in () if self._next is None else chain((self._next,), self._records):
            self._note_absorbed(record)
        self._strays(committed)

    def refused(self, met: Met, code: Code, message: str, ticket_id: str | None = None) -> None:
        """Check the dead letter of an event that is refused with this code and message."""
        if met.letter is None:
            if self._letters.missing_counts:
                self._place.counts.lost += 1
                sentence = f"it is refused as {code}, but there is no dead letter"
                self._place.found(Law.CONSERVATION, Topic.EVENTS, met.record.offset, ticket_id, sentence)
            else:
                self._place.counts.rejected += 1
                self._place.counts.unchecked += 1
            return
        self._place.counts.rejected += 1
        if not self.is_letter(met, code, message):
            said = letter_code(met.letter)
            differs = "its message, or more than that, differs" if said == code else f"it says {said}"
            sentence = f"decided again, the record at offset {met.record.offset} is {code}; {differs}"
            self._place.found(Law.DECISION, Topic.DEAD_LETTER, met.letter.offset, ticket_id, sentence)

    def is_letter(self, met: Met, code: Code, message: str) -> bool:
        """Whether the event's dead letter says exactly that."""
        return met.letter is not None and same(
            met.letter, self._renderer.dead_letter(met.record, code, message)
        )

    @property
    def missing_letters_count(self) -> bool:
        """Whether a dead letter that is not there was lost, and not forgotten by now."""
        return self._letters.missing_counts

    def _pop(self, record: Record) -> Met:
        self._arrival = max(self._arrival, from_epoch(record.timestamp_us))
        self._next = next(self._records, None)
        self._place.counts.consumed += 1
        decoded = decode(
            record.key,
            record.value,
            record.headers,
            arrival=self._arrival,
            partition=self._place.partition,
            partitions=self._place.partitions,
        )
        self._note_absorbed(record)
        return Met(record, self._arrival, decoded, self._letter(record.offset))

    def _note_absorbed(self, record: Record) -> None:
        if record.value is None or _ABSORBED not in record.value:
            return  # the engine writes its names as they are, so that most records need not be parsed here
        said = attributes(record.value)
        if (said.get("type"), said.get("source")) == (Absorbed.type, SOURCE):
            where = (record.partition, record.offset, fingerprint(record.key, record.value))
            self._absorptions.found.setdefault(str(said.get("id")), []).append(where)

    def _letter(self, offset: int) -> Record | None:
        self._strays(offset)
        letters = self._letters.about(offset)
        for letter in letters[1:]:
            self._stray(letter, "there is one about that record already")
        return letters[0].record if letters else None

    def _strays(self, offset: int) -> None:
        for letter in self._letters.before(offset):
            if letter.offset is None:
                self._stray(letter, "it does not say which record of this partition it is about")
            elif letter.offset >= self._place.counts.first_offset:
                self._stray(letter, "that is no event that waits for one")

    def _stray(self, letter: Letter, why: str) -> None:
        about = "" if letter.offset is None else f"about offset {letter.offset}: "
        self._place.found(Law.CAUSE, Topic.DEAD_LETTER, letter.record.offset, None, about + why)


def letter_code(letter: Record) -> str:
    """The code that a dead letter says; `another code` where it is none of ours."""
    said = refusal(letter)
    return said.code if said is not None and said.code in set(Code) else "another code"
