"""`dlq list` and `dlq replay`: dead letters counted and shown, and sent again to the topic of events.

Nothing that came with a record is ever shown: key, value, headers and ids may be somebody's personal data.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from consumers.dead_letters import RETRIABLE, Refusal, refusal
from consumers.log import Reader, Record
from ops.progress import progress
from schemas.instants import LATEST, format_instant, from_epoch, to_epoch
from schemas.topics import Topic, topic_name

MOST_CODES: Final = 100
"""So many codes are counted one by one; whoever writes letters with more of them is no writer of ours."""


class Place(NamedTuple):
    """Where a dead letter is on its topic; its text is `PARTITION:OFFSET`."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter without what came with the record. `said` None: its headers cannot be read.

    `at`: when it was written, UTC. `size_bytes`: of the value that it carries. `obstacle`: why the record
    cannot be sent again, as the end of a sentence; None: it can. `foreign`: it is a subscriber's.
    """

    place: Place
    at: datetime
    said: Refusal | None
    size_bytes: int
    obstacle: str | None
    foreign: bool

    @property
    def code(self) -> str:
        """The code that it says."""
        return "unreadable" if self.said is None else self.said.code

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {
            "partition": self.place.partition,
            "offset": self.place.offset,
            "at": format_instant(self.at),
            "size_bytes": self.size_bytes,
            "code": None,
            "message": None,
            "from": None,
            "arrival": None,
            "replayable": self.obstacle is None,
            "obstacle": self.obstacle,
        } | self._said()

    def _said(self) -> dict[str, Any]:
        if (said := self.said) is None:
            return {}
        whence = {
            "topic": said.topic,
            "partition": said.partition,
            "offset": said.offset,
            "group": said.group,
        }
        arrival = format_instant(said.arrival)
        return {"code": said.code, "message": said.message, "from": whence, "arrival": arrival}


class DeadLetters:
    """The dead letters on the topics with a prefix, up to the end as of now: later ones are not read."""

    def __init__(self, reader: Reader, prefix: str) -> None:
        """Read through `reader`. Raises LogError."""
        self._reader, self._topic = reader, topic_name(prefix, Topic.DEAD_LETTER)
        self.events = topic_name(prefix, Topic.EVENTS)
        self.partitions = reader.partitions(self.events)
        beginnings, ends = reader.beginnings(self._topic), reader.ends(self._topic)
        self._spans = {number: range(beginnings[number], end) for number, end in ends.items()}

    def read(self, places: frozenset[Place] = frozenset()) -> Iterator[tuple[Record, Letter]]:
        """All of them, or those at some places, by partition and offset. Raises Unavailable."""
        spans = _narrowed(self._spans, places) if places else self._spans
        done = 0
        with progress("reading dead letters", sum(map(len, spans.values()))) as advance:
            for number, span in spans.items():
                for record in self._reader.read(self._topic, number, span.start, span.stop):
                    advance(done + record.offset - span.start + 1)
                    if not places or (number, record.offset) in places:
                        yield record, self._letter(record)
                done += len(span)

    def _letter(self, record: Record) -> Letter:
        said = refusal(record)
        return Letter(
            Place(record.partition, record.offset),
            from_epoch(
                min(record.timestamp_us, to_epoch(LATEST))
            ),  # who writes it may stamp it with anything
            said,
            len(record.value or b""),
            self._obstacle(record, said),
            foreign=said is not None and said.topic != self.events,
        )

    def _obstacle(self, record: Record, said: Refusal | None) -> str | None:
        if said is None:
            return "its headers do not say what it is about"
        if said.topic != self.events:
            how = " (ticketflow notifier --retry)" if said.code in RETRIABLE else ""
            return f"it is about {said.topic}: only its subscriber {said.group} knows what to do with it{how}"
        if said.cut:
            return "the record was too large to be kept whole"
        if record.key is None and said.partition >= self.partitions:
            return "it has no key, and the partition that it came from is not there"
        return None


def _narrowed(spans: dict[int, range], places: frozenset[Place]) -> dict[int, range]:
    """The shortest spans with all places that there are."""
    wanted: dict[int, list[int]] = {}
    for number, offset in sorted(places):
        if offset in spans.get(number, ()):
            wanted.setdefault(number, []).append(offset)
    return {number: range(offsets[0], offsets[-1] + 1) for number, offsets in wanted.items()}


@dataclass(slots=True)
class Listing:
    """How many dead letters there are by code, and the latest of them, newest first.

    `more_codes`: letters with yet other codes. `unreadable`: letters whose headers cannot be read.
    """

    codes: Counter[str] = field(default_factory=Counter)
    more_codes: int = 0
    unreadable: int = 0
    latest: list[Letter] = field(default_factory=list)

    @property
    def total(self) -> int:
        """All of them."""
        return self.codes.total() + self.more_codes + self.unreadable

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {
            "total": self.total,
            "codes": dict(self.codes.most_common()),
            "more_codes": self.more_codes,
            "unreadable": self.unreadable,
            "latest": [letter.as_dict() for letter in self.latest],
        }

    def count(self, letter: Letter) -> None:
        """Take a letter into account."""
        if letter.said is None:
            self.unreadable += 1
        elif letter.code in self.codes or len(self.codes) < MOST_CODES:
            self.codes[letter.code] += 1
        else:
            self.more_codes += 1


def fits(letter: Letter, codes: frozenset[str], since: datetime | None) -> bool:
    """Whether a letter has one of these codes (none named: any, or none) and was written since."""
    has_code = not codes or (letter.said is not None and letter.code in codes)
    return has_code and (since is None or letter.at >= since)


def listing(letters: DeadLetters, codes: frozenset[str], since: datetime | None, limit: int) -> Listing:
    """Count those with one of these codes (none named: all) that were written since, and keep `limit`.

    Raises Unavailable.
    """
    found = Listing()
    heap: list[tuple[datetime, Place, Letter]] = []
    for _, letter in letters.read():
        if not fits(letter, codes, since):
            continue
        found.count(letter)
        heapq.heappush(heap, (letter.at, letter.place, letter))
        if len(heap) > limit:
            heapq.heappop(heap)
    found.latest = [letter for *_, letter in sorted(heap, reverse=True)]
    return found
