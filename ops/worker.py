"""One engine process: put together, turned until somebody ends it, and left in order."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Final

import structlog

from consumers.clock import WallClock
from consumers.engine import Bounds, Engine
from consumers.log import Log
from ops import OperationError, composition, kafka_noise, policies, supervisor, topics
from ops.http import Endpoint
from ops.lag import LagSampler
from ops.observer import WorkerMetrics
from ops.settings import Settings
from producers.outbox import Outbox
from schemas.topics import Topic, topic_name
from workflow.policy import Policies

_log = structlog.get_logger(__name__)

_SLICE_SECONDS: Final = 0.1
_PARENT_CHECK_SECONDS: Final = 0.5


class Stopped(Exception):  # noqa: N818 (no error: the way out of a long wait)
    """Somebody wants the worker to end."""


class Stop:
    """Whether somebody asked for the end. A plain flag: a signal handler must not wait for a lock."""

    def __init__(self) -> None:
        self.requested = False

    def request(self, *_: int | FrameType | None) -> None:
        """Ask for the end; also a signal handler."""
        self.requested = True

    def sleep(self, seconds: float) -> None:
        """Sleep in slices. Raises Stopped once the end was asked for."""
        end_at = time.monotonic() + seconds
        while (left := end_at - time.monotonic()) > 0:
            if self.requested:
                raise Stopped
            time.sleep(min(left, _SLICE_SECONDS))


def run(settings: Settings, parent: int | None = None) -> None:
    """Work until SIGTERM or SIGINT; then finish the transaction and leave the group.

    `parent`: end also when this process, our parent, has ended. Raises OperationError, LogError, PolicyError,
    UnknownPolicyVersion.
    """
    stop = Stop()
    with _signals(stop.request), ExitStack() as stack:
        if parent is not None:
            _end_with(parent, stop)
        versions = policies.load(settings.policy)
        servers = composition.bootstrap_servers(settings)
        noise = kafka_noise.limit()
        require_topics(settings, servers)
        log = composition.worker_log(settings, servers)
        noise.connected = True
        metrics = WorkerMetrics()
        engine = assemble(settings, log, versions, metrics, stop.sleep)
        stack.callback(engine.close)
        endpoint = _endpoint(settings, engine, metrics)
        stack.callback(endpoint.close)
        stack.callback(_sampler(settings, servers, metrics).close)
        _log.info(
            "worker started",
            worker=settings.worker_id,
            servers=servers,
            metrics=f"{endpoint.url}/metrics",
            policy=versions.labels[-1],
        )
        _turn(engine, stop)
    _log.info("worker ended", worker=settings.worker_id)


def require_topics(settings: Settings, servers: str) -> None:
    """Look at the topics before anything is read; what is wrong with them is a warning in the log.

    Raises OperationError where a worker must not start on them.
    """
    options = composition.kafka_options(settings, servers)
    timeout_seconds = composition.timeouts(settings).delivery_seconds
    for finding in topics.check(options, settings.topic_prefix, timeout_seconds=timeout_seconds):
        if finding.fatal:
            raise OperationError(
                f"{finding} No worker starts on such topics: `ticketflow topics check` names all problems, "
                "and `ticketflow topics create` makes those that are missing."
            )
        _log.warning("topic problem", problem=finding.sentence)


def assemble(
    settings: Settings,
    log: Log,
    versions: Policies,
    metrics: WorkerMetrics,
    sleep: Callable[[float], None] = time.sleep,
) -> Engine:
    """Return the engine of a worker on that log."""
    outbox = Outbox(settings.topic_prefix, log.partitions, settings.group_id)
    bounds = Bounds(settings.batch_max_records, settings.batch_max_firings, settings.poll_timeout_seconds)
    return Engine(log, WallClock(), versions, outbox, metrics, bounds, sleep)


def _turn(engine: Engine, stop: Stop) -> None:
    was_ready = False
    try:
        while not stop.requested:
            engine.turn()
            if engine.ready != was_ready:
                was_ready = engine.ready
                _log.info(
                    "worker ready" if was_ready else "worker not ready", partitions=len(engine.partitions)
                )
    except Stopped:
        pass


def _endpoint(settings: Settings, engine: Engine, metrics: WorkerMetrics) -> Endpoint:
    # Whoever turns more slowly than this has lost its partitions to another worker anyway.
    limit_seconds = settings.max_poll_interval_seconds
    return Endpoint(
        metrics.registry,
        alive=lambda: metrics.idle_seconds < limit_seconds,
        ready=lambda: engine.ready,
        port=settings.metrics_port,
        or_next_free="metrics_port" not in settings.model_fields_set,
    )


def _sampler(settings: Settings, servers: str, metrics: WorkerMetrics) -> LagSampler:
    return LagSampler(
        lambda: composition.reader(settings, servers, f"ticketflow-{settings.worker_id}-lag"),
        settings.group_id,
        topic_name(settings.topic_prefix, Topic.EVENTS),
        lambda: metrics.partitions,
        metrics.lags,
    )


@contextmanager
def _signals(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Let SIGTERM and SIGINT call `handler` in the body."""
    before = {number: signal.signal(number, handler) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def _end_with(parent: int, stop: Stop) -> None:
    """End when the parent does, even by kill -9: at once where the kernel helps, else soon and cleanly."""
    prepare = supervisor.die_with(parent)
    if prepare is not None:
        prepare()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_CHECK_SECONDS)
        stop.request()

    threading.Thread(target=watch, name="parent", daemon=True).start()
