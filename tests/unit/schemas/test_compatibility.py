"""Which changes of a schema break channels or subscribers, and that none has since the last releases."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.envelope import UPCASTERS, Upcaster, upcast
from schemas.events import EVENT_TYPES
from schemas.export import event_schemas, json_schemas, record_schemas
from tests.golden.test_golden import HERE as GOLDEN
from tests.support.compatibility import Direction, breaking_changes, breaks_since

EVENT, RECORD = Direction.EVENT, Direction.RECORD
RELEASES = sorted((GOLDEN / "schemas").iterdir())

OLD: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["by", "at"],
    "properties": {
        "by": {"$ref": "#/$defs/By"},
        "at": {"type": "string", "format": "date-time"},
        "unit": {"anyOf": [{"type": "string", "maxLength": 64}, {"type": "null"}], "default": None},
        "level": {"type": "integer", "minimum": 0},
        "region": {"type": "string", "pattern": "^[0-9]{2}$"},
        "places": {"type": "array", "items": {"type": "string"}, "maxItems": 5},
        "params": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "$defs": {"By": {"type": "string", "enum": ["client", "operator"]}},
}


def _set(*path: str, to: Any) -> Callable[[Any], None]:
    def change(schema: Any) -> None:
        for step in path[:-1]:
            schema = schema[step]
        schema[path[-1]] = to

    return change


def _field(name: str, **keywords: Any) -> Callable[[Any], None]:
    return lambda schema: schema["properties"][name].update(keywords)


def _drop(*path: str) -> Callable[[Any], None]:
    def change(schema: Any) -> None:
        for step in path[:-1]:
            schema = schema[step]
        del schema[path[-1]]

    return change


def _both(*changes: Callable[[Any], None]) -> Callable[[Any], None]:
    def change(schema: Any) -> None:
        for each in changes:
            each(schema)

    return change


OK = ""
TEXT = {"type": "string"}
NEW_FIELD = _set("properties", "phone", to=TEXT)
CHANGES: dict[str, tuple[Callable[[Any], None], str, str]] = {
    # what is changed: (how, what breaks in an event, what breaks in a record)
    "nothing": (_both(), OK, OK),
    "a description": (_set("description", to="Somebody was in touch."), OK, OK),
    "a new optional field": (NEW_FIELD, OK, OK),
    "a new required field": (
        _both(NEW_FIELD, _set("required", to=["by", "at", "phone"])), "data.phone is required now", OK,
    ),
    "a field is gone": (_drop("properties", "level"), "data.level is gone", "data.level is gone"),
    "a field has another name": (
        _both(_drop("properties", "level"), _set("properties", "tier", to={"type": "integer"})),
        "data.level is gone", "data.level is gone",
    ),
    "an optional field is required": (
        _set("required", to=["by", "at", "level"]), "data.level is required now", OK,
    ),
    "a required field is optional": (_set("required", to=["by"]), OK, "data.at may be missing now"),
    "another type": (
        _field("level", type="string"), "data.level may no longer be integer", "data.level may be string now",
    ),
    "a wider type": (_field("level", type="number"), OK, "data.level may be number now"),
    "one more type": (_field("level", type=["integer", "string"]), OK, "data.level may be string now"),
    "null is allowed": (_field("level", type=["integer", "null"]), OK, "data.level may be null now"),
    "null is not allowed": (
        _set("properties", "unit", to={**TEXT, "maxLength": 64}), "data.unit may no longer be null", OK,
    ),
    "one more word": (
        _set("$defs", "By", "enum", to=["client", "operator", "robot"]),
        OK, "data.by may be 'robot' now, which no subscriber has a branch for",
    ),
    "one word less": (_set("$defs", "By", "enum", to=["client"]), "data.by no longer takes 'operator'", OK),
    "words become free text": (
        _drop("$defs", "By", "enum"),
        OK, "data.by may have any value now, where it had only listed ones",
    ),
    "free text becomes words": (
        _field("at", enum=["today"]), "data.at takes only listed values now, where it took any", OK,
    ),
    "a shorter text": (
        _set("properties", "unit", "anyOf", to=[{**TEXT, "maxLength": 32}, {"type": "null"}]),
        "data.unit has maxLength 32, it had 64", OK,
    ),
    "a longer text": (
        _set("properties", "unit", "anyOf", to=[{**TEXT, "maxLength": 128}, {"type": "null"}]),
        OK, "data.unit has maxLength 128, it had 64",
    ),
    "a higher minimum": (_field("level", minimum=1), "data.level has minimum 1, it had 0", OK),
    "no minimum": (_drop("properties", "level", "minimum"), OK, "data.level has minimum None, it had 0"),
    "fewer items": (_field("places", maxItems=4), "data.places has maxItems 4, it had 5", OK),
    "items of another type": (
        _field("places", items={"type": "integer"}),
        "data.places[] may no longer be string", "data.places[] may be integer now",
    ),
    "another pattern": (
        _field("region", pattern="^[0-9]{3}$"),
        "data.region has pattern ^[0-9]{3}$, it had ^[0-9]{2}$",
        "data.region has pattern ^[0-9]{3}$, it had ^[0-9]{2}$",
    ),
    "no pattern": (
        _drop("properties", "region", "pattern"), OK, "data.region has pattern None, it had ^[0-9]{2}$",
    ),
    "a new pattern": (_field("by", **{"$ref": "#/$defs/Tight"}), "data.by has pattern ^c, it had None", OK),
    "no format": (_drop("properties", "at", "format"), OK, "data.at has format None, it had date-time"),
    "another default": (
        _field("unit", default="first"),
        "data.unit has another default: where it is left out, it means something else now",
        "data.unit has another default: where it is left out, it means something else now",
    ),
    "unknown fields are let in": (_set("additionalProperties", to=True), OK, OK),
    "other values in a map": (
        _set("properties", "params", "additionalProperties", to={"type": ["string", "integer"]}),
        OK, "data.params.* may be integer now",
    ),
    "a map that is none any more": (
        _field("params", additionalProperties=False),
        "data.params has no further fields any more", "data.params has no further fields any more",
    ),
}  # fmt: skip


def _changed(change: Callable[[Any], None]) -> Any:
    schema = copy.deepcopy(OLD)
    schema["$defs"]["Tight"] = {**schema["$defs"]["By"], "pattern": "^c"}
    change(schema)
    return schema


@pytest.mark.parametrize("name", CHANGES)
def test_what_a_change_breaks(name: str):
    """Each kind of change is compatible or breaking, for channels and for subscribers, and it is said how."""
    change, in_event, in_record = CHANGES[name]
    assert breaking_changes(OLD, _changed(change), EVENT) == ([in_event] if in_event else [])
    assert breaking_changes(OLD, _changed(change), RECORD) == ([in_record] if in_record else [])


def test_a_keyword_that_is_not_understood_is_no_agreement():
    """A schema with a keyword that the comparison does not know is an error, never taken for compatible."""
    with pytest.raises(ValueError, match="does not understand not"):
        breaking_changes(OLD, _changed(_field("level", **{"not": {"const": 3}})), EVENT)


def _release(directory: Path) -> dict[str, Any]:
    schemas = {path.name.removesuffix(".schema.json"): path for path in directory.glob("*.schema.json")}
    return {name: json.loads(path.read_bytes()) for name, path in schemas.items()}


def _released(directory: Path, direction: Direction) -> dict[str, Any]:
    """The release's schemas of events or of records. Of the former it had a golden sample each."""
    sent = {path.name for path in (GOLDEN / "events").iterdir()}
    return {
        name: schema
        for name, schema in _release(directory).items()
        if name != "envelope.v1" and (f"{name}.json" in sent) == (direction is EVENT)
    }


