"""The AsyncAPI 3.1 document: topics, messages and what channels and subscribers do with them.

Made from the models, `schemas.topics` and the exported schemas, so nothing is said twice. It is written
from the side of who connects: `send` is what a channel does, `receive` what a subscriber does. The payloads
use the part of JSON Schema that draft 07, AsyncAPI's own, and 2020-12 have in common.
Sources: AsyncAPI 3.1.0; AsyncAPI's Kafka bindings 0.5.0.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from schemas import examples
from schemas.asyncapi_texts import ABOUT, DEAD_LETTER_HEADERS, TOMBSTONE, TOPICS
from schemas.cloudevents import STRUCTURED
from schemas.events import Absorbed
from schemas.export import JsonSchema, envelope, event_schemas, record_schemas
from schemas.records import JOURNAL_TYPE, METRIC_TYPE, NOTIFICATION_TYPE, SOURCE, STATE_TYPE
from schemas.topics import TICKET_ID_PATTERN, Topic, topic_name

ASYNCAPI_VERSION = "3.1.0"
_BINDING = {"bindingVersion": "0.5.0"}
_JSON = "application/json"
_DEAD_LETTER = "dead-letter"
_STATE_TOMBSTONE = "ticket.state.tombstone"
_BY_ENGINE = (Absorbed.type,)
"""Types on the events topic that no channel sends."""

_INTEGERS = ("retention.ms", "retention.bytes", "delete.retention.ms", "max.message.bytes")
"""The settings of a topic that the binding has as numbers; with `cleanup.policy` all that it knows."""

_RECORD_TYPES: Mapping[Topic, str] = MappingProxyType(
    {
        Topic.STATE: STATE_TYPE,
        Topic.JOURNAL: JOURNAL_TYPE,
        Topic.NOTIFICATIONS: NOTIFICATION_TYPE,
        Topic.METRICS: METRIC_TYPE,
    }
)


def asyncapi(prefix: str, partitions: int, version: str) -> JsonSchema:
    """The document for topics with that prefix and number of partitions. `version`: of ticketflow."""
    events = event_schemas("#/components/schemas/sent.{model}")
    records = record_schemas("#/components/schemas/read.{model}")
    return {
        "asyncapi": ASYNCAPI_VERSION,
        "info": {"title": "ticketflow", "version": version, "description": ABOUT},
        "defaultContentType": STRUCTURED,
        "servers": {"kafka": _server()},
        "channels": {topic.suffix: _channel(topic, prefix, partitions, list(events)) for topic in Topic},
        "operations": _operations(list(events)),
        "components": {
            "schemas": dict(_schemas({**events, **records}, events)),
            "messages": {
                **{name: _structured(name, schema) for name, schema in (*events.items(), *records.items())},
                **{_binary_name(name): _binary(name, schema) for name, schema in events.items()},
                _STATE_TOMBSTONE: _tombstone(),
                _DEAD_LETTER: _dead_letter(prefix),
            },
            "messageBindings": {"ticket": {"kafka": {"key": _key(), **_BINDING}}},
        },
    }


def _server() -> JsonSchema:
    return {
        "host": "{bootstrap}",
        "protocol": "kafka",
        "description": "The Kafka cluster. How to log in, and TLS, is for who runs it to say.",
        "variables": {
            "bootstrap": {
                "default": "127.0.0.1:9092",
                "description": "A bootstrap server. The default is the embedded broker's.",
            }
        },
        "bindings": {"kafka": _BINDING},
    }


def _channel(topic: Topic, prefix: str, partitions: int, events: Iterable[str]) -> JsonSchema:
    name = topic_name(prefix, topic)
    return {
        "address": name,
        "title": TOPICS[topic].title,
        "description": TOPICS[topic].description,
        "messages": {name: _ref("components", "messages", name) for name in _messages(topic, events)},
        "bindings": {
            "kafka": {
                "topic": name,
                "partitions": partitions,
                "topicConfiguration": _configuration(topic),
                **_BINDING,
            }
        },
    }


def _configuration(topic: Topic) -> JsonSchema:
    numbers = {name: int(topic.config[name]) for name in _INTEGERS if name in topic.config}
    return {"cleanup.policy": topic.config["cleanup.policy"].split(","), **numbers}


def _messages(topic: Topic, events: Iterable[str]) -> Iterator[str]:
    if topic is Topic.EVENTS:
        for name in events:
            yield from (name, _binary_name(name))
    elif topic is Topic.DEAD_LETTER:
        yield _DEAD_LETTER
    else:
        yield _RECORD_TYPES[topic]
        if topic is Topic.STATE:
            yield _STATE_TOMBSTONE


def _operations(events: list[str]) -> JsonSchema:
    sent = _messages(Topic.EVENTS, [name for name in events if name not in _BY_ENGINE])
    publish = {
        "action": "send",
        "channel": _ref("channels", Topic.EVENTS.suffix),
        "title": "Publish events",
        "summary": "What a channel does: it tells what happened to a ticket, in either content mode.",
        "messages": [_ref("channels", Topic.EVENTS.suffix, "messages", name) for name in sent],
        "bindings": {
            "kafka": {"clientId": {"type": "string", "description": "A name of yours."}, **_BINDING}
        },
    }
    return {"publishEvents": publish} | {
        "read" + topic.suffix.title().replace("-", ""): _reading(topic, events) for topic in Topic
    }


def _reading(topic: Topic, events: list[str]) -> JsonSchema:
    group = {"type": "string", "description": "A consumer group of your own; never the engine's."}
    return {
        "action": "receive",
        "channel": _ref("channels", topic.suffix),
        "title": f"Read {TOPICS[topic].title.lower()}",
        "summary": TOPICS[topic].reading,
        "messages": [_ref("channels", topic.suffix, "messages", name) for name in _messages(topic, events)],
        "bindings": {"kafka": {"groupId": group, **_BINDING}},
    }


def _schemas(by_type: Mapping[str, JsonSchema], events: Iterable[str]) -> Iterator[tuple[str, JsonSchema]]:
    """The envelope, the `data` of each type, and under their own names the parts that these share."""
    yield "envelope", envelope(by_type)
    parts: JsonSchema = {}
    for name, schema in by_type.items():
        family = "sent" if name in events else "read"
        own = dict(schema)
        parts |= {f"{family}.{part}": within for part, within in own.pop("$defs", {}).items()}
        yield name, own
    yield from sorted(parts.items())


def _structured(name: str, schema: JsonSchema) -> JsonSchema:
    example = examples.EXAMPLES[name]
    told: JsonSchema = {"type": {"const": name}, "data": _ref("components", "schemas", name)}
    if example["source"] == SOURCE:
        told["source"] = {"const": SOURCE}
    return {
        **_described(name, schema),
        "contentType": STRUCTURED,
        "headers": _headers({"content-type": {"const": STRUCTURED}}),
        "correlationId": {
            "location": "$message.payload#/subject",
            "description": "The ticket id: the same in everything about one ticket.",
        },
        "payload": {"allOf": [_ref("components", "schemas", "envelope"), {"properties": told}]},
        "bindings": _ref("components", "messageBindings", "ticket"),
        "examples": [{"name": name, "headers": {"content-type": STRUCTURED}, "payload": example}],
    }


def _binary_name(name: str) -> str:
    return f"{name}.binary"


def _binary(name: str, schema: JsonSchema) -> JsonSchema:
    headers, payload = examples.binary(examples.EXAMPLES[name])
    attributes = envelope([name])["properties"]
    carried = {f"ce_{attribute}": attributes[attribute] for attribute in attributes if attribute != "data"}
    del carried["ce_datacontenttype"]  # in binary mode that is the header content-type
    return {
        **_described(name, schema),
        "name": _binary_name(name),
        "title": f"{_title(name)} (binary mode)",
        "contentType": _JSON,
        "headers": _headers(
            {"content-type": {"const": _JSON}, **carried},
            optional=("ce_dataschema",),
        ),
        "correlationId": {
            "location": "$message.header#/ce_subject",
            "description": "The ticket id: the same in everything about one ticket.",
        },
        "payload": _ref("components", "schemas", name),
        "bindings": _ref("components", "messageBindings", "ticket"),
        "examples": [{"name": _binary_name(name), "headers": headers, "payload": payload}],
    }


def _described(name: str, schema: JsonSchema) -> JsonSchema:
    summary = schema["description"].partition("\n\n")[0].replace("\n", " ")
    return {"name": name, "title": _title(name), "summary": summary}


def _title(name: str) -> str:
    return " ".join(name.split(".")[:-1]).capitalize()


def _tombstone() -> JsonSchema:
    return {
        "name": _STATE_TOMBSTONE,
        "title": "Ticket state: tombstone",
        "summary": TOMBSTONE,
        "contentType": STRUCTURED,
        "payload": {"type": "null"},
        "bindings": _ref("components", "messageBindings", "ticket"),
        "examples": [{"name": _STATE_TOMBSTONE, "payload": None}],
    }


def _dead_letter(prefix: str) -> JsonSchema:
    said = {
        f"dlq.errors.{name}": {"type": "string", "description": text}
        for name, text in DEAD_LETTER_HEADERS.items()
    }
    return {
        "name": _DEAD_LETTER,
        "title": "Dead letter",
        "summary": "A record that was refused: key, value and headers as received, and headers that say why.",
        "headers": _headers(said, optional=("dlq.errors.size", "dlq.errors.sha256")),
        "payload": {"description": "The value as received: any bytes, or none.", "x-personal": True},
        "bindings": {
            "kafka": {"key": {"description": "The key as received: any bytes, or none."}, **_BINDING}
        },
        "examples": [
            {
                "name": _DEAD_LETTER,
                "headers": examples.dead_letter_headers(prefix),
                "payload": dict(examples.REFUSED),
            }
        ],
    }


def _headers(properties: Mapping[str, Any], optional: tuple[str, ...] = ()) -> JsonSchema:
    """Record headers, as UTF-8 text. There may be more: extension attributes, tracing."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "required": required, "properties": dict(properties)}


def _key() -> JsonSchema:
    return {"type": "string", "pattern": TICKET_ID_PATTERN, "description": "The ticket id, as `subject`."}


def _ref(*path: str) -> JsonSchema:
    return {"$ref": "#/" + "/".join(path)}
