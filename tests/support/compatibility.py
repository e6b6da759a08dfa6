"""What a change of a JSON Schema breaks, in sentences.

Events flow from channels to us: whatever the old schema took must still be taken. Records flow from us to
subscribers: whatever we write must still be what the old schema said. So the one schema is *given* (what may
come), the other *expected* (what the reader is prepared for), and every given value must be expected. For
events the old schema gives and the new one expects; for records it is the other way round.

Two rules are not about values. A field that is gone is a break for either side, whatever else may be let
through; and a new field in a record is none, because subscribers ignore what they do not know.

A new member of an enumeration in a record is a break. A subscriber branches on such words: one that it never
heard of falls through every branch, or stops a decoder that knows a closed list, as those of Java do.

Where nothing can be proved (a pattern that is another one) the change counts as a break. It understands the
keywords that our schemas use, and refuses others.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

Schema = Any

CURE = (
    "Adding is allowed, breaking is not: keep the type as it is and make the next version beside it, such as "
    "`.v2`, for an event with an upcaster in schemas/envelope.py."
)


class Direction(Enum):
    """Who reads what the schema describes."""

    EVENT = "sent by channels"
    RECORD = "read by subscribers"


_ABOUT = frozenset({"$schema", "$id", "$defs", "title", "description", "default", "examples", "x-personal"})
"""Keywords that say nothing about which values there are."""

_LEAST = ("minLength", "minItems", "minimum")
_MOST = ("maxLength", "maxItems", "maximum")
_BY_EQUALITY = ("pattern", "format", "propertyNames")
_STRUCTURE = (
    "$ref", "anyOf", "oneOf", "type", "enum", "const", "items", "properties", "required",
    "additionalProperties",
)  # fmt: skip
_UNDERSTOOD = _ABOUT.union(_LEAST, _MOST, _BY_EQUALITY, _STRUCTURE)


@dataclass(frozen=True)
class _Side:
    """A schema within a document, with what its references lead to."""

    schema: Schema
    definitions: Mapping[str, Schema]

    def at(self, schema: Schema) -> "_Side":
        """Another schema of the same document; references are followed."""
        while "$ref" in schema:
            schema = self.definitions[schema["$ref"].removeprefix("#/$defs/")]
        unknown = schema.keys() - _UNDERSTOOD
        if unknown:
            raise ValueError(f"the comparison does not understand {', '.join(sorted(unknown))}")
        return replace(self, schema=schema)

    def get(self, keyword: str, otherwise: Any = None) -> Any:
        return self.schema.get(keyword, otherwise)

    @property
    def kind(self) -> str:
        return str(self.get("type", "of any type"))

    @property
    def members(self) -> list[Any] | None:
        """The only values that there are; None where they are not listed."""
        return [self.schema["const"]] if "const" in self.schema else self.get("enum")

    def alternatives(self) -> list["_Side"]:
        """What it may be, one type each."""
        for keyword in ("anyOf", "oneOf"):
            if keyword in self.schema:
                return [found for each in self.schema[keyword] for found in self.at(each).alternatives()]
        if isinstance(self.get("type"), list):
            return [self.at({**self.schema, "type": kind}) for kind in self.schema["type"]]
        return [self]


@dataclass(frozen=True)
class _Place:
    """A place in both schemas, and who reads what stands there."""

    path: str
    old: _Side
    new: _Side
    direction: Direction

    @property
    def is_event(self) -> bool:
        return self.direction is Direction.EVENT

    @property
    def given(self) -> _Side:
        """What may come."""
        return self.old if self.is_event else self.new

    @property
    def expected(self) -> _Side:
        """What the reader is prepared for."""
        return self.new if self.is_event else self.old

    def within(self, step: str, old: Schema, new: Schema) -> "_Place":
        return _Place(self.path + step, self.old.at(old), self.new.at(new), self.direction)

    def between(self, given: _Side, expected: _Side) -> "_Place":
        old, new = (given, expected) if self.is_event else (expected, given)
        return replace(self, old=old, new=new)

    def said(self, of_an_event: str, of_a_record: str) -> str:
        return f"{self.path} {of_an_event if self.is_event else of_a_record}"


def breaking_changes(old: Schema, new: Schema, direction: Direction) -> list[str]:
    """What breaks if the new schema of a type takes the old one's place; empty if nothing does.

    Raises ValueError for a keyword that it does not understand.
    """
    sides = [_Side({}, schema.get("$defs", {})).at(schema) for schema in (old, new)]
    return list(_changes(_Place("data", *sides, direction)))


def breaks_since(
    released: Mapping[str, Schema],
    current: Mapping[str, Schema],
    direction: Direction,
    upcasters: Mapping[str, tuple[str, Any]],
) -> list[str]:
    """What breaks between two sets of schemas by type, each sentence with its type and the cure.

    An event type may leave the set once upcasters lead from it to one that is there.
    """
    found = []
    for name, old in released.items():
        if name in current:
            told = breaking_changes(old, current[name], direction)
        else:
            upcast = direction is Direction.EVENT and _newest(name, upcasters) in current
            told = [] if upcast else ["the type is gone"]
        found += [f"{name}: {sentence}. {CURE}" for sentence in told]
    return found


def _newest(name: str, upcasters: Mapping[str, tuple[str, Any]]) -> str:
    for _ in upcasters:
        name = upcasters[name][0] if name in upcasters else name
    return name


def _changes(place: _Place) -> Iterator[str]:
    """What breaks where any of several alternatives may stand."""
    old, new = place.old.schema, place.new.schema
    if "default" in old and "default" in new and old["default"] != new["default"]:
        yield f"{place.path} has another default: where it is left out, it means something else now"
    for given in place.given.alternatives():
        told = [
            list(_changes_of_one(place.between(given, expected)))
            for expected in place.expected.alternatives()
            if _kinds_fit(given.get("type"), expected.get("type"))
        ]
        if told:
            yield from min(told, key=len)  # the closest of those that it may be
        else:
            yield place.said(f"may no longer be {given.kind}", f"may be {given.kind} now")


def _kinds_fit(given: str | None, expected: str | None) -> bool:
    return expected in (None, given) or (given, expected) == ("integer", "number")


def _changes_of_one(place: _Place) -> Iterator[str]:
    """What breaks between two schemas of one type."""
    yield from _member_changes(place)
    yield from _bound_changes(place)
    old, new = place.old, place.new
    if "items" in old.schema or "items" in new.schema:
        yield from _changes(place.within("[]", old.get("items", {}), new.get("items", {})))
    if "properties" in old.schema or "properties" in new.schema:
        yield from _field_changes(place)
    yield from _further_changes(place)


def _member_changes(place: _Place) -> Iterator[str]:
    listed, known = place.given.members, place.expected.members
    if known is None:
        return
    if listed is None:
        yield place.said(
            "takes only listed values now, where it took any",
            "may have any value now, where it had only listed ones",
        )
    for member in listed or ():
        if member not in known:
            yield place.said(
                f"no longer takes {member!r}", f"may be {member!r} now, which no subscriber has a branch for"
            )


def _bound_changes(place: _Place) -> Iterator[str]:
    """The bounds of what is given must lie within those that are expected."""
    given, expected = place.given, place.expected
    wrong = [name for name in _BY_EQUALITY if expected.get(name) not in (None, given.get(name))]
    for name in (name for name in _LEAST if name in expected.schema):
        wrong += [name] if given.get(name, -math.inf) < expected.get(name) else []
    for name in (name for name in _MOST if name in expected.schema):
        wrong += [name] if given.get(name, math.inf) > expected.get(name) else []
    for name in wrong:
        yield f"{place.path} has {name} {place.new.get(name)}, it had {place.old.get(name)}"


def _field_changes(place: _Place) -> Iterator[str]:
    fields, remaining = place.old.get("properties", {}), place.new.get("properties", {})
    for name, schema in fields.items():
        if name in remaining:
            yield from _changes(place.within(f".{name}", schema, remaining[name]))
        else:
            yield f"{place.path}.{name} is gone"
    was, is_now = set(place.old.get("required", ())), set(place.new.get("required", ()))
    if place.is_event:
        yield from (f"{place.path}.{name} is required now" for name in sorted(is_now - was))
    else:
        freed = (was - is_now) & remaining.keys()
        yield from (f"{place.path}.{name} may be missing now" for name in sorted(freed))


def _further_changes(place: _Place) -> Iterator[str]:
    """Fields that have no name in the schema. A record whose schema opens for them has only grown."""
    was, is_now = (side.get("additionalProperties", True) for side in (place.old, place.new))
    if was is not False and is_now is False:
        yield f"{place.path} has no further fields any more"
    elif isinstance(was, dict) or (place.is_event and was is True and isinstance(is_now, dict)):
        schemas = [further if isinstance(further, dict) else {} for further in (was, is_now)]
        yield from _changes(place.within(".*", *schemas))
