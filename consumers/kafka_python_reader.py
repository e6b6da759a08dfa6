"""Reading topics outside the group, and writing outside transactions, with kafka-python."""

import logging
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from kafka import (
    IsolationLevel,
    KafkaAdminClient,
    KafkaConsumer,
    KafkaProducer,
    OffsetSpec,
    TopicPartition,
    errors,
)

from consumers import kafka_python_client as client
from consumers.kafka_options import KafkaOptions, Timeouts
from consumers.kafka_python_records import NULL, install, sendable
from consumers.kafka_python_turns import size_bytes
from consumers.log import Headers, Position, Reason, Record, Unavailable, missing

_logger = logging.getLogger(__name__)

_POLL_RECORDS = 2_000
_POLL_BYTES = 16 * 1024 * 1024
"""About as much is taken at once, judging by the records before."""
_POLL_SECONDS = 0.005
"""The client sleeps through all of a poll that can fetch nothing yet, such as the first one after a seek, and
of one that meets nothing but a marker. Most readings are short: this is what they take longer."""
_RETRY_SECONDS = 0.1
_MAX_UNACKNOWLEDGED = 10_000


def to_record(received: Any) -> Record:
    """Return our record for one of the client's."""
    return Record(
        received.topic,
        received.partition,
        received.offset,
        received.timestamp * 1000,
        received.key,
        received.value,
        tuple(received.headers),
    )


class KafkaReader:
    """Reads committed records of any topic. Implements `consumers.log.Reader`."""

    def __init__(
        self, options: KafkaOptions, *, timeouts: Timeouts | None = None, client_id: str = "ticketflow-reader"
    ) -> None:
        """Connect. Raises Unavailable, LogError."""
        install()
        self._options = options
        self._timeouts = timeouts or Timeouts()
        self._client_id = client_id
        with client.cured("connecting to Kafka"):
            connection = client.connection(options, self._timeouts, client_id)
            self._admin = client.connect(KafkaAdminClient, **connection, retry_backoff_ms=50)
            with ExitStack() as undo:
                undo.callback(self._admin.close)
                self._consumer = self._new_consumer()
                undo.pop_all()
        self._idle: list[Any] = []

    def _new_consumer(self) -> Any:
        settings = client.consumer(self._options, self._timeouts, self._client_id)
        # A reader is not the engine: it begins where the topic begins by now.
        return client.connect(KafkaConsumer, **settings, group_id=None, auto_offset_reset="earliest")

    def partitions(self, topic: str) -> int:
        """See `Reader.partitions`."""
        with client.cured(f"looking up topic {topic}"):
            found = self._consumer.partitions_for_topic(topic)
        if not found:
            raise missing(topic)
        return len(found)

    def require(self, topics: Collection[str], partitions: int) -> None:
        """Make sure that these topics are there, with so many partitions each. Raises Unavailable."""
        with client.cured("looking up the topics"):
            for topic in self._admin.describe_topics(sorted(topics)):
                kind = errors.for_code(topic["error_code"])
                if kind is errors.UnknownTopicOrPartitionError:
                    raise missing(topic["name"])
                if kind is not errors.NoError:
                    raise kind(topic["name"])
                if len(topic["partitions"]) != partitions:
                    raise Unavailable(
                        f"the topic {topic['name']} has {len(topic['partitions'])} partitions instead of "
                        f"{partitions}: it was made anew; look at ticketflow topics check",
                        Reason.TOPICS_DISAGREE,
                    )

    def _all(self, topic: str) -> list[Any]:
        return [TopicPartition(topic, number) for number in range(self.partitions(topic))]

    def beginnings(self, topic: str) -> dict[int, int]:
        """See `Reader.beginnings`."""
        with client.cured(f"asking where {topic} begins"):
            found = self._consumer.beginning_offsets(self._all(topic))
        return {partition.partition: offset for partition, offset in found.items()}

    def ends(self, topic: str) -> dict[int, int]:
        """See `Reader.ends`."""
        with client.cured(f"asking where {topic} ends"):
            found = self._consumer.end_offsets(self._all(topic))
        return {partition.partition: offset for partition, offset in found.items()}

    def high_watermark(self, topic: str, partition: int) -> int:
        """Return the offset after the last record, open transactions included."""
        asked = TopicPartition(topic, partition)
        with client.cured(f"asking where {topic} ends"):
            found = self._admin.list_partition_offsets(
                {asked: OffsetSpec.LATEST},
                isolation_level=IsolationLevel.READ_UNCOMMITTED,
                timeout_ms=client.milliseconds(self._timeouts.request_seconds),
            )
        return int(found[asked].offset)

    def read(self, topic: str, partition: int, start: int = 0, end: int | None = None) -> Iterator[Record]:
        """See `Reader.read`. Waits until every transaction before `end` has ended. Raises Unavailable."""
        asked = TopicPartition(topic, partition)
        with client.cured(f"reading {topic}"):
            if end is None:
                end = self.high_watermark(topic, partition)
            first = max(start, self._consumer.beginning_offsets([asked])[asked])
        return self._read(asked, first, end)

    def _read(self, asked: Any, start: int, end: int) -> Iterator[Record]:
        if start >= end:
            return
        with self._borrowed() as consumer:
            consumer.assign([asked])
            consumer.seek(asked, start)
            for batch in self._batches(consumer, asked, end):
                for received in batch:
                    if received.offset >= end:
                        return
                    yield to_record(received)

    @contextmanager
    def _borrowed(self) -> Iterator[Any]:
        """A consumer for one reading: connecting costs more than most readings, so it is used again."""
        with client.cured("connecting to Kafka"):
            consumer = self._idle.pop() if self._idle else self._new_consumer()
        sound = False
        try:
            yield consumer
            sound = True
        except GeneratorExit:  # the reading was given up; what was fetched goes with the assignment
            sound = True
            raise
        finally:
            if sound:
                self._idle.append(consumer)
            else:
                consumer.close(autocommit=False)

    def _batches(self, consumer: Any, asked: Any, end: int) -> Iterator[list[Any]]:
        position = consumer.position(asked)
        moved_at = time.monotonic()
        most = 1  # who only wants the first record is given no thousands, which may inflate to gibibytes
        while position < end:
            with client.cured(f"reading {asked.topic}"):
                polled = consumer.poll(timeout_ms=client.milliseconds(_POLL_SECONDS), max_records=most)
                before, position = position, consumer.position(asked)
            if position is None:  # it was reset to the start of the topic, which is being looked up
                position = before
            if batch := polled.get(asked):
                most = _most_next(most, batch)
                yield batch
            if position != before:
                moved_at = time.monotonic()
            elif time.monotonic() - moved_at > self._timeouts.stall_seconds / 1.5:
                raise Unavailable(
                    f"partition {asked.partition} of {asked.topic} gives no records: "
                    "the cluster does not answer, or a transaction stays open"
                )

    def committed(self, group: str, topic: str) -> dict[int, Position]:
        """See `Reader.committed`."""
        with client.cured(f"asking for the positions of group {group}"):
            asked = {group: self._all(topic)}
            found = self._patiently(lambda: self._admin.list_group_offsets(asked))[group]
        return {
            partition.partition: Position(position.offset, position.metadata or "")
            for partition, position in found.items()
            if position.offset >= 0
        }

    def _patiently(self, ask: Callable[[], Any]) -> Any:
        """Ask again while the group's coordinator moves, or is being made: on a new cluster there is none."""
        deadline = time.monotonic() + self._timeouts.delivery_seconds
        while True:
            try:
                return ask()
            except errors.RetriableError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(_RETRY_SECONDS)

    def members(self, group: str, worker_id: str) -> list[str]:
        """Return the member ids under which a worker is in a group: one, or none."""
        with client.cured(f"asking for the members of group {group}"):
            described = self._patiently(lambda: self._admin.describe_groups([group]))[group]
        return [m["member_id"] for m in described["members"] if m.get("group_instance_id") == worker_id]

    def remove_member(self, group: str, member: Any) -> None:
        """Let a member leave; when that fails its session expires instead."""
        try:
            self._admin.remove_group_members(group, [member])
        except errors.KafkaError as error:
            _logger.warning(
                "group %s keeps this worker until its session ends (%s)", group, type(error).__name__
            )

    def close(self) -> None:
        """See `Reader.close`."""
        for consumer in (self._consumer, *self._idle):
            consumer.close(autocommit=False)
        self._idle.clear()
        self._admin.close()


