"""From a record of the events topic to an event or the reason why it is none, and back to CloudEvents JSON.

`decode` tests in the contract's order ("Dead-letter codes") and never raises, whatever the bytes.
"""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from types import MappingProxyType

from pydantic import ValidationError

from schemas import cloudevents
from schemas.cloudevents import Extension, Headers, InvalidEnvelope
from schemas.events import EVENT_TYPES, EventData
from schemas.instants import format_instant
from schemas.problems import in_words
from schemas.strict_json import MalformedJson, loads
from schemas.topics import MAX_EVENT_BYTES, partition_for

MAX_AHEAD = timedelta(minutes=5)
"""How far an event's `time` may be ahead of its arrival (contract: `future_event`)."""

_NO_EXTENSIONS: Mapping[str, Extension] = MappingProxyType({})


class Code(StrEnum):
    """Why a record is a dead letter, in the order in which it is tested. The last two need the ticket."""

    TOMBSTONE = "tombstone"
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    INVALID_ENVELOPE = "invalid_envelope"
    KEY_MISMATCH = "key_mismatch"
    UNKNOWN_TYPE = "unknown_type"
    INVALID_DATA = "invalid_data"
    FUTURE_EVENT = "future_event"
    UNKNOWN_TICKET = "unknown_ticket"
    ILLEGAL_TRANSITION = "illegal_transition"


class Undeliverable(StrEnum):
    """Why a notification is a dead letter: the reference notifier's own codes."""

    MALFORMED = "undeliverable_malformed"
    EXPIRED = "undeliverable_expired"
    UNKNOWN_PERSON = "undeliverable_unknown_person"
    NO_ADDRESS = "undeliverable_no_address"
    REFUSED = "undeliverable_refused"
    UNRENDERABLE = "undeliverable_unrenderable"


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that becomes a dead letter. The message names field and rule, and no value."""

    code: Code
    message: str


@dataclass(frozen=True, slots=True)
class Event:
    """An event as its channel published it. `subject` is the ticket id; `time` is UTC, to the microsecond.

    `type` is as published; `data` is of the newest version of that type. `extensions` are the CloudEvents
    attributes that the contract does not know, kept as they came.
    """

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    data: EventData
    extensions: Mapping[str, Extension] = field(default_factory=lambda: _NO_EXTENSIONS, repr=False)


class _Refused(Exception):  # noqa: N818 (becomes a BadRecord, never leaves this module)
    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.bad_record = BadRecord(code, message)


def decode(
    key: bytes | None,
    value: bytes | None,
    headers: Headers,
    *,
    arrival: datetime,
    partition: int,
    partitions: int,
) -> Event | BadRecord:
    """The event in a record, or the first of the contract's rules that the record breaks. Never raises.

    `arrival` is the record's arrival (UTC), `partitions` the partition count of the events topic.
    """
    try:
        attributes = _envelope(value, headers)
        _check_key(key, attributes.subject, partition, partitions)
        data = _data(attributes)
        if attributes.time - arrival > MAX_AHEAD:
            raise _Refused(Code.FUTURE_EVENT, "time is more than 5 minutes ahead of the record's arrival")
    except _Refused as refused:
        return refused.bad_record
    return Event(
        attributes.id,
        attributes.source,
        attributes.type,
        attributes.subject,
        attributes.time,
        data,
        attributes.extensions,
    )


def _envelope(value: bytes | None, headers: Headers) -> cloudevents.Attributes:
    if value is None:
        raise _Refused(Code.TOMBSTONE, "the record has no value; an event must have one")
    if len(value) > MAX_EVENT_BYTES:
        raise _Refused(Code.TOO_LARGE, f"the value is larger than {MAX_EVENT_BYTES} bytes")
    try:
        return cloudevents.read(loads(value), headers)
    except MalformedJson as error:
        raise _Refused(Code.MALFORMED, f"the value is not JSON as the contract takes it: {error}") from None
    except InvalidEnvelope as error:
        raise _Refused(Code.INVALID_ENVELOPE, str(error)) from None


def _check_key(key: bytes | None, subject: str, partition: int, partitions: int) -> None:
    if key is None:
        raise _Refused(Code.KEY_MISMATCH, "the record has no key; it must be the ticket id, as subject is")
    if key != subject.encode():
        raise _Refused(Code.KEY_MISMATCH, "the record's key is not the ticket id that subject names")
    if partition != partition_for(key, partitions):
        raise _Refused(
            Code.KEY_MISMATCH,
            "the record is not in the partition that its key hashes to; publish with murmur2, as Java does",
        )


def _data(attributes: cloudevents.Attributes) -> EventData:
    kind, data = upcast(attributes.type, attributes.data)
    model = EVENT_TYPES.get(kind)
    if model is None:
        raise _Refused(Code.UNKNOWN_TYPE, "type is none of the contract's event types")
    try:
        # CloudEvents leaves `data` out where there is nothing to say; what a type needs, its model asks for.
        validated = model.model_validate({} if data is None else data)
    except ValidationError as error:
        raise _Refused(Code.INVALID_DATA, in_words(error)) from None
    broken = validated.check_against(attributes.time, attributes.subject)
    if broken is not None:
        raise _Refused(Code.INVALID_DATA, broken)
    return validated


Upcaster = Callable[[dict[str, object]], dict[str, object]]
"""From the data of major version n to that of n+1. Pure; takes any JSON object, for nobody checked it yet."""

UPCASTERS: Mapping[str, tuple[str, Upcaster]] = MappingProxyType({})
"""By type: the next version's type, and how its data is made. Empty while every type is at v1."""


def upcast(
    kind: str, data: object, upcasters: Mapping[str, tuple[str, Upcaster]] = UPCASTERS
) -> tuple[str, object]:
    """The newest version's type and data. What is no object stays as it is; the newest model refuses it."""
    for _ in range(len(upcasters)):
        step = upcasters.get(kind)
        if step is None:
            break
        kind, upcaster = step
        data = upcaster(data) if isinstance(data, dict) else data
    return kind, data


def digest(source: str, id: str) -> str:
    """What a ticket remembers of an applied event: 16 characters that stand for its source and id.

    12 bytes of BLAKE2b over both, each after its length, so that no two pairs run together. With 96 bits an
    accidental equality with one of 256 remembered events is less likely than 10^-26.
    """
    hashed = blake2b(digest_size=12)
    for text in (source.encode(), id.encode()):
        hashed.update(len(text).to_bytes(4, "big"))
        hashed.update(text)
    return urlsafe_b64encode(hashed.digest()).decode()


_quote = json.JSONEncoder(ensure_ascii=False).encode


@lru_cache(maxsize=64)
def _kind(source: str, type: str) -> str:
    return f'"source":{_quote(source)},"type":{_quote(type)}'


def encode(
    type: str,
    id: str,
    source: str,
    subject: str,
    time: datetime,
    data_json: bytes,
    extensions: Mapping[str, Extension] = _NO_EXTENSIONS,
) -> bytes:
    """A CloudEvent in structured mode: compact UTF-8 JSON, always the same bytes for the same event.

    `time` must be in UTC, `data_json` compact JSON already.
    """
    extra = "".join(f',"{name}":{_quote(extensions[name])}' for name in sorted(extensions))
    head = (
        f'{{"specversion":"1.0","id":{_quote(id)},{_kind(source, type)},'
        f'"subject":{_quote(subject)},"time":"{format_instant(time)}","datacontenttype":"application/json"'
        f'{extra},"data":'
    )
    return b"%b%b}" % (head.encode(), data_json)
