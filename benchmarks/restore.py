"""What a worker's partitions take in memory, and how long it takes to restore them."""

import time
import tracemalloc
from datetime import UTC, datetime

from benchmarks import engine
from benchmarks.report import Result, Row
from consumers.memory import MemoryBroker
from consumers.partition import Partition, Restoration
from ops.policies import load
from tests.support.traffic import Plan, Traffic
from workflow.policy import Policies

_EVENTS_EACH = (5, 50)
_AT_ONCE = 1_000_000


def measure(events: int) -> Result:
    """Restore the state of tickets with few events, and of some with more: each remembers their ids."""
    policies, rows, told = load(None), [], []
    for each in _EVENTS_EACH:
        now, tickets = datetime.now(UTC), events // each
        records = list(Traffic(Plan(events, tickets, duplicates=0.0, bad=0.0), now).records())
        broker = engine.run(records, now, time.process_time).broker
        begun = time.process_time()
        restored = sum(map(len, _restored(broker, policies)))
        seconds = time.process_time() - begun
        tracemalloc.start()
        kept = _restored(broker, policies)
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        del kept
        told.append(f"{restored:,} of {each} events")
        rows += [
            Row(f"a ticket of {each} events", held / restored / 1e3, "kB", "in memory, restored"),
            Row(f"tickets of {each} events", restored / seconds, "1/s", "restored, of processor time"),
        ]
    return Result(
        "A restore", f"Tickets in the state: {', '.join(told)}; {engine.PARTITIONS} partitions.", tuple(rows)
    )


def _restored(broker: MemoryBroker, policies: Policies) -> list[Partition]:
    log = engine.member(broker)
    log.poll(0, 1)
    found = []
    for number in range(engine.PARTITIONS):
        restoration = Restoration(number, log, policies)
        while not restoration.advance(_AT_ONCE):
            pass
        found.append(restoration.partition)
    return found
