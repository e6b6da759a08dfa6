"""A flood of bad records on some partitions: the others' events are decided and their clocks fire in time."""

import bisect
import json
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka import KafkaError, Message

from consumers.kafka_options import KafkaOptions
from consumers.kafka_python_reader import KafkaReader
from schemas.instants import parse_instant, to_epoch
from tests.conftest import PARTITIONS
from tests.support.processes import Worker
from tests.support.traffic_foreign import Follower, data, java_partition, produce, producer
from tests.support.traffic_system import System

POLICY = """
policy: flood
version: "1"
clocks: [{clock: answer, target: 500ms, start: [created], stop: [assigned]}]
"""
GOOD = PARTITIONS - 1
"""The one partition that gets no bad record."""

_CALM_SECONDS = 5.0
_TICKET_EVERY_SECONDS = 0.1
_TRANSACTION = 500
"""So many records a worker decides in one transaction."""
_BACKLOG = 200 * _TRANSACTION
"""So many bad records wait in each flooded partition, however fast they are refused."""
_MOST_OVERTAKING = 10 * _TRANSACTION
"""Four transactions were seen. Who waits for what one fetch has brought waits for hundreds."""
_MOST_SLOWER = 20
"""Times as late as in calm, in the middle: six were seen on a machine with a tenth of its time to give."""
_PATIENCE_SECONDS = 60.0


