"""The exporter: one process that counts the topics for Prometheus (contract, "Prometheus")."""

from __future__ import annotations

import time
from contextlib import ExitStack

import structlog
from prometheus_client import CollectorRegistry

from consumers.checkpoint import Checkpoint
from consumers.clock import WallClock
from consumers.metrics import FORMAT, BusinessMetrics
from consumers.subscriber import Subscriber
from ops import composition, kafka_noise, policies
from ops.http import Endpoint
from ops.logs import STARTS
from ops.series import BusinessCollector
from ops.service import checkpoint_file, follow, until_told
from ops.settings import Settings
from schemas.topics import Topic, topic_name

_log = structlog.get_logger(__name__)
_starts = structlog.get_logger(STARTS)


def run(settings: Settings, parent: int | None = None) -> None:
    """Count until SIGTERM or SIGINT; what was counted is in the checkpoint.

    `parent`: end also when this process, our parent, has ended. Raises OperationError, LogError.
    """
    targets = policies.load(settings.policy).targets
    with until_told(parent) as stop, ExitStack() as stack:
        servers = composition.bootstrap_servers(settings)
        noise = kafka_noise.limit()
        with stop.interrupting():
            feed = composition.feed(settings, servers, "ticketflow-exporter")
        stack.callback(feed.close)
        noise.connected = True
        checkpoint = Checkpoint(checkpoint_file(settings, "exporter", feed.cluster), FORMAT)
        stack.callback(checkpoint.close)
        metrics = BusinessMetrics(checkpoint, settings.topic_prefix, targets)
        subscriber = Subscriber(
            feed,
            checkpoint,
            metrics,
            WallClock(),
            topics=metrics.topics,
            compacted=topic_name(settings.topic_prefix, Topic.STATE),
            topic_ids=feed.topic_ids,
        )
        progress = _Progress(subscriber)
        endpoint = _endpoint(settings, subscriber, metrics, progress)
        stack.callback(endpoint.close)
        _starts.info(
            "exporter started",
            servers=servers,
            metrics=f"{endpoint.url}/metrics",
            checkpoint=str(checkpoint.path),
        )
        follow(subscriber, stop, progress.turned)
    _log.info("exporter ended")


class _Progress:
    """When the loop turned last; and says when the counts have caught up."""

    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber
        self._was_ready = False
        self._turned_at = time.monotonic()

    @property
    def idle_seconds(self) -> float:
        """How long ago the loop turned last. Another thread asks."""
        return time.monotonic() - self._turned_at

    def turned(self) -> None:
        """The loop has turned."""
        self._turned_at = time.monotonic()
        if self._subscriber.caught_up != self._was_ready:
            self._was_ready = self._subscriber.caught_up
            _log.info("exporter ready" if self._was_ready else "exporter not ready")


def _endpoint(
    settings: Settings, subscriber: Subscriber, metrics: BusinessMetrics, progress: _Progress
) -> Endpoint:
    registry = CollectorRegistry()
    registry.register(BusinessCollector(metrics, subscriber, WallClock()))
    return Endpoint(
        registry,
        # Longer than the client waits for an answer: an outage of Kafka is no reason to be killed.
        alive=lambda: progress.idle_seconds < settings.max_poll_interval_seconds,
        not_ready=lambda: None if subscriber.caught_up else "the topics are not all counted yet",
        setting="TICKETFLOW_EXPORTER_PORT",
        port=settings.exporter_port,
        or_next_free="exporter_port" not in settings.model_fields_set,
    )
