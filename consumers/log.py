"""What the engine needs of Kafka: one Protocol, and the frozen data that passes through it.

`kafka_python.py` and `memory.py` implement it, and `tests/contract` holds both to the same suite.

The cycle of a worker, one at a time and in one thread:

    polled = log.poll(…)                    # the only place where partitions come and go
    for p in polled.revoked: drop it        # first, because a partition may be in both sets
    for p in polled.assigned: restore from log.committed(p) and log.changelog(p), log.seek(p), log.resume(p)
    log.begin(); log.send(…) …; log.commit({p: Position(…), …})

There is no poll between `begin` and `commit`, so a partition never goes while a transaction is open. What
another member may have taken meanwhile (this one was slow, or suspended) is refused by `commit`: the
offsets carry the generation of the group as it was at the poll. After any error of `begin`, `send` or
`commit` the outcome is unknown: throw memory away, `reset()`, and restore what the next poll reports as
assigned.
"""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol, Self

_logger = logging.getLogger(__name__)


class LogError(Exception):
    """The log cannot go on and trying again will not help: end the worker with this sentence."""


class Fenced(LogError):  # noqa: N818 (named by its cure, as every error of ours)
    """Another process runs under this worker's id: end this one."""


class Reason(StrEnum):
    """What keeps the log from going on. It is a metric's label, so the set is closed."""

    UNREACHABLE = "unreachable"
    """The cluster does not answer."""
    TOPIC_MISSING = "topic_missing"
    """A topic, or one of its partitions, is not there."""
    NOT_AUTHORIZED = "not_authorized"
    """The right to a topic, the group or the transactional id is missing, or the login was refused."""
    STORAGE = "storage"
    """A broker cannot store: its disk is full or has failed, or too few replicas are in sync."""
    REFUSED = "refused"
    """The cluster does not take a record: its limits or its rules are against it."""
    TOPICS_DISAGREE = "topics_disagree"
    """Topics and positions do not belong together: one was made anew, or lost records."""
    UNCERTAIN = "uncertain"
    """None of these is known; a transaction was refused, or its outcome is not known."""


class Restart(LogError):  # noqa: N818 (see Fenced)
    """What happened to the open transaction is unknown, or it is certain that it was refused.

    The cure: throw away everything in memory, call `Log.reset`, restore.
    """

    reason = Reason.UNCERTAIN


class Unavailable(Restart):
    """Something outside this process keeps the log from going on, whatever the record.

    The same cure as `Restart`, after a back-off, again and again until somebody has mended it: the sentence
    says what. No record is to blame, so none may be refused for it.
    """

    def __init__(self, sentence: str, reason: Reason = Reason.UNREACHABLE) -> None:
        super().__init__(sentence)
        self.reason = reason


# Names of headers are UTF-8 in Kafka's protocol, but no broker checks that. Bytes that are not UTF-8 arrive
# as lone surrogates (PEP 383, `surrogateescape`) and leave as the bytes they were, so that a dead letter
# keeps them.
Headers = tuple[tuple[str, bytes | None], ...]


class Excerpt(bytes):
    """The beginning of what is too long to hold. `size`, in bytes, and `sha256`, in hex, are those of all."""

    size: int
    sha256: str

    def __new__(cls, kept: bytes, size: int, sha256: str) -> Self:
        """Take what is kept."""
        made = super().__new__(cls, kept)
        made.size, made.sha256 = size, sha256
        return made


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it was read. `timestamp_us`: microseconds since the epoch (Kafka has milliseconds).

    Where it is longer than a topic takes uncompressed, key, value or headers' values may be excerpts.
    """

    topic: str
    partition: int
    offset: int
    timestamp_us: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to be written. The partition is explicit: output goes where its input came from."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Position:
    """How far a partition's input is done: the next offset to read, and what the engine noted beside it.

    `found`: it was committed; else nothing was, and it is where the topic begins.
    """

    offset: int
    metadata: str = ""
    found: bool = field(default=True, compare=False)


@dataclass(frozen=True, slots=True)
class Polled:
    """What one poll brought.

    `records`: by partition, in offset order. `revoked`: gone since the last poll, whether handed over or
    lost; drop them without a word. `assigned`: gained, and paused until `seek` and `resume`. A partition in
    both was lost and regained: drop, then restore.
    """

    records: Mapping[int, Sequence[Record]] = field(default_factory=dict)
    assigned: frozenset[int] = frozenset()
    revoked: frozenset[int] = frozenset()
    stable: bool = True


class Log(Protocol):
    """One member of the group that works on the events topic, with its transactional producer."""

    @property
    def partitions(self) -> int:
        """Return the number of partitions of the events topic."""

    def poll(self, timeout_seconds: float, max_records: int) -> Polled:
        """Wait up to `timeout_seconds` for at most `max_records` records of partitions that were resumed.

        While the group is rebalancing there are no records, and it may take 0.1 s even with a shorter time-
        out. Raises Unavailable, Fenced, LogError.
        """

    def committed(self, partition: int) -> Position:
        """Return the position last committed for a partition, or its earliest offset, not `found`.

        Waits until transactions that are about to commit a position have ended. Where records were deleted
        before they were processed, it says so in the log and returns the earliest offset that is left.
        Raises Unavailable, also where the topic ends before the position: it was made anew, or lost records.
        """

    def changelog(self, partition: int, start: int = 0) -> Iterator[Record]:
        """Read the state topic's partition from `start` to its end as of this call, committed records only.

        Read after `committed`, it has every record of the transactions up to that position. Raises
        Unavailable.
        """

    def at_end(self, partitions: Collection[int]) -> frozenset[int]:
        """Return those whose next record lies at the last stable offset of the events topic, asked now.

        Raises Unavailable.
        """

    def seek(self, partition: int, offset: int) -> None:
        """Let the next record of an assigned partition be the one at `offset` or the first after it."""

    def pause(self, partition: int) -> None:
        """Deliver nothing of this partition until `resume`."""

    def resume(self, partition: int) -> None:
        """Deliver this partition's records from where it was sought."""

    def begin(self) -> None:
        """Begin the transaction. Raises Restart."""

    def send(self, outgoing: Outgoing) -> None:
        """Add a record to the open transaction. Raises Restart."""

    def commit(self, positions: Mapping[int, Position]) -> None:
        """Commit what was sent, and the positions, together or not at all.

        `positions` must not be empty, also when only clocks fired: it is the positions that are refused to
        a member whose partitions are another's by now. Raises Restart (whether it happened is unknown),
        Fenced.
        """

    def reset(self) -> None:
        """Abort whatever may be open and start anew as the same worker.

        Every partition still owned is paused, and the next poll reports it as revoked and assigned. May be
        repeated. Raises Unavailable, Fenced.
        """

    def close(self, *, leave_group: bool = True) -> None:
        """End.

        `leave_group` hands the partitions over at once; without it they wait a session for this worker's
        return.
        """


