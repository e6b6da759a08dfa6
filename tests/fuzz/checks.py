"""Where marks may come out: PERSON nowhere, IDENTITY in the places that the contract copies ids into."""

import json
from typing import Any

from consumers.dead_letters import event_id, received_headers, refusal
from consumers.log import Record
from tests.fuzz.marks import IDENTITY, PERSON
from tests.support.letters import words_of_ours

_PERSON = PERSON.encode()

# By topic, the fields of a record that say which ticket, which event, whose: contract, "Journal record",
# "Notification", "Metric event". A `[]` stands for every item of an array.
_MAY_IDENTIFY = {
    "journal": {
        "id", "subject", "data.ticket_id", "data.cause.id", "data.cause.source", "data.changed.operator",
        "data.changed.unit", "data.changed.follows", "data.changed.merged_into", "data.clocks[].told[].ref",
    },
    "notifications": {"id", "subject", "data.ticket_id", "data.recipient.ref", "data.params.unit"},
    "metrics": {"id", "subject"},
}  # fmt: skip


def check_output(topic: str, record: Record) -> None:
    """Hold one record of the journal, the notifications or the metrics against what it may show."""
    value, key = record.value or b"", record.key or b""
    assert _PERSON not in value, f"personal data in {topic} at offset {record.offset}"
    assert _PERSON not in key, f"personal data in a key of {topic} at offset {record.offset}"
    assert record.headers == (("content-type", b"application/cloudevents+json"),)
    places = set(_marked(json.loads(value), ""))
    assert places <= _MAY_IDENTIFY[topic], f"an id in {topic} at offset {record.offset}: {places}"


def _marked(value: Any, path: str) -> "list[str]":
    """The places at which IDENTITY stands."""
    if isinstance(value, str):
        return [path] if IDENTITY in value else []
    if isinstance(value, dict):
        assert not any(IDENTITY in name for name in value), f"an id names a field in {path}"
        return [
            found for name, inner in value.items() for found in _marked(inner, f"{path}.{name}".lstrip("."))
        ]
    if isinstance(value, list):
        return [found for inner in value for found in _marked(inner, f"{path}[]")]
    return []


def check_letter(letter: Record, received: Record) -> None:
    """A dead letter has the record as received, can be read, and shows nothing of it in what it says."""
    said = refusal(letter)
    assert said is not None, f"the dead letter at offset {letter.offset} cannot be read"
    assert (said.partition, said.offset) == (received.partition, received.offset)
    assert (letter.key, letter.value) == (received.key, received.value)
    assert received_headers(letter) == received.headers
    event_id(letter)  # of whatever there is, it raises nothing
    shows_nothing("a dead letter's own headers", words_of_ours(letter))


def shows_nothing(what: str, text: str) -> None:
    """No mark is in a text that a person, a log or a metric gets."""
    for mark in (PERSON, IDENTITY):
        assert mark not in text, f"{what}: {text[max(text.find(mark) - 80, 0) :][:200]}"
