"""From settings to the parts that they describe: where adapters are chosen and put together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from consumers.kafka_options import KafkaOptions, Timeouts
from consumers.kafka_python import KafkaLog
from consumers.kafka_python_feed import KafkaFeed
from consumers.kafka_python_reader import KafkaPublisher, KafkaReader
from consumers.log import Reason, Unavailable
from ops import OperationError
from ops.directories import demo_directory
from ops.embedded import find_running
from ops.settings import Settings
from schemas.topics import Topic, topic_name

_SHORTEST_STALL_SECONDS = 45.0


def bootstrap_servers(settings: Settings) -> str:
    """Return the cluster's servers, or those of the embedded broker that runs on the data directory.

    Where nobody says which directory that is, the demo's broker will do, too. Raises OperationError where
    none is there.
    """
    servers = settings.kafka_bootstrap_servers or find_running(settings.data_dir)
    if servers is None and "data_dir" not in settings.model_fields_set:
        servers = find_running(demo_directory(settings.data_dir))
    if servers is None:
        raise OperationError(
            f"No embedded broker runs on {settings.data_dir}: start one with `ticketflow up` or "
            "`ticketflow broker`, or set TICKETFLOW_KAFKA_BOOTSTRAP_SERVERS to a cluster of yours."
        )
    return servers


def kafka_options(settings: Settings, servers: str) -> KafkaOptions:
    """Return how to reach the cluster at `servers`."""
    password = settings.kafka_sasl_password
    return KafkaOptions(
        bootstrap_servers=tuple(servers.split(",")),
        security_protocol=settings.kafka_security_protocol,
        sasl_mechanism=settings.kafka_sasl_mechanism,
        sasl_username=settings.kafka_sasl_username,
        sasl_password=None if password is None else password.get_secret_value(),
        ssl_cafile=_text(settings.kafka_ssl_cafile),
        ssl_certfile=_text(settings.kafka_ssl_certfile),
        ssl_keyfile=_text(settings.kafka_ssl_keyfile),
    )


def timeouts(settings: Settings) -> Timeouts:
    """Return a worker's time-outs. What has no setting of its own follows from those around it."""
    request_seconds = settings.request_timeout_seconds
    transaction_seconds = settings.transaction_timeout_seconds
    return Timeouts(
        request_seconds=request_seconds,
        # A long transaction is no reason to wait for long until a worker that nobody answers tries again.
        delivery_seconds=min((request_seconds + transaction_seconds) / 2, request_seconds + 2),
        transaction_seconds=transaction_seconds,
        session_seconds=settings.session_timeout_seconds,
        max_poll_seconds=settings.max_poll_interval_seconds,
        stall_seconds=max(_SHORTEST_STALL_SECONDS, 3 * settings.session_timeout_seconds),
    )


def require_client(settings: Settings) -> None:
    """Raises OperationError where no worker runs on the client that was chosen."""
    if settings.kafka_client != "kafka-python":
        raise OperationError(
            "No worker of this version runs on librdkafka: set TICKETFLOW_KAFKA_CLIENT to kafka-python."
        )


def worker_log(settings: Settings, servers: str) -> KafkaLog:
    """Connect a worker. Raises Restart, where trying again may help; LogError."""
    return KafkaLog(
        kafka_options(settings, servers),
        events=topic_name(settings.topic_prefix, Topic.EVENTS),
        state=topic_name(settings.topic_prefix, Topic.STATE),
        group=settings.group_id,
        worker_id=settings.worker_id,
        timeouts=timeouts(settings),
    )


def reader(settings: Settings, servers: str, client_id: str = "ticketflow-reader") -> KafkaReader:
    """Connect a reader of topics. Raises OperationError, LogError."""
    with _answering(servers):
        return KafkaReader(kafka_options(settings, servers), timeouts=timeouts(settings), client_id=client_id)


def feed(settings: Settings, servers: str, client_id: str) -> KafkaFeed:
    """Connect a feed of topics. Raises OperationError, LogError."""
    with _answering(servers):
        return KafkaFeed(kafka_options(settings, servers), timeouts=timeouts(settings), client_id=client_id)


def publisher(settings: Settings, servers: str, linger_seconds: float = 0.0) -> KafkaPublisher:
    """Connect a publisher; a record waits `linger_seconds` for company. Raises OperationError, LogError."""
    options = kafka_options(settings, servers)
    with _answering(servers):
        return KafkaPublisher(options, timeouts=timeouts(settings), linger_seconds=linger_seconds)


@contextmanager
def _answering(servers: str) -> Iterator[None]:
    try:
        yield
    except Unavailable as problem:
        if problem.reason is not Reason.UNREACHABLE:
            raise
        raise OperationError(
            f"Kafka does not answer at {servers}: check TICKETFLOW_KAFKA_BOOTSTRAP_SERVERS and its security "
            "settings, and that the broker runs."
        ) from None


def _text(path: object) -> str | None:
    return None if path is None else str(path)
