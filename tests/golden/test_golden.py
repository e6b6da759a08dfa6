"""Samples that never change: what was once published stays readable, and is written the same.

A sample may be added, with its line in SHA256SUMS; none is ever edited or removed.
"""

import hashlib
import json
from pathlib import Path

import pytest
from pydantic import BaseModel

from schemas.envelope import Code, Event, decode, encode
from schemas.events import EVENT_TYPES
from schemas.instants import parse_instant
from schemas.records import SOURCE, Change, JournalEntry, Metric, MetricName, Notification, Outcome, Template
from schemas.state import Ticket

HERE = Path(__file__).parent
ARRIVAL = parse_instant("2026-03-02T08:16:00Z")
RECORDS: dict[str, type[BaseModel]] = {
    model.record_type: model for model in (JournalEntry, Notification, Metric, Ticket)
}


def _samples(kind: str) -> list[Path]:
    return sorted((HERE / kind).glob("*.json"))


def _decoded(value: bytes, headers: tuple[tuple[str, bytes], ...]) -> Event:
    event = decode(b"GU-2026.000_1", value, headers, arrival=ARRIVAL, partition=0, partitions=1)
    assert isinstance(event, Event), event
    return event


def test_no_sample_has_changed():
    """Every sample has the digest that it was added with, and none is missing or unlisted."""
    listed = (HERE / "SHA256SUMS").read_text().splitlines()
    found = sorted(HERE.rglob("*.json"))
    assert listed == [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(HERE).as_posix()}"
        for path in found
    ]


@pytest.mark.parametrize("path", _samples("events"), ids=lambda path: path.stem)
def test_a_structured_event_is_read_and_written_the_same(path: Path):
    """A golden event decodes, and encoding what was decoded gives its very bytes."""
    value = path.read_bytes()
    event = _decoded(value, (("content-type", b"application/cloudevents+json"),))
    assert path.name.startswith(event.type)
    assert value == encode(
        event.type, event.id, event.source, event.subject, event.time, event.data.to_json(), event.extensions
    )


@pytest.mark.parametrize("path", _samples("binary"), ids=lambda path: path.stem)
def test_a_binary_event_is_the_structured_one(path: Path):
    """A golden event in binary mode decodes to what the structured one of its name decodes to."""
    sample = json.loads(path.read_bytes())
    headers = tuple((name, value.encode()) for name, value in sample["headers"].items())
    event = _decoded(json.dumps(sample["value"]).encode(), headers)
    structured = _decoded((HERE / "events" / path.name).read_bytes(), ())
    texts = {name: value for name, value in structured.extensions.items() if isinstance(value, str)}
    assert (event.id, event.source, event.type, event.time, event.data, event.extensions) == (
        structured.id, structured.source, structured.type, structured.time, structured.data, texts,
    )  # fmt: skip


@pytest.mark.parametrize(
    "path", [p for p in _samples("records") if p.stem != "dead-letter"], ids=lambda path: path.stem
)
def test_a_record_is_read_and_written_the_same(path: Path):
    """A golden record of ours is read by its model and written to its very bytes."""
    value = path.read_bytes()
    document = json.loads(value)
    data = json.dumps(document["data"], ensure_ascii=False).encode()
    record = RECORDS[document["type"]].model_validate_json(data)
    written = record.model_dump_json(by_alias=True, exclude_unset=True).encode()
    time = parse_instant(document["time"])
    assert document["source"] == SOURCE
    assert value == encode(document["type"], document["id"], SOURCE, document["subject"], time, written)


def test_every_type_has_samples():
    """Each event type has a structured and a binary sample, each record type at least one."""
    structured = {json.loads(path.read_bytes())["type"] for path in _samples("events")}
    binary = {json.loads(path.read_bytes())["headers"]["ce_type"] for path in _samples("binary")}
    records = {json.loads(path.read_bytes()).get("type") for path in _samples("records")}
    assert structured == binary == set(EVENT_TYPES)
    assert records - {None} == set(RECORDS)


def test_every_word_of_ours_has_a_sample():
    """Each change of a clock, template, metric and outcome stands in a golden record."""
    texts = "\n".join(path.read_text("utf-8") for path in _samples("records"))
    words = {"change": Change, "template": Template, "metric": MetricName, "outcome": Outcome}
    stand = [f'"{field}":"{word}"' for field, listed in words.items() for word in listed]
    assert [pair for pair in stand if pair not in texts] == []


def test_a_dead_letter_says_why():
    """The golden dead letter is refused again for the reason that it names, under the contract's headers."""
    letter = json.loads((HERE / "records" / "dead-letter.json").read_bytes())
    headers = dict(letter["headers"])
    decoded = decode(
        letter["key"].encode(), letter["value"].encode(), (), arrival=ARRIVAL, partition=0, partitions=1
    )
    assert not isinstance(decoded, Event)
    assert decoded.code == Code(headers["dlq.errors.code"])
    assert [name for name, _ in letter["headers"]][-7:] == [
        f"dlq.errors.{name}"
        for name in ("code", "message", "topic", "partition", "offset", "group", "timestamp")
    ]
