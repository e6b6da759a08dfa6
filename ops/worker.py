"""One engine process: put together, turned until somebody ends it, and left in order."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime

import structlog

from consumers.clock import WallClock
from consumers.engine import Bounds, Engine
from consumers.log import Log, Reason, Restart, Unavailable
from ops import composition, kafka_noise, policies, topics
from ops.http import Endpoint
from ops.lag import LagSampler
from ops.logs import STARTS
from ops.observer import WorkerMetrics
from ops.service import Stop, until_told
from ops.settings import Settings
from producers.outbox import Outbox
from schemas.topics import Topic, topic_name
from workflow.policy import Policies

_log = structlog.get_logger(__name__)
_starts = structlog.get_logger(STARTS)


def run(settings: Settings, parent: int | None = None) -> None:
    """Work until SIGTERM or SIGINT; then finish the transaction and leave the group.

    What is wrong outside this process is waited for, from the start on (docs/decisions/0012). `parent`: end
    also when this process, our parent, has ended. Raises OperationError, LogError, PolicyError,
    UnknownPolicyVersion.
    """
    with until_told(parent) as stop, ExitStack() as stack:
        versions = policies.load(settings.policy)
        composition.require_client(settings)
        servers = composition.bootstrap_servers(settings)
        noise = kafka_noise.limit()
        metrics = WorkerMetrics()
        endpoint = _endpoint(settings, metrics)
        stack.callback(endpoint.close)
        _starts.info(
            "worker started",
            worker=settings.worker_id,
            servers=servers,
            metrics=f"{endpoint.url}/metrics",
            policy=versions.in_force(datetime.now(UTC)).label,
        )
        log = patiently(lambda: _connect(settings, servers, stop), metrics, stop.sleep)
        noise.connected = True
        engine = assemble(settings, log, versions, metrics, stop.sleep)
        stack.callback(engine.close)
        stack.callback(_sampler(settings, servers, metrics).close)
        _turn(engine, metrics, stop)
    _log.info("worker ended", worker=settings.worker_id)


def patiently(connect: Callable[[], Log], metrics: WorkerMetrics, sleep: Callable[[float], None]) -> Log:
    """Connect, and try again for ever with the engine's own back-off where something outside prevents it.

    An outcome that is unknown is none of ours either: a cluster that is slow to answer leaves one.
    Raises OperationError, LogError: what waiting does not help.
    """
    back_off_seconds, longest_seconds = Bounds().back_off_seconds
    while True:
        metrics.turned()
        try:
            return connect()
        except Restart as reason:
            metrics.restarted(reason)
        sleep(back_off_seconds)
        back_off_seconds = min(2 * back_off_seconds, longest_seconds)


def _connect(settings: Settings, servers: str, stop: Stop) -> Log:
    with stop.interrupting():
        require_topics(settings, servers)
        return composition.worker_log(settings, servers)


def require_topics(settings: Settings, servers: str) -> None:
    """Look at the topics before anything is read; what is wrong with them is a warning in the log.

    Raises Unavailable where a worker must not work on them, or they cannot be looked at; OperationError.
    """
    options = composition.kafka_options(settings, servers)
    timeout_seconds = composition.timeouts(settings).delivery_seconds
    try:
        found = topics.check(options, settings.topic_prefix, timeout_seconds=timeout_seconds)
    except topics.ClusterError as problem:
        raise Unavailable(str(problem).removesuffix("."), problem.reason) from None
    for finding in found:
        if finding.fatal:
            raise Unavailable(
                f"{finding} No worker works on such topics: `ticketflow topics check` names all problems, "
                "and `ticketflow topics create` makes those that are missing",
                Reason.TOPIC_MISSING if finding.missing else Reason.TOPICS_DISAGREE,
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


def _turn(engine: Engine, metrics: WorkerMetrics, stop: Stop) -> None:
    while not stop.requested:
        engine.turn()
        metrics.working(ready=engine.ready, trouble=engine.trouble)


def _endpoint(settings: Settings, metrics: WorkerMetrics) -> Endpoint:
    # Whoever turns more slowly than this has lost its partitions to another worker anyway.
    limit_seconds = settings.max_poll_interval_seconds
    return Endpoint(
        metrics.registry,
        alive=lambda: metrics.idle_seconds < limit_seconds,
        not_ready=lambda: metrics.not_ready,
        setting="TICKETFLOW_METRICS_PORT",
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
