"""A whole system in one process: the in-memory log, a virtual clock, workers that can be made to fail."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from consumers.clock import VirtualClock
from consumers.engine import Bounds, Engine
from consumers.log import Headers, Log, Outgoing, Polled, Position, Record, Restart
from consumers.memory import MemoryBroker, MemoryLog, MemoryReader, Transaction
from consumers.processor import Tally
from producers.outbox import Outbox
from schemas.instants import format_instant, to_epoch
from schemas.records import SOURCE
from schemas.topics import partition_for
from tests.support.world import TYPES, at, event_data
from workflow.policy import Policies

PREFIX, GROUP = "tickets", "ticketflow"
TOPICS = ("events", "state", "journal", "notifications", "metrics", "dead-letter")
STRUCTURED: Headers = (("content-type", b"application/cloudevents+json"),)
ENGINE_TIME = ("recorded_at", "found_at", "lateness_seconds")
QUIET_TURNS = 6
"""So many turns in a row without work mean that there is none: a rebalance and a restore take fewer."""


class Killed(Exception):  # noqa: N818 (it is an event of a test, not an error)
    """The worker died here."""


Step = Callable[[str], None]
"""Called with the name of each step that a worker is about to take; raising makes it fail there."""


def no_fault(step: str) -> None:
    """Every step goes well."""
    del step


class FaultyBroker(MemoryBroker):
    """A broker that can fail between the two steps of a commit."""

    step: Step = staticmethod(no_fault)

    def finish(self, transaction: Transaction, *, commit: bool) -> None:
        if commit:
            self.step("finish")
        super().finish(transaction, commit=commit)


@dataclass
class FaultyLog:
    """A log whose every call is a step that may fail, before it or, for the commit, right after it."""

    inner: Log
    step: Step

    @property
    def partitions(self) -> int:
        return self.inner.partitions

    def poll(self, timeout_seconds: float, max_records: int) -> Polled:
        self.step("poll")
        return self.inner.poll(timeout_seconds, max_records)

    def committed(self, partition: int) -> Position:
        self.step("committed")
        return self.inner.committed(partition)

    def changelog(self, partition: int, start: int = 0) -> Iterator[Record]:
        self.step("changelog")
        return self.inner.changelog(partition, start)

    def at_end(self, partitions: Collection[int]) -> frozenset[int]:
        self.step("at_end")
        return self.inner.at_end(partitions)

    def seek(self, partition: int, offset: int) -> None:
        self.step("seek")
        self.inner.seek(partition, offset)

    def pause(self, partition: int) -> None:
        self.inner.pause(partition)

    def resume(self, partition: int) -> None:
        self.step("resume")
        self.inner.resume(partition)

    def begin(self) -> None:
        self.step("begin")
        self.inner.begin()

    def send(self, outgoing: Outgoing) -> None:
        self.step("send")
        self.inner.send(outgoing)

    def commit(self, positions: Mapping[int, Position]) -> None:
        self.step("commit")
        self.inner.commit(positions)
        self.step("after commit")

    def reset(self) -> None:
        self.inner.reset()

    def close(self, *, leave_group: bool = True) -> None:
        self.inner.close(leave_group=leave_group)


@dataclass
class Watcher:
    """An observer that remembers."""

    tallies: list[Tally] = field(default_factory=list)
    restarts: list[Restart] = field(default_factory=list)
    turns: int = 0

    def restored(self, partition: int, tickets: int, seconds: float) -> None:
        del partition, tickets, seconds

    def dropped(self, partition: int) -> None:
        del partition

    def committed(self, tally: Tally, seconds: float) -> None:
        del seconds
        self.tallies.append(tally)

    def restarted(self, reason: Restart) -> None:
        self.restarts.append(reason)

    def turned(self) -> None:
        self.turns += 1

    def outcomes(self) -> dict[str, int]:
        """How many events ended so."""
        counts: dict[str, int] = {}
        for tally in self.tallies:
            for (_, outcome), count in tally.events.items():
                counts[str(outcome)] = counts.get(str(outcome), 0) + count
        return counts


class Cluster:
    """Topics, a virtual clock, and workers."""

    def __init__(self, policies: Policies, *, partitions: int = 1) -> None:
        self.policies, self.partitions = policies, partitions
        self.clock = VirtualClock()
        names = dict.fromkeys((f"{PREFIX}.{topic}" for topic in TOPICS), partitions)
        self.broker = FaultyBroker(names, now_us=lambda: to_epoch(self.clock.now()))
        self.reader = MemoryReader(self.broker)
        self.watcher = Watcher()

    def publish(
        self,
        trigger: str,
        time: float,
        *,
        ticket: str = "T",
        arrives: float | None = None,
        id: str | None = None,
        **data: Any,
    ) -> None:
        """Let a channel publish an event (see World.send); its arrival is the record's timestamp."""
        document = {
            "specversion": "1.0",
            "id": id or f"{ticket}/{trigger}/{time}",
            "source": "/test",
            "type": TYPES[trigger],
            "subject": ticket,
            "time": format_instant(at(time)),
            "data": event_data(trigger, data),
        }
        value = json.dumps(document).encode()
        self.append(ticket.encode(), value, STRUCTURED, time if arrives is None else arrives)

    def append(
        self,
        key: bytes | None,
        value: bytes | None,
        headers: Headers,
        arrives: float,
        *,
        misplaced: bool = False,
    ) -> tuple[int, int]:
        """Write any record to the events topic, in the partition that its key hashes to, or the next one.

        Returns its partition and offset.
        """
        partition = (partition_for(key or b"", self.partitions) + misplaced) % self.partitions
        stamp = to_epoch(at(arrives))
        return partition, self.broker.append(f"{PREFIX}.events", key, value, headers, stamp, partition)

    def worker(self, name: str = "a", *, step: Step = no_fault, bounds: Bounds | None = None) -> Engine:
        """A worker that starts now: it fences an earlier one of its name."""
        log = MemoryLog(
            self.broker, events=f"{PREFIX}.events", state=f"{PREFIX}.state", group=GROUP, worker_id=name
        )
        outbox = Outbox(PREFIX, self.partitions, GROUP)
        return Engine(
            FaultyLog(log, step),
            self.clock,
            self.policies,
            outbox,
            self.watcher,
            bounds,
            sleep=lambda _: None,
        )

    def records(self, topic: str) -> list[Record]:
        """All committed records of a topic, partition by partition."""
        return [
            record
            for number in range(self.partitions)
            for record in self.reader.read(f"{PREFIX}.{topic}", number)
        ]

    def values(self, topic: str) -> list[dict[str, Any]]:
        """The CloudEvents of a topic of ours."""
        return [json.loads(record.value) for record in self.records(topic) if record.value is not None]

    def journal(self) -> list[dict[str, Any]]:
        """The data of the journal."""
        return [value["data"] for value in self.values("journal")]

    def outcome(self) -> dict[str, Any]:
        """What a history came to, by topic and key, without the three engine-time fields.

        Of the state only the last record of a key counts. The order between keys does not, and neither do the
        offsets of events that the engine wrote itself: where a transaction was aborted they are others.
        """
        found: dict[str, Any] = {}
        for topic in TOPICS[1:]:
            by_key: dict[bytes | None, list[Any]] = {}
            for record in self.records(topic):
                by_key.setdefault(record.key, []).append(_shown(topic, record))
            if topic == "state":
                by_key = {key: values[-1:] for key, values in by_key.items()}
            found[topic] = by_key
        found["positions"] = {
            number: position.metadata
            for number, position in self.reader.committed(GROUP, f"{PREFIX}.events").items()
        }
        return found


def _shown(topic: str, record: Record) -> Any:
    if topic == "dead-letter" or record.value is None:
        return record.value, record.headers
    return _without_engine_time(json.loads(record.value))


def _without_engine_time(value: Any) -> Any:
    if isinstance(value, dict):
        left_out = ENGINE_TIME if value.get("source") != SOURCE else (*ENGINE_TIME, "offset")
        return {name: _without_engine_time(each) for name, each in value.items() if name not in left_out}
    if isinstance(value, list):
        return [_without_engine_time(each) for each in value]
    return value


def settle(*engines: Engine, turns: int = 2_000) -> None:
    """Turn these workers in turns until none of them finds anything to do."""
    quiet = 0
    for _ in range(turns):
        done = sum(engine.turn() for engine in engines)
        quiet = 0 if done else quiet + 1
        if quiet == QUIET_TURNS:
            return
    raise AssertionError("the workers never came to rest")
