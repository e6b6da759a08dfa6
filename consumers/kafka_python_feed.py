"""Following topics outside the group, with kafka-python. Implements `consumers.log.Feed`."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from consumers import kafka_python_client as client
from consumers.kafka_options import KafkaOptions, Timeouts
from consumers.kafka_python_reader import to_record
from consumers.kafka_python_records import install
from consumers.log import Place, Position, Record, Restart, checked, missing


class KafkaFeed:
    """A consumer without a group that follows the partitions it is told to."""

    def __init__(
        self, options: KafkaOptions, *, timeouts: Timeouts | None = None, client_id: str = "ticketflow-feed"
    ) -> None:
        """Connect. Raises Unavailable, LogError."""
        install()
        settings = client.consumer(options, timeouts or Timeouts(), client_id)
        with client.cured("connecting to Kafka"):
            # "none": an offset that is gone is to be seen, not skipped.
            self._consumer = client.connect(
                KafkaConsumer, **settings, group_id=None, auto_offset_reset="none"
            )
            self._consumer.topics()  # with the answer comes the cluster's id
        self._cluster = str(self._consumer._client.cluster.cluster_id)

    @property
    def cluster(self) -> str:
        """See `Feed.cluster`."""
        return self._cluster

    def topic_ids(self, topics: Collection[str]) -> dict[str, str]:
        """See `consumers.subscriber.TopicIds`. `beginnings` asks anew; else what the client knows is told."""
        found = {topic: self._consumer._client.cluster.topic_id(topic) for topic in topics}
        return {topic: str(each) for topic, each in found.items() if each is not None and each.int}

    def beginnings(self, topics: Collection[str]) -> dict[Place, int]:
        """See `Feed.beginnings`."""
        with client.cured("looking up the topics"):
            self._consumer.topics()  # a topic may have been made anew since the client last asked
        places = [place for topic in topics for place in self._places(topic)]
        with client.cured("asking where the topics begin"):
            return _by_place(self._consumer.beginning_offsets(places))

    def _places(self, topic: str) -> list[Any]:
        with client.cured(f"looking up topic {topic}"):
            found = self._consumer.partitions_for_topic(topic)
        if not found:
            raise missing(topic)
        return [TopicPartition(topic, number) for number in sorted(found)]

    def follow(self, starts: Mapping[Place, int]) -> None:
        """See `Feed.follow`."""
        places = [TopicPartition(*place) for place in starts]
        with client.cured("following topics"):
            self._consumer.assign(places)
            beginnings = _by_place(self._consumer.beginning_offsets(places))
            ends = _by_place(self._consumer.end_offsets(places))
            for place, offset in starts.items():
                start = checked(Position(offset), *place, beginnings[place], ends[place])
                self._consumer.seek(TopicPartition(*place), start.offset)

    def poll(self, timeout_seconds: float, max_records: int) -> Sequence[Record]:
        """See `Feed.poll`."""
        with client.cured("following topics"):
            polled = self._consumer.poll(
                timeout_ms=client.milliseconds(timeout_seconds), max_records=max_records
            )
        return [to_record(received) for batch in polled.values() for received in batch]

    def positions(self) -> dict[Place, int]:
        """See `Feed.positions`."""
        with client.cured("following topics"):
            found = {place: self._consumer.position(place) for place in self._consumer.assignment()}
        if None in found.values():
            raise Restart("the client lost its place in a topic")
        return _by_place(found)

    def ends(self) -> dict[Place, int]:
        """See `Feed.ends`. The end offsets of a read_committed consumer are the last stable offsets."""
        with client.cured("asking where the topics end"):
            return _by_place(self._consumer.end_offsets(list(self._consumer.assignment())))

    def close(self) -> None:
        """See `Feed.close`."""
        self._consumer.close(autocommit=False)


def _by_place(offsets: Mapping[Any, int]) -> dict[Place, int]:
    return {Place(each.topic, each.partition): offset for each, offset in offsets.items()}
