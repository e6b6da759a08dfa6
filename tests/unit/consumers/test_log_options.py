"""Time-outs, errors and records of the log on a real cluster, as far as no cluster is needed."""

import gc
import logging
import os
import threading

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, errors
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from consumers import kafka_python_client as client
from consumers.kafka_options import KafkaOptions, Timeouts
from consumers.kafka_python_records import install, sendable
from consumers.log import Fenced, LogError, Reason, Restart, Unavailable
from consumers.watchdog import Watchdog

OPTIONS = KafkaOptions(("127.0.0.1:1",), sasl_username="u", sasl_password="s3cret")


def test_a_password_is_not_shown() -> None:
    """The options can be printed."""
    assert "s3cret" not in repr(OPTIONS)


@pytest.mark.parametrize(
    "wrong",
    [
        {"request_seconds": 11},
        {"delivery_seconds": 13},
        {"transaction_seconds": 16},
        {"max_poll_seconds": 20},
        {"stall_seconds": 20},
        {"request_seconds": 0},
    ],
)
def test_timeouts_keep_their_order(wrong: dict[str, float]) -> None:
    """An order in which a transaction would outlive its worker's place in the group is refused."""
    with pytest.raises(ValueError, match="request < delivery < transaction <= session"):
        Timeouts(**wrong)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.KafkaError("time-out, told by a generic error"), Restart),
        (errors.KafkaError("again", errors.KafkaTimeoutError()), Restart),
        (errors.ProducerFencedError(), Restart),
        (errors.CommitFailedError(), Restart),
        (errors.OffsetOutOfRangeError(), Restart),
        (errors.FencedInstanceIdError(), Fenced),
        (errors.KafkaError("again", errors.FencedInstanceIdError()), Fenced),
        (errors.UnsupportedSaslMechanismError(), LogError),
        (errors.InvalidTransactionTimeoutError(), LogError),
        (errors.InvalidSessionTimeoutError(), LogError),
    ],
)
def test_every_error_has_a_cure(error: Exception, kind: type[LogError]) -> None:
    """What this process asks for in vain ends it, a worker that was replaced ends, the rest is uncertain."""
    assert type(client.cure(error, "committing")) is kind


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (errors.KafkaTimeoutError(), Reason.UNREACHABLE),
        (errors.KafkaConnectionError(), Reason.UNREACHABLE),
        (errors.UnknownBrokerIdError(), Reason.UNREACHABLE),
        (errors.TopicAuthorizationFailedError(), Reason.NOT_AUTHORIZED),
        (errors.GroupAuthorizationFailedError(), Reason.NOT_AUTHORIZED),
        (errors.SaslAuthenticationFailedError(), Reason.NOT_AUTHORIZED),
        (errors.KafkaError("again", errors.TransactionalIdAuthorizationFailedError()), Reason.NOT_AUTHORIZED),
        (errors.UnknownTopicOrPartitionError(), Reason.TOPIC_MISSING),
        (errors.KafkaError("again", errors.UnknownTopicIdError()), Reason.TOPIC_MISSING),
        (errors.KafkaStorageError(), Reason.STORAGE),
        (errors.NotEnoughReplicasError(), Reason.STORAGE),
        (errors.MessageSizeTooLargeError(), Reason.REFUSED),
        (errors.PolicyViolationError(), Reason.REFUSED),
    ],
)
def test_what_is_wrong_outside_is_waited_for_under_its_reason(error: Exception, reason: Reason) -> None:
    """Silence, rights, topics, disks and limits have a reason each, and a sentence that says what to do."""
    cured = client.cure(error, "committing")
    assert isinstance(cured, Unavailable)
    assert cured.reason is reason
    assert "does not answer" in str(cured) or ": " in str(cured) or "look at" in str(cured)


