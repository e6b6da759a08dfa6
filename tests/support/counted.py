"""The exporter's parts on the in-memory log, and records as the engine writes them."""

import json
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest

from consumers.checkpoint import Checkpoint
from consumers.clock import VirtualClock
from consumers.log import Headers
from consumers.memory import MemoryBroker
from consumers.memory_feed import MemoryFeed
from consumers.metrics import FORMAT, TOPICS, BusinessMetrics
from consumers.subscriber import Subscriber
from ops.policies import load
from ops.series import BusinessCollector
from schemas.instants import format_instant
from schemas.topics import Topic, partition_for, topic_name
from tests.support.recount import Recount, Sample, nonzero
from tests.support.world import START

PREFIX, PARTITIONS = "tickets", 2
TARGETS = load(None).targets
LABELS = {"category": "complex", "queue": "status", "channel": "phone", "priority": "normal", "region": "77"}


def measured(name: str, value: float = 1, **labels: str) -> bytes:
    """A record of the metrics topic."""
    unit = "s" if name.endswith("_seconds") else "1"
    return _event({"metric": name, "value": value, "unit": unit, "labels": {**LABELS, **labels}})


def clock(name: str, due: float | None = None, **more: Any) -> dict[str, Any]:
    """A clock of a ticket; `due` in seconds after START."""
    deadline = None if due is None else format_instant(START + timedelta(seconds=due))
    fixed = {
        "clock": name,
        "cycle": 1,
        "deadline": deadline,
        "paused": False,
        "verdict": None,
        "ended_at": None,
    }
    return {**fixed, **more}


def ticket(state: str, *clocks: dict[str, Any], queue: str = "status") -> bytes:
    """A record of the state topic, with a person in it."""
    client = {"id": "c-104", "name": "Агафья Небывалая"}
    return _event({"state": state, "queue": queue, "clocks": list(clocks), "client": client})


def dead(code: str, *received: tuple[str, bytes | None]) -> Headers:
    """The headers of a dead letter."""
    said = {
        "code": code, "message": "why", "topic": "tickets.events", "partition": "0", "offset": "7",
        "group": "g", "timestamp": format_instant(START),
    }  # fmt: skip
    return (*received, *((f"dlq.errors.{name}", text.encode()) for name, text in said.items()))


def _event(data: dict[str, Any]) -> bytes:
    return json.dumps({"specversion": "1.0", "data": data}).encode()


class Counted:
    """Topics in memory, and an exporter that can be killed and started again on its checkpoint."""

    def __init__(self, directory: Path, max_records: int = 2_000) -> None:
        self.path, self.max_records = directory / "exporter.sqlite", max_records
        self.clock = VirtualClock(START)
        self.broker = MemoryBroker({topic_name(PREFIX, topic): PARTITIONS for topic in Topic})
        self.recount = Recount()
        self.begin()

    def begin(self, targets: Collection[timedelta] = TARGETS) -> None:
        """Start, with nothing but the checkpoint; `targets`: of the promises."""
        self.checkpoint = Checkpoint(self.path, FORMAT)
        self.metrics = BusinessMetrics(self.checkpoint, PREFIX, targets)
        self.feed = MemoryFeed(self.broker)
        self.subscriber = Subscriber(
            self.feed, self.checkpoint, self.metrics, self.clock, topics=self.metrics.topics,
            compacted=topic_name(PREFIX, Topic.STATE), topic_ids=lambda _: {}, max_records=self.max_records,
        )  # fmt: skip
        self.registry = CollectorRegistry()
        self.registry.register(BusinessCollector(self.metrics, self.subscriber, self.clock))
        self.subscriber.start()

    def kill(self) -> None:
        """Nothing is left but the file."""
        self.checkpoint.close()

    def write(self, topic: Topic, key: str, value: bytes | None, headers: Headers = ()) -> None:
        """Write a record, and recount it."""
        assert topic in TOPICS
        place = partition_for(key.encode(), PARTITIONS)
        self.broker.append(topic_name(PREFIX, topic), key.encode(), value, headers, partition=place)
        match topic:
            case Topic.METRICS:
                self.recount.metric(value or b"")
            case Topic.STATE:
                self.recount.state(key.encode(), value)
            case _:
                self.recount.dead_letter(headers)

    def all_of(self, topic: Topic, records: Iterable[tuple[str, bytes | None]]) -> None:
        """Write several."""
        for key, value in records:
            self.write(topic, key, value)

    def count(self) -> None:
        """Turn until everything is counted."""
        while self.subscriber.turn(0) or not self.subscriber.caught_up:
            pass

    def text(self) -> str:
        """What a scrape gets."""
        return generate_latest(self.registry).decode()

    def served(self) -> dict[Sample, float]:
        """The business samples of a scrape that are not zero."""
        return nonzero(self.registry.collect())

    def expected(self) -> dict[Sample, float]:
        """The same by a recount of the topics."""
        return self.recount.all(self.now + timedelta(minutes=5))

    @property
    def now(self) -> datetime:
        """The exporter's clock."""
        return self.clock.now()
