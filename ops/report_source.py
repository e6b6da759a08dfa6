"""Where a report reads the journal: from the topic, or from the file that a replay wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from pydantic import ValidationError

from consumers.log import Reader
from consumers.report_chains import FOLLOWS_MARK, Chains
from consumers.report_fold import Frame, Reporter
from ops import OperationError
from ops.progress import progress
from schemas.records import JournalEntry, read_journal
from schemas.topics import Topic, topic_name
from workflow.report_figures import Figures


class Line(NamedTuple):
    """A journal record and where it stands; `cure` is what to do where it is none."""

    value: bytes
    number: int
    place: str
    cure: str


class Source(Protocol):
    """The journal: its partitions, each in order. May be read twice, and is the same both times."""

    def parts(self, doing: str) -> Iterator[Iterator[Line]]:
        """The partitions, one after another; `doing` is what the progress bar says."""


class TopicSource:
    """The journal topic, up to its end as of now."""

    def __init__(self, reader: Reader, prefix: str) -> None:
        """Raises LogError."""
        self._reader, self._topic = reader, topic_name(prefix, Topic.JOURNAL)
        self._starts, self._ends = reader.beginnings(self._topic), reader.ends(self._topic)

    def parts(self, doing: str) -> Iterator[Iterator[Line]]:
        """See `Source`. Raises LogError while it is read."""
        sizes = {number: end - self._starts[number] for number, end in self._ends.items()}
        with progress(f"{self._topic}: {doing}", sum(sizes.values())) as advance:
            done = 0
            for number in sorted(sizes):
                yield self._part(number, done, advance)
                done += sizes[number]

    def _part(self, number: int, done: int, advance: _Advance) -> Iterator[Line]:
        place, start = f"in partition {number} of {self._topic}", self._starts[number]
        for record in self._reader.read(self._topic, number, start, self._ends[number]):
            advance(done + record.offset - start)
            yield Line(
                record.value or b"", record.offset, place, "`ticketflow verify` says what else is wrong"
            )


class FileSource:
    """A journal in a file, one record a line: the `journal.jsonl` of `replay`."""

    def __init__(self, path: Path) -> None:
        """Raises OperationError where there is no such file."""
        self._path = path
        try:
            self._size = path.stat().st_size
        except OSError as error:
            raise self._unreadable(error) from None

    def parts(self, doing: str) -> Iterator[Iterator[Line]]:
        """See `Source`. Raises OperationError while it is read."""
        with progress(f"{self._path.name}: {doing}", self._size) as advance:
            yield self._lines(advance)

    def _lines(self, advance: _Advance) -> Iterator[Line]:
        done = 0
        try:
            with self._path.open("rb") as stream:
                for number, line in enumerate(stream, 1):
                    done += len(line)
                    advance(done)
                    if line.strip():
                        yield Line(line, number, f"in {self._path}", "name the journal.jsonl of a replay")
        except OSError as error:
            raise self._unreadable(error) from None

    def _unreadable(self, error: OSError) -> OperationError:
        return OperationError(f"The journal {self._path} cannot be read: {error.strerror}.")


class _Advance(Protocol):
    def __call__(self, done: int, /) -> None: ...


def report_figures(source: Source, frame: Frame) -> Figures:
    """The figures of a period. Reads the journal twice, for a ticket may follow one that comes later.

    Raises LogError, and OperationError where a record cannot be read.
    """
    follow_ups = (
        _entry(line)
        for part in source.parts("looking for follow-up tickets")
        for line in part
        if FOLLOWS_MARK in line.value
    )
    reporter = Reporter(frame, Chains(follow_ups))
    for part in source.parts("adding up"):
        reporter.fold(map(_entry, part))
    return reporter.figures()


def _entry(line: Line) -> JournalEntry:
    try:
        return read_journal(line.value).data
    except ValidationError:
        raise OperationError(
            f"Record {line.number} {line.place} is no journal record: {line.cure}."
        ) from None
