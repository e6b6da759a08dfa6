"""The log in memory: topics, transactions, fencing, groups. For tests, simulation and `replay`.

It behaves as Kafka does where the engine can notice: a transaction's records take their offsets when they
are sent, its marker takes one more in every partition it touched, readers stop before the first open
transaction (the last stable offset), and a newer producer with the same transactional id fences the older.
Nothing here reads a clock or starts a thread. To inject a fault override `MemoryBroker.stage` or
`MemoryBroker.finish`, the two steps of a commit.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from consumers import log
from consumers.log import Headers, LogError, Outgoing, Polled, Position, Record, Restart, Unavailable, checked
from consumers.memory_group import Member, MemoryGroup
from schemas.topics import partition_for


@dataclass(slots=True, eq=False)
class Partition:
    """One partition: a slot an offset, from `start` on; a marker's or an aborted record's slot is empty."""

    start: int = 0
    slots: list[Record | None] = field(default_factory=list)
    open: dict[str, int] = field(default_factory=dict)  # transactional id -> its first offset here

    @property
    def end(self) -> int:
        """The offset of the next record."""
        return self.start + len(self.slots)

    @property
    def stable(self) -> int:
        """The last stable offset: the first one of an open transaction, or the end."""
        return min(self.open.values()) if self.open else self.start + len(self.slots)


@dataclass(slots=True)
class Transaction:
    """An open transaction: where its records are."""

    transactional_id: str
    epoch: int
    spans: dict[tuple[str, int], tuple[Partition, list[int]]] = field(default_factory=dict)
    group: MemoryGroup | None = None


class MemoryBroker:
    """All topics, producers and groups of one process."""

    def __init__(self, topics: Mapping[str, int], now_us: Callable[[], int] = lambda: 0) -> None:
        """Hold these topics (name to partition count); `now_us` stamps records that come without a time."""
        self._topics = {name: [Partition() for _ in range(count)] for name, count in topics.items()}
        self._epochs: dict[str, int] = {}
        self._open: dict[str, Transaction] = {}
        self._groups: dict[tuple[str, str], MemoryGroup] = {}
        self._now_us = now_us

    def topic(self, name: str) -> list[Partition]:
        """Return a topic's partitions. Raises Unavailable where there is no such topic."""
        if name not in self._topics:
            raise log.missing(name)
        return self._topics[name]

    def group(self, name: str, topic: str) -> MemoryGroup:
        """Return a group's state on a topic, making it at first sight."""
        if (name, topic) not in self._groups:
            self._groups[name, topic] = MemoryGroup(len(self.topic(topic)))
        return self._groups[name, topic]

    def append(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        timestamp_us: int | None = None,
        partition: int = 0,
    ) -> int:
        """Write a record outside any transaction, and return its offset."""
        stamp_us = self._now_us() if timestamp_us is None else timestamp_us
        return self._store(Outgoing(topic, partition, key, value, headers), stamp_us)

    def _store(self, out: Outgoing, stamp_us: int) -> int:
        """Put a record at the end of its partition, and return its offset."""
        partition = self.topic(out.topic)[out.partition]
        offset = partition.end
        record = Record(out.topic, out.partition, offset, stamp_us, out.key, out.value, out.headers)
        partition.slots.append(record)
        return offset

    def delete_before(self, topic: str, partition: int, offset: int) -> None:
        """Forget a partition's records before an offset, as retention does."""
        target = self.topic(topic)[partition]
        count = min(max(offset - target.start, 0), target.stable - target.start)
        del target.slots[:count]
        target.start += count

    def init_producer(self, transactional_id: str) -> int:
        """Abort what is open under this id, fence whoever has it, and return the new epoch."""
        self._epochs[transactional_id] = self._epochs.get(transactional_id, -1) + 1
        if (transaction := self._open.get(transactional_id)) is not None:
            self.finish(transaction, commit=False)
        return self._epochs[transactional_id]

    def begin(self, transactional_id: str, epoch: int) -> Transaction:
        """Open a transaction. Raises Restart when the producer is fenced."""
        transaction = Transaction(transactional_id, epoch)
        self._check(transaction)
        self._open[transactional_id] = transaction
        return transaction

    def write(self, transaction: Transaction, out: Outgoing) -> None:
        """Write a record that nobody reads before its transaction commits. Raises Restart when fenced."""
        self._check(transaction)
        where = (out.topic, out.partition)
        span = transaction.spans.get(where)
        if span is None:
            partition = self.topic(out.topic)[out.partition]
            partition.open[transaction.transactional_id] = partition.end
            span = transaction.spans[where] = (partition, [])
        _, offsets = span
        offsets.append(self._store(out, self._now_us()))

    def stage(self, transaction: Transaction, group: MemoryGroup, positions: Mapping[int, Position]) -> None:
        """First step of a commit: add the positions to the transaction. Raises Restart when fenced."""
        self._check(transaction)
        transaction.group = group
        group.pending[transaction.transactional_id] = dict(positions)

    def finish(self, transaction: Transaction, *, commit: bool) -> None:
        """Second step of a commit, or an abort: decide the transaction and write its markers."""
        if commit:
            self._check(transaction)
        for partition, offsets in transaction.spans.values():
            if not commit:
                for offset in offsets:
                    partition.slots[offset - partition.start] = None
            del partition.open[transaction.transactional_id]
            partition.slots.append(None)
        self._open.pop(transaction.transactional_id, None)
        if transaction.group is not None:
            positions = transaction.group.pending.pop(transaction.transactional_id)
            if commit:
                transaction.group.positions.update(positions)

    def time_out(self, transactional_id: str) -> None:
        """Do as the broker does with a transaction that is late: abort it and fence its producer."""
        self.init_producer(transactional_id)

    def _check(self, transaction: Transaction) -> None:
        if self._epochs.get(transaction.transactional_id) != transaction.epoch:
            raise Restart("the transaction was aborted: a newer producer has its id, or its time was out")


