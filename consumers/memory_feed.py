"""Following topics of the in-memory log. Implements `consumers.log.Feed`."""

from collections.abc import Collection, Mapping, Sequence

from consumers.log import Place, Position, Record, checked
from consumers.memory import MemoryBroker, read


class MemoryFeed:
    """Follows partitions of a `MemoryBroker`."""

    cluster = "memory"

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self._positions: dict[Place, int] = {}

    def beginnings(self, topics: Collection[str]) -> dict[Place, int]:
        """See `Feed.beginnings`."""
        return {
            Place(topic, number): partition.start
            for topic in topics
            for number, partition in enumerate(self._broker.topic(topic))
        }

    def follow(self, starts: Mapping[Place, int]) -> None:
        """See `Feed.follow`."""
        for place, offset in starts.items():
            partition = self._broker.topic(place.topic)[place.partition]
            start = checked(Position(offset), *place, partition.start, partition.stable)
            self._positions[place] = start.offset
        for place in self._positions.keys() - starts.keys():
            del self._positions[place]

    def poll(self, timeout_seconds: float, max_records: int) -> Sequence[Record]:  # noqa: ARG002 (see below)
        """See `Feed.poll`. There is nothing to wait for."""
        found: list[Record] = []
        for place, position in self._positions.items():
            topic = self._broker.topic(place.topic)
            for record in read(topic, place.partition, position, topic[place.partition].stable):
                if len(found) == max_records:
                    return found
                found.append(record)
                self._positions[place] = record.offset + 1
            self._positions[place] = topic[place.partition].stable
        return found

    def positions(self) -> dict[Place, int]:
        """See `Feed.positions`."""
        return dict(self._positions)

    def ends(self) -> dict[Place, int]:
        """See `Feed.ends`."""
        return {place: self._broker.topic(place.topic)[place.partition].stable for place in self._positions}

    def close(self) -> None:
        """See `Feed.close`."""
