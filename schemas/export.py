"""JSON Schema 2020-12 of everything on the topics, made from the models. Personal fields say `x-personal`.

What is sent is closed, as the decoder is: it refuses unknown fields. What is read is open: the contract may
grow, and a subscriber that validates what it reads must not stumble over a field that it does not know yet.
"""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from schemas.cloudevents import MAX_ID_CHARACTERS, MAX_SOURCE_CHARACTERS
from schemas.events import EVENT_TYPES
from schemas.records import JournalEntry, Metric, Notification
from schemas.state import PERSONAL_FIELDS, Ticket
from schemas.topics import TICKET_ID_PATTERN

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NAMESPACE = "urn:ticketflow:"
_ENVELOPE = "envelope.v1"
_WITHIN_THE_SCHEMA = "#/$defs/{model}"

JsonSchema = dict[str, Any]


def json_schemas() -> dict[str, JsonSchema]:
    """Each schema by the name of its file: the `data` of every type, and the envelope around it."""
    named = {**event_schemas(), **record_schemas()}
    named[_ENVELOPE] = _envelope_of(list(named))
    return {
        f"{name}.schema.json": {"$schema": DIALECT, "$id": f"{_NAMESPACE}{name}", **schema}
        for name, schema in sorted(named.items())
    }


def event_schemas(ref_template: str = _WITHIN_THE_SCHEMA) -> dict[str, JsonSchema]:
    """The `data` of what channels send, by type. `ref_template`: where a schema's parts, `{model}`, are."""
    return {name: _schema(model, ref_template) for name, model in EVENT_TYPES.items()}


def record_schemas(ref_template: str = _WITHIN_THE_SCHEMA) -> dict[str, JsonSchema]:
    """The `data` of what subscribers read, by type."""
    models = (JournalEntry, Notification, Metric, Ticket)
    schemas = {model.record_type: _open(_schema(model, ref_template)) for model in models}
    for field in PERSONAL_FIELDS:
        schemas[Ticket.record_type]["properties"][field]["x-personal"] = True
    return schemas


def _schema(model: type[BaseModel], ref_template: str) -> JsonSchema:
    return model.model_json_schema(by_alias=True, ref_template=ref_template, mode="validation")


def _open(schema: Any) -> Any:
    """Without the ban on further properties, and without `discriminator`, which is OpenAPI's."""
    if isinstance(schema, list):
        return [_open(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: _open(value)
        for name, value in schema.items()
        if name != "discriminator" and (name, value) != ("additionalProperties", False)
    }


def envelope(types: Iterable[str]) -> JsonSchema:
    """A CloudEvent of one of these types; what its `data` is like is for others to say."""
    text = {"type": "string", "minLength": 1, "maxLength": MAX_SOURCE_CHARACTERS}
    return {
        "title": "CloudEvent",
        "description": "A CloudEvents 1.0 event in structured mode, as it stands on the topics.",
        "type": "object",
        "required": ["specversion", "id", "source", "type", "subject", "time", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {**text, "maxLength": MAX_ID_CHARACTERS},
            "source": text,
            "type": {"enum": list(types)},
            "subject": {"type": "string", "pattern": TICKET_ID_PATTERN, "description": "The ticket id."},
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"type": "string"},
            "dataschema": text,
            "data": {"type": "object"},
        },
        "propertyNames": {"pattern": "^[a-z0-9]+$"},
        "additionalProperties": {  # extension attributes
            "type": ["string", "boolean", "integer", "null"],
        },
    }


def _envelope_of(types: list[str]) -> JsonSchema:
    return {
        **envelope(types),
        "allOf": [
            {
                "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
                "then": {"properties": {"data": {"$ref": f"{_NAMESPACE}{name}"}}},
            }
            for name in types
        ],
    }
