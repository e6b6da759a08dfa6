"""JSON Schema 2020-12 of everything on the topics, made from the models. Personal fields say `x-personal`."""

from collections.abc import Iterator
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

JsonSchema = dict[str, Any]


def json_schemas() -> dict[str, JsonSchema]:
    """Each schema by the name of its file: the `data` of every type, and the envelope around it."""
    named = {**_data_schemas(), _ENVELOPE: _envelope()}
    return {
        f"{name}.schema.json": {"$schema": DIALECT, "$id": f"{_NAMESPACE}{name}", **schema}
        for name, schema in sorted(named.items())
    }


def _models() -> Iterator[tuple[str, type[BaseModel]]]:
    yield from EVENT_TYPES.items()
    for record in (JournalEntry, Notification, Metric, Ticket):
        yield record.record_type, record


def _data_schemas() -> dict[str, JsonSchema]:
    schemas = {name: model.model_json_schema(by_alias=True, mode="validation") for name, model in _models()}
    for field in PERSONAL_FIELDS:
        schemas[Ticket.record_type]["properties"][field]["x-personal"] = True
    return schemas


def _envelope() -> JsonSchema:
    text = {"type": "string", "minLength": 1, "maxLength": MAX_SOURCE_CHARACTERS}
    known = [name for name, _ in _models()]
    return {
        "title": "CloudEvent",
        "description": "A CloudEvents 1.0 event in structured mode, as it stands on the topics.",
        "type": "object",
        "required": ["specversion", "id", "source", "type", "subject", "time", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {**text, "maxLength": MAX_ID_CHARACTERS},
            "source": text,
            "type": {"enum": known},
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
        "allOf": [
            {
                "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
                "then": {"properties": {"data": {"$ref": f"{_NAMESPACE}{name}"}}},
            }
            for name in known
        ],
    }
