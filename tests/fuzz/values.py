"""Valid data for an event, made from the JSON Schema of its type: a field that is new is fuzzed, too.

A personal field (`x-personal`) gets a text with the mark PERSON, any other text one with IDENTITY.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from random import Random
from typing import Any

from schemas.events import EVENT_TYPES
from schemas.instants import format_instant
from tests.fuzz.marks import IDENTITY, PERSON


@dataclass(slots=True)
class Scene:
    """What a value may depend on: chance, when the event happens, and tickets that there are."""

    random: Random
    time: datetime
    tickets: list[str]


Maker = Callable[[Scene], Any]
Schema = Mapping[str, Any]

NASTY = (
    "", "Ёжикова ", "\u202e", "\u0000", "\u200b\u200d", "e\u0301", "🧑\u200d🚀", "\ufeff", "\U000e0041",
    "<b>", "'; --",
    "%s{0}", "\\u0000", '"', "\\", "\r\n", "\x1b[31m", "\x85\u2028", "İıſK", "٧٧", "../", "ﷺ", "=1+1", "\t",
)  # fmt: skip
"""What texts begin with: things that have broken terminals, tables, templates and encodings."""
_CLEAN = tuple(text for text in NASTY if all(c >= " " and c != "\x7f" for c in text))

_TICKET_ID, _REGION, _NO_CONTROLS = (
    "^[A-Za-z0-9._-]{1,64}$", "^(?:[0-9]{2}|abroad)$", r"^[^\x00-\x1f\x7f]+$",
)  # fmt: skip
_AT_THE_BOUND, _LEFT_OUT, _NULL = 0.01, 0.6, 0.1
"""How often a text is as long as it may be, an optional field left out, or null."""


@cache
def maker(kind: str) -> Maker:
    """Makes valid data of an event type; what a channel asks for besides, `fitted` adds."""
    schema = EVENT_TYPES[kind].model_json_schema(by_alias=True)
    return _maker(schema, schema.get("$defs", {}), personal=False)


def _maker(node: Schema, definitions: Schema, *, personal: bool) -> Maker:
    personal = personal or bool(node.get("x-personal"))
    if "$ref" in node:
        return _maker(definitions[node["$ref"].rpartition("/")[2]], definitions, personal=personal)
    if "anyOf" in node:
        some, null = node["anyOf"]
        assert null == {"type": "null"}, "an optional field is one thing or null"
        made = _maker(some, definitions, personal=personal)
        return lambda scene: None if scene.random.random() < _NULL else made(scene)
    if "enum" in node:
        return lambda scene: scene.random.choice(node["enum"])
    match node["type"]:
        case "object":
            return _object(node, definitions, personal=personal)
        case "array":
            return _array(node, definitions, personal=personal)
        case "boolean":
            return lambda scene: scene.random.random() < 0.9
        case "string":
            return _text(node, personal=personal)
        case other:
            raise ValueError(f"the fuzzer knows no values of the type {other}")


def _object(node: Schema, definitions: Schema, *, personal: bool) -> Maker:
    if node.get("title") == "CallbackWindow":  # its rule is over both fields, and not in the schema
        return lambda scene: {"from": "10:00", "to": scene.random.choice(("12:00", "09:00", "23:59"))}
    fields = {
        name: _maker(inner, definitions, personal=personal) for name, inner in node["properties"].items()
    }
    required = frozenset(node.get("required", ()))

    def make(scene: Scene) -> dict[str, Any]:
        return {
            name: field(scene)
            for name, field in fields.items()
            if name in required or scene.random.random() >= _LEFT_OUT
        }

    return make


def _array(node: Schema, definitions: Schema, *, personal: bool) -> Maker:
    item, most = _maker(node["items"], definitions, personal=personal), node["maxItems"]

    def make(scene: Scene) -> list[Any]:
        count = most if scene.random.random() < _AT_THE_BOUND else scene.random.randrange(3)
        return [item(scene) for _ in range(count)]

    return make


def _text(node: Schema, *, personal: bool) -> Maker:
    if node.get("format") == "date-time":
        return lambda scene: format_instant(scene.time + timedelta(seconds=scene.random.uniform(1, 90_000)))
    pattern = node.get("pattern")
    if pattern == _TICKET_ID:
        return lambda scene: scene.random.choice(scene.tickets)
    if pattern == _REGION:
        return lambda scene: scene.random.choice(("77", "39", "00", "99", "abroad"))
    assert pattern in (None, _NO_CONTROLS), f"the fuzzer knows no texts of the pattern {pattern}"
    beginnings, mark = (NASTY if pattern is None else _CLEAN), (PERSON if personal else IDENTITY)
    most = node["maxLength"]

    def make(scene: Scene) -> str:
        text = f"{scene.random.choice(beginnings)}{mark}-{scene.random.randrange(1_000)}"
        return text.ljust(most, "Щ") if scene.random.random() < _AT_THE_BOUND else text

    return make


def fitted(data: dict[str, Any], scene: Scene) -> dict[str, Any]:
    """Registration data with what its channel asks for."""
    client = data.get("client") or {}
    if data.get("channel") == "feedback_form":
        client |= {"name": f"{PERSON} {scene.random.randrange(99)}", "phone": f"+7{PERSON}"}
        data |= {
            "request_type": "data_error",
            "callback_window": {"from": "10:00", "to": "12:00"},
            "client": client,
        }
    if data.get("channel") in ("feedback_form", "cabinet"):
        data |= {"consent": True, "description": f"{PERSON}: не могу войти в кабинет"}
    return data
