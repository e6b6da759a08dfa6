"""What the adapter asks of the cluster outside its group (see `simulator.kafka_python`)."""

from collections.abc import Collection, Iterator
from typing import Any

from consumers import kafka_python_client as client
from consumers.log import Record
from consumers.memory import MemoryReader
from schemas.topics import Topic, topic_name
from simulator.agenda import SECOND
from simulator.node import PREFIX, TIMEOUTS, Node


class Reader:
    """What the adapter asks outside its group."""

    def __init__(self, node: Node) -> None:
        self._node, self._cluster = node, node.cluster
        self._reach()

    def _reach(self) -> None:
        """As the real reader does: its errors are ours."""
        with client.cured("asking the cluster"):
            self._node.reach()

    def partitions(self, topic: str) -> int:
        """How many partitions a topic has."""
        self._reach()
        return len(self._cluster.topic(topic))

    def require(self, topics: Collection[str], partitions: int) -> None:
        """Nobody deletes a topic here: it is enough that the cluster answers."""
        del topics, partitions
        self._reach()

    def high_watermark(self, topic: str, partition: int) -> int:
        """The offset after the last record, open transactions included."""
        self._reach()
        return self._cluster.topic(topic)[partition].end

    def read(self, topic: str, partition: int, start: int, end: int) -> Iterator[Record]:
        """See `Reader.read`: waits for open transactions, and not for ever."""
        self._node.step("restore")
        for _ in range(int(TIMEOUTS.stall_seconds / 1.5)):
            self._reach()
            if self._cluster.topic(topic)[partition].stable >= end:
                break
            self._node.wait(SECOND)
        for number, record in enumerate(MemoryReader(self._cluster).read(topic, partition, start, end)):
            if number % 50 == 7:
                self._node.step("restoring")
            yield record

    def members(self, group: str, worker_id: str) -> list[str]:
        """The member ids under which a worker is in the group."""
        self._reach()
        member = self._cluster.group(group, topic_name(PREFIX, Topic.EVENTS)).members.get(worker_id)
        return [] if member is None else [self._cluster.member_ids[member]]

    def remove_member(self, group: str, member: Any) -> None:
        """Let a static member leave at once."""
        if self._node.reaches():
            found = self._cluster.group(group, topic_name(PREFIX, Topic.EVENTS))
            current = found.members.get(member.group_instance_id)
            if current is not None and self._cluster.member_ids[current] == self._node.member_id:
                found.leave(current)
                self._cluster.changed()
        self._node.step("left")

    def close(self) -> None:
        """Nothing to let go of."""
