"""Bad records of every dead-letter code, with invented people in them.

`samples()` may be published at any time after 2026-03-02. Only the engine can refuse those of
`unknown_ticket` and `illegal_transition`, the latter when `prelude()` was applied before.
"""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from schemas.envelope import Code

NAME = "Аполлинария Вымышленная"
PHONE = "+79991112233"
EMAIL = "apollinaria@vymysel.example"
SNILS = "112-233-445 95"
PASSPORT = "4509 112233"
ONE_TIME_CODE = "kod-773391"
PERSONAL = (NAME, "Вымышленная", PHONE, "79991112233", EMAIL, "vymysel", SNILS, PASSPORT, ONE_TIME_CODE)
"""What must never be in a log, a metric, a header of ours or a message."""

TICKET = "bad-input-1"
UNKNOWN = "bad-input-unknown"
OPEN = "bad-input-open"
CLOSED = "bad-input-closed"
TIME = "2026-03-02T08:15:30Z"
"""When the samples happened; any arrival after it will do. Those of `future_event` happen in 2099."""

Headers = tuple[tuple[str, bytes | None], ...]

STRUCTURED: Headers = (("content-type", b"application/cloudevents+json"),)


class Sample(NamedTuple):
    """A record, and the code that its dead letter has."""

    name: str
    code: Code
    key: bytes | None
    value: bytes | None
    headers: Headers = STRUCTURED


class Good(NamedTuple):
    """A record that is applied."""

    key: bytes
    value: bytes
    headers: Headers = STRUCTURED


_DATA: dict[str, Any] = {
    "channel": "phone",
    "category": "complex",
    "client": {"id": "client-1", "name": NAME, "phone": PHONE, "email": EMAIL},
    "description": f"СНИЛС {SNILS}, паспорт {PASSPORT}, код {ONE_TIME_CODE}",
}
_ABSENT = object()


def event(kind: str = "ticket.created.v1", **attributes: Any) -> dict[str, Any]:
    """A structured event; attributes replace or, where `_ABSENT`, remove its own."""
    given = {
        "specversion": "1.0",
        "id": f"{EMAIL}/1",
        "source": f"/channels/{PHONE}",
        "type": kind,
        "subject": TICKET,
        "time": TIME,
        "data": _DATA if kind == "ticket.created.v1" else {},
        **attributes,
    }
    return {name: value for name, value in given.items() if value is not _ABSENT}


