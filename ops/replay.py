"""`replay`: events through the same engine, on the in-memory log and a virtual clock, into files.

Of files: one partition, the files in the order given, their lines numbered through. A line's arrival is the
later of the arrival before it and its `arrivaltime` (an RFC 3339 extension attribute) or, where it has none,
its `time`; a line in which that cannot be read keeps the arrival before it. Of the events topic: its
partitions, and arrivals are what the broker noted; the offsets in the journal are those of the replay's own
log, not the topic's. `ops.replay_player` says when clocks fire.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from json import dumps
from pathlib import Path
from typing import IO, Final

from consumers.log import Outgoing
from ops import OperationError
from ops.progress import progress
from ops.replay_events import Source
from ops.replay_player import Player, Summary
from producers.outbox import Outbox
from schemas.envelope import Code
from schemas.instants import format_instant, parse_instant
from schemas.records import ClockCause
from schemas.state import Ticket
from schemas.topics import Topic, topic_name
from workflow.decide import Accepted
from workflow.policy import Policies

DEAD_LETTERS: Final = "dead-letter.jsonl"
STATES: Final = "state.jsonl"
_PREFIX: Final = "replay"
_FILES: Final[Mapping[str, str]] = {
    topic_name(_PREFIX, Topic.JOURNAL): "journal.jsonl",
    topic_name(_PREFIX, Topic.NOTIFICATIONS): "notifications.jsonl",
    topic_name(_PREFIX, Topic.METRICS): "metrics.jsonl",
}
FILES: Final = (*_FILES.values(), STATES, DEAD_LETTERS)
"""What is written, in that order."""


class UntilError(OperationError):
    """The end of the replay is no instant: wrong usage."""


def write(source: Source, policies: Policies, until: datetime, out: Path, batch: int) -> Summary:
    """Replay what a source has and write what follows to a folder.

    `until`: what is due before it fires. `batch`: how many records a transaction has at most, at least 1; it
    changes nothing in the files. Shows progress on a terminal. Raises OperationError for what cannot be read
    or written.
    """
    with results(out, FILES, source.paths) as files:
        player = Player(policies, Written(files, source.partitions), batch, source.partitions)
        return play(player, source, until, "replay")


def until_instant(text: str) -> datetime:
    """The end of a replay. Raises UntilError."""
    try:
        return parse_instant(text)
    except ValueError as error:
        raise UntilError(f"--until {error}.") from None


def play(player: Player, source: Source, until: datetime, what: str) -> Summary:
    """Play all events, and then what is due before `until`; `what` stands beside the progress.

    Where events arrive after `until`, a sentence on stderr says so: they are played all the same.
    """
    done = 0
    with progress(what, source.total) as advance:
        for size in player.feed(source.events()):
            done += size
            advance(done)
    begun = player.arrival
    if begun >= until:
        last = format_instant(begun)
        print(f"--until lies before the last arrival ({last}): all was played up to there.", file=sys.stderr)
    with progress(f"{what}: what is due", max(int((until - begun).total_seconds()), 0)) as advance:
        for instant in player.fire(until):
            advance(int((instant - begun).total_seconds()))
    return player.end()


@contextmanager
def results(out: Path, names: Iterable[str], inputs: Iterable[Path]) -> Iterator[dict[str, IO[bytes]]]:
    """Open files of these names in a folder, which is made where it is missing.

    They are there once all is done; an error leaves those of an earlier run as they are. Nobody else may read
    them, for states and dead letters have people's data. Raises OperationError where one of them is among the
    inputs or cannot be written.
    """
    read = {path.resolve() for path in inputs}
    parts = {out / name: out / f".{name}.part" for name in names}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path in parts:
            if path.resolve() in read:
                raise OperationError(f"{path} is an input: choose another folder for --out.")
        with ExitStack() as stack:
            yield {path.name: stack.enter_context(_private(part)) for path, part in parts.items()}
        for path, part in parts.items():
            part.replace(path)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise OperationError(
            f"The results cannot be written to {out}: {reason}. Choose another --out."
        ) from None
    finally:
        for part in parts.values():
            with suppress(OSError):
                part.unlink()


def _private(path: Path) -> IO[bytes]:
    return open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600))


def _told_at(fact: Accepted) -> datetime:
    """When an engine that runs would have told it: a replay finds what is due only with the next record."""
    return fact.entry.at if isinstance(fact.entry.cause, ClockCause) else fact.entry.recorded_at


class Written:
    """Writes what a replay decides to files. Implements `Outlet`."""

    def __init__(self, files: Mapping[str, IO[bytes]], partitions: int = 1) -> None:
        self._files = files
        self._outbox = Outbox(_PREFIX, partitions, _PREFIX)

    def applied(self, fact: Accepted, partition: int) -> None:
        """See `Outlet`."""
        for record in self._outbox.fact(fact, partition, _told_at(fact)):
            if (name := _FILES.get(record.topic)) is not None:
                self._files[name].write((record.value or b"") + b"\n")

    def refused(self, letter: Outgoing, place: Mapping[str, int | None], code: Code, message: str) -> None:
        """See `Outlet`."""
        # Bytes that are no text are shown as \\xNN, so that every line can be written as JSON.
        value = (letter.value or b"").decode("utf-8", "backslashreplace")
        entry = {"code": code, "message": message, **place, "value": value}
        text = dumps(entry, ensure_ascii=False, separators=(",", ":"))
        self._files[DEAD_LETTERS].write(text.encode() + b"\n")

    def left(self, ticket: Ticket, partition: int) -> None:
        """See `Outlet`."""
        state = self._outbox.state(ticket.ticket_id, ticket, partition).value or b""
        self._files[STATES].write(state + b"\n")
