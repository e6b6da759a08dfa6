"""What the engine itself costs: on the in-memory log, as a whole and by stage."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from inspect import isgeneratorfunction
from typing import Any, NamedTuple
from unittest.mock import patch

from benchmarks.report import Result, Row
from consumers import processor
from consumers.clock import VirtualClock
from consumers.engine import Engine
from consumers.log import Restart
from consumers.memory import MemoryBroker, MemoryLog
from consumers.partition import Partition
from consumers.processor import Tally
from ops.policies import load
from producers.outbox import Outbox
from schemas.instants import to_epoch
from schemas.topics import Topic, topic_name
from tests.support.traffic import Plan, Sent, Traffic
from tests.support.traffic_foreign import java_partition
from workflow import decide

PREFIX, PARTITIONS = "bench", 12
_IDLE_TURNS = 4


class _Nobody:
    """Watches the engine and does nothing."""

    def restored(self, partition: int, tickets: int, seconds: float) -> None: ...
    def dropped(self, partition: int) -> None: ...
    def committed(self, tally: Tally, seconds: float) -> None: ...
    def restarted(self, reason: Restart) -> None: ...
    def turned(self) -> None: ...


def measure(events: int) -> Result:
    """Decide the same traffic twice: once for the time, once for where it goes."""
    now = datetime.now(UTC)
    records = list(Traffic(Plan(events, events // 5), now).records())
    decisions, seconds, _ = run(records, now, time.process_time)
    with _stages() as spent:
        total = run(records, now, time.perf_counter).seconds
    shares = {name: own / total for name, own in spent.items()}
    shares["the rest: loop, log in memory"] = 1 - sum(shares.values())
    per_decision = 1e6 * seconds / decisions
    return Result(
        "The engine on the in-memory log",
        f"{events:,} events and {decisions - events:,} firings, {PARTITIONS} partitions, one process; "
        "stages are shares of the whole.",
        (
            Row("events", events / seconds, "1/s"),
            Row("decisions", decisions / seconds, "1/s", "events and firings"),
            Row("per decision", per_decision, "µs"),
            *(
                Row(name, 100 * share, "%", f"{share * per_decision:.0f} µs")
                for name, share in shares.items()
            ),
        ),
    )


class Ran(NamedTuple):
    """How many decisions there were, how many seconds they took, and the log with all that came of them."""

    decisions: int
    seconds: float
    broker: MemoryBroker


def run(records: list[Sent], now: datetime, clock: Callable[[], float]) -> Ran:
    """Let an engine decide all records; the seconds are those of that clock."""
    names = {topic_name(PREFIX, topic): PARTITIONS for topic in Topic}
    broker = MemoryBroker(names, now_us=lambda: to_epoch(now))
    events = topic_name(PREFIX, Topic.EVENTS)
    for sent in records:
        partition = java_partition(sent.key or b"", PARTITIONS)
        broker.append(events, sent.key, sent.value, sent.headers, to_epoch(now), partition)
    log = member(broker)
    engine = Engine(log, VirtualClock(now), load(None), Outbox(PREFIX, PARTITIONS, "bench"), _Nobody())
    begun, decisions, idle = clock(), 0, 0
    while idle < _IDLE_TURNS:
        done = engine.turn()
        decisions += done
        idle = 0 if done else idle + 1
    return Ran(decisions, clock() - begun, broker)


def member(broker: MemoryBroker) -> MemoryLog:
    """The log as the group's only worker has it."""
    events, state = topic_name(PREFIX, Topic.EVENTS), topic_name(PREFIX, Topic.STATE)
    return MemoryLog(broker, events=events, state=state, group="bench", worker_id="a")


@contextmanager
def _stages() -> Iterator[dict[str, float]]:
    """Let the engine's stages add up the seconds that they take; `decide` without the `evolve` in it."""
    spent = dict.fromkeys(("decode", "decide", "evolve", "outbox", "what is due next"), 0.0)

    def timed(stage: str, function: Callable[..., Any], within: str | None = None) -> Callable[..., Any]:
        lazy = isgeneratorfunction(function)

        def run(*args: Any, **kwargs: Any) -> Any:
            begun = time.perf_counter()
            try:
                found = function(*args, **kwargs)
                return list(found) if lazy else found
            finally:
                taken = time.perf_counter() - begun
                spent[stage] += taken
                if within is not None:
                    spent[within] -= taken

        return run

    wrapped = (
        (processor, "decode", timed("decode", processor.decode)),
        (processor, "decide", timed("decide", processor.decide)),
        (processor, "decide_due", timed("decide", processor.decide_due)),
        (decide, "evolve", timed("evolve", decide.evolve, within="decide")),
        (Partition, "put", timed("what is due next", Partition.put)),
        (Outbox, "fact", timed("outbox", Outbox.fact)),
        (Outbox, "state", timed("outbox", Outbox.state)),
        (Outbox, "dead_letter", timed("outbox", Outbox.dead_letter)),
    )
    with ExitStack() as stack:
        for owner, name, replacement in wrapped:
            stack.enter_context(patch.object(owner, name, replacement))
        yield spent
