"""How long after an event was published its notification can be read, on an idle system."""

import random
import time
from datetime import UTC, datetime

from confluent_kafka import Producer

from benchmarks.cluster import Cluster
from benchmarks.report import Result, Row, percentile
from tests.support.traffic import Plan, Traffic
from tests.support.traffic_foreign import Follower, data, producer

_WARM_UP = 50
_PAUSE_SECONDS = (0.02, 0.12)
_GIVE_UP_SECONDS = 30.0


def measure(cluster: Cluster, events: int) -> Result:
    """Publish one event at a time with librdkafka, and read committed notifications with it."""
    system = cluster.system("latency")
    client = producer(system.servers, linger_ms=0)
    pauses = random.Random(1)
    with system.workers("a") as (worker,), system.follow("notifications") as notifications:
        worker.start().ready()
        taken = []
        for number in range(_WARM_UP + events):
            taken.append(_one(client, system.topic("events"), f"T-{number}", notifications))
            worker.check()
            time.sleep(pauses.uniform(*_PAUSE_SECONDS))
        client.flush(10)
        worker.stop()
    found = [1000 * seconds for seconds in taken[_WARM_UP:]]
    return Result(
        "Latency: from publishing to the notification",
        f"{events} events one at a time on an idle system, one worker, {len(found)} notifications.",
        (
            Row("median", percentile(found, 0.5), "ms", "target: under 50"),
            Row("90th percentile", percentile(found, 0.9), "ms"),
            Row("99th percentile", percentile(found, 0.99), "ms", "target: under 200"),
            Row("longest", max(found), "ms"),
        ),
    )


def _one(client: Producer, topic: str, ticket_id: str, notifications: Follower) -> float:
    """Seconds until the notification of one registration is there."""
    now = datetime.now(UTC)
    registration = {"channel": "chat", "category": "complex", "client": {"id": "c-1"}}
    sent = Traffic(Plan(0, 0, prefix=ticket_id), now).event(ticket_id, "ticket.created.v1", now, registration)
    begun = time.perf_counter()
    client.produce(topic, key=sent.key, value=sent.value, headers=list(sent.headers))
    client.poll(0)
    while time.perf_counter() - begun < _GIVE_UP_SECONDS:
        for message in notifications.read(most=1):
            if data(message)["ticket_id"] == ticket_id:
                return time.perf_counter() - begun
    raise RuntimeError(f"no notification came within {_GIVE_UP_SECONDS:g} s")
