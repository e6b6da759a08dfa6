"""What a worker tells Prometheus about its own work (contract, "Prometheus")."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from importlib.metadata import version
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from consumers.log import Restart
from consumers.processor import Tally
from schemas.events import EVENT_TYPES

_log = structlog.get_logger(__name__)

# An idle system answers within milliseconds; after an outage lateness is as long as the outage. The promises'
# own targets (30 s to 48 h) are among the bounds, so that "late by more than the promise" can be read off.
_LATENESS_SECONDS: Final = (
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1,
    5,
    30,
    300,
    600,
    900,
    1800,
    86_400,
    172_800,
)
_TRANSACTION_SECONDS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 12, 45)
_RESTORE_SECONDS: Final = (0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 1800)


class WorkerMetrics:
    """The engine's observer: counts what was committed, and knows when the loop turned last.

    Other threads read `partitions` and `idle_seconds`; both are replaced whole, never changed in place.
    """

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # the library has no annotation here
        self.registry = CollectorRegistry()
        self.partitions: frozenset[int] = frozenset()
        self._lagging: frozenset[int] = frozenset()
        self._turned_at = time.monotonic()
        self._events = Counter(
            "ticketflow_events",
            "Records of the events topic, by event type and what became of them.",
            ["type", "outcome"],
            registry=self.registry,
        )
        self._transactions = Counter(
            "ticketflow_transactions", "Transactions, by outcome.", ["outcome"], registry=self.registry
        )
        self._lateness = self._histogram(
            "timer_lateness", "From when a clock was due until it fired.", _LATENESS_SECONDS
        )
        self._duration = self._histogram(
            "transaction", "From the begin of a transaction until its commit.", _TRANSACTION_SECONDS
        )
        self._restore = self._histogram(
            "restore", "How long it took to restore a partition.", _RESTORE_SECONDS
        )
        self._lag_records = self._lag_gauge("records", "Records of a partition that are not committed yet.")
        self._lag_seconds = self._lag_gauge("seconds", "Age of the oldest record that is not committed yet.")
        for outcome in ("committed", "restarted"):
            self._transactions.labels(outcome)
        self._tell_build()

    def _histogram(self, name: str, text: str, bounds: tuple[float, ...]) -> Histogram:
        return Histogram(f"ticketflow_{name}_seconds", text, buckets=bounds, registry=self.registry)

    def _lag_gauge(self, unit: str, text: str) -> Gauge:
        return Gauge(f"ticketflow_consumer_lag_{unit}", text, ["partition"], registry=self.registry)

    def _tell_build(self) -> None:
        build = Gauge(
            "ticketflow_build_info", "1, with what runs here.", ["version", "python"], registry=self.registry
        )
        build.labels(version("ticketflow"), platform.python_version()).set(1)

    # ---- the engine's observer ----

    def restored(self, partition: int, tickets: int, seconds: float) -> None:
        """See `Observer.restored`."""
        self.partitions |= {partition}
        self._restore.observe(seconds)
        _log.info("partition restored", partition=partition, tickets=tickets, seconds=round(seconds, 3))

    def dropped(self, partition: int) -> None:
        """See `Observer.dropped`."""
        self.partitions -= {partition}
        _log.info("partition dropped", partition=partition)

    def committed(self, tally: Tally, seconds: float) -> None:
        """See `Observer.committed`."""
        self._transactions.labels("committed").inc()
        self._duration.observe(seconds)
        for (kind, outcome), count in tally.events.items():
            self._events.labels(kind if kind in EVENT_TYPES else "unknown", str(outcome)).inc(count)
        for lateness_seconds in tally.lateness_seconds:
            self._lateness.observe(lateness_seconds)

    def restarted(self, reason: Restart) -> None:
        """See `Observer.restarted`."""
        self._transactions.labels("restarted").inc()
        _log.warning("starting over from the log", reason=str(reason))

    def turned(self) -> None:
        """See `Observer.turned`."""
        self._turned_at = time.monotonic()

    # ---- what other threads ask and tell ----

    @property
    def idle_seconds(self) -> float:
        """How long ago the loop turned last."""
        return time.monotonic() - self._turned_at

    def lags(self, lags: Mapping[int, tuple[int, float]]) -> None:
        """Show the lag in records and seconds of these partitions, and of no other."""
        gone, self._lagging = self._lagging - lags.keys(), frozenset(lags)
        for partition in gone:
            self._lag_records.remove_by_labels({"partition": str(partition)})
            self._lag_seconds.remove_by_labels({"partition": str(partition)})
        for partition, (records, seconds) in lags.items():
            self._lag_records.labels(str(partition)).set(records)
            self._lag_seconds.labels(str(partition)).set(seconds)
