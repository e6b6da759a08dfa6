"""How fast one worker works off what has piled up."""

import time
from datetime import UTC, datetime
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

from benchmarks.cluster import PARTITIONS, Cluster
from benchmarks.report import Result, Row
from tests.support.processes import Worker
from tests.support.traffic import Plan, Traffic
from tests.support.traffic_system import System

_LOOK_SECONDS = 0.05


def measure(cluster: Cluster, events: int) -> Result:
    """Publish a backlog, then start one worker and wait until it is committed."""
    system = cluster.system("throughput")
    traffic = Traffic(Plan(events, events // 5), datetime.now(UTC))
    published_at = time.perf_counter()
    system.publish(traffic.records())
    publishing = time.perf_counter() - published_at
    with system.workers("a") as (worker,):
        started_at = time.perf_counter()
        worker.start().await_line("partition restored")  # it begins with the first one
        ready_at = time.perf_counter()
        cpu_seconds = _work_off(system, worker, events)
        seconds = time.perf_counter() - ready_at
        fired = _value(worker, _FIRINGS)
        batches = _value(worker, _COMMITTED)
        worker.stop()
    return Result(
        "Throughput: one worker, kafka-python",
        f"A backlog of {events:,} events over {events // 5:,} tickets, 5 % duplicates and 5 % bad, "
        f"{PARTITIONS} partitions.",
        (
            Row("events", events / seconds, "1/s"),
            Row("events and firings", (events + fired) / seconds, "1/s", f"{fired:,.0f} firings"),
            Row("processor time", 1e6 * cpu_seconds / (events + fired), "µs", "per event or firing"),
            Row("events in a transaction", events / batches, "1"),
            Row("start until the first is restored", ready_at - started_at, "s"),
            Row("published with librdkafka", events / publishing, "1/s", "the events are made meanwhile"),
        ),
    )


_FIRINGS = "ticketflow_timer_lateness_seconds_count"
_COMMITTED = 'ticketflow_transactions_total{outcome="committed"}'


def _value(worker: Worker, name: str) -> float:
    return next(float(line.split()[-1]) for line in worker.metrics().splitlines() if line.startswith(name))


def _work_off(system: System, worker: Worker, events: int) -> float:
    """Wait until the group has committed all; returns the processor time in seconds that the worker took."""
    asked = [TopicPartition(system.topic("events"), number) for number in range(PARTITIONS)]
    consumer = Consumer({"bootstrap.servers": system.servers, "group.id": system.prefix})
    before = _cpu_seconds(worker)
    while sum(max(each.offset, 0) for each in consumer.committed(asked, timeout=10)) < events:
        worker.check()
        time.sleep(_LOOK_SECONDS)
    consumer.close()
    return _cpu_seconds(worker) - before


def _cpu_seconds(worker: Worker) -> float:
    """The processor time of a process so far; 0 where the system does not tell (it is Linux that does)."""
    import os

    file = Path(f"/proc/{worker.pid}/stat")
    if not file.exists():
        return 0.0
    user, system = file.read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
