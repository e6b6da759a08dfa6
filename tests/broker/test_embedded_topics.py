"""Topic administration against the real broker."""

import pytest
from kafka import KafkaAdminClient
from structlog.testing import capture_logs

from consumers.kafka_options import KafkaOptions
from consumers.log import Unavailable
from ops import OperationError, topics
from ops.settings import Settings
from ops.worker import require_topics
from schemas.topics import Topic
from tests.conftest import PARTITIONS


@pytest.fixture
def options(broker: str) -> KafkaOptions:
    return KafkaOptions((broker,))


def _create(broker: str, **changes: dict[str, object]) -> None:
    admin = KafkaAdminClient(bootstrap_servers=broker)
    admin.create_topics({name.replace("__", "."): data for name, data in changes.items()})
    admin.wait_for_topics([name.replace("__", ".") for name in changes])
    admin.close()


def _sentences(options: KafkaOptions, prefix: str, partitions: int | None = None) -> list[str]:
    return [str(finding) for finding in topics.check(options, prefix, partitions)]


def test_created_topics_pass_the_check(options: KafkaOptions, prefix: str) -> None:
    """What `create` makes is what `check` wants."""
    assert topics.check(options, prefix, PARTITIONS) == []


def test_creating_again_creates_nothing_and_changes_nothing(options: KafkaOptions, prefix: str) -> None:
    """A second `create`, even with another number of partitions, leaves the topics alone."""
    assert topics.create(options, prefix, PARTITIONS + 1, 1) == []
    assert topics.check(options, prefix, PARTITIONS) == []


def test_a_missing_topic_is_named_and_only_it_is_created(options: KafkaOptions, broker: str) -> None:
    """`check` names each missing topic, and `create` returns those that it made."""
    _create(broker, part__events={"num_partitions": PARTITIONS})
    problems = _sentences(options, "part")
    assert "The topic part.journal is missing." in problems
    assert not any("part.events is missing" in problem for problem in problems)
    created = topics.create(options, "part", PARTITIONS, 1)
    assert sorted(created) == sorted(f"part.{t.suffix}" for t in Topic if t is not Topic.EVENTS)


def test_topics_that_others_made_wrong_are_described(options: KafkaOptions, broker: str) -> None:
    """Wrong time stamps, clean-up, sizes and replication are each said in a sentence."""
    _create(
        broker,
        wrong__events={"num_partitions": 2},
        wrong__state={"num_partitions": 2, "configs": {"min.insync.replicas": "2"}},
    )
    problems = " ".join(_sentences(options, "wrong", 2))
    assert "wrong.events has message.timestamp.type=CreateTime" in problems
    assert "wrong.state has cleanup.policy=delete" in problems
    assert "wrong.state has 1 replicas, fewer than its min.insync.replicas=2" in problems
    assert "instead of" not in problems


def test_topics_that_keep_records_too_short_are_named(options: KafkaOptions, broker: str) -> None:
    """`verify` needs events and journal for two weeks; a journal that is cut after a month is allowed."""
    day_ms = 24 * 3_600_000
    _create(
        broker,
        short__journal={"num_partitions": 2, "configs": {"retention.ms": str(day_ms)}},
        short__metrics={"num_partitions": 2, "configs": {"retention.ms": str(7 * day_ms)}},
        month__journal={"num_partitions": 2, "configs": {"retention.ms": str(30 * day_ms)}},
    )
    problems = _sentences(options, "short")
    assert "The topic short.journal keeps records for 24h (retention.ms), less than 14d." in problems
    assert "The topic short.metrics keeps records for 7d (retention.ms), less than 14d." in problems
    assert "month.journal keeps" not in " ".join(_sentences(options, "month"))


def test_what_is_kept_for_less_by_size_or_as_a_tombstone_is_told(options: KafkaOptions, broker: str) -> None:
    """A limit in bytes cuts by size what must be kept for its time; readers need tombstones for a day."""
    compacted = {"cleanup.policy": "compact", "retention.bytes": "1048576", "delete.retention.ms": "60000"}
    _create(
        broker,
        small__events={"num_partitions": 2, "configs": {"retention.bytes": "1048576"}},
        small__state={"num_partitions": 2, "configs": compacted},
    )
    problems = _sentences(options, "small")
    assert [each for each in problems if "(retention.bytes)" in each] == [
        "The topic small.events keeps no more than 1048576 bytes a partition (retention.bytes), however "
        "young they are, where ticketflow relies on -1: no limit."
    ]
    assert "The topic small.state keeps tombstones for 1m (delete.retention.ms), less than 24h." in problems


def test_partition_counts_that_differ_are_listed(options: KafkaOptions, broker: str) -> None:
    """Topics must share one number of partitions, for output goes where its input came from."""
    _create(broker, uneven__events={"num_partitions": 2}, uneven__state={"num_partitions": 3})
    assert "uneven.events has 2, uneven.state has 3" in " ".join(_sentences(options, "uneven"))


def test_a_count_that_is_not_the_wanted_one_is_told(options: KafkaOptions, prefix: str) -> None:
    """Each topic with another number of partitions than the setting is named."""
    problems = _sentences(options, prefix, PARTITIONS + 1)
    assert len(problems) == len(Topic)
    assert all("is never changed in place" in problem for problem in problems)


def test_a_cluster_that_does_not_answer_is_one_sentence() -> None:
    """A wrong address is named with the setting to look at."""
    with pytest.raises(
        OperationError, match=r"Kafka does not answer at 127\.0\.0\.1:1: check TICKETFLOW_KAFKA_"
    ):
        topics.cluster_id(KafkaOptions(("127.0.0.1:1",)), timeout_seconds=1)


def _worker_on(broker: str, prefix: str) -> None:
    require_topics(Settings(kafka_bootstrap_servers=broker, topic_prefix=prefix), broker)


def test_a_worker_starts_on_topics_that_are_as_they_should_be(broker: str, prefix: str) -> None:
    """Nothing is said of them."""
    _worker_on(broker, prefix)


def test_a_worker_refuses_topics_that_are_missing(broker: str) -> None:
    """The sentence names the first and the command that names all."""
    with pytest.raises(Unavailable, match=r"none\.events is missing.*`ticketflow topics check`"):
        _worker_on(broker, "none")


def test_a_worker_refuses_partition_counts_that_differ(broker: str, options: KafkaOptions) -> None:
    """Output goes where its input came from, so a partition that is not there would stop it later."""
    _create(broker, odd__state={"num_partitions": 3})
    topics.create(options, "odd", 2, 1)
    with pytest.raises(Unavailable, match=r"odd\.state has 3"):
        _worker_on(broker, "odd")


def test_a_worker_refuses_arrivals_stamped_by_publishers(broker: str, options: KafkaOptions) -> None:
    """One foreign stamp that is ahead would move the arrival ahead and fire clocks early."""
    _create(broker, stamped__events={"num_partitions": 2})
    topics.create(options, "stamped", 2, 1)
    with pytest.raises(Unavailable, match=r"stamped\.events has message\.timestamp\.type=CreateTime"):
        _worker_on(broker, "stamped")


def test_a_worker_warns_of_what_is_not_fatal(broker: str, options: KafkaOptions) -> None:
    """Another clean-up of the state is said in the log, and the worker starts."""
    _create(broker, loose__state={"num_partitions": 2})
    topics.create(options, "loose", 2, 1)
    with capture_logs() as logged:
        _worker_on(broker, "loose")
    assert {line["log_level"] for line in logged} == {"warning"}
    assert "loose.state" in logged[0]["problem"]