def dump(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


def binary_headers(**attributes: bytes | None) -> Headers:
    """The headers of an event in binary mode, some replaced."""
    given: dict[str, bytes | None] = {
        "specversion": b"1.0",
        "id": b"b-1",
        "source": b"/channels/phone",
        "type": b"ticket.created.v1",
        "subject": TICKET.encode(),
        "time": TIME.encode(),
    }
    carried = {f"ce_{name}": value for name, value in {**given, **attributes}.items()}
    return (("content-type", b"application/json"), *carried.items())


def samples() -> Iterator[Sample]:
    """All of them, in the order of the codes."""
    key = TICKET.encode()
    for code, named in {
        Code.TOMBSTONE: _tombstones(),
        Code.TOO_LARGE: _too_large(),
        Code.MALFORMED: _malformed(),
        Code.INVALID_ENVELOPE: _invalid_envelopes(),
        Code.UNKNOWN_TYPE: _unknown_types(),
        Code.INVALID_DATA: _invalid_data(),
        Code.FUTURE_EVENT: _future_events(),
    }.items():
        for name, (value, headers) in named.items():
            yield Sample(f"{code}: {name}", code, key, value, headers)
    yield from _key_mismatches()
    yield from _unknown_tickets()
    yield from _illegal_transitions()


_Values = dict[str, tuple[bytes | None, Headers]]


def _tombstones() -> _Values:
    return {
        "structured": (None, STRUCTURED),
        "no headers": (None, ()),
        "binary event with no data": (None, binary_headers()),
        "content type of somebody else": (None, (("content-type", b"text/plain"),)),
        "personal header": (None, (("client", NAME.encode()),)),
        "broken headers": (None, (("ce_id", None), ("ce_id", b"\xff"), ("content-type", None))),
    }


def _too_large() -> _Values:
    limit = 256 * 1024
    valid = event(data={**_DATA, "description": NAME * 10_000})
    return {
        "one byte more": (b'"' + b"x" * (limit - 1) + b'"', STRUCTURED),
        "not JSON": (b"\xff" * (limit + 1), STRUCTURED),
        "a valid event": (dump(valid), STRUCTURED),
        "spaces after a valid event": (dump(event()).ljust(limit + 1), STRUCTURED),
        "binary": (dump({**_DATA, "description": PHONE * 30_000}), binary_headers()),
        "brackets": (b"[" * 600_000, STRUCTURED),
        "half a mebibyte of nothing": (bytes(512 * 1024), ()),
    }


def _malformed() -> _Values:
    good = dump(event())
    bad = {
        "empty": b"",
        "text": f"{NAME} {PHONE}".encode(),
        "cut off": good[:-20],
        "two documents": good + good,
        "Latin-1": dump(event()).decode().encode("cp1251", "replace"),
        "not UTF-8 inside": good.replace("Вымышленная".encode(), b"\xff\xfe"),
        "byte order mark": b"\xef\xbb\xbf" + good,
        "UTF-16": good.decode().encode("utf-16"),
        "duplicate key": good[:-1] + f', "id": "{EMAIL}"}}'.encode(),
        "duplicate key deep inside": dump(event()).replace(b'"name":', f'"name": "{NAME}", "name":'.encode()),
        "duplicate key that is escaped": good[:-1] + rb', "\u0069d": "x"}',
        "NaN": good.replace(b'"data":', b'"data": NaN, "more":'),
        "Infinity": good.replace(b'"data":', b'"data": -Infinity, "more":'),
        "nested deeper than 64": good[:-1] + b', "x": ' + b"[" * 64 + b"]" * 64 + b"}",
        "nested very deep": b'{"data":' * 20_000,
        "number of 65 digits": good[:-1] + b', "x": ' + b"9" * 65 + b"}",
        "number of 5000 digits": good[:-1] + b', "x": ' + b"9" * 5_000 + b"}",
        "fraction of 65 digits": good[:-1] + b', "x": 0.' + b"1" * 65 + b"}",
        "number too large for a double": good[:-1] + b', "x": 1e999}',
        "lone surrogate": good[:-1] + rb', "x": "\ud83d"}',
        "raw control character": good.replace("СНИЛС ".encode(), b"\x01"),
        "trailing comma": good[:-1] + b",}",
        "single quotes": str(event()).encode(),
    }
    values: _Values = {name: (value, STRUCTURED) for name, value in bad.items()}
    values["binary, not JSON"] = (NAME.encode(), binary_headers())
    values["binary, empty value"] = (b"", binary_headers())
    return values


def _invalid_envelopes() -> _Values:
    without = {
        f"no {name}": event(**{name: _ABSENT}) for name in ("specversion", "id", "source", "type", "time")
    }
    wrong = {
        "subject missing": event(subject=_ABSENT),
        "subject null": event(subject=None),
        "subject is a phone": event(subject=PHONE),
        "subject too long": event(subject="x" * 65),
        "subject with a line end": event(subject=f"{TICKET}\n"),
        "specversion unknown": event(specversion="0.3"),
        "specversion a number": event(specversion=1.0),
        "id empty": event(id=""),
        "id a number": event(id=79991112233),
        "id too long": event(id=EMAIL * 100),
        "id with a control character": event(id=f"{NAME}\u0007"),
        "id with a noncharacter": event(id=f"{NAME}\ufdd0"),
        "source empty": event(source=""),
        "source an object": event(source={"name": NAME}),
        "type empty": event(type=""),
        "time without offset": event(time="2026-03-02T08:15:30"),
        "time in words": event(time=f"вчера, {NAME}"),
        "time that does not exist": event(time="2026-02-30T08:15:30Z"),
        "time a number": event(time=1_772_439_330),
        "time of another era": event(time="0001-01-01T00:00:00+14:00"),
        "data in base64": event(data=_ABSENT, data_base64="e30="),
        "data content type": event(datacontenttype="text/plain"),
        "extension with a personal name": event(**{NAME: 1}),
        "extension in upper case": event(ClientName=NAME),
        "extension an object": event(client={"name": NAME}),
        "extension a fraction": event(weight=0.5),
        "extension too large": event(weight=2**31),
        "extension with a control character": event(note=f"{SNILS}\u0000"),
    }
    values: _Values = {name: (dump(document), STRUCTURED) for name, document in {**without, **wrong}.items()}
    good, data = dump(event()), dump(_DATA)
    values |= {
        "an array": (dump([event()]), STRUCTURED),
        "a text": (dump(NAME), STRUCTURED),
        "null": (b"null", ()),
        "a batch": (dump([event()]), (("content-type", b"application/cloudevents-batch+json"),)),
        "an unknown format": (good, (("content-type", b"application/cloudevents+avro"),)),
        "the content type of plain JSON": (good, (("content-type", b"application/json"),)),
        "the content type twice": (good, (*STRUCTURED, *STRUCTURED)),
        "binary, no id": (data, binary_headers(id=None)),
        "binary, a header twice": (data, (*binary_headers(), ("ce_id", EMAIL.encode()))),
        "binary, a header not UTF-8": (data, binary_headers(source=b"\xff\xfe")),
        "binary, a header with a personal name": (data, (*binary_headers(), (f"ce_{NAME}", b"x"))),
        "binary, no attributes but one": (data, (("ce_id", PHONE.encode()),)),
        "binary, not JSON's content type": (data, (("content-type", b"text/xml"), *binary_headers()[1:])),
        "binary, data in a header": (data, (*binary_headers(), ("ce_data", data))),
    }
    return values


def _key_mismatches() -> Iterator[Sample]:
    keys = {
        "no key": None,
        "empty": b"",
        "another ticket": b"bad-input-2",
        "personal": PHONE.encode(),
        "another case": TICKET.upper().encode(),
        "a space more": TICKET.encode() + b" ",
        "not UTF-8": b"\xff\xfe\x00",
        "quoted": b'"' + TICKET.encode() + b'"',
    }
    for name, key in keys.items():
        yield Sample(f"key_mismatch: {name}", Code.KEY_MISMATCH, key, dump(event()))
    yield Sample("key_mismatch: binary", Code.KEY_MISMATCH, EMAIL.encode(), dump(_DATA), binary_headers())


def _unknown_types() -> _Values:
    kinds = {
        "a later version": "ticket.created.v2",
        "no version": "ticket.created",
        "personal": f"ticket.{NAME}.v1",
        "another case": "Ticket.Created.v1",
        "of somebody else": "com.example.order.v1",
        "one of our records": "ticket.journal.v1",
        "a space more": "ticket.created.v1 ",
    }
    values: _Values = {name: (dump(event(type=kind)), STRUCTURED) for name, kind in kinds.items()}
    values["binary"] = (dump(_DATA), binary_headers(type=EMAIL.encode()))
    return values


def _invalid_data() -> _Values:
    form = {**_DATA, "channel": "feedback_form", "request_type": "data_error", "consent": True}
    form["callback_window"] = {"from": "10:00", "to": "12:00"}
    cabinet = {**_DATA, "channel": "cabinet", "consent": True}
    created = {
        "missing": _ABSENT,
        "null": None,
        "an array": [_DATA],
        "a text": NAME,
        "unknown field": {**_DATA, NAME: PHONE},
        "unknown field of the client": {**_DATA, "client": {**_DATA["client"], SNILS: PASSPORT}},
        "no channel": {name: value for name, value in _DATA.items() if name != "channel"},
        "unknown channel": {**_DATA, "channel": NAME},
        "unknown category": {**_DATA, "category": "Complex"},
        "number for a text": {**_DATA, "description": 79991112233},
        "text for a truth": {**_DATA, "consent": "true"},
        "region of three digits": {**_DATA, "region": "777"},
        "region in other digits": {**_DATA, "region": "٧٧"},
        "client without id": {**_DATA, "client": {"name": NAME}},
        "client a text": {**_DATA, "client": NAME},
        "name too long": {**_DATA, "client": {"id": "1", "name": NAME * 100}},
        "too many attachments": {**_DATA, "attachments": [EMAIL] * 51},
        "window that ends before it begins": {
            **_DATA,
            "callback_window": {"from": "2026-03-02T12:00:00Z", "to": "2026-03-02T11:00:00Z"},
        },
        "window of words": {**_DATA, "callback_window": {"from": NAME, "to": PHONE}},
        "follows no ticket id": {**_DATA, "follows": PHONE},
        "form without phone": {**form, "client": {"id": "1", "name": NAME}},
        "form without consent": {**form, "consent": False},
        "form of 251 characters": {**form, "description": "Щ" * 251},
        "form without window": {**form, "callback_window": None},
        "cabinet of 19 characters": {**cabinet, "description": "Щ" * 19},
        "cabinet without consent": {**cabinet, "consent": None},
    }
    others = {
        "nobody assigned": ("ticket.assigned.v1", {}),
        "operator a number": ("ticket.assigned.v1", {"operator": 79991112233}),
        "promise of the past": ("ticket.promised.v1", {"deadline": TIME, "by": NAME}),
        "promise without offset": ("ticket.promised.v1", {"deadline": "2027-01-01T00:00:00", "by": NAME}),
        "contact of nobody": ("ticket.contacted.v1", {"by": NAME}),
        "nothing reclassified": ("ticket.reclassified.v1", {}),
        "closed as expired": ("ticket.closed.v1", {"reason": "expired"}),
        "merged into no ticket id": ("ticket.closed.v1", {"reason": "merged", "merged_into": NAME}),
        "drop of a client without id": ("call.dropped.v1", {"client": {"name": NAME}}),
        "call in the past": ("call.scheduled.v1", {"at": "2026-03-02T08:15:29.999999Z"}),
        "unknown field of a pause": ("ticket.pending.v1", {PHONE: ONE_TIME_CODE}),
    }
    values: _Values = {name: (dump(event(data=data)), STRUCTURED) for name, data in created.items()}
    values |= {name: (dump(event(kind, data=data)), STRUCTURED) for name, (kind, data) in others.items()}
    values["binary, an array"] = (dump([_DATA]), binary_headers())
    values["binary, unknown field"] = (dump({**_DATA, EMAIL: NAME}), binary_headers())
    return values


def _future_events() -> _Values:
    far = "2099-12-31T23:59:59.999999Z"
    values: _Values = {
        "created": (dump(event(time=far)), STRUCTURED),
        "with an offset": (dump(event(time="2099-12-31T23:59:59+03:00")), STRUCTURED),
        "assigned": (dump(event("ticket.assigned.v1", time=far, data={"operator": NAME})), STRUCTURED),
        "leap second": (dump(event(time="2099-06-30T23:59:60Z")), STRUCTURED),
        "dropped": (dump(event("call.dropped.v1", time=far, data=_DATA)), STRUCTURED),
        "many digits": (dump(event(time="2099-01-01T00:00:00.123456789012Z")), STRUCTURED),
        "binary": (dump(_DATA), binary_headers(time=far.encode())),
    }
    return values


def _unknown_tickets() -> Iterator[Sample]:
    kinds = {
        "ticket.assigned.v1": {"operator": NAME},
        "ticket.resolved.v1": {"summary": NAME},
        "ticket.closed.v1": {"reason": "confirmed"},
        "ticket.reopened.v1": {"reason": PHONE},
        "ticket.contacted.v1": {"by": "client"},
        "ticket.escalated.v1": {"unit": EMAIL},
        "call.dropped.v1": {},
        "call.returned.v1": {"operator": SNILS},
    }
    for kind, data in kinds.items():
        value = dump(event(kind, id=f"unknown/{kind}", subject=UNKNOWN, data=data))
        yield Sample(f"unknown_ticket: {kind}", Code.UNKNOWN_TICKET, UNKNOWN.encode(), value)
    half = dump(
        event("call.dropped.v1", id="unknown/half", subject=UNKNOWN, data={"client": _DATA["client"]})
    )
    yield Sample("unknown_ticket: half a creating drop", Code.UNKNOWN_TICKET, UNKNOWN.encode(), half)


def prelude() -> Iterator[Good]:
    """What must be applied before the samples of `illegal_transition`: an open ticket and a closed one."""
    for ticket in (OPEN, CLOSED):
        yield Good(
            ticket.encode(), dump(event(id=f"prelude/{ticket}", source="/channels/phone", subject=ticket))
        )
    closing = event(
        "ticket.closed.v1",
        id="prelude/close",
        source="/channels/phone",
        subject=CLOSED,
        data={"reason": "confirmed"},
    )
    yield Good(CLOSED.encode(), dump(closing))


def _illegal_transitions() -> Iterator[Sample]:
    cases: list[tuple[str, str, dict[str, Any]]] = [
        (OPEN, "ticket.created.v1", _DATA),
        (OPEN, "ticket.pending.v1", {"reason": NAME}),
        (OPEN, "ticket.resumed.v1", {"reason": PHONE}),
        (OPEN, "ticket.resolved.v1", {"summary": SNILS}),
        (OPEN, "ticket.reopened.v1", {"reason": EMAIL}),
        (CLOSED, "ticket.created.v1", _DATA),
        (CLOSED, "ticket.assigned.v1", {"operator": NAME}),
        (CLOSED, "ticket.closed.v1", {"reason": "cancelled"}),
        (CLOSED, "ticket.reclassified.v1", {"priority": "high"}),
        (CLOSED, "call.returned.v1", {"operator": NAME}),
    ]
    for ticket, kind, data in cases:
        value = dump(event(kind, id=f"illegal/{ticket}/{kind}", subject=ticket, data=data))
        yield Sample(f"illegal_transition: {ticket}, {kind}", Code.ILLEGAL_TRANSITION, ticket.encode(), value)
