"""The client's transactional producer, on the simulated cluster (see `simulator.kafka_python`)."""

from collections.abc import Mapping
from typing import Any, Final

from kafka import errors

from consumers.kafka_python_records import NULL
from consumers.log import Fenced, LogError, Outgoing, Position, Restart, Unavailable
from consumers.memory import Transaction
from consumers.memory_group import MemoryGroup
from schemas.topics import Topic, topic_name
from simulator.agenda import SECOND
from simulator.broker import Seen
from simulator.node import GROUP, PREFIX, TIMEOUTS, Node

_REQUEST_US: Final = int(TIMEOUTS.request_seconds * SECOND)
_DELIVERY_US: Final = int(TIMEOUTS.delivery_seconds * SECOND)


class _Sent:
    """A record's future."""

    exception: Exception | None = None

    def __init__(self, outgoing: Outgoing, seen: Seen | None) -> None:
        self.outgoing, self.seen = outgoing, seen
        self.written = False

    def succeeded(self) -> bool:
        """Whether the cluster has acknowledged it."""
        return self.written and self.exception is None


class _Sender:
    """The producer's thread."""

    def force_close(self) -> None:
        """Send nothing more."""


class Producer:
    """A transactional producer, batch by batch."""

    _sender = _Sender()

    def __init__(self, node: Node) -> None:
        self._node, self._cluster = node, node.cluster
        self._id = f"{GROUP}-worker-{node.worker_id}"
        self._epoch = -1
        self._transaction: Transaction | None = None
        self._waiting: list[_Sent] = []
        self._failed = False
        self._leaked: dict[int, Position] = {}  # trap 3

    def init_transactions(self) -> None:
        """Fence whoever has this id, and abort what it had open."""
        self._node.step("reset")
        self._node.reach()
        self._epoch = self._cluster.init_producer(self._id)

    def begin_transaction(self) -> None:
        """Begin; the cluster learns of it with the first record."""
        self._transaction, self._failed = None, False
        self._node.step("begin")

    def send(self, topic: str, *, value: Any, key: Any, headers: Any, partition: int) -> _Sent:
        """Queue a record; batches leave when they like, and all of them at a flush."""
        value = None if value is NULL else value
        sent = _Sent(Outgoing(topic, partition, key, value, tuple(headers)), self._node.seen.get(partition))
        self._waiting.append(sent)
        self._node.step("send")
        if self._node.chance.random() < 0.1 and self._node.reaches():
            self._write(self._waiting[: self._node.chance.randrange(len(self._waiting) + 1)])
        return sent

    def _write(self, batch: list[_Sent]) -> None:
        for sent in batch:
            try:
                if self._transaction is None:
                    self._transaction = self._cluster.begin(self._id, self._epoch)
                self._cluster.write(self._transaction, sent.outgoing)
                self._cluster.remember(sent.outgoing, sent.seen)
                sent.written = True
            except Restart:
                sent.exception = errors.InvalidProducerEpochError("simulated")
                self._failed = True
        del self._waiting[: len(batch)]

    def flush(self, timeout: float) -> None:
        """Send what waits. A batch whose leader is away for too long is dropped (trap 2)."""
        del timeout
        self._node.step("flush")
        lost = self._node.leader_away()
        if lost is not None:
            self._node.wait(min(lost.away_us, _DELIVERY_US))
            if lost.away_us > _DELIVERY_US or not self._node.reaches():
                self._drop(lost.share)
        elif not self._node.reaches():
            self._node.wait(_DELIVERY_US)
            self._drop(1.0)
        self._write(list(self._waiting))
        self._node.step("flushed")

    def _drop(self, share: float) -> None:
        """Give up the batches of some partitions of the topics."""
        places = sorted({(each.outgoing.topic, each.outgoing.partition) for each in self._waiting})
        gone = {place for place in places if self._node.chance.random() < share}
        for sent in self._waiting:
            if (sent.outgoing.topic, sent.outgoing.partition) in gone:
                sent.exception = errors.KafkaTimeoutError("simulated: a batch was dropped")
        self._waiting = [each for each in self._waiting if each.exception is None]

    def send_offsets_to_transaction(self, offsets: Mapping[Any, Any], membership: Any) -> None:
        """Add positions to the transaction; the group fences who names an old generation (traps 3 to 5)."""
        positions = {p.partition: Position(o.offset, o.metadata) for p, o in offsets.items()}
        try:
            self._node.reach()
            if self._transaction is None:
                self._transaction = self._cluster.begin(self._id, self._epoch)
            group = self._cluster.group(GROUP, topic_name(PREFIX, Topic.EVENTS))
            self._fence(group, membership)
            positions = {**self._leaked, **positions}
            self._note_foreign(group, membership, positions)
            self._cluster.stage(self._transaction, group, positions)
        except (errors.KafkaError, LogError) as error:
            self._leaked |= positions
            if isinstance(error, errors.KafkaError):
                raise
            raise _as_kafka(error) from error
        self._leaked = {}
        self._node.step("offsets")

    def _fence(self, group: MemoryGroup, membership: Any) -> None:
        if membership.generation_id < 0:
            return  # trap 4
        member = group.members.get(membership.group_instance_id)
        if member is None or self._cluster.member_ids[member] != membership.member_id:
            raise errors.FencedInstanceIdError("simulated") if member else errors.CommitFailedError()
        if membership.generation_id != group.generation:
            raise errors.CommitFailedError()

    def _note_foreign(self, group: MemoryGroup, membership: Any, positions: Mapping[int, Position]) -> None:
        """Note what the real one lets pass (trap 5), for the checkers."""
        member = group.members.get(membership.group_instance_id)
        foreign = set() if member is None else positions.keys() - member.owned
        if foreign:
            sentence = (
                f"{self._node.member_id} commits positions of partitions {sorted(foreign)}: not its own"
            )
            self._cluster.truth.wrong_positions.append(sentence)

    def commit_transaction(self) -> None:
        """End the transaction; what became of it may stay unknown."""
        transaction = self._transaction
        self._node.step("commit sent")
        if transaction is None or self._failed:
            return  # trap 1
        fate = self._node.commit_fate()
        if fate == "lost" or not self._node.reaches():
            self._time_out()
        if fate == "late":
            self._cluster.end_late(transaction, self._node.chance.randrange(20 * SECOND))
            self._time_out()
        try:
            self._cluster.finish(transaction, commit=True)
        except Restart as error:
            raise errors.InvalidProducerEpochError("simulated") from error
        self._transaction = None
        self._node.step("commit done")
        if fate == "unanswered":
            self._time_out()

    def _time_out(self) -> None:
        self._node.wait(_REQUEST_US)
        raise errors.KafkaTimeoutError("simulated: no answer to the end of a transaction")

    @property
    def current(self) -> bool:
        """Whether no other producer has fenced this one."""
        return self._cluster.is_current(self._id, self._epoch)

    def abort_transaction(self) -> None:
        """Give the transaction up; the adapter never asks for it, a planted bug does."""
        if self._transaction is not None and self._cluster.is_open(self._transaction):
            self._cluster.finish(self._transaction, commit=False)
        self._transaction = None
        self._waiting.clear()

    def close(self, timeout: float) -> None:
        """Nothing is sent any more."""
        del timeout


def _as_kafka(error: LogError) -> Exception:
    kind: type[Exception] = errors.InvalidProducerEpochError
    if isinstance(error, Fenced):
        kind = errors.FencedInstanceIdError
    elif isinstance(error, Unavailable):
        kind = errors.KafkaTimeoutError
    return kind("simulated")
