"""Topics, ticket ids and the partition rule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner import murmur2 as reference

from schemas.topics import (
    MAX_DEAD_LETTER_VALUE_BYTES,
    MAX_EVENT_BYTES,
    Topic,
    murmur2,
    partition_for,
    topic_name,
    valid_ticket_id,
)

# Kafka's own test: clients/src/test/java/org/apache/kafka/common/utils/UtilsTest.java, testMurmur2.
JAVA = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "signed"), JAVA.items())
def test_murmur2_is_javas(key: bytes, signed: int):
    """The hash has the bits of Kafka's Java client."""
    assert murmur2(key) == signed % 2**32


@given(st.binary(max_size=70), st.integers(1, 1_000))
def test_partitions_are_those_of_kafka_python(key: bytes, partitions: int):
    """Any key goes where kafka-python sends it."""
    assert murmur2(key) == reference(key)
    assert partition_for(key, partitions) == (reference(key) & 0x7FFFFFFF) % partitions


@pytest.mark.parametrize("text", ["a", "A-1._z", "9" * 64])
def test_ticket_ids(text: str):
    """A ticket id is 1 to 64 letters, digits, dots, underscores and hyphens."""
    assert valid_ticket_id(text)


@pytest.mark.parametrize("text", ["", "9" * 65, "a b", "a\n", "ж", "٣", "a/b", "a:b", "é"])
def test_what_is_no_ticket_id(text: str):
    """Anything else is no ticket id, digits of other scripts and a final line end included."""
    assert not valid_ticket_id(text)


def test_names():
    """A topic's name is the prefix, a dot and the suffix."""
    assert [topic_name("tickets", topic) for topic in Topic] == [
        "tickets.events",
        "tickets.state",
        "tickets.journal",
        "tickets.notifications",
        "tickets.metrics",
        "tickets.dead-letter",
    ]


def test_what_is_refused_fits_into_its_topics():
    """A record that is too large for an event can reach the events topic, and become a dead letter."""
    for topic in Topic:
        limit = int(topic.config["max.message.bytes"])
        assert limit > 2 * MAX_DEAD_LETTER_VALUE_BYTES > MAX_EVENT_BYTES


def test_how_long_topics_are_kept():
    """Retention is what the contract's table says; the broker stamps events, the state is compacted."""
    day = 24 * 60 * 60 * 1000
    kept = {topic: topic.config.get("retention.ms") for topic in Topic}
    assert kept == {
        Topic.EVENTS: str(14 * day),
        Topic.STATE: None,
        Topic.JOURNAL: "-1",
        Topic.NOTIFICATIONS: str(14 * day),
        Topic.METRICS: str(14 * day),
        Topic.DEAD_LETTER: str(90 * day),
    }
    assert Topic.EVENTS.config["message.timestamp.type"] == "LogAppendTime"
    assert [topic for topic in Topic if topic.config["cleanup.policy"] == "compact"] == [Topic.STATE]
