"""What a worker tells Prometheus about its own work (contract, "Prometheus")."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from consumers.log import Reason, Restart
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
_RESTORING: Final = "no partition is restored yet"
_RESTORE_SECONDS: Final = (0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 1800)


class WorkerMetrics:
    """The engine's observer: counts what was committed, knows when the loop turned last, and what it lacks.

    Other threads read `partitions`, `not_ready` and `idle_seconds`; all are replaced whole, never changed in
    place.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`monotonic` tells the seconds that pass."""
        disable_created_metrics()  # type: ignore[no-untyped-call] # the library has no annotation here
        self.registry = CollectorRegistry()
        self.partitions: frozenset[int] = frozenset()
        self._lagging: frozenset[int] = frozenset()
        self.not_ready: str | None = _RESTORING
        """Why the worker is not ready, for a person; None: it is."""
        self._trouble: Restart | None = None
        self._monotonic = monotonic
        self._turned_at = monotonic()
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
        self._blocked = Gauge(
            "ticketflow_worker_blocked",
            "1 while the worker cannot go on, by the reason of the latest failure.",
            ["reason"],
            registry=self.registry,
        )
        for outcome in ("committed", "restarted"):
            self._transactions.labels(outcome)
        for reason in Reason:
            self._blocked.labels(reason)
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
        self._say("partition restored", partition=partition, tickets=tickets, seconds=round(seconds, 3))

    def dropped(self, partition: int) -> None:
        """See `Observer.dropped`."""
        self.partitions -= {partition}
        self._say("partition dropped", partition=partition)

    def _say(self, event: str, **details: float) -> None:
        """Log what is done again at every attempt while the worker is blocked, but not then."""
        (_log.info if self._trouble is None else _log.debug)(event, **details)

    def committed(self, tally: Tally, seconds: float) -> None:
        """See `Observer.committed`."""
        self._transactions.labels("committed").inc()
        self._duration.observe(seconds)
        for (kind, outcome), count in tally.events.items():
            self._events.labels(kind if kind in EVENT_TYPES else "unknown", str(outcome)).inc(count)
        for lateness_seconds in tally.lateness_seconds:
            self._lateness.observe(lateness_seconds)

    def restarted(self, reason: Restart) -> None:
        """See `Observer.restarted`. It is said where it is news: not again at every attempt.

        An error of which nothing is known does not hide a reason that is.
        """
        self._transactions.labels("restarted").inc()
        before = self._trouble
        if before is not None and reason.reason is Reason.UNCERTAIN:
            return
        self._trouble = reason
        if before is None or before.reason is not reason.reason:
            _log.warning("starting over from the log", reason=str(reason))
            self._show_trouble()
        self._become(f"{reason}; tried again until it succeeds")

    def working(self, *, ready: bool, trouble: Restart | None) -> None:
        """Hear after a turn whether the partitions are restored, and what failed and still may fail."""
        if trouble is None and self._trouble is not None:
            self._trouble = None
            _log.info("going on")
            self._show_trouble()
        if trouble is None:
            self._become(None if ready else _RESTORING)

    def _show_trouble(self) -> None:
        for reason in Reason:
            self._blocked.labels(reason).set(self._trouble is not None and self._trouble.reason is reason)

    def _become(self, not_ready: str | None) -> None:
        before, self.not_ready = self.not_ready, not_ready
        if (before is None) != (not_ready is None):
            _log.info(
                "worker ready" if not_ready is None else "worker not ready", partitions=len(self.partitions)
            )

    def turned(self) -> None:
        """See `Observer.turned`."""
        self._turned_at = self._monotonic()

    # ---- what other threads ask and tell ----

    @property
    def idle_seconds(self) -> float:
        """How long ago the loop turned last."""
        return self._monotonic() - self._turned_at

    def lags(self, lags: Mapping[int, tuple[int, float]]) -> None:
        """Show the lag in records and seconds of these partitions, and of no other."""
        gone, self._lagging = self._lagging - lags.keys(), frozenset(lags)
        for partition in gone:
            self._lag_records.remove_by_labels({"partition": str(partition)})
            self._lag_seconds.remove_by_labels({"partition": str(partition)})
        for partition, (records, seconds) in lags.items():
            self._lag_records.labels(str(partition)).set(records)
            self._lag_seconds.labels(str(partition)).set(seconds)
