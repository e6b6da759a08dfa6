"""The engine on the in-memory log, with several partitions, a group and a virtual clock."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from consumers.clock import VirtualClock
from consumers.engine import Bounds, Engine
from consumers.log import Restart
from consumers.memory import MemoryBroker, MemoryLog, MemoryReader
from consumers.processor import Tally
from consumers.verifier_report import Report
from ops.verify import verify
from producers.outbox import Outbox
from schemas.instants import EARLIEST, to_epoch
from schemas.topics import Topic, partition_for, topic_name
from tests.simulation.histories import Step, published
from workflow.policy import Policies

PREFIX, GROUP = "tickets", "workers"


class Silent:
    """An observer that only counts events."""

    def __init__(self) -> None:
        self.events = 0

    def restored(self, partition: int, tickets: int, seconds: float) -> None: ...
    def dropped(self, partition: int) -> None: ...
    def turned(self) -> None: ...

    def restarted(self, reason: Restart) -> None:
        raise reason

    def committed(self, tally: Tally, seconds: float) -> None:  # noqa: ARG002 - see Observer
        self.events += sum(tally.events.values())


class World:
    """Topics with what flows through them."""

    def __init__(self, policies: Policies, partitions: int = 3, bounds: Bounds | None = None) -> None:
        self.policies, self.partitions = policies, partitions
        self.clock = VirtualClock(EARLIEST)
        self.broker = MemoryBroker(
            {self.topic(topic): partitions for topic in Topic}, lambda: to_epoch(self.clock.now())
        )
        self.reader = MemoryReader(self.broker)
        self.log = MemoryLog(
            self.broker,
            events=self.topic(Topic.EVENTS),
            state=self.topic(Topic.STATE),
            group=GROUP,
            worker_id="w-1",
        )
        self.observer = Silent()
        outbox = Outbox(PREFIX, partitions, GROUP)
        self.engine = Engine(self.log, self.clock, policies, outbox, self.observer, bounds)

    @staticmethod
    def topic(topic: Topic) -> str:
        return topic_name(PREFIX, topic)

    def publish(self, key: bytes | None, value: bytes | None, arrival: datetime) -> tuple[int, int]:
        """Let a record arrive where its key hashes to; returns its partition and offset."""
        partition = partition_for(key or b"", self.partitions)
        stamp = to_epoch(arrival)
        return partition, self.broker.append(
            self.topic(Topic.EVENTS), key, value, (), stamp, partition=partition
        )

    def turn(self) -> None:
        """Work until there is nothing left to do now."""
        while self.engine.turn() or self.log.at_end(range(self.partitions)) != set(range(self.partitions)):
            pass

    def play(self, history: Sequence[Step], pauses: Sequence[int] = ()) -> None:
        """Publish a history; after the events with these numbers the engine works all off at their time."""
        for number, (key, value, arrival) in enumerate(published(history)):
            self.publish(key, value, arrival)
            if number in pauses:
                self.clock.time = max(self.clock.time, arrival)
                self.turn()
        self.turn()

    def wait(self, duration: timedelta) -> None:
        """Let time go by, in which only clocks fire."""
        self.clock.time += duration
        self.turn()

    def verify(self) -> Report:
        """What `verify` says now."""
        return verify(self.reader, PREFIX, GROUP, self.policies)

    def slots(self, topic: Topic, partition: int) -> list:  # type: ignore[type-arg]
        """The records of a partition, to be tampered with; None for what is no record."""
        return self.broker.topic(self.topic(topic))[partition].slots

    def tamper(self, topic: Topic, partition: int, index: int, **changes: object) -> None:
        """Change fields of a record."""
        slots = self.slots(topic, partition)
        slots[index] = replace(slots[index], **changes)
