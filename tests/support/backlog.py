"""An endless log of which nothing stays: what the engine itself keeps in memory shows."""

import json
from collections.abc import Collection, Iterator, Mapping

from consumers.log import Headers, Outgoing, Polled, Position, Record
from schemas.instants import format_instant, to_epoch
from tests.support.world import at

_STRUCTURED: Headers = (("content-type", b"application/cloudevents+json"),)


class Backlog:
    """A log of one partition whose records are made as they are polled, and whose outputs are only counted.

    `tickets` are registered; then they are contacted in turns until there were `events`.
    """

    partitions = 1

    def __init__(self, events: int, tickets: int) -> None:
        self._records = _records(events, tickets)
        self.events, self.polled, self.largest, self.sent = events, 0, 0, 0
        self.positions: dict[int, Position] = {}

    def poll(self, timeout_seconds: float, max_records: int) -> Polled:
        """The next records; the first poll gives the partition."""
        del timeout_seconds
        if not self.positions:
            self.positions[0] = Position(0, found=False)
            return Polled(assigned=frozenset({0}))
        batch = [record for _, record in zip(range(max_records), self._records, strict=False)]
        self.polled += len(batch)
        self.largest = max(self.largest, len(batch))
        return Polled({0: batch} if batch else {})

    def committed(self, partition: int) -> Position:
        """Nothing was committed before."""
        return self.positions[partition]

    def changelog(self, partition: int, start: int = 0) -> Iterator[Record]:
        """There was no state before."""
        del partition, start
        return iter(())

    def at_end(self, partitions: Collection[int]) -> frozenset[int]:
        """Whether all was polled."""
        return frozenset(partitions) if self.polled == self.events else frozenset()

    def seek(self, partition: int, offset: int) -> None:
        """It is where it is."""

    def pause(self, partition: int) -> None:
        """It is never asked."""

    def resume(self, partition: int) -> None:
        """It delivers all the time."""

    def begin(self) -> None:
        """A transaction is nothing here."""

    def send(self, outgoing: Outgoing) -> None:
        """Count it and let go of it."""
        del outgoing
        self.sent += 1

    def commit(self, positions: Mapping[int, Position]) -> None:
        """Keep the positions."""
        self.positions = dict(positions)

    def reset(self) -> None:
        """Nothing fails here."""

    def close(self, *, leave_group: bool = True) -> None:
        """Nothing is open."""


def _records(events: int, tickets: int) -> Iterator[Record]:
    stamp, time = to_epoch(at(0)), format_instant(at(0))
    created = {"channel": "phone", "category": "access_recovery", "client": {"id": "c-1"}}
    for number in range(events):
        fresh = number < tickets
        key = f"T{number % tickets}"
        document = {
            "specversion": "1.0", "id": f"e{number}", "source": "/test", "subject": key, "time": time,
            "type": "ticket.created.v1" if fresh else "ticket.contacted.v1",
            "data": created if fresh else {"by": "client"},
        }  # fmt: skip
        value = json.dumps(document).encode()
        yield Record("tickets.events", 0, number, stamp, key.encode(), value, _STRUCTURED)
