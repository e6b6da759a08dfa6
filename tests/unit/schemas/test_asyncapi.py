"""The AsyncAPI document: what it says of topics and messages. Its examples are taken by our own code."""

import json
from typing import Any

import pytest

from schemas.asyncapi import asyncapi
from schemas.envelope import BadRecord, Event, decode, encode
from schemas.events import EVENT_TYPES, Absorbed
from schemas.instants import parse_instant
from schemas.records import SOURCE, JournalEntry, Metric, Notification
from schemas.state import PERSONAL_FIELDS, Ticket
from schemas.topics import Topic, topic_name
from tests.golden.test_golden import HERE as GOLDEN

DOCUMENT = asyncapi("tickets", 12, "0.1.0")
MESSAGES: dict[str, Any] = DOCUMENT["components"]["messages"]
RECORDS = {model.record_type: model for model in (JournalEntry, Notification, Metric, Ticket)}
EVENTS = [*EVENT_TYPES, *(f"{name}.binary" for name in EVENT_TYPES)]

# The keywords that JSON Schema draft 07, AsyncAPI's own, and 2020-12 read the same way.
COMMON_KEYWORDS = {
    "additionalProperties", "allOf", "anyOf", "const", "default", "description", "enum", "format", "items",
    "maxItems", "maxLength", "minLength", "oneOf", "pattern", "properties", "propertyNames", "required",
    "title", "type", "x-personal",
}  # fmt: skip


def _names(references: list[dict[str, str]]) -> set[str]:
    return {reference["$ref"].rpartition("/")[2] for reference in references}


def _example(name: str) -> dict[str, Any]:
    (example,) = MESSAGES[name]["examples"]
    return dict(example)


def _decoded(key: str, example: dict[str, Any]) -> Event | BadRecord:
    headers = tuple((name, text.encode()) for name, text in example["headers"].items())
    value = json.dumps(example["payload"]).encode()
    arrival = parse_instant("2026-03-02T08:16:00Z")
    return decode(key.encode(), value, headers, arrival=arrival, partition=0, partitions=1)


def _schemas() -> list[Any]:
    """Every schema in the document."""
    found = list(DOCUMENT["components"]["schemas"].values())
    for message in MESSAGES.values():
        found += [message[part] for part in ("headers", "payload") if part in message]
    return found


def _keywords(schema: Any) -> set[str]:
    if isinstance(schema, list):
        return {word for item in schema for word in _keywords(item)}
    if not isinstance(schema, dict):
        return set()
    if "$ref" in schema:
        assert len(schema) == 1  # what stands beside a reference counts in 2020-12 only
        return set()
    within = [value for name, value in schema.items() if name not in ("properties", "default", "enum")]
    named = schema.get("properties", {}).values()
    return set(schema).union(*(_keywords(value) for value in (*within, *named)))


@pytest.mark.parametrize("name", EVENTS)
def test_the_example_of_an_event_is_taken(name: str):
    """Our own decoder takes the example of each event, in both content modes, as that type."""
    decoded = _decoded("CALL-812", _example(name))
    assert isinstance(decoded, Event), decoded
    assert decoded.type == name.removesuffix(".binary")


@pytest.mark.parametrize("name", RECORDS)
def test_the_example_of_a_record_is_ours(name: str):
    """The example of each record is read by its model and written again the same."""
    payload = _example(name)["payload"]
    data = RECORDS[name].model_validate_json(json.dumps(payload["data"])).to_json()
    time = parse_instant(payload["time"])
    written = encode(payload["type"], payload["id"], SOURCE, payload["subject"], time, data)
    assert json.loads(written) == payload


def test_the_example_of_a_dead_letter_is_refused_for_what_it_says():
    """The dead letter's value is refused again, with the code and the message in its headers."""
    example = _example("dead-letter")
    decoded = _decoded("CALL-812", {**example, "headers": {}})
    assert isinstance(decoded, BadRecord)
    said = {name: example["headers"][f"dlq.errors.{name}"] for name in ("code", "message")}
    assert said == {"code": decoded.code, "message": decoded.message}


def test_a_dead_letter_has_the_headers_of_the_golden_one():
    """The required headers are those that a dead letter has always had."""
    letter = json.loads((GOLDEN / "records" / "dead-letter.json").read_bytes())
    known = [name for name, _ in letter["headers"] if name.startswith("dlq.errors.")]
    assert MESSAGES["dead-letter"]["headers"]["required"] == known