@pytest.mark.parametrize("kind", [KafkaAdminClient, KafkaConsumer, KafkaProducer])
def test_a_connection_that_fails_leaves_nothing_behind(kind: type, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever tries again for hours runs out of neither threads nor files."""
    caplog.set_level(logging.CRITICAL, "kafka")  # what is logged is kept here, and what it refers to
    gc.collect()
    threads, files = threading.active_count(), len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with pytest.raises(errors.KafkaError):
            client.connect(kind, bootstrap_servers=["127.0.0.1:1"], bootstrap_timeout_ms=100)
    gc.collect()
    assert threading.active_count() <= threads  # one of an earlier test may have ended meanwhile
    assert len(os.listdir("/proc/self/fd")) <= files


def test_a_message_does_not_quote_the_client() -> None:
    """The client's text may hold a record; ours names what was being done and the kind of error."""
    sentence = str(client.cure(errors.KafkaError("value=b'+79161234567'"), "sending to t.journal"))
    assert sentence == "sending to t.journal failed (KafkaError)"


def test_every_consequential_option_is_set() -> None:
    """The client's defaults for these would break the promises."""
    consumer = client.consumer(OPTIONS, Timeouts(), "c")
    assert consumer["isolation_level"] == "read_committed"
    assert consumer["enable_auto_commit"] is False
    assert consumer["value_deserializer"] is None
    producer = client.producer(OPTIONS, Timeouts(), "c")
    assert (producer["acks"], producer["enable_idempotence"]) == ("all", True)
    assert producer["retry_backoff_ms"] <= 5
    assert producer["request_timeout_ms"] == 8_000
    assert consumer["sasl_plain_password"] == producer["sasl_plain_password"] == "s3cret"


def test_the_client_does_not_log_records() -> None:
    """Its debug lines quote keys and values: they stay off whatever the root logger's level is."""
    client.connection(OPTIONS, Timeouts(), "c")
    assert not logging.getLogger("kafka.producer.kafka").isEnabledFor(logging.DEBUG)


@pytest.mark.parametrize("codec", [0, 1], ids=["plain", "gzip"])
def test_a_batch_survives_any_header(codec: int) -> None:
    """Names that are not UTF-8 and missing values pass through the client's encoder and decoder."""
    install()
    install()
    headers = (("h", b"v"), ("\udcff", None), ("ё", b""), ("none", None))
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=codec, is_transactional=0, producer_id=-1, producer_epoch=-1,
        base_sequence=-1, batch_size=10_000,
    )  # fmt: skip
    for offset, each in enumerate([headers, (("plain", b"1"),), headers]):
        builder.append(offset, 1, b"k", b"v", sendable(each))
    batch = DefaultRecordBatch(builder.build())
    assert [tuple(record.headers) for record in batch] == [headers, (("plain", b"1"),), headers]


def test_a_stalled_call_is_reported_once() -> None:
    """What does not return within its limit is named; the next call is watched anew."""
    stalled: list[str] = []
    fired = threading.Event()

    def on_stall(message: str) -> None:
        stalled.append(message)
        fired.set()

    watchdog = Watchdog(on_stall, tick_seconds=0.01)
    with watchdog.guard("committing", 0.03):
        assert fired.wait(10)
    fired.clear()
    with watchdog.guard("closing", 0.03):
        assert fired.wait(10)
    watchdog.close()
    assert [message.split(" has not returned")[0] for message in stalled] == ["committing", "closing"]


def test_a_call_in_time_is_left_alone() -> None:
    """Calls that return are no stall, and an outer call is watched on after an inner one."""
    stalled: list[str] = []
    watchdog = Watchdog(stalled.append, tick_seconds=0.001)
    for _ in range(50):
        with watchdog.guard("outer", 60), watchdog.guard("inner", 60):
            pass
    assert watchdog._guarded is None
    with watchdog.guard("outer", 60):
        with watchdog.guard("inner", 60):
            pass
        assert watchdog._guarded is not None
        assert watchdog._guarded[0] == "outer"
    watchdog.close()
    assert stalled == []
