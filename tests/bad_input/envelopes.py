"""Envelopes that break a rule of CloudEvents or of ours: attributes, versions, times, extensions."""

from collections.abc import Callable, Iterator, Mapping

from schemas.envelope import Code
from tests.bad_input.sample import (
    ABSENT,
    DATA,
    EMAIL,
    NAME,
    PHONE,
    SNILS,
    STRUCTURED,
    TICKET,
    Sample,
    applied,
    binary_headers,
    dump,
    event,
)

_BAD = Code.INVALID_ENVELOPE


def _missing() -> Iterator[Sample]:
    for name in ("specversion", "id", "source", "type", "subject", "time"):
        yield Sample(f"no {name}", _BAD, "An event must have it.", dump(event(**{name: ABSENT})))
        yield Sample(f"{name} null", _BAD, "Null is as good as absent.", dump(event(**{name: None})))
    yield Sample("an empty object", _BAD, "Nothing is there.", b"{}")
    yield Sample("no headers, an empty object", _BAD, "Then it is structured.", b"{}", headers=())


def _wrong() -> Iterator[Sample]:
    empty, text, clean = "Texts are not empty.", "Nothing is converted.", "It would break a line."
    long = "Texts are bounded."
    subject = "A ticket id is 1 to 64 of A-Z a-z 0-9 . _ -"
    documents = {
        "id empty": (empty, {"id": ""}),
        "id a number": (text, {"id": 79991112233}),
        "id an object": (text, {"id": {"name": NAME}}),
        "id true": (text, {"id": True}),
        "id of 257 characters": (long, {"id": EMAIL[0] * 257}),
        "id long": (long, {"id": EMAIL * 100}),
        "id with a line end": (clean, {"id": f"{NAME}\r\nx: {PHONE}"}),
        "source empty": (empty, {"source": ""}),
        "source an object": (text, {"source": {"name": NAME}}),
        "source of 1025 characters": (long, {"source": PHONE[1] * 1025}),
        "source with a line end": (clean, {"source": f"{NAME}\n"}),
        "type empty": (empty, {"type": ""}),
        "type an array": (text, {"type": ["ticket.created.v1"]}),
        "type of 257 characters": (long, {"type": "t" * 257}),
        "type with a line end": (clean, {"type": "ticket.created.v1\n"}),
        "subject empty": (subject, {"subject": ""}),
        "subject a phone": (subject, {"subject": PHONE}),
        "subject an e-mail": (subject, {"subject": EMAIL}),
        "subject a number": (text, {"subject": 1}),
        "subject of 65 characters": (subject, {"subject": "x" * 65}),
        "subject with a line end": (subject, {"subject": f"{TICKET}\n"}),
        "subject with a space": (subject, {"subject": f" {TICKET}"}),
        "subject a path": (subject, {"subject": "../../etc/passwd"}),
        "subject a query": (subject, {"subject": "T'; DROP TABLE tickets; --"}),
        "data in base64": ("Data is a JSON object.", {"data": ABSENT, "data_base64": "e30="}),
        "data in base64, too": ("Which one counts?", {"data_base64": "e30="}),
        "data content type": ("Data is JSON.", {"datacontenttype": "text/plain"}),
        "data content type a number": (text, {"datacontenttype": 7}),
        "data schema empty": (empty, {"dataschema": ""}),
        "data schema long": (long, {"dataschema": "x" * 1025}),
    }
    for name, (why, attributes) in documents.items():
        yield Sample(name, _BAD, why, dump(event(**attributes)))
    for name, document in {
        "array": [event()],
        "text": NAME,
        "number": 7,
        "truth": True,
        "null": None,
    }.items():
        yield Sample(f"{name} for an event", _BAD, "An event is an object.", dump(document), headers=())


def _versions() -> Iterator[Sample]:
    for version in ("0.3", "1.1", "2.0", "1.0.0", "1", " 1.0", "1.0 ", "v1.0", "", NAME):
        why = "1.0 is the one version that is taken."
        yield Sample(f"{version!r}", _BAD, why, dump(event(specversion=version)))
    yield Sample("a number", _BAD, "It is text.", dump(event(specversion=1.0)))
    yield Sample("an array", _BAD, "It is text.", dump(event(specversion=["1.0"])))
    headers = binary_headers(specversion=b"0.3")
    yield Sample("0.3 in binary mode", _BAD, "1.0 is the one version.", dump(DATA), headers=headers)