class Reader(Protocol):
    """Reading topics outside any group: committed records only, to the end as of now."""

    def partitions(self, topic: str) -> int:
        """Return the number of partitions. Raises Unavailable, also where there is no such topic."""

    def beginnings(self, topic: str) -> dict[int, int]:
        """Return, by partition, the earliest offset that is still kept."""

    def ends(self, topic: str) -> dict[int, int]:
        """Return, by partition, the last stable offset: everything before it is decided."""

    def read(self, topic: str, partition: int, start: int = 0, end: int | None = None) -> Iterator[Record]:
        """Read a partition's committed records in order, from `start` up to `end` (the end as of now).

        Everything that was committed before this call is among them: the last stable offset may lag behind a
        commit, so this waits for the transactions that are open before `end`. Raises Unavailable.
        """

    def committed(self, group: str, topic: str) -> dict[int, Position]:
        """Return, by partition, the positions that a group has committed, where it has."""

    def close(self) -> None:
        """Let go of the connections."""


class Place(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int


class Feed(Protocol):
    """Following partitions outside any group: committed records only, as they come.

    Who follows keeps its own positions, beside what it made of the records (`consumers.checkpoint`).
    """

    @property
    def cluster(self) -> str:
        """The cluster's id: positions mean nothing on another one."""

    def beginnings(self, topics: Collection[str]) -> dict[Place, int]:
        """Return the earliest offset that is kept of every partition. Raises Unavailable."""

    def follow(self, starts: Mapping[Place, int]) -> None:
        """Follow these partitions and no others, each from its offset.

        Where records were deleted before that, it says so in the log and begins with the earliest that are
        left. Raises Unavailable, also where a topic ends before the offset.
        """

    def poll(self, timeout_seconds: float, max_records: int) -> Sequence[Record]:
        """Wait up to `timeout_seconds` for at most `max_records` records; a partition's are in order.

        Raises Unavailable, Restart (follow again from what was kept), LogError.
        """

    def positions(self) -> dict[Place, int]:
        """Return where each partition is read on; everything before was polled."""

    def ends(self) -> dict[Place, int]:
        """Return the last stable offset, as of now, of each partition followed. Raises Unavailable."""

    def close(self) -> None:
        """Let go of the connections."""


class Publisher(Protocol):
    """Writing records outside any transaction, idempotently."""

    def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        partition: int | None = None,
    ) -> None:
        """Queue a record; without a partition it goes where the key hashes to (murmur2).

        Waits while too much is queued. Raises Unavailable.
        """

    def flush(self) -> None:
        """Wait until all that was sent is written. Raises Unavailable if one record was not."""

    def close(self) -> None:
        """Let go of the connections; what was not flushed may be lost."""


def missing(topic: str) -> Unavailable:
    """Return the error that names a topic which is not there."""
    return Unavailable(
        f"there is no topic {topic}: create it first (ticketflow topics create)", Reason.TOPIC_MISSING
    )


def checked(position: Position, topic: str, partition: int, start: int, end: int) -> Position:
    """Return where to read on, given a committed position and what the topic has. See `Log.committed`."""
    if position.offset > end:
        raise Unavailable(
            f"partition {partition} of {topic} was read up to {position.offset} but ends at {end}: the topic "
            "was made anew or lost records; restore it, or use another topic prefix",
            Reason.TOPICS_DISAGREE,
        )
    if position.offset < start:
        _logger.error(
            "partition %d of %s: the records from %d to %d were deleted before they were processed",
            partition,
            topic,
            position.offset,
            start,
        )
    return Position(max(position.offset, start), position.metadata)