@pytest.mark.parametrize("directory", RELEASES, ids=lambda directory: directory.name)
@pytest.mark.parametrize("direction", Direction)
def test_nothing_broke_since_a_release(directory: Path, direction: Direction):
    """What channels sent at a release is taken, and what subscribers read has not changed its shape."""
    released = _released(directory, direction)
    current = event_schemas() if direction is EVENT else record_schemas()
    assert len(released) >= {EVENT: 16, RECORD: 4}[direction]
    assert breaks_since(released, current, direction, UPCASTERS) == []


@pytest.mark.parametrize("directory", RELEASES, ids=lambda directory: directory.name)
def test_the_envelope_takes_what_it_took(directory: Path):
    """No attribute became stricter; `allOf`, which joins types with their data, is compared type by type."""
    old, new = _release(directory)["envelope.v1"], json_schemas()["envelope.v1.schema.json"]
    for schema in (old, new):
        del schema["allOf"]
    assert breaking_changes(old, new, EVENT) == []


def _one_to_two(data: dict[str, object]) -> dict[str, object]:
    return {"person": data.get("operator")}


V1 = {
    "type": "object",
    "required": ["operator"],
    "properties": {"operator": TEXT},
    "additionalProperties": False,
}
V2 = {"type": "object", "required": ["person"], "properties": {"person": TEXT}, "additionalProperties": False}
TO_V2: dict[str, tuple[str, Upcaster]] = {"call.taken.v1": ("call.taken.v2", _one_to_two)}


def test_a_breaking_change_says_the_cure():
    """Whoever breaks `.v1` reads what broke, and that `.v2` and an upcaster are the way."""
    (sentence, *_) = breaks_since({"call.taken.v1": V1}, {"call.taken.v1": V2}, EVENT, {})
    assert sentence.startswith("call.taken.v1: data.operator is gone. ")
    assert "`.v2`" in sentence
    assert "upcaster" in sentence


