"""What the notifier tells Prometheus and its log: ids, templates, channels, outcomes, and nobody's data."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from consumers.notifier_dispatch import Happened
from consumers.notifier_request import Request
from schemas.records import NotificationChannel

_log = structlog.get_logger(__name__)

# At once, within the shortest promise, after an outage, by the next morning.
_DELAY_SECONDS: Final = (0.1, 0.5, 1, 5, 15, 30, 60, 300, 900, 3_600, 14_400, 43_200, 86_400)


class NotifierMetrics:
    """The notifier's watcher. Other threads read `idle_seconds`."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # the library has no annotation here
        self.registry = CollectorRegistry()
        self._turned_at = time.monotonic()
        self._notifications = Counter(
            "ticketflow_notifications",
            "Notifications by outcome: sent; retried: an attempt failed and another follows; dead: became a "
            "dead letter; repeated: attempted although an earlier attempt may have arrived; expired: too old "
            "before the notifier's first start.",
            ["template", "channel", "outcome"],
            registry=self.registry,
        )
        self._waiting = Gauge(
            "ticketflow_notifications_waiting",
            "Notifications that are not delivered yet, those for later included.",
            ["channel"],
            registry=self.registry,
        )
        self._delay = Histogram(
            "ticketflow_notification_delay_seconds",
            "From when a notification was due until it was delivered.",
            buckets=_DELAY_SECONDS,
            registry=self.registry,
        )
        self.waiting({})

    def happened(
        self,
        request: Request | None,
        happened: Happened,
        *,
        reason: str = "",
        delay_seconds: float | None = None,
    ) -> None:
        """See `Watcher.happened`."""
        template = "unknown" if request is None else str(request.data.template)
        channel = "unknown" if request is None else str(request.data.channel)
        self._notifications.labels(template, channel, str(happened)).inc()
        if delay_seconds is not None:
            self._delay.observe(delay_seconds)
        if happened is Happened.EXPIRED:
            return  # a first start may meet a million of them: they are told in one line
        about = {} if request is None else {"notification": request.id, "message": request.digest}
        if reason:
            about["reason"] = reason
        tell = _log.info if happened is Happened.SENT else _log.warning
        tell(f"notification {happened}", template=template, channel=channel, **about)

    def waiting(self, counts: Mapping[str, int]) -> None:
        """Show how many wait, by channel."""
        for channel in NotificationChannel:
            self._waiting.labels(str(channel)).set(counts.get(channel, 0))

    def turned(self) -> None:
        """The loop has turned."""
        self._turned_at = time.monotonic()

    @property
    def idle_seconds(self) -> float:
        """How long ago the loop turned last. Another thread asks."""
        return time.monotonic() - self._turned_at