def _most_next(most: int, batch: Sequence[Any]) -> int:
    """How many records to take after a batch, of which `most` were asked for: more, if they are small."""
    fitting = _POLL_BYTES * len(batch) // max(sum(map(size_bytes, batch)), 1)
    return max(min(most * 4, _POLL_RECORDS, fitting), 1)


class KafkaPublisher:
    """An idempotent producer without transactions. Implements `consumers.log.Publisher`."""

    def __init__(
        self,
        options: KafkaOptions,
        *,
        timeouts: Timeouts | None = None,
        client_id: str = "ticketflow-publisher",
        linger_seconds: float = 0.0,
    ) -> None:
        """Connect. `linger_seconds`: how long a record waits for company. Raises Unavailable, LogError."""
        install()
        self._timeouts = timeouts or Timeouts()
        self._futures: list[Any] = []
        with client.cured("connecting to Kafka"):
            settings = client.producer(options, self._timeouts, client_id)
            self._producer = client.connect(
                KafkaProducer, **settings, linger_ms=client.milliseconds(linger_seconds)
            )

    def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        partition: int | None = None,
    ) -> None:
        """See `Publisher.send`. The client has no limit of its own: this waits for every 10,000 records."""
        if len(self._futures) >= _MAX_UNACKNOWLEDGED:
            self.flush()
        with client.cured(f"sending to {topic}"):
            self._futures.append(
                self._producer.send(
                    topic,
                    value=NULL if value is None and key is None else value,
                    key=key,
                    headers=sendable(headers),
                    partition=partition,
                )
            )

    def flush(self) -> None:
        """See `Publisher.flush`."""
        futures, self._futures = self._futures, []
        with client.cured("publishing"):
            self._producer.flush(timeout=self._timeouts.session_seconds)
        failed = [future for future in futures if not future.succeeded()]
        if failed:
            cured = client.cure(failed[0].exception or errors.KafkaTimeoutError(), "publishing")
            raise type(cured)(f"{len(failed)} of {len(futures)} records were not written: {cured}")

    def close(self) -> None:
        """See `Publisher.close`."""
        self._producer.close(timeout=self._timeouts.request_seconds)