def test_every_topic_is_a_channel():
    """Each topic has its name, its partitions and those of its settings that the binding knows."""
    for topic in Topic:
        channel = DOCUMENT["channels"][topic.suffix]
        binding = channel["bindings"]["kafka"]
        assert channel["address"] == binding["topic"] == topic_name("tickets", topic)
        assert binding["partitions"] == 12
        assert "replicas" not in binding
        settings = binding["topicConfiguration"]
        assert settings["cleanup.policy"] == [topic.config["cleanup.policy"]]
        for name in settings.keys() - {"cleanup.policy"}:
            assert settings[name] == int(topic.config[name])
    assert len(DOCUMENT["channels"]) == len(Topic)


def test_prefix_and_partitions_are_the_installations_own():
    """Another prefix and number of partitions show in every channel, and in the dead letter's example."""
    document = asyncapi("acceptance", 3, "0.1.0")
    bindings = [channel["bindings"]["kafka"] for channel in document["channels"].values()]
    assert {binding["partitions"] for binding in bindings} == {3}
    assert {channel["address"].partition(".")[0] for channel in document["channels"].values()} == {
        "acceptance"
    }
    assert "tickets." not in json.dumps(document["channels"])
    letter = document["components"]["messages"]["dead-letter"]["examples"][0]
    assert letter["headers"]["dlq.errors.topic"] == "acceptance.events"


def test_a_channel_sends_everything_but_what_the_engine_writes():
    """Channels may send each event type in both modes; `ticket.absorbed.v1` is the engine's alone."""
    sent = DOCUMENT["operations"]["publishEvents"]
    assert sent["action"] == "send"
    assert _names(sent["messages"]) == set(EVENTS) - {Absorbed.type, f"{Absorbed.type}.binary"}


def test_a_subscriber_receives_every_message_of_every_topic():
    """There is one operation to read each topic, and no message that nobody can read."""
    reading = [each for each in DOCUMENT["operations"].values() if each["action"] == "receive"]
    assert [each["channel"]["$ref"] for each in reading] == [f"#/channels/{topic.suffix}" for topic in Topic]
    assert set().union(*(_names(each["messages"]) for each in reading)) == set(MESSAGES)


def test_every_message_says_what_it_is():
    """Each message has name, title, summary, content, the key's schema and one example."""
    for name, message in MESSAGES.items():
        assert message["name"] == name
        assert message["title"]
        assert message["summary"]
        assert "payload" in message
        assert "bindings" in message
        assert len(message["examples"]) == 1
    assert len({message["title"] for message in MESSAGES.values()}) == len(MESSAGES)


def test_what_is_structured_and_what_is_binary():
    """Content type and header agree; a binary event has its attributes in headers and `data` as payload."""
    for name in EVENT_TYPES:
        structured, binary = MESSAGES[name], MESSAGES[f"{name}.binary"]
        assert structured["contentType"] == "application/cloudevents+json"
        assert binary["contentType"] == "application/json"
        assert binary["payload"] == {"$ref": f"#/components/schemas/{name}"}
        assert binary["headers"]["properties"]["ce_type"] == {"enum": [name]}
        for message in (structured, binary):
            assert message["headers"]["properties"]["content-type"] == {"const": message["contentType"]}


def test_a_ticket_that_left_is_a_tombstone():
    """The state topic has a message without a value."""
    assert "ticket.state.tombstone" in DOCUMENT["channels"]["state"]["messages"]
    assert _example("ticket.state.tombstone")["payload"] is None


def test_personal_fields_are_marked():
    """Whoever reads the document sees which fields may name or describe a person, sent or read."""
    schemas = DOCUMENT["components"]["schemas"]
    for client in ("sent.Client", "read.Client"):
        marked = {name for name, field in schemas[client]["properties"].items() if field.get("x-personal")}
        assert marked == {"name", "phone", "email"}
    state = schemas["ticket.state.v1"]["properties"]
    assert {name for name, field in state.items() if field.get("x-personal")} == PERSONAL_FIELDS
    assert MESSAGES["dead-letter"]["payload"]["x-personal"] is True


def test_both_dialects_read_the_schemas_the_same_way():
    """No keyword is used that draft 07 does not know, or reads otherwise than 2020-12."""
    assert _keywords(_schemas()) <= COMMON_KEYWORDS


def test_the_document_is_always_the_same():
    """Two documents have the same bytes."""
    assert json.dumps(asyncapi("tickets", 12, "0.1.0")) == json.dumps(DOCUMENT)
