"""Publishing and reading with librdkafka: what the project's own client wrote must be readable by another."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from tests.support.traffic import Expected, Sent

_POLL_SECONDS = 0.2
_BATCH = 5_000


def producer(servers: str, **settings: Any) -> Producer:
    """A producer as the contract wants it: keys hashed as Java does. `settings` with `_` for each dot."""
    return Producer(
        {
            "bootstrap.servers": servers,
            "partitioner": "murmur2_random",
            "enable.idempotence": True,
            "linger.ms": 5,
            "message.max.bytes": 4_000_000,
            **{name.replace("_", "."): value for name, value in settings.items()},
        }
    )


def produce(client: Producer, topic: str, **record: Any) -> None:
    """Hand a record to the client; where its own queue is full, wait until there is room."""
    while True:
        try:
            client.produce(topic, **record)
        except BufferError:
            client.poll(0.1)
        else:
            return


def publish(servers: str, topic: str, records: Iterable[Sent]) -> int:
    """Publish records in order; returns how many. Raises AssertionError where one was not written."""
    client = producer(servers)
    partitions = len(client.list_topics(topic, timeout=10).topics[topic].partitions)
    failed: list[KafkaError] = []

    def delivered(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            failed.append(error)

    count = 0
    for sent in records:
        count += 1
        where = {"partition": _next_partition(sent.key, partitions)} if sent.misplaced else {}
        produce(
            client,
            topic,
            key=sent.key,
            value=sent.value,
            headers=list(sent.headers),
            on_delivery=delivered,
            **where,
        )
        client.poll(0)
    assert client.flush(60) == 0, "librdkafka could not write everything within a minute"
    assert not failed, f"{len(failed)} records were not written: {failed[0]}"
    return count


def _next_partition(key: bytes | None, partitions: int) -> int:
    return (java_partition(key or b"", partitions) + 1) % partitions


def java_partition(key: bytes, partitions: int) -> int:
    """The partition of a key by Java's rule, written down once more for the tests."""
    mask, magic = 0xFFFFFFFF, 0x5BD1E995
    hashed = 0x9747B28C ^ len(key)
    whole = len(key) // 4 * 4
    for start in range(0, whole, 4):
        word = int.from_bytes(key[start : start + 4], "little") * magic & mask
        hashed = hashed * magic & mask ^ (word ^ word >> 24) * magic & mask
    if whole < len(key):
        hashed = (hashed ^ int.from_bytes(key[whole:], "little")) * magic & mask
    hashed = (hashed ^ hashed >> 13) * magic & mask
    return ((hashed ^ hashed >> 15) & 0x7FFFFFFF) % partitions


@dataclass(slots=True)
class Follower:
    """Reads the committed records of topics as they come, from their beginning."""

    servers: str
    topics: list[str]
    isolation: str = "read_committed"
    group: str = "nobody"  # never joined: partitions are assigned by hand
    _consumer: Consumer = field(init=False)
    _partitions: list[TopicPartition] = field(init=False)

    def __post_init__(self) -> None:
        """Connect."""
        self._consumer = Consumer(
            {
                "bootstrap.servers": self.servers,
                "group.id": self.group,
                "isolation.level": self.isolation,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 50,
                "enable.partition.eof": True,
            }
        )
        found = self._consumer.list_topics(timeout=10).topics
        self._partitions = [
            TopicPartition(topic, number, 0) for topic in self.topics for number in found[topic].partitions
        ]
        self._consumer.assign(self._partitions)

    def seek_to_committed(self) -> None:
        """Begin where the group has come to."""
        committed = self._consumer.committed(self._partitions, timeout=10)
        self._consumer.assign(
            [TopicPartition(each.topic, each.partition, max(each.offset, 0)) for each in committed]
        )

    def read(self, most: int = _BATCH) -> list[Message]:
        """What has come since, after waiting for at most 0.2 s, or until there are as many as `most`."""
        batch = self._consumer.consume(most, _POLL_SECONDS)
        return [message for message in batch if not _at_end(message)]

    def to_end(self) -> list[Message]:
        """Everything up to the end of every partition."""
        return list(self.each_to_end())

    def each_to_end(self) -> Iterator[Message]:
        """The same, one after another: what is more than memory should hold."""
        ended: set[tuple[str, int]] = set()
        while len(ended) < len(self._partitions):
            for message in self._consumer.consume(_BATCH, _POLL_SECONDS):
                if _at_end(message):
                    ended.add((str(message.topic()), int(message.partition() or 0)))
                else:
                    yield message

    def ends(self) -> int:
        """The sum of the partitions' ends; of the last stable ones where only committed records are read."""
        return sum(self._consumer.get_watermark_offsets(each, timeout=10)[1] for each in self._partitions)

    def close(self) -> None:
        """Let go of the connections."""
        self._consumer.close()

    def __enter__(self) -> "Follower":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _at_end(message: Message) -> bool:
    error = message.error()
    if error is None:
        return False
    assert error.code() == KafkaError._PARTITION_EOF, f"librdkafka could not read: {error}"
    return True


