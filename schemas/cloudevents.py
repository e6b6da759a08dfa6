"""The attributes of a CloudEvent in a Kafka record, in structured and binary mode.

Sources: CloudEvents 1.0 ("Type System", "Context Attributes"), its JSON event format and its Kafka protocol
binding. In the binding headers are plain UTF-8: unlike in HTTP nothing is percent-encoded.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from schemas.instants import parse_instant
from schemas.topics import valid_ticket_id

Headers = Sequence[tuple[str | bytes, bytes | None]]
Extension = str | int | bool

STRUCTURED = "application/cloudevents+json"
"""The media type of an event in structured mode."""

MAX_ID_CHARACTERS = 256
MAX_SOURCE_CHARACTERS = 1_024
MAX_TYPE_CHARACTERS = 256

_NO_EXTENSIONS: Mapping[str, Extension] = MappingProxyType({})
_SPECVERSION = "1.0"
_CONTENT_TYPE = "content-type"
_PREFIX = "ce_"
_KNOWN = frozenset(
    {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data"}
)
_NAME = re.compile("[a-z0-9]+", re.ASCII)
# CloudEvents 1.0, "Type System", String: no control characters and no noncharacters.
_FORBIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
    + "]"
)
_INTEGER_LIMIT = 2**31  # CloudEvents 1.0, "Type System", Integer: signed, 32 bits


class InvalidEnvelope(ValueError):  # noqa: N818 (named as the dead-letter code is)
    """An attribute breaks a rule. The message names the attribute and the rule, never the value."""


class Attributes(NamedTuple):
    """What an envelope says, and its `data` as parsed JSON, not looked into yet."""

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    extensions: Mapping[str, Extension]
    data: object


def read(document: object, headers: Headers) -> Attributes:
    """The event in a record whose value is that JSON document. Raises InvalidEnvelope."""
    content_types, carried = _relevant(headers)
    if len(content_types) > 1:
        raise InvalidEnvelope("the header content-type stands more than once")
    if _is_structured(content_types[0] if content_types else "", binary=bool(carried)):
        return _structured(document)
    return _binary(document, carried, content_types[0] if content_types else "")


def _relevant(headers: Headers) -> tuple[list[str], list[tuple[str, bytes | None]]]:
    """The values of content-type (null counts as absent), and the headers that begin with `ce_`."""
    content_types: list[str] = []
    carried: list[tuple[str, bytes | None]] = []
    for raw, value in headers:
        name = raw if isinstance(raw, str) else raw.decode("utf-8", "surrogateescape")
        if name.startswith(_PREFIX):
            carried.append((name[len(_PREFIX) :], value))
        elif value is not None and len(name) == len(_CONTENT_TYPE) and name.lower() == _CONTENT_TYPE:
            content_types.append(value.decode("ascii", "replace"))
    return content_types, carried


def _media_type(content_type: str) -> str:
    """Without parameters, in lower case (RFC 9110, section 8.3.1)."""
    return content_type.partition(";")[0].strip().lower()


def _is_structured(content_type: str, *, binary: bool) -> bool:
    if content_type == STRUCTURED:
        return True
    media_type = _media_type(content_type)
    if media_type == STRUCTURED:
        return True
    if media_type.startswith("application/cloudevents-batch"):
        raise InvalidEnvelope("the header content-type announces a batch; a record must be one event")
    if media_type.startswith("application/cloudevents"):
        raise InvalidEnvelope(f"the header content-type must be {STRUCTURED}, the one format that is taken")
    if content_type and not binary:
        raise InvalidEnvelope(
            f"the header content-type is not {STRUCTURED}, and there are no ce_ headers of binary mode"
        )
    return not binary


def _structured(document: object) -> Attributes:
    if not isinstance(document, dict):
        raise InvalidEnvelope("the value must be a JSON object: a CloudEvent in structured mode")
    if "data_base64" in document:
        raise InvalidEnvelope("data_base64 is not taken: data must be a JSON object")
    return _attributes(document, document.get("datacontenttype"), document.get("data"))


def _binary(document: object, carried: list[tuple[str, bytes | None]], content_type: str) -> Attributes:
    attributes: dict[str, object] = {}
    for name, value in carried:
        shown = f"the header ce_{name}" if name in _KNOWN else "a ce_ header"
        if name in attributes:
            raise InvalidEnvelope(f"{shown} stands more than once")
        if name == "data":
            raise InvalidEnvelope("the header ce_data is not taken: data is the record's value")
        if value is None:
            raise InvalidEnvelope(f"{shown} has no value")
        try:
            attributes[name] = value.decode()
        except UnicodeDecodeError:
            raise InvalidEnvelope(f"{shown} is not UTF-8") from None
    return _attributes(attributes, content_type or attributes.get("datacontenttype"), document)


def _attributes(given: Mapping[str, object], content_type: object, data: object) -> Attributes:
    if given.get("specversion") != _SPECVERSION:
        raise InvalidEnvelope(f"specversion must be {_SPECVERSION}")
    identifier = _text(given, "id", MAX_ID_CHARACTERS)
    source = _text(given, "source", MAX_SOURCE_CHARACTERS)
    kind = _text(given, "type", MAX_TYPE_CHARACTERS)
    subject = given.get("subject")
    if not isinstance(subject, str) or not valid_ticket_id(subject):
        raise InvalidEnvelope("subject must be a ticket id: 1 to 64 of A-Z a-z 0-9 dot underscore hyphen")
    time = _time(given.get("time"))
    _check_content_type(content_type)
    if given.get("dataschema") is not None:
        _text(given, "dataschema", MAX_SOURCE_CHARACTERS)
    return Attributes(identifier, source, kind, subject, time, _extensions(given), data)


def _text(given: Mapping[str, object], name: str, max_characters: int) -> str:
    value = given.get(name)
    if value is None:
        raise InvalidEnvelope(f"{name} is missing")
    if not isinstance(value, str) or not value:
        raise InvalidEnvelope(f"{name} must be text that is not empty")
    if len(value) > max_characters:
        raise InvalidEnvelope(f"{name} must have at most {max_characters} characters")
    if not _is_clean(value):
        raise InvalidEnvelope(f"{name} must have no control characters and no noncharacters")
    return value


def _is_clean(text: str) -> bool:
    # What can be printed is clean, and that is quickly known; some clean characters cannot be.
    return text.isprintable() or _FORBIDDEN.search(text) is None


def _time(value: object) -> datetime:
    if value is None:
        raise InvalidEnvelope("time is missing")
    if not isinstance(value, str):
        raise InvalidEnvelope("time must be text: an RFC 3339 date and time with an offset")
    try:
        return parse_instant(value)
    except ValueError as error:
        raise InvalidEnvelope(f"time {error}") from None


def _check_content_type(value: object) -> None:
    if value is None or value in ("application/json", ""):
        return
    if isinstance(value, str):
        _, slash, subtype = _media_type(value).partition("/")
        if slash and (subtype == "json" or subtype.endswith("+json")):
            return
    raise InvalidEnvelope("datacontenttype (in binary mode the header content-type) must be JSON's")


def _extensions(given: Mapping[str, object]) -> Mapping[str, Extension]:
    if given.keys() <= _KNOWN:
        return _NO_EXTENSIONS
    extensions = {
        name: _extension(name, value)
        for name, value in given.items()
        if name not in _KNOWN and value is not None  # JSON format: null means that it is not there
    }
    return MappingProxyType(extensions)


def _extension(name: str, value: object) -> Extension:
    if _NAME.fullmatch(name) is None:
        raise InvalidEnvelope("the name of an extension attribute must be of lower-case a-z and 0-9")
    if isinstance(value, str):
        if not _is_clean(value):
            raise InvalidEnvelope("an extension attribute has control characters or noncharacters")
        return value
    if isinstance(value, int) and -_INTEGER_LIMIT <= value < _INTEGER_LIMIT:
        return value
    raise InvalidEnvelope("an extension attribute must be text, a boolean or an integer of 32 bits")
