"""Watching topics for a person: a thread keeps a fold of them current, whatever the broker does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from consumers.client_mistakes import outlived
from consumers.log import Feed, LogError, Place, Record
from ops import OperationError
from schemas.topics import Topic, topic_name

_POLL_SECONDS: Final = 0.1
_MAX_RECORDS: Final = 2_000
_PROOF_SECONDS: Final = 2.0
"""A client that gets no answer polls in silence: so often it is asked something that must be answered."""
_BACK_OFF_SECONDS: Final = 1.0
_END_SECONDS: Final = 2.0


class Fold(Protocol):
    """What is made of records."""

    def apply(self, records: Iterable[Record]) -> None:
        """Take in records; those of one partition in their order."""


F = TypeVar("F", bound=Fold)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What keeps the picture from being current, and since when (of `time.monotonic`)."""

    sentence: str
    since_seconds: float


class Watch(Generic[F]):
    """Follows topics in a thread. After any failure it connects anew and folds anew from the same starts.

    Until the new fold has caught up, the one before is shown. A mistake in a fold ends the thread, and is
    raised to whoever looks.
    """

    def __init__(
        self,
        connect: Callable[[], Feed],
        starts: Callable[[Feed], Mapping[Place, int]],
        make: Callable[[], F],
    ) -> None:
        """`make` gives an empty fold. Nothing is done before `start`."""
        self._connect, self._starts, self._make = connect, starts, make
        self._lock = threading.Lock()
        self._shown: F = make()
        self._end = threading.Event()
        self._caught_up = threading.Event()
        self._mistake: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self.trouble: Trouble | None = None
        """Set while the picture is old. Replaced whole: any thread may read it."""

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def caught_up(self, timeout_seconds: float) -> bool:
        """Wait until all that was there at the start is folded; False when the time was up before."""
        caught_up = self._caught_up.wait(timeout_seconds)
        self._raise_mistake()
        return caught_up

    @contextmanager
    def locked(self) -> Iterator[F]:
        """The fold, which does not change meanwhile."""
        self._raise_mistake()
        with self._lock:
            yield self._shown

    def _raise_mistake(self) -> None:
        if self._mistake is not None:
            raise self._mistake

    def close(self) -> None:
        """End the thread. One that waits for a cluster that is gone is not waited for long."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join(_END_SECONDS)

    def _run(self) -> None:
        try:
            while not self._end.is_set():
                try:
                    self._follow()
                except (LogError, OperationError) as problem:
                    since_seconds = self.trouble.since_seconds if self.trouble else time.monotonic()
                    self.trouble = Trouble(str(problem), since_seconds)
                    self._end.wait(_BACK_OFF_SECONDS)
        except BaseException as mistake:  # noqa: BLE001 (another thread raises it)
            self._mistake = mistake
            self._caught_up.set()

    def _follow(self) -> None:
        with outlived():
            feed = self._connect()
        try:
            with outlived():
                feed.follow(self._starts(feed))
                left = feed.ends()
            self._fold(feed, left)
        finally:
            with suppress(LogError), outlived():  # it may be broken, which is why we let go of it
                feed.close()

    def _fold(self, feed: Feed, left: Mapping[Place, int]) -> None:
        fold, proven_at = self._make(), time.monotonic()
        while not self._end.is_set():
            with outlived():
                records, positions = feed.poll(_POLL_SECONDS, _MAX_RECORDS), feed.positions()
            with self._lock:
                fold.apply(records)
            left = _still_left(left, positions)
            if not left:
                self._show(fold)
            if not records and time.monotonic() - proven_at > _PROOF_SECONDS:
                with outlived():
                    feed.ends()
                proven_at = time.monotonic()

    def _show(self, fold: F) -> None:
        self._shown, self.trouble = fold, None
        self._caught_up.set()


def _still_left(left: Mapping[Place, int], positions: Mapping[Place, int]) -> dict[Place, int]:
    return {place: end for place, end in left.items() if positions[place] < end}


def starts(feed: Feed, prefix: str, tails: Collection[Topic], records: int) -> dict[Place, int]:
    """Where to begin: the state whole, and of each of `tails` about so many of the last records.

    Raises LogError, Unavailable.
    """
    state = topic_name(prefix, Topic.STATE)
    beginnings = feed.beginnings([state, *(topic_name(prefix, topic) for topic in tails)])
    feed.follow(beginnings)
    partitions = sum(place.topic == state for place in beginnings)
    each = -(-records // partitions)
    return {
        place: beginnings[place] if place.topic == state else max(beginnings[place], end - each)
        for place, end in feed.ends().items()
    }
