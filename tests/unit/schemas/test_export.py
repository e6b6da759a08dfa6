"""The exported JSON Schemas."""

import json
from typing import Any

import pytest

from schemas.events import EVENT_TYPES
from schemas.export import json_schemas, record_schemas
from schemas.state import PERSONAL_FIELDS


def _references(schema: Any) -> set[str]:
    if isinstance(schema, dict):
        own = {schema["$ref"]} if isinstance(schema.get("$ref"), str) else set()
        return own.union(*(_references(value) for value in schema.values()))
    if isinstance(schema, list):
        return set().union(*(_references(item) for item in schema))
    return set()


def test_everything_on_the_topics_has_a_schema():
    """Every event type, every record and the envelope has a schema with its own URN."""
    schemas = json_schemas()
    names = {*EVENT_TYPES, "ticket.journal.v1", "notification.requested.v1", "metric.recorded.v1"}
    assert set(schemas) == {f"{name}.schema.json" for name in (*names, "ticket.state.v1", "envelope.v1")}
    for file_name, schema in schemas.items():
        assert schema["$id"] == "urn:ticketflow:" + file_name.removesuffix(".schema.json")
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_references_lead_somewhere():
    """Every reference is to a definition of the same schema or to the URN of another one."""
    schemas = json_schemas()
    urns = {schema["$id"] for schema in schemas.values()}
    for schema in schemas.values():
        local = {f"#/$defs/{name}" for name in schema.get("$defs", {})}
        assert _references(schema) <= local | urns


def test_personal_fields_are_marked():
    """A reader of the schemas can tell which fields may name or describe a person."""
    schemas = json_schemas()
    created = schemas["ticket.created.v1.schema.json"]
    for name in ("name", "phone", "email"):
        assert created["$defs"]["Client"]["properties"][name]["x-personal"] is True
    assert created["properties"]["description"]["x-personal"] is True
    assert "x-personal" not in created["properties"]["category"]
    state = schemas["ticket.state.v1.schema.json"]["properties"]
    assert {name for name, field in state.items() if field.get("x-personal")} == PERSONAL_FIELDS


def _objects(schema: Any) -> list[dict[str, Any]]:
    """Every schema within that describes an object by its fields."""
    if isinstance(schema, list):
        return [found for item in schema for found in _objects(item)]
    if not isinstance(schema, dict):
        return []
    own = [schema] if schema.get("type") == "object" and "properties" in schema else []
    return own + [found for value in schema.values() for found in _objects(value)]


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_what_is_sent_is_closed(name: str):
    """An event's schema refuses unknown fields at every level, as the decoder does."""
    objects = _objects(json_schemas()[f"{name}.schema.json"])
    assert objects
    assert all(found["additionalProperties"] is False for found in objects)


@pytest.mark.parametrize("name", record_schemas())
def test_what_is_read_is_open(name: str):
    """A record's schema takes fields that it does not know, for the contract may grow; at every level."""
    objects = _objects(json_schemas()[f"{name}.schema.json"])
    assert objects
    assert not any("additionalProperties" in found for found in objects)


def test_the_export_is_always_the_same():
    """Two exports have the same bytes."""
    assert json.dumps(json_schemas()) == json.dumps(json_schemas())
