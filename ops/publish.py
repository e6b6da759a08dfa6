"""`publish`: files of CloudEvents, one JSON text a line: first every line is looked at, then all are sent."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

from consumers.log import Publisher, Unavailable
from ops import OperationError, composition
from ops.progress import progress
from ops.settings import Settings
from producers.outbox import STRUCTURED
from schemas.envelope import BadRecord, decode
from schemas.strict_json import MalformedJson, loads
from schemas.topics import Topic, partition_for, topic_name

STDIN: Final = "-"

MAX_LINE_BYTES: Final = 4 * 1024 * 1024 - 64 * 1024
"""What the topic takes (`max.message.bytes`), less room for key, headers and batch."""

MOST_REFUSALS: Final = 100
"""Of so many lines people and programs are told why, and of the rest how many there are."""

_BUFFER_BYTES: Final = 1024 * 1024
_LINGER_SECONDS: Final = 0.01


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is not blank, of `size_bytes` with its end. `value` None: it is too long to be sent."""

    source: str
    number: int
    size_bytes: int
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a line is no event; its text is `FILE:LINE code message`, without a value of the line."""

    source: str
    line: int
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.source}:{self.line} {self.code} {self.message}"

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {"file": self.source, "line": self.line, "code": self.code, "message": self.message}


class Sources:
    """Files that are read twice and stay the same meanwhile. What can be read only once is copied first."""

    def __init__(self, names: list[str]) -> None:
        """Open them, `-` being standard input. Raises OperationError. Close it, or use `with`."""
        self._stack = ExitStack()
        try:
            self._streams = [(_shown(name), self._open(name)) for name in names]
        except BaseException:
            self.close()
            raise
        self._before = [_identity(stream) for _, stream in self._streams]

    @property
    def size_bytes(self) -> int:
        """How much there is to read."""
        return sum(os.fstat(stream.fileno()).st_size for _, stream in self._streams)

    def lines(self) -> Iterator[Line]:
        """The lines of all files from their beginning. Raises OperationError where a file has changed."""
        for (name, stream), before in zip(self._streams, self._before, strict=True):
            stream.seek(0)
            yield from _lines(name, stream)
            if _identity(stream) != before:
                raise OperationError(f"{name} was changed while it was read: publish a copy of it.")

    def _open(self, name: str) -> IO[bytes]:
        try:
            if name == STDIN:
                return self._spool(_standard_input())
            stream = self._stack.enter_context(Path(name).open("rb", _BUFFER_BYTES))  # noqa: SIM115 (the stack closes it)
            if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                return stream
            return self._spool(stream)
        except OSError as problem:
            raise OperationError(f"{_shown(name)} cannot be read: {problem.strerror}.") from None

    def _spool(self, stream: IO[bytes]) -> IO[bytes]:
        copy = self._stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 (see above)
        shutil.copyfileobj(stream, copy, _BUFFER_BYTES)
        copy.flush()
        return copy

    def close(self) -> None:
        """Close the files."""
        self._stack.close()

    def __enter__(self) -> Sources:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _standard_input() -> IO[bytes]:
    if sys.stdin is None:  # the interpreter's way to say so
        raise OperationError("Standard input cannot be read, for it is closed.")
    return sys.stdin.buffer


def _shown(name: str) -> str:
    return "standard input" if name == STDIN else name


def _identity(stream: IO[bytes]) -> tuple[int, int]:
    found = os.fstat(stream.fileno())
    return found.st_size, found.st_mtime_ns


def _lines(name: str, stream: IO[bytes]) -> Iterator[Line]:
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        size_bytes = len(line)
        too_long = size_bytes > MAX_LINE_BYTES and not line.endswith(b"\n")
        while too_long and line and not line.endswith(b"\n"):
            line = stream.readline(_BUFFER_BYTES)
            size_bytes += len(line)
        if too_long:
            yield Line(name, number, size_bytes, None)
        elif line.strip():
            yield Line(name, number, size_bytes, line.rstrip(b"\r\n"))


def subject_of(value: bytes) -> bytes | None:
    """The record key of an event: its subject, or None where that cannot be read as text."""
    try:
        document = loads(value)
    except MalformedJson:
        return None
    subject = document.get("subject") if isinstance(document, dict) else None
    try:
        return subject.encode() if isinstance(subject, str) else None
    except UnicodeEncodeError:  # half of a surrogate pair
        return None


def refusal(line: Line, arrival: datetime) -> Refusal | None:
    """Why the engine would refuse a line that arrives then, whatever its ticket is like; or None."""
    if line.value is None:
        sentence = f"the line is longer than the {MAX_LINE_BYTES} bytes that can be sent at all"
        return Refusal(line.source, line.number, "too_large", sentence)
    key = subject_of(line.value)
    # Only the engine sees where the record lies; here it lies where it belongs.
    decoded = decode(key, line.value, STRUCTURED, arrival=arrival, partition=0, partitions=1)
    if isinstance(decoded, BadRecord):
        return Refusal(line.source, line.number, decoded.code, decoded.message)
    return None


@dataclass(slots=True)
class Outcome:
    """How many lines were sent (and acknowledged), how many are no events, and how many of those stayed."""

    sent: int = 0
    invalid: int = 0
    withheld: int = 0
    refusals: list[Refusal] = field(default_factory=list)
    """Why lines stayed here: of the first `MOST_REFUSALS`."""

    def withhold(self, refused: Refusal) -> None:
        """Note that a line stays here."""
        self.withheld += 1
        if len(self.refusals) < MOST_REFUSALS:
            self.refusals.append(refused)

    def as_dict(self) -> dict[str, object]:
        """For JSON; what stayed here is in it only where there is something."""
        counts: dict[str, object] = {"sent": self.sent, "invalid": self.invalid}
        if not self.withheld:
            return counts
        refusals = [each.as_dict() for each in self.refusals]
        return counts | {"refusals": refusals, "refusals_left_out": self.withheld - len(refusals)}


def publish(settings: Settings, names: list[str], *, force: bool, tell: Callable[[Refusal], None]) -> Outcome:
    """Look at every line, `tell` which are no events, and send all if there is none or by `force`.

    What is too long to be sent stays here even then. Raises OperationError, LogError.
    """
    outcome = Outcome()
    with Sources(names) as sources:
        with progress("checking", sources.size_bytes) as advance:
            for line in _counted(sources, advance):
                if (refused := refusal(line, datetime.now(UTC))) is not None:
                    outcome.invalid += 1
                    if line.value is None or not force:
                        outcome.withhold(refused)
                    tell(refused)
        if outcome.invalid and not force:
            return outcome
        servers = composition.bootstrap_servers(settings)
        topic = topic_name(settings.topic_prefix, Topic.EVENTS)
        with closing(composition.reader(settings, servers)) as reader:
            partitions = reader.partitions(topic)
        with (
            closing(composition.publisher(settings, servers, _LINGER_SECONDS)) as publisher,
            progress("publishing", sources.size_bytes) as advance,
        ):
            outcome.sent = send(_counted(sources, advance), publisher, topic, partitions)
    return outcome


def _counted(sources: Sources, advance: Callable[[int], None]) -> Iterator[Line]:
    done_bytes = 0
    for line in sources.lines():
        done_bytes += line.size_bytes
        advance(done_bytes)
        yield line


def send(lines: Iterable[Line], publisher: Publisher, topic: str, partitions: int) -> int:
    """Send every line that can be sent, and return how many the cluster acknowledged: all of them.

    Raises LogError, OperationError.
    """
    sent = 0
    try:
        for line in lines:
            if line.value is None:
                continue
            key = subject_of(line.value)
            partition = None if key is None else partition_for(key, partitions)
            publisher.send(topic, key, line.value, STRUCTURED, partition)
            sent += 1
        publisher.flush()
    except Unavailable as problem:
        raise OperationError(
            f"Publishing stopped, for {problem}. Publish the same again later: what arrived already is "
            "recognised by its source and id."
        ) from None
    return sent
