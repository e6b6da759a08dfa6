"""Whose turn it is to deliver: no partition's backlog holds up another.

kafka-python hands out all that one fetch brought of a partition before it looks at what it has of the next. A
fetch is bounded in bytes as they travel: compressed, one may hold hundreds of thousands of records, and every
other partition waits until they are done. So each partition delivers its share, and then rests (it is paused,
and the client keeps what it has fetched) until the others have delivered theirs.
"""

from collections.abc import Collection, Mapping
from typing import Any

from kafka.consumer.fetcher import Fetcher

_MOST_AT_ONCE = 50
"""So many records are taken from the client before their size is looked at."""
_MOST_BYTES = 4 * 1024 * 1024
"""A poll ends once it has as much, keys, values and headers together: what is decided in one transaction."""
_HEADER_BYTES = 64  # what a header takes besides its texts


class Turns:
    """Polls a consumer in rounds, in each of which every partition has its turn."""

    def __init__(self, consumer: Any) -> None:
        """`consumer`: the client's."""
        install()
        self._consumer = consumer
        self._delivered: dict[Any, int] = {}  # in this round
        self._resting: set[Any] = set()

    def keep(self, partitions: Collection[int]) -> None:
        """Forget all others: they went, or are paused for another reason than their turn."""
        self._resting = {partition for partition in self._resting if partition.partition in partitions}

    def poll(self, timeout_ms: int, max_records: int, fresh: Collection[int]) -> Mapping[Any, list[Any]]:
        """Poll until there are `max_records`, or enough bytes, or nothing more is to be had at once.

        Waits up to `timeout_ms` for the first record. `fresh` grows when partitions are assigned meanwhile:
        those stay paused.
        """
        found: dict[Any, list[Any]] = {}
        share = max(max_records // max(len(self._consumer.assignment()), 1), 1)
        left, size = max_records, 0
        while left > 0 and size < _MOST_BYTES:
            asked = min(left, share, _MOST_AT_ONCE)
            waiting_ms = 0 if found or self._resting else timeout_ms
            got = self._consumer.poll(timeout_ms=waiting_ms, max_records=asked)
            for partition, records in got.items():
                found.setdefault(partition, []).extend(records)
                size += sum(map(size_bytes, records))
                self._note(partition, len(records), share)
            count = sum(map(len, got.values()))
            left -= count
            if count < asked:
                if not self._begin_round(fresh):
                    break
                share = max(left, 1)  # all others were asked just now and had nothing more
        return found

    def _note(self, partition: Any, count: int, share: int) -> None:
        """Let a partition that has delivered its share rest."""
        self._delivered[partition] = self._delivered.get(partition, 0) + count
        if self._delivered[partition] >= share:
            self._consumer.pause(partition)
            self._resting.add(partition)

    def _begin_round(self, fresh: Collection[int]) -> bool:
        """Let those go on that rest; returns whether there were any."""
        rested = self._resting & self._consumer.assignment()
        self._consumer.resume(*(partition for partition in rested if partition.partition not in fresh))
        self._delivered.clear()
        self._resting.clear()
        return bool(rested)


def size_bytes(record: Any) -> int:
    """What a record of the client's takes in memory, about."""
    size = len(record.key or b"") + len(record.value or b"")
    for name, value in record.headers:
        size += len(name) + len(value or b"") + _HEADER_BYTES
    return size


_fetched_strictly = Fetcher.fetched_records


def _fetched_records(fetcher: Any, *arguments: Any, **settings: Any) -> Any:
    if not fetcher._next_partition_records:  # there is one, but it is used up
        fetcher._next_partition_records = None
    return _fetched_strictly(fetcher, *arguments, **settings)


def install() -> None:
    """Replace a method of kafka-python 3.0.12; again and again does no harm.

    What it has fetched of a partition that is paused it puts aside, and takes up again after a resume only
    while it reads no other partition's. But what is used up it does not let go of: then a partition that
    was paused delivers nothing ever again, nor is anything more fetched of it.
    """
    Fetcher.fetched_records = _fetched_records
