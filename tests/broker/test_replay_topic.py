"""`replay --topic` against a real broker: what is on the events topic, played again under other policies."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from consumers.kafka_options import KafkaOptions
from consumers.kafka_python_reader import KafkaReader
from consumers.log import Record
from schemas.instants import format_instant, from_epoch
from tests.support.processes import workers
from tests.support.system import System, awaited, environment, line, registered, run

pytestmark = pytest.mark.timeout(900)  # several processes start, on a machine that may be busy

UNTIL = "2090-01-01T00:00:00Z"
OTHER = """
policy: gosuslugi
version: "other"
clocks:
  - {clock: resolution, target: 1ms, start: [created], stop: [resolved, closed]}
  - {clock: promise, target: promised, start: [promised], stop: [resolved, closed]}
"""


def _publish(settings: dict[str, str]) -> None:
    """Publish the registrations, then the rest: whoever is merged arrives after the one it is merged into.

    Records of different partitions have no order but that of their arrival, in whole milliseconds.
    """
    for lines in (_registrations(), _others()):
        assert run(settings, "publish", "--force", "-", stdin=lines).returncode == 0


def _registrations() -> bytes:
    """Twelve tickets over all partitions."""
    return b"".join(registered(f"T-{number}") for number in range(12))


def _others() -> bytes:
    """What happens to them: answered, resolved, merged and left alone; and a bad line."""
    lines = []
    for number in range(12):
        ticket = f"T-{number}"
        lines.append(line(ticket, "ticket.assigned.v1", {"operator": "op-1"}, f"{ticket}/2"))
        if number % 3 == 0:
            lines.append(line(ticket, "ticket.resolved.v1", {}, f"{ticket}/3"))
        if number % 4 == 1:
            merged = {"reason": "merged", "merged_into": "T-2"}
            lines.append(line(ticket, "ticket.closed.v1", merged, f"{ticket}/4"))
    return b"".join([*lines, b"{\n"])


def _line(record: Record) -> bytes:
    """A record as a file has it, with its arrival."""
    value = record.value or b""
    if value == b"{":
        return value + b"\n"
    arrival = format_instant(from_epoch(record.timestamp_us))
    return json.dumps({**json.loads(value), "arrivaltime": arrival}).encode() + b"\n"


def _exported(servers: str, topic: str) -> bytes:
    """The topic as a file: its records in the order of their arrival, the engine's own among them."""
    reader = KafkaReader(KafkaOptions((servers,)))
    records = [each for number in range(reader.partitions(topic)) for each in reader.read(topic, number)]
    reader.close()
    return b"".join(map(_line, sorted(records, key=lambda each: each.timestamp_us)))


def _absorbed(system: System) -> int:
    return sum(each["data"]["trigger"] == "absorbed" for each in system.values("journal"))


def _replayed(settings: dict[str, str], *arguments: str) -> Any:
    done = run(settings, "replay", *arguments, "--until", UNTIL, "--json")
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_the_topic_gives_what_its_export_gives(broker: str, prefix: str, tmp_path: Path) -> None:
    """A comparison over the topic, on which an engine has worked, finds what one over its export finds."""
    settings = environment(broker, prefix, tmp_path)
    with workers(tmp_path, settings, "a") as (worker,):
        worker.start().ready()
        _publish(settings)
        system = System(settings, worker, broker, prefix)
        awaited(lambda: _absorbed(system) == 3, "the survivor has learnt of three mergers")
    other, export = tmp_path / "other.yaml", tmp_path / "events.jsonl"
    other.write_text(OTHER)
    export.write_bytes(_exported(broker, f"{prefix}.events"))
    topic = _replayed(settings, "--topic", "--compare", str(other))
    file = _replayed(settings, str(export), "--compare", str(other))
    assert topic["differences"]
    for name in ("changed", "groups", "differences"):
        assert topic[name] == file[name]
    for side in ("before", "after"):
        assert topic[side]["verdicts"] == file[side]["verdicts"]
    # The engine's own events are on the topic and in its export; the topic's replay leaves them out.
    assert topic["before"]["absorbed"] == 3
    assert (file["before"]["lines"], file["before"]["duplicate"]) == (topic["before"]["lines"] + 3, 3)


def test_a_replay_of_the_topic_writes_files(broker: str, prefix: str, tmp_path: Path) -> None:
    """Without --compare the files are written; a dead letter says where in the topic its event stands."""
    settings = environment(broker, prefix, tmp_path)
    _publish(settings)
    summary = _replayed(settings, "--topic", "--out", str(tmp_path / "out"))
    (letter,) = [
        json.loads(each) for each in (tmp_path / "out" / "dead-letter.jsonl").read_text().splitlines()
    ]
    assert (letter["code"], letter["value"]) == ("malformed", "{")
    assert {"partition", "offset"} <= letter.keys()
    assert "line" not in letter
    assert summary["rejected"] == {"malformed": 1}
    journal = [json.loads(each)["data"] for each in (tmp_path / "out" / "journal.jsonl").open()]
    assert len(journal) == summary["applied"] + summary["firings"]
    assert all(datetime.fromisoformat(each["recorded_at"]).year < 2091 for each in journal)
