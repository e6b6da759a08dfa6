"""A subscriber that follows every topic while the history goes on: what it has once seen must stay so."""

from collections.abc import Sequence

from consumers.log import Place, Record
from consumers.memory import MemoryReader
from consumers.memory_feed import MemoryFeed
from simulator.broker import Cluster


class Follower:
    """Reads committed records as they come, and keeps their places."""

    def __init__(self, cluster: Cluster, topics: Sequence[str]) -> None:
        self._cluster, self._topics = cluster, topics
        self._feed = MemoryFeed(cluster)
        self._feed.follow(self._feed.beginnings(topics))
        self.seen: dict[Place, list[Record]] = {}

    def look(self) -> None:
        """Read what has come."""
        for record in self._feed.poll(0.0, 10**9):
            self.seen.setdefault(Place(record.topic, record.partition), []).append(record)

    def differences(self, compacted: str) -> list[str]:
        """What was seen and is not there, or is there and was not seen where it should have been.

        Of the topic that is compacted only what is left must have been seen.
        """
        self.look()
        found = []
        reader = MemoryReader(self._cluster)
        for topic in self._topics:
            for number, end in reader.ends(topic).items():
                seen = self.seen.get(Place(topic, number), [])
                there = list(reader.read(topic, number, 0, end))
                if topic == compacted:
                    kept = {each.offset for each in there}
                    seen = [each for each in seen if each.offset in kept]
                if [_identity(each) for each in seen] != [_identity(each) for each in there]:
                    found.append(f"partition {number} of {topic} is not what a follower has read of it")
        return found


def _identity(record: Record) -> tuple[int, bytes | None, bytes | None]:
    return record.offset, record.key, record.value
