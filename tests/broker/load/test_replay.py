"""What was live is replayed from the topic."""

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Message

from consumers.kafka_options import KafkaOptions
from ops import topics
from tests.support.processes import run
from tests.support.traffic import Plan, Traffic
from tests.support.traffic_system import System

ENGINE_TIMES = ("recorded_at", "found_at", "lateness_seconds")


@pytest.fixture
def one_partition(broker: str, tmp_path: Path) -> System:
    """Topics of a single partition, as `replay` has them."""
    topics.create(KafkaOptions((broker,)), "replayed", 1, 1)
    return System(broker, "replayed", tmp_path)


def test_a_replay_of_the_topic_gives_the_journal_that_was_live(one_partition: System) -> None:
    """The events as they are read back, with their arrivals, give every ticket the same journal again."""
    system = one_partition
    traffic = Traffic(Plan(2_000, 400, seed=13, bad=0.0), datetime.now(UTC))
    with system.workers("a") as (worker,):
        worker.start().ready()
        system.publish(traffic.records())
        system.settle(traffic.expected, worker)
        assert worker.stop() == 0
    file = system.directory / "events.jsonl"
    file.write_bytes(b"".join(_line(message) for message in system.read("events")))
    out = system.directory / "out"
    until = datetime.now(UTC).isoformat()
    done = run(system.settings(), "replay", str(file), "--until", until, "--out", str(out))
    assert done.returncode == 0, done.stderr.decode()
    live = _by_ticket(message.value() or b"" for message in system.read("journal"))
    assert _by_ticket((out / "journal.jsonl").read_bytes().splitlines()) == live


def _line(message: Message) -> bytes:
    """An event in structured mode, on a line, with its arrival."""
    _, arrival_ms = message.timestamp()
    headers = dict(message.headers() or ())
    document = json.loads(message.value() or b"")
    if "ce_id" in headers:
        attributes = {name[3:]: value.decode() for name, value in headers.items() if name.startswith("ce_")}
        document = {**attributes, "data": document}
    arrival = datetime.fromtimestamp(arrival_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return json.dumps({**document, "arrivaltime": arrival}, ensure_ascii=False).encode() + b"\n"


def _by_ticket(values: Iterable[bytes]) -> dict[str, list[bytes]]:
    """Every ticket's journal without what the engine's clock says, as bytes."""
    found: dict[str, list[bytes]] = defaultdict(list)
    for value in values:
        document = json.loads(value)
        _forget(document["data"])
        for change in document["data"]["clocks"]:
            _forget(change)
        found[document["subject"]].append(json.dumps(document).encode())
    return found


def _forget(part: dict[str, Any]) -> None:
    for name in ENGINE_TIMES:
        part.pop(name, None)
