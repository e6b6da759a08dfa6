"""How far a worker is behind, sampled beside the engine: in threads and with connections of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from consumers.client_mistakes import outlived
from consumers.kafka_python_client import cured
from consumers.log import LogError, Reader
from ops import OperationError
from schemas.instants import from_epoch

_log = structlog.get_logger(__name__)

INTERVAL_SECONDS: Final = 10

Lags = Mapping[int, tuple[int, float]]
"""By partition: how many records are not committed, and the age of the oldest of them in seconds."""


def lags(reader: Reader, group: str, topic: str, partitions: frozenset[int], now: datetime) -> Lags:
    """Return the lag of these partitions. Raises LogError.

    The age is that of the first record that is left to do; transaction markers are no records.
    """
    ends, beginnings, positions = reader.ends(topic), reader.beginnings(topic), reader.committed(group, topic)
    found: dict[int, tuple[int, float]] = {}
    for number in sorted(partitions & ends.keys()):
        done = max(positions[number].offset if number in positions else 0, beginnings[number])
        behind = max(ends[number] - done, 0)
        oldest = next(reader.read(topic, number, done, ends[number]), None) if behind else None
        if oldest is None:
            found[number] = (0, 0.0)
        else:
            age_seconds = (now - from_epoch(oldest.timestamp_us)).total_seconds()
            found[number] = (behind, max(age_seconds, 0.0))
    return found


class LagSampler:
    """Samples the lag every few seconds until it is closed, and tells it to `show`.

    While the cluster does not answer it shows nothing: an old lag would be taken for a true one.
    """

    def __init__(
        self,
        connect: Callable[[], Reader],
        group: str,
        topic: str,
        partitions: Callable[[], frozenset[int]],
        show: Callable[[Lags], None],
    ) -> None:
        """Begin. `partitions` says which to look at."""
        self._connect, self._group, self._topic = connect, group, topic
        self._partitions, self._show = partitions, show
        self._reader: Reader | None = None
        # That a sample is left out while the last one still waits for the cluster is what we want.
        logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)
        self._scheduler = BackgroundScheduler(
            timezone=UTC, executors={"default": ThreadPoolExecutor(1)}, daemon=True
        )
        self._scheduler.add_job(
            self.sample,
            "interval",
            seconds=INTERVAL_SECONDS,
            # A sample that comes late is as good as one in time, and a missed one is not made up for.
            misfire_grace_time=None,
            coalesce=True,
            max_instances=1,
        )
        self._scheduler.start()

    def sample(self) -> None:
        """Take one sample now."""
        try:
            # Left to the scheduler, an error would keep an old figure and log a text that may quote a record.
            with outlived(), cured("a sample of the lag"):
                found = self._sampled()
            self._show(found)
        except (LogError, OperationError) as problem:
            _log.warning("the lag is not known", reason=str(problem))
            self._show({})
            self._disconnect()

    def _sampled(self) -> Lags:
        if self._reader is None:
            self._reader = self._connect()
        return lags(self._reader, self._group, self._topic, self._partitions(), datetime.now(UTC))

    def _disconnect(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            # It may be broken, which is why we let go of it.
            with suppress(LogError), outlived(), cured("letting go"):
                reader.close()

    def close(self) -> None:
        """End after the sample that is being taken."""
        self._scheduler.shutdown(wait=True)
        self._disconnect()
