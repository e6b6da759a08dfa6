"""kafka-python's settings and errors: each option that matters is set here, each error gets its cure."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from kafka import errors

from consumers.kafka_options import KafkaOptions, Timeouts
from consumers.kafka_python_records import NothingAsNull
from consumers.log import Fenced, LogError, Reason, Restart, Unavailable

MIB = 1024 * 1024

# Waiting does not help: this process asks for what this cluster cannot give, and goes on asking.
_FOR_PEOPLE = (
    errors.UnsupportedSaslMechanismError,
    errors.UnsupportedVersionError,
    errors.KafkaConfigurationError,
    errors.InvalidSessionTimeoutError,
    errors.InvalidTransactionTimeoutError,
    errors.InvalidGroupIdError,
    errors.InconsistentGroupProtocolError,
)

# What somebody has to mend on the cluster, and what the sentence tells them. The first that fits counts.
_SYSTEMIC: Final[tuple[tuple[Reason, tuple[type[Exception], ...], str], ...]] = (
    (
        Reason.NOT_AUTHORIZED,
        (errors.AuthorizationError, errors.SaslAuthenticationFailedError),
        "was refused ({kind}): check the Kafka settings and rights",
    ),
    (
        Reason.TOPIC_MISSING,
        (
            errors.UnknownTopicOrPartitionError,
            errors.UnknownTopicIdError,
            errors.InconsistentTopicIdError,
        ),
        "failed, for the topic or a partition of it is not there ({kind}): look at ticketflow topics check",
    ),
    (
        Reason.STORAGE,
        (
            errors.KafkaStorageError,
            errors.LogDirNotFoundError,
            errors.NotEnoughReplicasError,
            errors.NotEnoughReplicasAfterAppendError,
        ),
        "failed, for the cluster cannot store it ({kind}): look at the brokers' disks and replicas",
    ),
    (
        Reason.REFUSED,
        (
            errors.MessageSizeTooLargeError,
            errors.RecordListTooLargeError,
            errors.InvalidRecordError,
            errors.InvalidTimestampError,
            errors.InvalidTopicError,
            errors.PolicyViolationError,
            errors.UnsupportedForMessageFormatError,
            errors.UnsupportedCompressionTypeError,
        ),
        "failed, for the cluster does not take such a record ({kind}): give its topics what ticketflow "
        "topics check wants",
    ),
    (
        # The two last are not marked as retriable, though they are what a restart looks like.
        Reason.UNREACHABLE,
        (errors.RetriableError, errors.UnknownBrokerIdError, errors.BrokerNotAvailableError),
        "failed because the Kafka cluster does not answer ({kind})",
    ),
)


def _chain(error: BaseException) -> Iterator[BaseException]:
    yield error
    for inner in (*error.args, error.__cause__):
        if isinstance(inner, BaseException):
            yield from _chain(inner)


def cure(error: Exception, doing: str) -> LogError:
    """Return our exception for one of the client's, with a sentence that says what was being done.

    The client's text may quote a record: only the kind of its error is told.
    """
    kinds = list(_chain(error))
    if any(isinstance(kind, errors.FencedInstanceIdError) for kind in kinds):
        return Fenced("another process runs under this worker's id: give each worker an id of its own")
    for kind in kinds:
        if isinstance(kind, _FOR_PEOPLE):
            return LogError(
                f"{doing} was refused ({type(kind).__name__}): check the Kafka settings and rights"
            )
    for reason, types, what in _SYSTEMIC:
        # What is only silence inside another error may have been anything: the outcome is not known.
        for kind in kinds[:1] if reason is Reason.UNREACHABLE else kinds:
            if isinstance(kind, types):
                return Unavailable(f"{doing} {what.format(kind=_named(kind))}", reason)
    return Restart(f"{doing} failed ({type(error).__name__})")


def _named(error: BaseException) -> str:
    """The kind of an error, and the topics that a right is missing to: these are all that one carries."""
    name = type(error).__name__
    if not isinstance(error, errors.TopicAuthorizationFailedError):
        return name
    listed = [topic for each in error.args for topic in (each if isinstance(each, set) else (each,))]
    topics = sorted(topic for topic in listed if isinstance(topic, str))
    return f"{name}: {', '.join(topics)}" if topics else name


@contextmanager
def cured(doing: str) -> Iterator[None]:
    """Turn the client's errors in the body into ours."""
    try:
        yield
    except errors.KafkaError as error:
        raise cure(error, doing) from error


