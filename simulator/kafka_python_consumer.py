"""The client's consumer and its coordinator, on the simulated cluster (see `simulator.kafka_python`)."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, NamedTuple

from kafka import OffsetAndMetadata, TopicPartition, errors
from kafka.structs import ConsumerGroupMetadata, MemberState

from consumers.log import Fenced, Headers, Record, Restart
from consumers.memory_group import Member
from schemas.topics import Topic, topic_name
from simulator.agenda import SECOND
from simulator.node import GROUP, PREFIX, TIMEOUTS, Node

HEARTBEAT_US: Final = int(TIMEOUTS.session_seconds * SECOND) // 5
_JOIN_WAIT_US: Final = SECOND // 2


class Received(NamedTuple):
    """A record as the client hands it over. `timestamp` in milliseconds."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


def _received(record: Record) -> Received:
    stamp = record.timestamp_us // 1000
    return Received(
        record.topic, record.partition, record.offset, stamp, record.key, record.value, record.headers
    )


class Coordinator:
    """What the adapter asks of the consumer's coordinator: whether and when the group is stable."""

    def __init__(self, consumer: "Consumer") -> None:
        self._consumer = consumer

    def need_rejoin(self) -> bool:
        """Whether the group, as far as the heartbeats have told, is not as it was."""
        return self._consumer.must_join

    def request_rejoin(self) -> None:
        """Join anew at the next poll."""
        self._consumer.must_join = True

    def poll(self, timeout_ms: int) -> bool:
        """Wait for the group to become stable; False where it did not."""
        consumer, node = self._consumer, self._consumer.node
        end_us = node.agenda.now_us + timeout_ms * 1000
        while not consumer.join():
            if node.agenda.now_us >= end_us:
                return False
            node.wait(min(_JOIN_WAIT_US, end_us - node.agenda.now_us))
        return True


