"""A cluster as the contract suite needs it: in memory, or a real one."""

from collections.abc import Sequence
from typing import Protocol

from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import MemberToRemove, NewTopic

from consumers.kafka_options import KafkaOptions, Timeouts
from consumers.kafka_python import KafkaLog
from consumers.kafka_python_feed import KafkaFeed
from consumers.kafka_python_reader import KafkaPublisher, KafkaReader
from consumers.log import Feed, Log, Outgoing, Publisher, Reader
from consumers.memory import MemoryBroker, MemoryLog, MemoryPublisher, MemoryReader, Transaction
from consumers.memory_feed import MemoryFeed
from consumers.watchdog import Watchdog

PARTITIONS = 4

# Short, for tests wait until they are over; and such that a busy machine answers in time.
TIMEOUTS = Timeouts(
    request_seconds=4,
    delivery_seconds=5,
    transaction_seconds=6,
    session_seconds=8,
    max_poll_seconds=60,
    stall_seconds=60,
)


class ForeignTransaction(Protocol):
    """An open transaction of somebody else."""

    def end(self, *, commit: bool) -> None: ...


class Cluster(Protocol):
    """What a test needs beside the log itself. One for each test, with topics of its own."""

    events: str
    state: str
    group: str
    reader: Reader
    publisher: Publisher

    def log(self, worker_id: str = "1") -> Log: ...
    def feed(self) -> Feed: ...
    def foreign(self, outgoing: Sequence[Outgoing]) -> ForeignTransaction: ...
    def fence_producer(self, worker_id: str) -> None: ...
    def evict(self, worker_id: str) -> None: ...
    def close(self) -> None: ...


class _MemoryTransaction:
    def __init__(self, broker: MemoryBroker, transaction: Transaction) -> None:
        self._broker, self._transaction = broker, transaction

    def end(self, *, commit: bool) -> None:
        self._broker.finish(self._transaction, commit=commit)


class MemoryCluster:
    """The in-memory log."""

    events, state, group = "t.events", "t.state", "g"

    def __init__(self) -> None:
        self.broker = MemoryBroker(
            {self.events: PARTITIONS, self.state: PARTITIONS}, now_us=lambda: 1_700_000_000_000_000
        )
        self.reader: Reader = MemoryReader(self.broker)
        self.publisher: Publisher = MemoryPublisher(self.broker)

    def log(self, worker_id: str = "1") -> Log:
        return MemoryLog(
            self.broker, events=self.events, state=self.state, group=self.group, worker_id=worker_id
        )

    def feed(self) -> Feed:
        return MemoryFeed(self.broker)

    def foreign(self, outgoing: Sequence[Outgoing]) -> ForeignTransaction:
        transaction = self.broker.begin("foreign", self.broker.init_producer("foreign"))
        for each in outgoing:
            self.broker.write(transaction, each)
        return _MemoryTransaction(self.broker, transaction)

    def fence_producer(self, worker_id: str) -> None:
        self.broker.init_producer(f"{self.group}-worker-{worker_id}")

    def evict(self, worker_id: str) -> None:
        group = self.broker.group(self.group, self.events)
        group.leave(group.members[worker_id])

    def close(self) -> None: ...


class _KafkaTransaction:
    def __init__(self, producer: KafkaProducer) -> None:
        self._producer = producer

    def end(self, *, commit: bool) -> None:
        if commit:
            self._producer.commit_transaction()
        else:
            self._producer.abort_transaction()
        self._producer.close()


class KafkaCluster:
    """A real broker, reached with kafka-python."""

    def __init__(self, bootstrap_servers: tuple[str, ...], name: str) -> None:
        self.events, self.state, self.group = f"{name}.events", f"{name}.state", name
        self._options = KafkaOptions(bootstrap_servers)
        self._servers = list(bootstrap_servers)
        self._admin = KafkaAdminClient(bootstrap_servers=self._servers)
        self._admin.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in (self.events, self.state)])
        self._admin.wait_for_topics([self.events, self.state])
        self.reader: Reader = KafkaReader(self._options, timeouts=TIMEOUTS)
        self.publisher: Publisher = KafkaPublisher(self._options, timeouts=TIMEOUTS)
        self._logs: list[KafkaLog] = []
        self._feeds: list[KafkaFeed] = []

    def log(self, worker_id: str = "1") -> Log:
        log = KafkaLog(
            self._options,
            events=self.events,
            state=self.state,
            group=self.group,
            worker_id=worker_id,
            timeouts=TIMEOUTS,
            watchdog=Watchdog(print),  # the process is pytest's: it must not be ended
        )
        self._logs.append(log)
        return log

    def feed(self) -> Feed:
        feed = KafkaFeed(self._options, timeouts=TIMEOUTS)
        self._feeds.append(feed)
        return feed

    def _producer(self, transactional_id: str) -> KafkaProducer:
        producer = KafkaProducer(
            bootstrap_servers=self._servers, transactional_id=transactional_id, retry_backoff_ms=5
        )
        producer.init_transactions()
        return producer

    def foreign(self, outgoing: Sequence[Outgoing]) -> ForeignTransaction:
        producer = self._producer(f"{self.group}-foreign")
        producer.begin_transaction()
        for each in outgoing:
            producer.send(each.topic, value=each.value, key=each.key, partition=each.partition)
        producer.flush()
        return _KafkaTransaction(producer)

    def fence_producer(self, worker_id: str) -> None:
        self._producer(f"{self.group}-worker-{worker_id}").close()

    def evict(self, worker_id: str) -> None:
        self._admin.remove_group_members(self.group, [MemberToRemove(group_instance_id=worker_id)])

    def close(self) -> None:
        for log in self._logs:
            log.close(leave_group=False)
        for feed in self._feeds:
            feed.close()
        self.reader.close()
        self.publisher.close()
        self._admin.close()