def read(topic: list[Partition], number: int, start: int, end: int) -> Iterator[Record]:
    """Yield the records from `start` up to `end`."""
    partition = topic[number]
    offset = max(start, partition.start)
    while offset < min(end, partition.end):
        offset = max(offset, partition.start)
        record = partition.slots[offset - partition.start]
        if record is not None:
            yield record
        offset += 1


class MemoryLog:
    """One member of a group on a `MemoryBroker`. Implements `consumers.log.Log`."""

    def __init__(self, broker: MemoryBroker, *, events: str, state: str, group: str, worker_id: str) -> None:
        """Start as this worker: abort what an earlier instance left open, and fence that instance."""
        self._broker = broker
        self._events_name, self._events = events, broker.topic(events)
        self._state = state
        self._group = broker.group(group, events)
        self._worker_id = worker_id
        self._transactional_id = f"{group}-worker-{worker_id}"
        self._member: Member | None = None
        self._generation = 0
        self._told: frozenset[int] = frozenset()  # the partitions that the engine believes it has
        self._forget = False  # what the engine was told is void: tell it anew
        self._offsets: dict[int, int] = {}  # where each partition was sought and read to
        self._running: dict[int, None] = {}  # partitions that were resumed, in the order of their next turn
        self._transaction: Transaction | None = None
        self._epoch: int | None = broker.init_producer(self._transactional_id)

    @property
    def partitions(self) -> int:
        """The number of partitions of the events topic."""
        return len(self._events)

    def poll(self, timeout_seconds: float, max_records: int) -> Polled:  # noqa: ARG002 (nothing to wait for)
        """See `Log.poll`. It never waits: what is not there now will not come during the call."""
        if self._transaction is not None:
            raise LogError("poll inside a transaction: commit or reset first")
        stable = self._sync()
        owned = self._member.owned if self._member is not None else frozenset()
        kept = frozenset() if self._forget else self._told & owned
        polled = Polled(
            self._take(kept, max_records) if stable else {},
            assigned=owned - kept,
            revoked=self._told - kept,
            stable=stable,
        )
        for gone in (polled.revoked | polled.assigned) & self._running.keys():
            del self._running[gone]
        self._told, self._forget = owned, False
        return polled

    def _sync(self) -> bool:
        if self._member is None:
            self._member = self._group.join(self._worker_id)
        try:
            stable = self._group.sync(self._member)
        except Restart:  # expelled: nothing of what it had is its own any more
            self._forget = True
            self._member = self._group.join(self._worker_id)
            stable = self._group.sync(self._member)
        self._generation = self._member.generation if stable else 0
        return stable

    def _take(self, partitions: frozenset[int], max_records: int) -> dict[int, list[Record]]:
        taken: dict[int, list[Record]] = {}
        for number in [p for p in self._running if p in partitions]:
            if max_records <= 0:
                break
            records = self._take_one(number, max_records)
            if records:
                taken[number] = records
                max_records -= len(records)
                self._running[number] = self._running.pop(number)  # to the end of the queue
        return taken

    def _take_one(self, number: int, max_records: int) -> list[Record]:
        partition = self._events[number]
        start, stable = partition.start, partition.stable
        offset = max(self._offsets[number], start)
        records: list[Record] = []
        while offset < stable:
            record = partition.slots[offset - start]
            if record is not None:
                if len(records) == max_records:
                    break
                records.append(record)
            offset += 1
        self._offsets[number] = offset
        return records

    def committed(self, partition: int) -> Position:
        """See `Log.committed`. Where it would have to wait it raises Unavailable."""
        if any(partition in positions for positions in self._group.pending.values()):
            raise Unavailable(f"a transaction is committing a position of partition {partition}: ask again")
        position, events = self._group.positions.get(partition), self._events[partition]
        if position is None:
            return Position(events.start, found=False)
        return checked(position, self._events_name, partition, events.start, events.stable)

    def changelog(self, partition: int, start: int = 0) -> Iterator[Record]:
        """See `Log.changelog`. Where it would have to wait for an open transaction it raises Unavailable."""
        return MemoryReader(self._broker).read(self._state, partition, start)

    def at_end(self, partitions: Collection[int]) -> frozenset[int]:
        """See `Log.at_end`."""
        return frozenset(p for p in partitions if self._offsets.get(p, -1) >= self._events[p].stable)

    def seek(self, partition: int, offset: int) -> None:
        """See `Log.seek`."""
        self._check_told(partition)
        self._offsets[partition] = offset

    def pause(self, partition: int) -> None:
        """See `Log.pause`."""
        self._check_told(partition)
        self._running.pop(partition, None)

    def resume(self, partition: int) -> None:
        """See `Log.resume`."""
        self._check_told(partition)
        if partition not in self._offsets:
            raise LogError(f"partition {partition} was resumed before it was sought")
        self._running.setdefault(partition)

    def _check_told(self, partition: int) -> None:
        if partition not in self._told:
            raise LogError(f"partition {partition} is not assigned to worker {self._worker_id!r}")

    def begin(self) -> None:
        """See `Log.begin`."""
        if self._transaction is not None:
            raise LogError("a transaction is open already")
        self._transaction = self._broker.begin(self._transactional_id, self._usable_epoch())

    def send(self, outgoing: Outgoing) -> None:
        """See `Log.send`."""
        self._broker.write(self._usable_transaction(), outgoing)

    def commit(self, positions: Mapping[int, Position]) -> None:
        """See `Log.commit`."""
        transaction = self._usable_transaction()
        if not positions:
            raise LogError("a transaction without positions cannot be fenced")
        epoch, self._epoch = self._epoch, None  # an error below leaves the producer unusable
        if self._member is None:
            raise LogError("commit before the first poll")
        self._group.check(self._member, self._generation)
        self._broker.stage(transaction, self._group, positions)
        self._broker.finish(transaction, commit=True)
        self._epoch, self._transaction = epoch, None

    def _usable_epoch(self) -> int:
        if self._epoch is None:
            raise LogError("the last transaction failed: reset first")
        return self._epoch

    def _usable_transaction(self) -> Transaction:
        self._usable_epoch()
        if self._transaction is None:
            raise LogError("no transaction is open")
        return self._transaction

    def reset(self) -> None:
        """See `Log.reset`."""
        if self._member is not None and self._member.gone:
            self._group.sync(self._member)  # says who fenced it
        self._transaction = None
        self._epoch = self._broker.init_producer(self._transactional_id)
        self._offsets.clear()
        self._running.clear()
        self._forget = True

    def close(self, *, leave_group: bool = True) -> None:
        """See `Log.close`. An open transaction stays so until this worker starts again or its time is out."""
        self._transaction = self._epoch = None
        if self._member is not None and leave_group:
            self._group.leave(self._member)


