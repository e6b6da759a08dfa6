"""`replay`: files of events through the same engine, on the in-memory log and a virtual clock.

One partition, the files in the order given, their lines numbered through. A line's arrival is the later of
the arrival before it and its `arrivaltime` (an RFC 3339 extension attribute) or, where it has none, its
`time`; a line in which that cannot be read keeps the arrival before it. While records are read the clock
stands before all time, so that what is due follows the arrivals; after the last one it goes from one due
instant to the next, up to the last microsecond before the end.

What the engine itself writes to the events topic, `ticket.absorbed`, comes directly after the event that
caused it, with the same arrival: the place that it would have if nothing else had been waiting. So the input
is cut after every event that may cause one, and the result does not depend on the size of a batch. In the
offsets of the journal it counts, and so does the end of the transaction that wrote it.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from json import dumps
from pathlib import Path
from typing import IO, Final, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from consumers.clock import VirtualClock
from consumers.engine import Bounds, Engine
from consumers.log import Record, Restart
from consumers.memory import MemoryBroker, MemoryLog, MemoryReader
from consumers.partition import Partition
from consumers.processor import Tally
from ops import OperationError
from ops.policies import load
from producers.outbox import Outbox
from schemas.events import Closed, CloseReason
from schemas.instants import EARLIEST, parse_instant, to_epoch
from schemas.strict_json import MalformedJson, loads
from schemas.topics import Topic, topic_name
from workflow.policy import Policies

DEFAULT_BATCH: Final = 500
MAX_LINE_BYTES: Final = 4 * 1024 * 1024
"""A longer line is cut: no broker would take it, and it is `too_large` either way."""

DEAD_LETTERS: Final = "dead-letter.jsonl"
STATES: Final = "state.jsonl"
_FILES: Final[Mapping[Topic, str]] = {
    Topic.JOURNAL: "journal.jsonl",
    Topic.NOTIFICATIONS: "notifications.jsonl",
    Topic.METRICS: "metrics.jsonl",
}
FILES: Final = (*_FILES.values(), STATES, DEAD_LETTERS)
"""What is written, in that order."""

_PREFIX: Final = "replay"
_GROUP: Final = "replay"
_MICROSECOND: Final = timedelta(microseconds=1)
_BEFORE_ALL: Final = EARLIEST - _MICROSECOND


class UntilError(OperationError):
    """The end of the replay is no instant: wrong usage."""


@dataclass(slots=True)
class Summary:
    """What was replayed, and what is left in the state.

    `lines` that are not blank and `absorbed` events of the engine: each of them is exactly one of `applied`,
    `duplicate` and `rejected` (by code). `firings`: how often a clock fired.
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

    def as_dict(self) -> dict[str, object]:
        """For machines; `rejected` sorted by code."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return {**fields, "rejected": dict(sorted(self.rejected.items()))}


def replay(
    events: Sequence[Path], policy: Path | None, until: str, out: Path, batch: int = DEFAULT_BATCH
) -> Summary:
    """Replay files of events (structured CloudEvents, one a line) and write what follows to a folder.

    `policy`: a file or a folder of versions, None for the default one. `until`: an RFC 3339 instant; what is
    due before it fires. `batch`: how many records a transaction has at most, at least 1; it changes nothing
    in the files. Shows progress on a terminal. Raises UntilError, PolicyError, and OperationError for files
    that cannot be read or written.
    """
    end = _until(until)
    policies = load(policy)
    try:
        sizes = sum(path.stat().st_size for path in events)
    except OSError as error:
        raise _unreadable(error) from None
    try:
        with ExitStack() as stack:
            files = _opened(stack, events, out)
            bar = stack.enter_context(_progress())
            task = bar.add_task("replay", total=sizes)
            run = Run(policies, files, batch)
            for size in run.feed(_lines(events)):
                bar.advance(task, size)
            bar.update(task, description="what is due")
            return run.finish(end)
    except OSError as error:
        raise _unwritable(out, error) from None


def _until(text: str) -> datetime:
    try:
        return parse_instant(text)
    except ValueError as error:
        raise UntilError(f"--until {error}.") from None


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())


def _opened(stack: ExitStack, events: Sequence[Path], out: Path) -> dict[str, IO[bytes]]:
    inputs = {path.resolve() for path in events}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            if (out / name).resolve() in inputs:
                raise OperationError(f"{out / name} is an input: choose another folder for --out.")
        return {name: stack.enter_context((out / name).open("wb")) for name in FILES}
    except OSError as error:
        raise _unwritable(out, error) from None


def _unreadable(error: OSError) -> OperationError:
    return OperationError(f"The events in {error.filename} cannot be read: {_reason(error)}.")


def _unwritable(out: Path, error: OSError) -> OperationError:
    return OperationError(f"The results cannot be written to {out}: {_reason(error)}. Choose another --out.")


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _lines(paths: Sequence[Path]) -> Iterator[bytes]:
    """The lines of all files with their ends; of one that is too long its beginning."""
    for path in paths:
        try:
            with path.open("rb") as stream:
                while line := stream.readline(MAX_LINE_BYTES):
                    rest = line
                    while not rest.endswith(b"\n") and (rest := stream.readline(MAX_LINE_BYTES)):
                        pass
                    yield line
        except OSError as error:
            raise OperationError(f"The events in {path} cannot be read: {_reason(error)}.") from None


class Line(NamedTuple):
    """What the replay needs to know of a line before the engine decodes it.

    `arrival` is None where it cannot be read. `merges`: it may make the engine write an event of its own.
    """

    key: bytes | None
    arrival: datetime | None
    merges: bool


def read_line(value: bytes) -> Line:
    """Look into a line. Whatever is wrong with it is for the decoder to say."""
    try:
        document = loads(value)
    except MalformedJson:
        return Line(None, None, merges=False)
    if not isinstance(document, dict):
        return Line(None, None, merges=False)
    subject, data = document.get("subject"), document.get("data")
    arrived = document.get("arrivaltime")
    kind = document.get("type")
    return Line(
        subject.encode() if isinstance(subject, str) else None,
        _instant(document.get("time") if arrived is None else arrived),
        merges=kind == Closed.type and isinstance(data, dict) and data.get("reason") == CloseReason.MERGED,
    )


def _instant(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        return parse_instant(value)
    except ValueError:
        return None


class Run:
    """One replay: feeds the log, turns the engine, and writes what comes out as it comes."""

    def __init__(self, policies: Policies, files: Mapping[str, IO[bytes]], batch: int) -> None:
        self._files, self._batch = files, batch
        self.summary = Summary()
        self._arrival = EARLIEST
        self._number = 0
        self._numbers: dict[int, int] = {}  # offset -> number of the line, of what is in the log now
        self._live: set[str] = set()
        self._broker = MemoryBroker(
            {topic_name(_PREFIX, topic): 1 for topic in Topic}, lambda: to_epoch(self._arrival)
        )
        self._reader = MemoryReader(self._broker)
        self._events = topic_name(_PREFIX, Topic.EVENTS)
        state = topic_name(_PREFIX, Topic.STATE)
        self._log = MemoryLog(
            self._broker, events=self._events, state=state, group=_GROUP, worker_id="replay"
        )
        self._clock = VirtualClock(_BEFORE_ALL)
        self._outbox = Outbox(_PREFIX, 1, _GROUP)
        bounds = Bounds(max_records=batch, max_firings=sys.maxsize)
        self._engine = Engine(self._log, self._clock, policies, self._outbox, self, bounds)
        self._engine.turn()  # takes the partition

    @property
    def _partition(self) -> Partition:
        return self._engine.partitions[0]

    def feed(self, lines: Iterator[bytes]) -> Iterator[int]:
        """Replay lines, a batch at a time; yields how many bytes each batch had."""
        waiting = size = 0
        for line in lines:
            self._number += 1
            size += len(line)
            value = line.rstrip(b"\r\n")
            if not value.strip():
                continue
            merges = self._append(value)
            waiting += 1
            if merges or waiting >= self._batch:
                self._process()
                yield size
                waiting = size = 0
        self._process()
        yield size

    def _append(self, value: bytes) -> bool:
        line = read_line(value)
        if line.arrival is not None:
            self._arrival = max(self._arrival, line.arrival)
        offset = self._broker.append(self._events, line.key, value, (), to_epoch(self._arrival))
        self._numbers[offset] = self._number
        self.summary.lines += 1
        return line.merges

    def _process(self) -> None:
        while not self._log.at_end([0]):
            self._engine.turn()
            self._drain()
        self._broker.delete_before(self._events, 0, self._reader.ends(self._events)[0])
        self._numbers.clear()

    def finish(self, until: datetime) -> Summary:
        """Fire what is due before `until`, write the states, and say what was done."""
        last = until - _MICROSECOND
        while (head := self._partition.index.head()) is not None and head.at <= last:
            self._clock.time = max(self._clock.time, head.at)
            self._engine.turn()
            self._drain()
        for ticket_id in sorted(self._live):
            state = self._outbox.state(ticket_id, self._partition.get(ticket_id), 0).value or b""
            self._files[STATES].write(state + b"\n")
        summary = self.summary
        summary.tickets = len(self._live)
        summary.absorbed = (
            summary.applied + summary.duplicate + sum(summary.rejected.values()) - summary.lines
        )
        return summary

    def _drain(self) -> None:
        """Write what has come out, and forget it."""
        for topic, name in _FILES.items():
            for record in self._taken(topic):
                self._files[name].write((record.value or b"") + b"\n")
        for record in self._taken(Topic.DEAD_LETTER):
            self._files[DEAD_LETTERS].write(self._dead_letter(record))
        for record in self._taken(Topic.STATE):
            ticket_id = (record.key or b"").decode()
            (self._live.discard if record.value is None else self._live.add)(ticket_id)

    def _taken(self, topic: Topic) -> Iterator[Record]:
        name = topic_name(_PREFIX, topic)
        yield from self._reader.read(name, 0)
        self._broker.delete_before(name, 0, self._reader.ends(name)[0])

    def _dead_letter(self, record: Record) -> bytes:
        headers = {name: (value or b"").decode() for name, value in record.headers}
        offset = int(headers["dlq.errors.offset"])
        entry = {
            "code": headers["dlq.errors.code"],
            "message": headers["dlq.errors.message"],
            # An event of the engine's own stands in no file.
            "line": self._numbers.get(offset),
            # Bytes that are no text are shown as \xNN, so that every line can be written as JSON.
            "value": (record.value or b"").decode("utf-8", "backslashreplace"),
        }
        return dumps(entry, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"

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
