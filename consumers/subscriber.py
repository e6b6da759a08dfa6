"""The loop of a subscriber: poll, and keep what follows together with how far it has read.

Exporter and notifier are subscribers: each is a `Projection` with a checkpoint of its own. They read what is
committed, once: a record is applied in the same transaction as its position.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from consumers.checkpoint import Checkpoint
from consumers.client_mistakes import outlived
from consumers.clock import Clock
from consumers.log import Feed, LogError, Place, Reason, Record, Restart, Unavailable

_TOMBSTONES_KEPT: Final = timedelta(hours=12)
"""Half of the day for which the state topic keeps tombstones at least (`delete.retention.ms`)."""
_LOOK_EVERY: Final = timedelta(seconds=10)
_NOTE_EVERY: Final = timedelta(minutes=10)
"""How often it is noted that nothing came; far more often than tombstones go."""


TopicIds = Callable[[Collection[str]], Mapping[str, str]]
"""The id of each topic, as the cluster said last; without those whose id it does not tell (before Kafka 2.8).

A topic that was made anew under its old name has another id, and may have grown past the old one's positions.
"""


class Projection(Protocol):
    """What a subscriber makes of records."""

    def apply(self, records: Sequence[Record]) -> None:
        """Keep what follows from them; called inside the checkpoint's transaction."""

    def forget(self) -> None:
        """Drop what came of the compacted topic, which is about to be read from its start again.

        Called inside the checkpoint's transaction.
        """


class Subscriber:
    """Follows topics from where its checkpoint says, and from their start where it says nothing."""

    def __init__(
        self,
        feed: Feed,
        checkpoint: Checkpoint,
        projection: Projection,
        clock: Clock,
        *,
        topics: Collection[str],
        compacted: str,
        topic_ids: TopicIds,
        max_records: int = 2_000,
    ) -> None:
        """`compacted` is the one of `topics` that has tombstones."""
        self._feed, self._checkpoint, self._projection, self._clock = feed, checkpoint, projection, clock
        self._topics, self._compacted, self._max_records = topics, compacted, max_records
        self._topic_ids = topic_ids
        self._left: dict[Place, int] = {}
        self._ends: dict[Place, int] = {}
        self._complete_at = self._looked_at = clock.now()
        self.caught_up = False
        """Whether all that was committed before the latest start is applied."""
        self.lag_records: int | None = None
        """How far the ends of the topics were ahead, in offsets, when last looked at; None: not known."""
        self.read_to: datetime | None = None
        """All that was committed before this instant is applied; None: not known since the latest start."""
        self.saved_at: datetime | None = None
        """When this process wrote the checkpoint last (UTC)."""

    def start(self) -> None:
        """Begin, or begin anew after a Restart. Raises LogError, Unavailable."""
        self._lost()
        with outlived():
            starts = self._feed.beginnings(self._topics)
        self._require_same_topics()
        self._complete_at = self._complete_since()
        kept = self._checkpoint.positions()
        try:
            with outlived():
                self._feed.follow({place: kept.get(place, start) for place, start in starts.items()})
        except Unavailable as problem:
            if problem.reason is not Reason.TOPICS_DISAGREE:
                raise
            raise LogError(
                f"{problem}; or move {self._checkpoint.path} away, to read from the start"
            ) from None
        self._looked_at = self._clock.now()
        with outlived():
            self._left = self._ends = self._feed.ends()

    def _require_same_topics(self) -> None:
        """Raise LogError where a topic is another one than the positions are of, whatever its length."""
        ids, kept = self._topic_ids(self._topics), self._checkpoint.topic_ids()
        for topic, now in ids.items():
            if kept.get(topic, now) != now:
                raise LogError(
                    f"the topic {topic} was made anew since it was read: move {self._checkpoint.path} away, "
                    "to read from the start"
                )
        if ids.keys() - kept.keys():
            with self._checkpoint.transaction():
                self._checkpoint.identify(ids)

    def _complete_since(self) -> datetime:
        """Up to when nothing was missed. After a day tickets may be gone without a tombstone left to tell."""
        complete_at, now = self._checkpoint.complete_at(), self._clock.now()
        if complete_at is not None and abs(now - complete_at) <= _TOMBSTONES_KEPT:
            return complete_at
        with self._checkpoint.transaction() as database:
            self._projection.forget()
            database.execute("DELETE FROM position WHERE topic = ?", (self._compacted,))
            self._checkpoint.save({}, now)
        return now

    def turn(self, timeout_seconds: float) -> int:
        """Poll once and apply what came; returns how many records. Raises Restart, Unavailable, LogError."""
        try:
            return self._turn(timeout_seconds)
        except Restart:
            self._lost()  # who knows how much was written since
            raise

    def _lost(self) -> None:
        self.caught_up, self.lag_records, self.read_to = False, None, None

    def _turn(self, timeout_seconds: float) -> int:
        with outlived():
            records = self._feed.poll(timeout_seconds, self._max_records)
            positions = self._feed.positions()
        if records:
            with self._checkpoint.transaction():
                self._projection.apply(records)
                self._checkpoint.save(positions, self._complete_at)
            self.saved_at = self._clock.now()
        if not self.caught_up:
            self._left = {place: end for place, end in self._left.items() if positions[place] < end}
            if not self._left:
                self.caught_up, self.read_to = True, self._looked_at
        elif abs((now := self._clock.now()) - self._looked_at) >= _LOOK_EVERY:  # it may be set back
            self._look(positions, now)
        return len(records)

    def _look(self, positions: dict[Place, int], now: datetime) -> None:
        """Look at the ends: a client that has lost its cluster says nothing, as if there were no records.

        `now` is from before the question.
        """
        self._require_same_topics()
        with outlived():
            ends = self._feed.ends()
        self.lag_records = sum(max(end - positions[place], 0) for place, end in ends.items())
        # Under traffic the ends as of now are never reached; those of the look before are.
        if all(positions[place] >= end for place, end in self._ends.items()):
            self._complete_at = self.read_to = self._looked_at
        if not self.lag_records:
            self.read_to = now
        self._ends, self._looked_at = ends, now
        if self.saved_at is None or abs(now - self.saved_at) >= _NOTE_EVERY:
            with self._checkpoint.transaction():
                self._checkpoint.save(positions, self._complete_at)
            self.saved_at = now
        self._checkpoint.overwrite()