@pytest.mark.parametrize("direction", Direction)
def test_a_second_version_beside_the_first_breaks_nothing(direction: Direction):
    """With `.v1` kept, `.v2` may be as different as it likes."""
    current = {"call.taken.v1": V1, "call.taken.v2": V2}
    assert breaks_since({"call.taken.v1": V1}, current, direction, {}) == []


def test_an_upcaster_keeps_an_event_type_alive():
    """An event type whose model is gone is still taken where an upcaster leads to one that is there."""
    assert breaks_since({"call.taken.v1": V1}, {"call.taken.v2": V2}, EVENT, TO_V2) == []
    assert upcast("call.taken.v1", {"operator": "op-7"}, TO_V2) == ("call.taken.v2", {"person": "op-7"})


def test_a_type_that_is_gone_breaks():
    """Without an upcaster nobody takes the event; a record has nothing like it, for subscribers read it."""
    (event,) = breaks_since({"call.taken.v1": V1}, {"call.taken.v2": V2}, EVENT, {})
    (record,) = breaks_since({"call.taken.v1": V1}, {"call.taken.v2": V2}, RECORD, TO_V2)
    assert event.startswith("call.taken.v1: the type is gone")
    assert record.startswith("call.taken.v1: the type is gone")


_words = st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, unique=True)
_leaves = st.one_of(
    st.sampled_from([{"type": kind} for kind in ("string", "integer", "number", "boolean", "null")]),
    _words.map(lambda words: {"type": "string", "enum": words}),
    st.tuples(st.integers(0, 3), st.integers(3, 9)).map(
        lambda bounds: {"type": "string", "minLength": bounds[0], "maxLength": bounds[1]}
    ),
)


def _objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    fields = st.dictionaries(st.sampled_from(["one", "two", "three"]), inner, min_size=1)
    return fields.flatmap(
        lambda properties: st.sets(st.sampled_from(sorted(properties))).map(
            lambda required: {
                "type": "object",
                "properties": properties,
                "required": sorted(required),
                "additionalProperties": False,
            }
        )
    )


_schemas = _objects(
    st.recursive(
        _leaves,
        lambda inner: st.one_of(
            _objects(inner),
            inner.map(lambda items: {"type": "array", "items": items}),
            st.lists(inner, min_size=1, max_size=2).map(lambda each: {"anyOf": each}),
        ),
        max_leaves=6,
    )
)
_directions = st.sampled_from(Direction)


@given(_schemas, _directions)
def test_a_schema_is_compatible_with_itself(schema: Any, direction: Direction):
    """No change, no break."""
    assert breaking_changes(schema, copy.deepcopy(schema), direction) == []


@pytest.mark.parametrize("name", [*EVENT_TYPES, *record_schemas()])
def test_our_own_schemas_are_compatible_with_themselves(name: str):
    """The comparison understands every schema of ours."""
    schema = {**event_schemas(), **record_schemas()}[name]
    assert [breaking_changes(schema, schema, direction) for direction in Direction] == [[], []]


@given(_schemas, _leaves, _directions)
def test_a_new_optional_field_breaks_nothing(schema: Any, leaf: Any, direction: Direction):
    """Adding is allowed, for channels and for subscribers."""
    grown = {**schema, "properties": {**schema["properties"], "added": leaf}}
    assert breaking_changes(schema, grown, direction) == []
    assert breaking_changes(grown, schema, direction) == ["data.added is gone"]


@given(_schemas, st.data())
def test_a_field_that_becomes_optional_is_one_that_becomes_required_seen_from_the_other_side(
    schema: Any, data: st.DataObject
):
    """What is free for channels binds subscribers, and the other way round."""
    name = data.draw(st.sampled_from(sorted(schema["properties"])))
    without = [each for each in schema["required"] if each != name]
    loose, tight = {**schema, "required": without}, {**schema, "required": [*without, name]}
    assert breaking_changes(tight, loose, EVENT) == breaking_changes(loose, tight, RECORD) == []
    assert breaking_changes(loose, tight, EVENT) == [f"data.{name} is required now"]
    assert breaking_changes(tight, loose, RECORD) == [f"data.{name} may be missing now"]


@given(_words, _words)
def test_lists_of_words_compare_as_sets(old: list[str], new: list[str]):
    """Channels may be given more words and subscribers fewer; the order is nothing."""
    schemas = [
        {"type": "object", "properties": {"word": {"type": "string", "enum": words}}} for words in (old, new)
    ]
    assert (breaking_changes(*schemas, EVENT) == []) == (set(old) <= set(new))
    assert (breaking_changes(*schemas, RECORD) == []) == (set(new) <= set(old))