def connect(kind: Any, **settings: Any) -> Any:
    """Make a consumer, producer or admin client, and leave nothing behind where that fails.

    Their constructors begin a thread and keep it when the cluster does not answer: whoever tries again for
    hours would run out of both threads and files.
    """
    made = kind.__new__(kind)
    try:
        made.__init__(**settings)
    except BaseException:
        if hasattr(made, "_client"):
            made._client.close()
        raise
    return made


def milliseconds(seconds: float) -> int:
    """Kafka's unit."""
    return round(seconds * 1000)


def connection(options: KafkaOptions, timeouts: Timeouts, client_id: str) -> dict[str, Any]:
    """Return what consumer, producer and admin client have in common."""
    _hush()
    return {
        "bootstrap_servers": list(options.bootstrap_servers),
        "client_id": client_id,
        "request_timeout_ms": milliseconds(timeouts.request_seconds),
        "bootstrap_timeout_ms": milliseconds(timeouts.delivery_seconds),
        "reconnect_backoff_ms": 50,
        "reconnect_backoff_max_ms": 1_000,
        "security_protocol": options.security_protocol,
        "sasl_mechanism": options.sasl_mechanism,
        "sasl_plain_username": options.sasl_username,
        "sasl_plain_password": options.sasl_password,
        "ssl_cafile": options.ssl_cafile,
        "ssl_certfile": options.ssl_certfile,
        "ssl_keyfile": options.ssl_keyfile,
        "ssl_check_hostname": True,
    }


def consumer(options: KafkaOptions, timeouts: Timeouts, client_id: str) -> dict[str, Any]:
    """Return the settings of every consumer of ours."""
    return connection(options, timeouts, client_id) | {
        "isolation_level": "read_committed",
        "enable_auto_commit": False,
        "allow_auto_create_topics": False,
        "key_deserializer": None,  # a record that cannot be decoded must not stop the poll
        "value_deserializer": None,
        "check_crcs": True,
        "fetch_min_bytes": 1,  # the broker answers as soon as there is a record
        # A partition that is resumed waits for the fetch under way, which does not know of it.
        "fetch_max_wait_ms": 100,
        "fetch_max_bytes": 16 * MIB,
        "max_partition_fetch_bytes": MIB,  # a larger record still arrives, alone
        "retry_backoff_ms": 50,
        "metrics_enabled": False,
    }


def producer(options: KafkaOptions, timeouts: Timeouts, client_id: str) -> dict[str, Any]:
    """Return the settings of every producer of ours: idempotent, whatever it is for."""
    return connection(options, timeouts, client_id) | {
        "enable_idempotence": True,
        "acks": "all",
        "compression_type": None,
        "delivery_timeout_ms": milliseconds(timeouts.delivery_seconds),
        "max_block_ms": milliseconds(timeouts.delivery_seconds),
        # A new transaction meets CONCURRENT_TRANSACTIONS until the markers of the last one are written.
        "retry_backoff_ms": 5,
        "batch_size": MIB // 4,  # only one batch a partition is under way at a time
        "max_request_size": 4 * MIB,  # the topics' max.message.bytes
        "max_in_flight_requests_per_connection": 5,
        "allow_auto_create_topics": False,
        "key_serializer": None,
        "value_serializer": NothingAsNull(),
        "metrics_enabled": False,
    }


def _hush() -> None:
    """Keep the client's debug lines, which quote records, out of every log. A level set by hand stays."""
    logger = logging.getLogger("kafka")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.WARNING)