class Consumer:
    """A static member of the group that reads committed records."""

    def __init__(self, node: Node) -> None:
        node.step("start")
        self.node, self._cluster = node, node.cluster
        self._events = topic_name(PREFIX, Topic.EVENTS)
        self._group = node.cluster.group(GROUP, self._events)
        self._member: Member | None = None
        self._coordinator = Coordinator(self)
        self._assigned: frozenset[int] = frozenset()
        self._lost: frozenset[int] = frozenset()  # given up in the group, and still visible (trap 6)
        self._positions: dict[int, int] = {}
        self._paused: set[int] = set()
        self._listener: Any = None
        self._generation, self._state = -1, MemberState.UNJOINED
        self._heard_us = node.agenda.now_us
        self.must_join, self._half_way = True, False
        self._waited = False  # in a poll, with its heartbeats going on

    def subscribe(self, topics: Collection[str], listener: Any) -> None:
        """Take part in the group from the next poll on."""
        del topics
        self._listener = listener

    def topics(self) -> set[str]:
        """The cluster's topics."""
        self.node.reach()
        return {self._events}

    def partitions_for_topic(self, topic: str) -> set[int]:
        """The numbers of a topic's partitions, as the client remembers them."""
        return set(range(len(self._cluster.topic(topic))))

    def assignment(self) -> set[Any]:
        """The partitions that the client believes to have."""
        return {TopicPartition(self._events, number) for number in sorted(self._assigned)}

    def group_metadata(self) -> Any:
        """The membership as the heartbeats have told it (traps 4 and 6)."""
        self._heartbeat()
        if self._member is None:
            return ConsumerGroupMetadata(GROUP, -1, "", None, MemberState.UNJOINED)
        generation, state = self._generation, self._state
        joined_elsewhere = self._member.joined and self._group.generation != generation
        if joined_elsewhere and self._group.members.get(self._member.worker_id) is self._member:
            generation, state = self._group.generation, MemberState.REBALANCING
        return ConsumerGroupMetadata(GROUP, generation, self.node.member_id, self.node.worker_id, state)

    @property
    def _heartbeat_is_due(self) -> bool:
        return self.node.agenda.now_us - self._heard_us >= HEARTBEAT_US

    def _heartbeat(self) -> None:
        """Learn now and then, on the client's own thread, that the group has moved or has expelled us."""
        now_us = self.node.agenda.now_us
        if self._member is None or not self._heartbeat_is_due or not self.node.reaches():
            return
        waited, self._waited = self._waited, False
        if not waited and now_us - self._heard_us > 2 * HEARTBEAT_US and self.node.chance.random() < 0.5:
            return  # it was suspended: its main thread may be quicker than its heartbeats
        self._heard_us = now_us
        if self._group.members.get(self._member.worker_id) is not self._member and not self._member.gone:
            self._lose()
        elif self._group.rebalancing or self._generation != self._group.generation:
            self.must_join, self._state = True, MemberState.REBALANCING

    def _lose(self) -> None:
        self._member, self._generation, self._state = None, -1, MemberState.UNJOINED
        self.must_join = True

    def join(self) -> bool:
        """One attempt to get into a stable group; calls the listener for what it brings."""
        node = self.node
        if not node.reaches():
            return False
        if self._member is None:
            self._revoke(self._assigned)  # all lost: another may have had it since
            self._member = self._group.join(node.worker_id)
            node.joined(self._group, self._member)
        self._heard_us = node.agenda.now_us
        try:
            stable = self._group.sync(self._member)
        except Fenced as fenced:
            raise errors.FencedInstanceIdError(str(fenced)) from fenced
        except Restart:
            self._lose()
            return False
        self._cluster.changed()
        self._lost |= self._assigned - self._member.owned
        moved = stable and self._generation != self._member.generation
        if moved and self._is_half_way():
            self._state = MemberState.REBALANCING
            return False
        self._revoke(self._lost)  # also what it gets back at once: somebody else may have had it meanwhile
        if not stable:
            self._state = MemberState.REBALANCING
            return False
        self._pick_up(self._member)
        return True

    def _is_half_way(self) -> bool:
        """Whether the generation is known already, and the assignment not yet (trap 6)."""
        self._half_way = not self._half_way and self.node.chance.random() < 0.5
        return self._half_way

    def _pick_up(self, member: Member) -> None:
        moved = self._generation != member.generation
        self._generation, self._state, self.must_join = member.generation, MemberState.STABLE, False
        eager = self.node.eager and moved
        self._revoke(self._assigned if eager else self._assigned - member.owned)
        fresh = member.owned - self._assigned
        self._assigned = member.owned
        if fresh:
            for number in sorted(fresh):  # an eager client keeps the positions of what it keeps
                self._positions.setdefault(number, 0)
            self._listener.on_partitions_assigned(self._named(fresh))
            self.node.step("assigned")

    def _revoke(self, gone: frozenset[int]) -> None:
        if gone:
            self._assigned -= gone
            self._lost -= gone
            self._listener.on_partitions_revoked(self._named(gone))
            self.node.step("revoked")

    def _named(self, numbers: Iterable[int]) -> list[Any]:
        return [TopicPartition(self._events, number) for number in sorted(numbers)]

    def poll(self, timeout_ms: int, max_records: int) -> Mapping[Any, list[Received]]:
        """Records of what is assigned and not paused; the node sleeps afterwards where there are none."""
        begun_us = self.node.agenda.now_us
        self.node.seen.clear()
        self.node.step("poll")
        self._heartbeat()
        if self.must_join:
            self.join()
        found: dict[Any, list[Received]] = {}
        if self.node.reaches():
            found = self._take(max_records)
        self.node.idle_us = 0 if found else self._wait_us(timeout_ms)
        # A real worker asks every 0.2 s how long it may wait, and so never waits past what is due because it
        # stood still before. Here it asks once.
        self._waited, self.node.polled_us = not found, begun_us
        self.node.step("polled")
        return found

    def _wait_us(self, timeout_ms: int) -> int:
        """How long a poll waits: only up to the next heartbeat where the group is not in touch."""
        in_touch = not (self.must_join or self._heartbeat_is_due)
        return timeout_ms * 1000 if in_touch else min(timeout_ms * 1000, HEARTBEAT_US)

    def _take(self, most: int) -> dict[Any, list[Received]]:
        found: dict[Any, list[Received]] = {}
        partitions = self._cluster.topic(self._events)
        numbers = [n for n in sorted(self._assigned) if n not in self._paused]
        self.node.chance.shuffle(numbers)
        for number in numbers:
            stored, position = partitions[number], self._positions[number]
            if position >= stored.stable or most <= 0:
                continue
            records: list[Received] = []
            while position < stored.stable and len(records) < most:
                record = stored.slots[position - stored.start]
                position += 1
                if record is not None:
                    records.append(_received(record))
            self._positions[number] = position
            if records:
                most -= len(records)
                found[TopicPartition(self._events, number)] = records
        return found

    def committed(self, partition: Any, *, metadata: bool, timeout_ms: int) -> Any:
        """The committed position, after waiting for transactions that are about to commit another."""
        del metadata
        self.node.step("committed")
        self.node.reach()
        end_us = self.node.agenda.now_us + timeout_ms * 1000
        while any(partition.partition in pending for pending in self._group.pending.values()):
            if self.node.agenda.now_us >= end_us:
                raise errors.KafkaTimeoutError("a transaction is about to commit a position")
            self.node.wait(SECOND)
        found = self._group.positions.get(partition.partition)
        return None if found is None else OffsetAndMetadata(found.offset, found.metadata, -1)

    def beginning_offsets(self, partitions: Collection[Any]) -> dict[Any, int]:
        """Where partitions begin."""
        self.node.reach()
        return {p: self._cluster.topic(p.topic)[p.partition].start for p in partitions}

    def end_offsets(self, partitions: Collection[Any]) -> dict[Any, int]:
        """The last stable offsets, for this consumer reads what is committed."""
        self.node.step("ends")
        self.node.reach()
        ends = {p: self._cluster.topic(p.topic)[p.partition].stable for p in partitions}
        for partition, end in ends.items():
            self.node.see_end(partition.partition, end)
        return ends

    def position(self, partition: Any) -> int:
        """Where a partition is read on."""
        return self._positions[partition.partition]

    def seek(self, partition: Any, offset: int) -> None:
        """Read a partition on from there."""
        self._positions[partition.partition] = offset

    def pause(self, *partitions: Any) -> None:
        """Deliver nothing of these."""
        self._paused |= {partition.partition for partition in partitions}

    def resume(self, *partitions: Any) -> None:
        """Deliver these again."""
        self._paused -= {partition.partition for partition in partitions}

    def close(self, *, autocommit: bool, timeout_ms: int) -> None:
        """Stop; a static member stays in the group."""
        del autocommit, timeout_ms
        self.node.step("close")