def _times() -> Iterator[Sample]:
    shape, real, years = "RFC 3339 with an offset.", "There is no such instant.", "1970 to 2099."
    times = {
        "2026-03-02T08:15:30": shape,
        "2026-03-02": shape,
        "08:15:30Z": shape,
        "2026-03-02 08:15:30Z": shape,
        "20260302T081530Z": shape,
        "2026-W10-1T08:15:30Z": shape,
        "2026-3-2T8:15:30Z": shape,
        "2026-03-02T08:15Z": shape,
        "2026-03-02T08:15:30,5Z": shape,
        "2026-03-02T08:15:30.Z": shape,
        "2026-03-02T08:15:30+03": shape,
        "2026-03-02T08:15:30 +03:00": shape,
        "2026-03-02T08:15:30+24:00": shape,
        "2026-03-02T08:15:30Z\n": shape,
        "Mon, 02 Mar 2026 08:15:30 GMT": shape,
        "٢٠٢٦-٠٣-٠٢T٠٨:١٥:٣٠Z": "Its digits are ASCII.",
        "1772439330": shape,
        "now": shape,
        "": shape,
        f"вчера, {NAME}": shape,
        "2026-02-30T08:15:30Z": real,
        "2026-02-29T08:15:30Z": real,
        "2026-13-01T08:15:30Z": real,
        "2026-00-01T08:15:30Z": real,
        "2026-03-02T24:00:00Z": real,
        "2026-03-02T08:60:30Z": real,
        "2026-03-02T08:15:61Z": real,
        "0000-01-01T00:00:00Z": real,
        "0001-01-01T00:00:00+14:00": "It would lie before the first year.",
        "9999-12-31T23:59:59-12:00": "It would lie after the last year.",
        "1969-12-31T23:59:59Z": years,
        "2100-01-01T00:00:00Z": years,
        "+12026-03-02T08:15:30Z": shape,
    }
    for time, why in times.items():
        yield Sample(f"{time!r}", _BAD, why, dump(event(time=time)))
    yield Sample("a number", _BAD, "Nothing is converted.", dump(event(time=1_772_439_330)))
    yield Sample("an object", _BAD, "Nothing is converted.", dump(event(time={"at": NAME})))
    yield Sample("binary mode", _BAD, "The same.", dump(DATA), headers=binary_headers(time=b"2026-03-02"))
    taken = {
        "small letters": "2026-03-02t08:15:30z",
        "12,000 digits": f"2026-03-02T08:15:30.{'1' * 12_000}Z",
        "unknown offset": "2026-03-02T08:15:30-00:00",
        "far offset": "2026-03-02T08:15:30+23:59",
        "first instant": "1970-01-01T00:00:00Z",
        "leap second": "2016-12-31T23:59:60Z",
    }
    for number, (name, time) in enumerate(taken.items()):
        yield applied(
            name, "RFC 3339 allows it; digits after the sixth are cut.", f"time-{number}", time=time
        )


def _future() -> Iterator[Sample]:
    code, why = Code.FUTURE_EVENT, "Nothing happens long before it happens."
    far = "2099-12-31T23:59:59.999999Z"
    documents = {
        "created": event(time=far),
        "with an offset": event(time="2099-12-31T23:59:59+03:00"),
        "assigned": event("ticket.assigned.v1", time=far, data={"operator": NAME}),
        "leap second": event(time="2099-06-30T23:59:60Z"),
        "dropped": event("call.dropped.v1", time=far, data=DATA),
        "many digits": event(time="2099-01-01T00:00:00.123456789012Z"),
    }
    for name, document in documents.items():
        yield Sample(name, code, why, dump(document))
    yield Sample("binary mode", code, why, dump(DATA), headers=binary_headers(time=far.encode()))