class MemoryReader:
    """Reads a `MemoryBroker`. Implements `consumers.log.Reader`."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker

    def partitions(self, topic: str) -> int:
        """See `Reader.partitions`."""
        return len(self._broker.topic(topic))

    def beginnings(self, topic: str) -> dict[int, int]:
        """See `Reader.beginnings`."""
        return {number: p.start for number, p in enumerate(self._broker.topic(topic))}

    def ends(self, topic: str) -> dict[int, int]:
        """See `Reader.ends`."""
        return {number: p.stable for number, p in enumerate(self._broker.topic(topic))}

    def read(self, topic: str, partition: int, start: int = 0, end: int | None = None) -> Iterator[Record]:
        """See `Reader.read`."""
        partitions = self._broker.topic(topic)
        if end is None:
            end = partitions[partition].end
        if partitions[partition].stable < end:
            raise Unavailable(f"a transaction is open in partition {partition} of {topic}: ask again")
        return read(partitions, partition, start, end)

    def committed(self, group: str, topic: str) -> dict[int, Position]:
        """See `Reader.committed`."""
        return dict(self._broker.group(group, topic).positions)

    def close(self) -> None:
        """See `Reader.close`."""


class MemoryPublisher:
    """Writes to a `MemoryBroker`. Implements `consumers.log.Publisher`."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker

    def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        partition: int | None = None,
    ) -> None:
        """See `Publisher.send`."""
        if partition is None:
            partition = 0 if key is None else partition_for(key, len(self._broker.topic(topic)))
        self._broker.append(topic, key, value, headers, partition=partition)

    def flush(self) -> None:
        """See `Publisher.flush`."""

    def close(self) -> None:
        """See `Publisher.close`."""