def waiting(servers: str, group: str, topic: str) -> int:
    """How many records of a topic the group has not committed yet; transactions' markers are none."""
    with Follower(servers, [topic], group=group) as rest:
        rest.seek_to_committed()
        return len(rest.to_end())


def data(message: Message) -> dict[str, Any]:
    """The `data` of a CloudEvent in structured mode."""
    document: dict[str, Any] = json.loads(message.value() or b"")["data"]
    return document


_VERDICTS = {"met": "met", "breached": "breached", "cancelled": "cancelled", "retracted": None}


@dataclass(slots=True)
class Outcome:
    """What a journal says in the end, folded record by record."""

    applied: int = 0
    firings: int = 0
    verdicts: dict[tuple[str, str, int], str] = field(default_factory=dict)
    states: dict[str, str | None] = field(default_factory=dict)

    def take(self, entry: Mapping[str, Any]) -> None:
        """Fold one record."""
        ticket_id = entry["ticket_id"]
        self.states[ticket_id] = entry["to"]
        if entry["cause"]["kind"] == "event":
            self.applied += 1
        else:
            self.firings += 1
        for change in entry["clocks"]:
            if change["change"] in _VERDICTS:
                self._judge((ticket_id, change["clock"], change["cycle"]), _VERDICTS[change["change"]])

    def _judge(self, where: tuple[str, str, int], verdict: str | None) -> None:
        if verdict is None:
            assert self.verdicts.pop(where, None), f"{where} was retracted without a verdict"
        elif verdict == "cancelled":
            self.verdicts.setdefault(where, verdict)  # a breach that was cancelled later stays one
        else:
            assert where not in self.verdicts, f"{where} has a second verdict"
            self.verdicts[where] = verdict

    def is_whole(self, expected: Expected) -> bool:
        """Whether everything has happened that must."""
        return (
            self.applied >= expected.applied + expected.absorbed
            and len(self.verdicts) >= len(expected.verdicts)
            and self.verdicts == expected.verdicts
            and self.states == expected.states
        )

    def missing(self, expected: Expected) -> list[str]:
        """What is not as expected, in sentences; nothing where all is."""
        applied = expected.applied + expected.absorbed
        return [
            *([] if self.applied == applied else [f"{self.applied} of {applied} events were applied"]),
            *_differences("verdict", self.verdicts, expected.verdicts),
            *_differences("state", self.states, expected.states),
        ]


def _differences(what: str, found: Mapping[Any, Any], expected: Mapping[Any, Any]) -> list[str]:
    """How many differ, and the first few."""
    differ = [key for key in {**expected, **found} if found.get(key, "none") != expected.get(key, "none")]
    if not differ:
        return []
    shown = [f"{key}: {found.get(key, 'none')}, not {expected.get(key, 'none')}" for key in differ[:5]]
    return [f"{len(differ)} times another {what} than expected", *shown]