def _extensions() -> Iterator[Sample]:
    name_rule, value_rule = "Names are of a-z and 0-9.", "Text, a boolean or an integer of 32 bits."
    documents = {
        "personal name": (name_rule, {NAME: 1}),
        "upper case": (name_rule, {"ClientName": NAME}),
        "hyphen": (name_rule, {"trace-parent": "x"}),
        "empty name": (name_rule, {"": "x"}),
        "other digits": (name_rule, {"x٣": "x"}),
        "object": (value_rule, {"client": {"name": NAME}}),
        "array": (value_rule, {"phones": [PHONE]}),
        "fraction": (value_rule, {"weight": 0.5}),
        "one too large": (value_rule, {"weight": 2**31}),
        "one too small": (value_rule, {"weight": -(2**31) - 1}),
        "control character": ("CloudEvents forbids it.", {"note": f"{SNILS}\0"}),
        "noncharacter": ("CloudEvents forbids it.", {"note": f"{SNILS}\uffff"}),
    }
    for name, (why, attributes) in documents.items():
        yield Sample(name, _BAD, why, dump(event(**attributes)))
    headers = (*binary_headers(), (f"ce_{NAME}", b"x"))
    yield Sample("personal name in binary mode", _BAD, name_rule, dump(DATA), headers=headers)
    yield Sample(
        "no name in binary mode", _BAD, name_rule, dump(DATA), headers=(*binary_headers(), ("ce_", b"x"))
    )
    many = {f"x{number}": PHONE for number in range(1_000)}
    yield applied("a thousand", "Nobody counts them; they go nowhere.", "extensions", **many)
    yield applied("null", "Null means that it is not there, whatever its name.", "null", ClientName=None)


def _unknown_types() -> Iterator[Sample]:
    code = Code.UNKNOWN_TYPE
    kinds = {
        "a later version": ("Nobody knows yet what it says.", "ticket.created.v2"),
        "version 0": ("There was none.", "ticket.created.v0"),
        "no version": ("Types have one.", "ticket.created"),
        "personal": ("It is not repeated in the message.", f"ticket.{NAME}.v1"),
        "another case": ("Types are compared as they are.", "Ticket.Created.v1"),
        "of somebody else": ("Not ours.", "com.example.order.v1"),
        "a record of ours": ("The journal is no input.", "ticket.journal.v1"),
        "a notification of ours": ("Notifications are no input.", "notification.requested.v1"),
        "a space more": ("Nothing is trimmed.", "ticket.created.v1 "),
        "bidirectional": ("It looks right and is not.", "ticket.\u202ecreated.v1"),
        "a class path": ("Nothing is imported.", "schemas.events.Created"),
    }
    for name, (why, kind) in kinds.items():
        yield Sample(name, code, why, dump(event(type=kind)))
    headers = binary_headers(type=EMAIL.encode())
    yield Sample("binary mode", code, "The same.", dump(DATA), headers=headers)


def _personal() -> Iterator[Sample]:
    """A person's data where the contract has no place for it; the record is refused, not always for it."""
    name, phone = NAME.encode(), PHONE.encode()
    unknown, mismatch = Code.UNKNOWN_TYPE, Code.KEY_MISMATCH
    yield Sample("in the id", unknown, "Refused for its type.", dump(event("x", id=f"{EMAIL}/{SNILS}")))
    yield Sample(
        "in the source", unknown, "Refused for its type.", dump(event("x", source=f"/{NAME}/{PHONE}"))
    )
    yield Sample("in the subject", _BAD, "A name is no ticket id.", dump(event(subject=NAME)), name)
    yield Sample("in the key", mismatch, "The key is not the ticket.", dump(event()), phone)
    yield Sample(
        "in a key of any length", mismatch, "The key is not the ticket.", dump(event()), name * 1_000
    )
    yield Sample(
        "in the name of a header", unknown, "As received.", dump(event("x")), headers=((NAME, None),)
    )
    yield Sample(
        "in a header", unknown, "As received.", dump(event("x")), headers=(*STRUCTURED, ("phone", phone))
    )
    yield Sample(
        "in the content type", _BAD, "It names no format.", dump(event()), headers=(("content-type", name),)
    )
    yield Sample(
        "in a parameter",
        unknown,
        "Parameters are passed over.",
        dump(event("x")),
        headers=(("content-type", b"application/cloudevents+json; client=" + phone),),
    )
    yield Sample("in the type", unknown, "It is not repeated.", dump(event(f"{SNILS} {NAME}")))
    yield Sample("in the data schema", unknown, "It goes nowhere.", dump(event("x", dataschema=EMAIL)))
    yield Sample("in a time", _BAD, "It is not repeated.", dump(event(time=SNILS)))


CLASSES: Mapping[str, Callable[[], Iterator[Sample]]] = {
    "missing attributes": _missing,
    "wrong attributes": _wrong,
    "unknown specversion": _versions,
    "wrong times": _times,
    "future": _future,
    "extensions": _extensions,
    "unknown types": _unknown_types,
    "personal data out of place": _personal,
}
