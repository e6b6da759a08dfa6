"""Where `replay` gets its events from: files, or the real events topic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from heapq import merge
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from consumers.log import Headers, Reader, Record
from ops import OperationError
from schemas.events import Absorbed, Closed, CloseReason
from schemas.instants import EARLIEST, from_epoch, parse_instant
from schemas.records import SOURCE
from schemas.strict_json import MalformedJson, loads

MAX_LINE_BYTES: Final = 4 * 1024 * 1024
"""A longer line is cut: no broker would take it, and it is `too_large` either way."""

_OFFSETS_AT_ONCE: Final = 2_000
"""How much of a partition is read before the next one's turn: so much of each is in memory."""


class Incoming(NamedTuple):
    """An event as it comes in.

    `place` is where it stands, as a dead letter says it. `merges`: it may make the engine write an event of
    its own. `size`: how much of the source it is.
    """

    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    arrival: datetime
    place: Mapping[str, int]
    merges: bool
    size: int


class Source(Protocol):
    """Events in the order of their arrival; they can be asked for more than once."""

    @property
    def partitions(self) -> int:
        """How many partitions there are."""

    @property
    def total(self) -> int:
        """The sizes of all events together, or a little more."""

    @property
    def paths(self) -> Sequence[Path]:
        """The files that it reads."""

    def events(self) -> Iterator[Incoming]:
        """All events, from the first one on."""


class Line(NamedTuple):
    """What the replay needs to know of a line before the engine decodes it.

    `arrival` is None where it cannot be read. `merges`: see Incoming.
    """

    key: bytes | None
    arrival: datetime | None
    merges: bool


def read_line(value: bytes) -> Line:
    """Look into a line. Whatever is wrong with it is for the decoder to say."""
    document = _document(value)
    subject, arrived = document.get("subject"), document.get("arrivaltime")
    return Line(
        subject.encode() if isinstance(subject, str) else None,
        _instant(document.get("time") if arrived is None else arrived),
        merges=_merges(document.get("type"), document.get("data")),
    )


def from_lines(lines: Iterable[bytes]) -> Iterator[Incoming]:
    """The events of lines, numbered through; blank ones are none."""
    arrival = EARLIEST
    size = 0
    for number, line in enumerate(lines, 1):
        size += len(line)
        value = line.rstrip(b"\r\n")
        if not value.strip():
            continue
        read = read_line(value)
        if read.arrival is not None:
            arrival = max(arrival, read.arrival)
        yield Incoming(0, read.key, value, (), arrival, {"line": number}, read.merges, size)
        size = 0


class Files:
    """Files of structured CloudEvents, one a line, one after the other. Implements Source."""

    def __init__(self, paths: Sequence[Path]) -> None:
        """Look how large they are. Raises OperationError where one cannot be read."""
        self.paths = paths
        self.partitions = 1
        try:
            self.total = sum(path.stat().st_size for path in paths)
        except OSError as error:
            raise _unreadable(Path(str(error.filename)), error) from None

    def events(self) -> Iterator[Incoming]:
        """See Source. Raises OperationError."""
        return from_lines(self._lines())

    def _lines(self) -> Iterator[bytes]:
        """The lines of all files with their ends; of one that is too long its beginning."""
        for path in self.paths:
            try:
                with path.open("rb") as stream:
                    while line := stream.readline(MAX_LINE_BYTES):
                        rest = line
                        while not rest.endswith(b"\n") and (rest := stream.readline(MAX_LINE_BYTES)):
                            pass
                        yield line
            except OSError as error:
                raise _unreadable(path, error) from None


class EventsTopic:
    """The events topic as it is kept now, all partitions merged by arrival. Implements Source.

    What the engine itself wrote to it is left out: the replay writes its own.
    """

    def __init__(self, reader: Reader, topic: str) -> None:
        """Look where it begins and ends. Raises LogError."""
        self._reader, self._topic = reader, topic
        self.paths: Sequence[Path] = ()
        self.partitions = reader.partitions(topic)
        self._beginnings, self._ends = reader.beginnings(topic), reader.ends(topic)
        self.total = sum(self._ends[number] - self._beginnings[number] for number in self._ends)

    def events(self) -> Iterator[Incoming]:
        """See Source. Raises LogError, and OperationError where records were deleted since the beginning."""
        if self._reader.beginnings(self._topic) != self._beginnings:
            raise OperationError(
                f"Kafka has deleted the oldest records of {self._topic} since this began: run it again."
            )
        parts = [self._partition(number) for number in range(self.partitions)]
        return merge(*parts, key=_arrival)

    def _partition(self, number: int) -> Iterator[Incoming]:
        arrival = EARLIEST
        for record in self._records(number):
            arrival = max(arrival, from_epoch(record.timestamp_us))
            if (incoming := _of_record(record, arrival)) is not None:
                yield incoming

    def _records(self, number: int) -> Iterator[Record]:
        # In pieces that are read to their end: a reading that waits for the other partitions would be given
        # up as one that the cluster does not answer.
        end = self._ends[number]
        for start in range(self._beginnings[number], end, _OFFSETS_AT_ONCE):
            yield from list(self._reader.read(self._topic, number, start, min(start + _OFFSETS_AT_ONCE, end)))


def _arrival(incoming: Incoming) -> datetime:
    return incoming.arrival


def _of_record(record: Record, arrival: datetime) -> Incoming | None:
    """The event in a record, None for one of the engine's own."""
    headers = {name: (value or b"").decode("utf-8", "replace") for name, value in record.headers}
    document = _document(record.value)
    binary = "ce_type" in headers
    kind = headers["ce_type"] if binary else document.get("type")
    source = headers.get("ce_source") if binary else document.get("source")
    if kind == Absorbed.type and source == SOURCE:
        return None
    place = {"partition": record.partition, "offset": record.offset}
    merges = _merges(kind, document if binary else document.get("data"))
    return Incoming(
        record.partition, record.key, record.value, record.headers, arrival, place, merges, size=1
    )


def _document(value: bytes | None) -> Mapping[str, Any]:
    """A JSON object; an empty one for anything else."""
    try:
        document = loads(value or b"")
    except MalformedJson:
        return {}
    return document if isinstance(document, dict) else {}


def _merges(kind: object, data: object) -> bool:
    return kind == Closed.type and isinstance(data, dict) and data.get("reason") == CloseReason.MERGED


def _instant(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        return parse_instant(value)
    except ValueError:
        return None


def _unreadable(path: Path, error: OSError) -> OperationError:
    return OperationError(f"The events in {path} cannot be read: {error.strerror or type(error).__name__}.")