@dataclass
class Waits:
    """From when to when an event had to wait to be decided, or a clock to fire: milliseconds of the epoch."""

    arrived: dict[str, int] = field(default_factory=dict)
    """When each ticket's event arrived."""
    decided: list[tuple[int, int]] = field(default_factory=list)
    fired: list[tuple[int, int]] = field(default_factory=list)

    def take(self, message: Message) -> None:
        """Note a journal record."""
        entry, (_, written) = data(message), message.timestamp()
        arrived = self.arrived[entry["ticket_id"]]
        if entry["cause"]["kind"] == "event":
            self.decided.append((arrived, written))
        else:
            # Its promise counts from the event's own time. What this process, which makes the flood as well,
            # took to publish the event is not the worker's.
            due = parse_instant(entry["cause"]["due"])
            self.fired.append((max(to_epoch(due) // 1000, arrived), written))

    @property
    def seconds(self) -> list[float]:
        """How long each had to wait."""
        return [(end - begin) / 1000 for begin, end in self.decided + self.fired]

    @property
    def middle(self) -> float:
        """How long half of them had to wait at most: what one hiccup of the machine does not change."""
        return statistics.median(self.seconds)

    def overtaking(self, refused: Sequence[int]) -> int:
        """The most bad records that were refused while one of them had to wait."""
        return max(
            bisect.bisect_left(refused, end) - bisect.bisect_right(refused, begin)
            for begin, end in self.decided + self.fired
        )

    def __str__(self) -> str:
        """For a person."""
        return (
            f"{len(self.decided)} events and {len(self.fired)} clocks had to wait for {self.middle:.2f} s in "
            f"the middle, {max(self.seconds):.2f} s at most"
        )


class Flood:
    """Bad records in all partitions but one: as many as are refused are published anew."""

    def __init__(self, system: System, codec: str) -> None:
        """Nothing is published before `rise`."""
        self._client = producer(system.servers, compression_type=codec, linger_ms=50, batch_size=1_000_000)
        self._group, self._topic = system.prefix, system.topic("events")
        self.published = dict.fromkeys(range(GOOD), 0)
        self.done = dict.fromkeys(range(GOOD), 0)
        """How many of each partition the worker is done with."""
        self.fewest = _BACKLOG
        """How few have waited in one of them since the first rise."""

    def rise(self, reader: KafkaReader) -> None:
        """Let as many wait as shall wait."""
        committed = reader.committed(self._group, self._topic)
        self.done = {number: committed[number].offset if number in committed else 0 for number in range(GOOD)}
        for number, done in self.done.items():
            waiting = self.published[number] - done
            if self.published[number]:
                self.fewest = min(self.fewest, waiting)
            for _ in range(_BACKLOG - waiting):
                produce(self._client, self._topic, key=b"k", value=b"no JSON " * 10, partition=number)
            self.published[number] += _BACKLOG - waiting
        assert self._client.flush(60) == 0


# Compressed is worse: one fetch of a flooded partition then holds a hundred thousand records.
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("codec", "flood_seconds"),
    [
        ("zstd", 15),
        pytest.param("zstd", 60, marks=pytest.mark.long),
        pytest.param("none", 60, marks=pytest.mark.long),
    ],
)
def test_a_flood_of_bad_records_does_not_make_others_late(
    system: System, codec: str, flood_seconds: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """While all other partitions get nothing but bad records, more than can be refused, one stays in time."""
    # What is measured in seconds is held against the same machine's calm; all else is counted in records.
    policy = system.directory / "policy.yaml"
    policy.write_text(POLICY)
    with system.workers("a", policy=str(policy)) as (worker,), system.follow("journal") as journal:
        worker.start().ready()
        calm = _watched(system, worker, journal, "calm", _CALM_SECONDS)
        with _flooded(system, codec) as flood:
            flooded = _watched(system, worker, journal, "flooded", flood_seconds)
        assert worker.stop() == 0
    overtaking = flooded.overtaking(_refused(system))
    with capsys.disabled():
        print(f"\ncalm: {calm}\nflooded: {flooded}")
        print(f"{overtaking} bad records at most were refused while one of these waited")
        print(f"{sum(flood.done.values())} refused, {flood.fewest} or more waiting in each flooded partition")
    assert overtaking < _MOST_OVERTAKING, "the good partition had to wait for the flood"
    assert flooded.middle < _MOST_SLOWER * calm.middle
    assert min(flood.done.values()) > len(flooded.decided), "a flooded partition has its turns, too"
    assert flood.fewest > _BACKLOG // 2, "it was no flood"


@contextmanager
def _flooded(system: System, codec: str) -> Iterator[Flood]:
    """A flood that is there, and does not sink meanwhile."""
    flood, over = Flood(system, codec), threading.Event()

    def run(reader: KafkaReader) -> None:
        while not over.wait(0.1):
            flood.rise(reader)

    with closing(KafkaReader(KafkaOptions((system.servers,)))) as reader:
        flood.rise(reader)
        thread = threading.Thread(target=run, args=(reader,))
        thread.start()
        try:
            yield flood
        finally:
            over.set()
            thread.join()


def _watched(system: System, worker: Worker, journal: Follower, name: str, seconds: float) -> Waits:
    """Register a ticket every tenth of a second, and wait until the clock of each has fired."""
    client = producer(system.servers, linger_ms=0)
    waits, end = Waits(), time.monotonic() + seconds
    while time.monotonic() < end:
        ticket = _ticket(name, len(waits.arrived))
        waits.arrived[ticket] = _register(client, system.topic("events"), ticket)
        time.sleep(_TICKET_EVERY_SECONDS)
    came_at = time.monotonic()
    while len(waits.fired) < len(waits.arrived):
        worker.check()
        for message in journal.read():
            waits.take(message)
            came_at = time.monotonic()
        missing = len(waits.arrived) - len(waits.fired)
        assert time.monotonic() < came_at + _PATIENCE_SECONDS, f"{missing} clocks have not fired"
    return waits


def _ticket(name: str, number: int) -> str:
    """A ticket of the good partition."""
    tries = (f"{name}-{number}-{suffix}" for suffix in range(1_000))
    return next(ticket for ticket in tries if java_partition(ticket.encode(), PARTITIONS) == GOOD)


def _register(client: Any, topic: str, ticket: str) -> int:
    """Publish a ticket's event; returns when it arrived by the broker's clock, in milliseconds."""
    document = {
        "specversion": "1.0",
        "id": "1",
        "source": "/test",
        "type": "ticket.created.v1",
        "subject": ticket,
        "time": datetime.now(UTC).isoformat(),
        "data": {"channel": "phone", "category": "complex", "client": {"id": "c"}},
    }
    arrived = []

    def delivered(error: KafkaError | None, message: Message) -> None:
        assert error is None, error
        arrived.append(message.timestamp()[1])

    value = json.dumps(document).encode()
    produce(client, topic, key=ticket.encode(), value=value, partition=GOOD, on_delivery=delivered)
    assert client.flush(30) == 0
    return arrived[0]


def _refused(system: System) -> list[int]:
    """When each bad record was refused: milliseconds of the epoch, in order."""
    with system.follow("dead-letter") as letters:
        return sorted(message.timestamp()[1] for message in letters.each_to_end())
