"""Data that breaks a rule of its type: what may stand where, how long it may be, what belongs together."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from schemas.envelope import Code
from tests.bad_input.sample import (
    ABSENT,
    DATA,
    EMAIL,
    NAME,
    ONE_TIME_CODE,
    PASSPORT,
    PHONE,
    SNILS,
    TICKET,
    TIME,
    Sample,
    applied,
    binary_headers,
    dump,
    event,
)

_BAD = Code.INVALID_DATA
_CLIENT: dict[str, Any] = DATA["client"]


def _of(kind: str, data: Any, name: str, why: str) -> Sample:
    return Sample(name, _BAD, why, dump(event(kind, data=data)))


def _created(name: str, why: str, /, **fields: Any) -> Sample:
    data = {field: value for field, value in {**DATA, **fields}.items() if value is not ABSENT}
    return _of("ticket.created.v1", data, name, why)


def _client(name: str, why: str, /, **fields: Any) -> Sample:
    return _created(name, why, client={"id": "1", "name": NAME, **fields})


def _fields() -> Iterator[Sample]:
    unknown, missing = "Unknown fields are refused.", "A ticket begins with it."
    kind = "ticket.created.v1"
    yield _of(kind, ABSENT, "no data", missing)
    yield _of(kind, None, "data null", missing)
    yield _of(kind, {}, "data empty", missing)
    yield _created("unknown", unknown, **{NAME: PHONE})
    yield _created("unknown and empty", unknown, **{"": PHONE})
    yield _created("the engine's", unknown, ticket_id="T-1", seq=1, level=9, state="closed")
    yield _created("Python's", unknown, __class__="Created", model_config={"extra": "allow"})
    yield _created("JavaScript's", unknown, __proto__={"consent": True})
    yield _client("unknown of the client", unknown, **{SNILS: PASSPORT})
    for field in ("channel", "category", "client"):
        yield _created(f"no {field}", missing, **{field: ABSENT})
        yield _created(f"{field} null", missing, **{field: None})
    yield _created("client without id", "By it the client is told.", client={"name": NAME})
    yield _created("alias by its other name", unknown, callback_window={"from_": "10:00", "to": "12:00"})
    yield _of("ticket.assigned.v1", {}, "nobody assigned", "Somebody took it.")
    yield _of("ticket.transferred.v1", {"reason": NAME}, "transferred nowhere", "It went somewhere.")
    yield _of("ticket.promised.v1", {"by": NAME}, "nothing promised", "Something was.")
    yield _of("ticket.reclassified.v1", {}, "nothing reclassified", "Something was.")
    yield _of("ticket.reclassified.v1", {"category": None}, "null reclassified", "Null changes nothing.")
    yield _of("ticket.closed.v1", {}, "closed for no reason", "There is one.")
    yield _of("call.scheduled.v1", {}, "scheduled for no time", "There is one.")
    yield _of("ticket.pending.v1", {PHONE: ONE_TIME_CODE}, "unknown of a pause", unknown)
    binary = dump({**DATA, EMAIL: NAME})
    yield Sample("unknown in binary mode", _BAD, unknown, binary, headers=binary_headers())


def _kinds() -> Iterator[Sample]:
    why, kind = "Nothing is converted.", "ticket.created.v1"
    for name, data in {"array": [DATA], "text": NAME, "number": 7, "truth": True, "empty array": []}.items():
        yield _of(kind, data, f"data: {name}", "Data is an object.")
    yield Sample("array in binary mode", _BAD, "Data is an object.", dump([DATA]), headers=binary_headers())
    yield Sample("null in binary mode", _BAD, "A ticket begins with more.", b"null", headers=binary_headers())
    yield _created("channel a number", why, channel=1)
    yield _created("channel an array", why, channel=["phone"])
    yield _created("description a number", why, description=79991112233)
    yield _created("description an object", why, description={"text": NAME})
    yield _created("consent a text", why, consent="true")
    yield _created("consent a number", why, consent=1)
    yield _created("region a number", why, region=77)
    yield _created("client a text", why, client=NAME)
    yield _created("client an array", why, client=[_CLIENT])
    yield _client("id a number", why, id=79991112233)
    yield _client("phone a number", why, phone=79991112233)
    yield _client("name an array", why, name=[NAME])
    yield _created("attachments a text", why, attachments=EMAIL)
    yield _created("attachments an object", why, attachments={"0": EMAIL})
    yield _created("attachment a number", why, attachments=[7])
    yield _created("80,000 attachments, all numbers", "One wrong item is enough.", attachments=[7] * 80_000)
    yield _created("attachment a file", "A reference is no content.", attachments=[{"base64": "e30="}])
    yield _created("window a text", why, callback_window="10:00-12:00")
    yield _of("ticket.assigned.v1", {"operator": 79991112233}, "operator a number", why)
    yield _of("ticket.assigned.v1", {"operator": None}, "operator null", why)
    yield _of("ticket.promised.v1", {"deadline": 1_900_000_000, "by": NAME}, "deadline a number", why)
    yield _of("ticket.absorbed.v1", {"ticket": 7, "registered_at": TIME}, "absorbed a number", why)


def _values() -> Iterator[Sample]:
    listed, region = "One of the contract's words.", "Two ASCII digits, or abroad."
    yield _created("unknown channel", listed, channel=NAME)
    yield _created("channel in capitals", listed, channel="PHONE")
    yield _created("category in capitals", listed, category="Complex")
    yield _created("category with a space", listed, category="complex ")
    yield _created("unknown queue", listed, queue="vip")
    yield _created("unknown priority", listed, priority="highest")
    yield _created("unknown request type", listed, request_type=NAME)
    yield _client("unknown notify", listed, notify="telegram")
    yield _created("region of three digits", region, region="777")
    yield _created("region in other digits", region, region="٧٧")
    yield _created("region with a line end", region, region="77\n")
    yield _created("region by name", region, region="Москва")
    yield _created("follows no ticket id", "A ticket id has no plus.", follows=PHONE)
    yield _created("attachment with a line end", "It would break a line.", attachments=["a\nb"])
    yield _client("id with a line end", "It would break a line.", id="c\r\n")
    yield _of("ticket.contacted.v1", {"by": NAME}, "contact of nobody", listed)
    yield _of("ticket.closed.v1", {"reason": "expired"}, "closed as expired", "Only the engine does.")
    yield _of("ticket.closed.v1", {"reason": NAME}, "closed for a name", listed)
    merged = {"reason": "merged", "merged_into": NAME}
    yield _of("ticket.closed.v1", merged, "merged into no ticket id", "A name is no ticket id.")
    merged = {"reason": "merged", "merged_into": TICKET}
    yield _of("ticket.closed.v1", merged, "merged into itself", "Nothing would be left to go on with.")
    yield _of("call.dropped.v1", {"client": {"name": NAME}}, "drop of a client without id", "As above.")


def _bounds() -> Iterator[Sample]:
    why = "Texts are bounded."
    yield _client("name empty", "Nobody is called nothing.", name="")
    yield _client("name of 257", why, name="Я" * 257)
    yield _client("phone of 65", why, phone="9" * 65)
    yield _client("phone empty", why, phone="")
    yield _client("e-mail of 321", why, email="e" * 321)
    yield _client("e-mail of 2", why, email="e@")
    yield _client("id of 257", why, id="1" * 257)
    yield _client("id empty", why, id="")
    yield _created("description of 20,001", why, description="Щ" * 20_001)
    yield _created("error code of 257", why, error_code="E" * 257)
    yield _created("51 attachments", "Lists are bounded.", attachments=[EMAIL] * 51)
    yield _created("10,000 attachments", "Lists are bounded.", attachments=["x"] * 10_000)
    yield _created("attachment of 2049", why, attachments=["x" * 2049])
    yield _created("attachment empty", why, attachments=[""])
    yield _created("follows 65 characters", why, follows="T" * 65)
    yield _created("window of 65 characters", why, callback_window={"from": "1" * 65, "to": "12:00"})
    yield _of("ticket.assigned.v1", {"operator": "o" * 257}, "operator of 257", why)
    yield _of("ticket.resolved.v1", {"summary": "Щ" * 20_001}, "summary of 20,001", why)
    longest = {"id": "1" * 256, "name": "Я" * 256, "phone": "9" * 64, "email": "e" * 320}
    taken = {"client": longest, "description": "Щ" * 20_000, "attachments": ["x" * 2048] * 50}
    yield applied("all at their bounds", "As much is allowed.", "bounds", data={**DATA, **taken})


def _rules() -> Iterator[Sample]:
    form = {"channel": "feedback_form", "request_type": "data_error", "consent": True}
    form["callback_window"] = {"from": "10:00", "to": "12:00"}
    needs, consent = "The form asks for it.", "Without consent nothing is processed."
    yield _created("form without phone", needs, **form, client={"id": "1", "name": NAME})
    yield _created("form without name", needs, **form, client={"id": "1", "phone": PHONE})
    yield _created("form without window", needs, **{**form, "callback_window": None})
    yield _created("form without request type", needs, **{**form, "request_type": None})
    yield _created("form without description", needs, **form, description=ABSENT)
    yield _created("form of 251 characters", "The form has 250.", **form, description="Щ" * 251)
    yield _created("form without consent", consent, **{**form, "consent": False})
    yield _created("form with consent null", consent, **{**form, "consent": None})
    cabinet = {"channel": "cabinet", "consent": True}
    yield _created("cabinet of 19 characters", "The cabinet wants 20.", **cabinet, description="Щ" * 19)
    yield _created("cabinet without consent", consent, channel="cabinet")
    window = "Two times of day that differ, or two instants, the earlier first."
    yield _created("window of words", window, callback_window={"from": NAME, "to": PHONE})
    yield _created("window of no length", window, callback_window={"from": "10:00", "to": "10:00"})
    yield _created("window of both kinds", window, callback_window={"from": "10:00", "to": TIME})
    yield _created("window at 24:00", window, callback_window={"from": "10:00", "to": "24:00"})
    backwards = {"from": "2026-03-02T12:00:00Z", "to": "2026-03-02T11:00:00Z"}
    yield _created("window backwards", window, callback_window=backwards)
    later = "It must be after the event."
    yield _of("ticket.promised.v1", {"deadline": TIME, "by": NAME}, "promise of the past", later)
    no_offset = {"deadline": "2027-01-01T00:00:00", "by": NAME}
    yield _of("ticket.promised.v1", no_offset, "promise without offset", "RFC 3339 with an offset.")
    far = {"deadline": "2100-01-01T00:00:00Z", "by": NAME}
    yield _of("ticket.promised.v1", far, "promise of another century", "1970 to 2099.")
    yield _of("call.scheduled.v1", {"at": "2026-03-02T08:15:29.999999Z"}, "call in the past", later)
    yield _of("call.scheduled.v1", {"at": TIME}, "call at once", later)


CLASSES: Mapping[str, Callable[[], Iterator[Sample]]] = {
    "missing and unknown fields": _fields,
    "wrong kinds of values": _kinds,
    "wrong values": _values,
    "beyond bounds": _bounds,
    "broken rules": _rules,
}
