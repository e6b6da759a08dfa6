"""A worker on topics of a test's own, and the commands with its settings."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from consumers.kafka_options import KafkaOptions
from consumers.kafka_python_reader import KafkaReader
from tests.support.processes import ROOT, Worker

NAME, PHONE = "Агафья Небывалая", "+79995550123"
_PATIENCE_SECONDS = 240.0


def environment(broker: str, prefix: str, directory: Path) -> dict[str, str]:
    """Settings of processes on the topics with that prefix."""
    return {
        "TICKETFLOW_KAFKA_BOOTSTRAP_SERVERS": broker,
        "TICKETFLOW_TOPIC_PREFIX": prefix,
        "TICKETFLOW_GROUP_ID": prefix,
        "TICKETFLOW_DATA_DIR": str(directory / "data"),
        "TICKETFLOW_METRICS_PORT": "0",
    }


def run(
    settings: Mapping[str, str], *arguments: str, stdin: bytes = b""
) -> "subprocess.CompletedProcess[bytes]":
    """Run `ticketflow` with these arguments to its end."""
    return subprocess.run(
        [sys.executable, "-m", "ops.cli", *arguments],
        cwd=ROOT,
        env={**os.environ, **settings},
        input=stdin,
        capture_output=True,
        timeout=_PATIENCE_SECONDS,
        check=False,
    )


def awaited(met: Callable[[], bool], what: str) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not met():
        assert time.monotonic() < deadline, f"{what}: not within {_PATIENCE_SECONDS:g} s"
        time.sleep(0.05)


def all_committed(servers: str, prefix: str, group: str) -> bool:
    """Whether the group is done with all events."""
    return uncommitted(servers, prefix, group) == 0


def uncommitted(servers: str, prefix: str, group: str) -> int:
    """How many offsets of the events the group has not committed yet."""
    with closing(KafkaReader(KafkaOptions((servers,)))) as reader:
        ends, done = reader.ends(f"{prefix}.events"), reader.committed(group, f"{prefix}.events")
    left = (end - (done[number].offset if number in done else 0) for number, end in ends.items())
    return sum(max(each, 0) for each in left)


class System:
    """A worker on topics of this test's own, and the commands with its settings."""

    def __init__(self, settings: dict[str, str], worker: Worker, servers: str, prefix: str) -> None:
        self.settings, self.worker, self.servers, self.prefix = settings, worker, servers, prefix

    def run(self, *arguments: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        """Run a command to its end."""
        return run(self.settings, *arguments, stdin=stdin)

    def verified(self) -> dict[str, Any]:
        """Wait until the worker has committed all that is there; then what `verify` says."""
        group = self.settings["TICKETFLOW_GROUP_ID"]
        awaited(lambda: all_committed(self.servers, self.prefix, group), "all events are committed")
        ran = self.run("verify", "--json")
        assert ran.returncode == 0, ran.stdout.decode()
        return dict(json.loads(ran.stdout))

    def values(self, topic: str) -> list[dict[str, Any]]:
        """Every event on one of the topics."""
        reader = KafkaReader(KafkaOptions((self.servers,)))
        name = f"{self.prefix}.{topic}"
        found = [
            json.loads(record.value)
            for number in range(reader.partitions(name))
            for record in reader.read(name, number)
            if record.value is not None
        ]
        reader.close()
        return found


def line(ticket_id: str, kind: str, data: dict[str, Any], event_id: str) -> bytes:
    """An event's line, as of now."""
    attributes = {
        "specversion": "1.0",
        "id": event_id,
        "source": "urn:test",
        "type": kind,
        "subject": ticket_id,
    }
    return json.dumps({**attributes, "time": datetime.now(UTC).isoformat(), "data": data}).encode() + b"\n"


def registered(ticket_id: str) -> bytes:
    """A ticket's first event, with a person in it."""
    client = {"id": "c-1", "name": NAME, "phone": PHONE, "notify": "sms"}
    return line(
        ticket_id,
        "ticket.created.v1",
        {"channel": "phone", "category": "complex", "client": client},
        f"{ticket_id}/1",
    )
