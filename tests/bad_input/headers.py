"""Headers, keys and partitions that are not what they should be, in structured and in binary mode."""

from collections.abc import Callable, Iterator, Mapping

from schemas.envelope import Code
from tests.bad_input.sample import (
    APPLIED,
    DATA,
    EMAIL,
    KEY,
    NAME,
    PHONE,
    STRUCTURED,
    TICKET,
    Headers,
    Sample,
    applied,
    binary_headers,
    dump,
    event,
)

_BAD = Code.INVALID_ENVELOPE
_GOOD, _DATA = dump(event()), dump(DATA)
NOT_UTF8_NAME = b"\xff\xfe".decode("utf-8", "surrogateescape")
"""A header's name that is not UTF-8, as the log reads it (PEP 383)."""


def _taken(name: str, why: str, number: str, headers: Headers) -> Sample:
    return applied(name, why, number)._replace(headers=headers)


def _taken_in_binary_mode(name: str, why: str, number: str, *more: tuple[str, bytes | None]) -> Sample:
    key = f"bad-input-taken-{number}".encode()
    return Sample(name, APPLIED, why, _DATA, key, (*binary_headers(subject=key), *more))


def _content_types() -> Iterator[Sample]:
    def typed(value: bytes | None) -> Headers:
        return (("content-type", value),)

    batch, unknown = "A record is one event.", "JSON is the one format that is taken."
    yield Sample(
        "a batch", _BAD, batch, dump([event()]), headers=typed(b"application/cloudevents-batch+json")
    )
    yield Sample(
        "a batch of one object", _BAD, batch, _GOOD, headers=typed(b"APPLICATION/CLOUDEVENTS-BATCH+JSON")
    )
    for kind in (
        b"application/cloudevents+avro",
        b"application/cloudevents+protobuf",
        b"application/cloudevents",
    ):
        yield Sample(kind.decode(), _BAD, unknown, _GOOD, headers=typed(kind))
    neither = "It announces neither mode."
    for kind in (
        b"application/json",
        b"text/plain",
        b"application/octet-stream",
        b"json",
        b"\xff\xfe",
        b"\0",
    ):
        yield Sample(repr(kind), _BAD, neither, _GOOD, headers=typed(kind))
    yield Sample(
        "text in binary mode",
        _BAD,
        "Data is JSON.",
        _DATA,
        headers=(
            ("content-type", b"text/xml"),
            *binary_headers()[1:],
        ),
    )
    yield Sample(
        "attributes of both modes",
        _BAD,
        "The content type says binary: data is the value.",
        _GOOD,
        headers=(
            ("content-type", b"application/json"),
            ("ce_id", b"1"),
        ),
    )
    yield _taken("null", "Null is as good as absent: structured.", "ct-null", typed(None))
    yield _taken("empty", "Empty is as good as absent: structured.", "ct-empty", typed(b""))
    yield _taken(
        "in capitals",
        "Media types have no case.",
        "ct-capitals",
        (("Content-Type", b"Application/CloudEvents+JSON ; charset=UTF-8"),),
    )
    yield _taken(
        "structured beside ce_ headers",
        "The content type decides.",
        "ct-both",
        (
            *STRUCTURED,
            ("ce_id", EMAIL.encode()),
            ("ce_id", None),
        ),
    )


def _null_headers() -> Iterator[Sample]:
    for name in ("specversion", "id", "source", "type", "subject", "time"):
        why = "A header without a value is no attribute."
        yield Sample(f"ce_{name}", _BAD, why, _DATA, headers=binary_headers(**{name: None}))
    yield Sample("an extension", _BAD, "The same.", _DATA, headers=(*binary_headers(), ("ce_note", None)))
    yield Sample(
        "all", _BAD, "Nothing is there.", _DATA, headers=tuple((n, None) for n, _ in binary_headers())
    )
    yield Sample("no attributes but one", _BAD, "The others are missing.", _DATA, headers=(("ce_id", b"1"),))
    why = "Headers that are none of ours go nowhere."
    yield _taken("one of a stranger", why, "null-stranger", (*STRUCTURED, ("traceparent", None)))


def _repeated_headers() -> Iterator[Sample]:
    again = "Which one counts?"
    for name in ("id", "source", "type", "subject", "time", "specversion"):
        headers = binary_headers()
        twice = next(header for header in headers if header[0] == f"ce_{name}")
        yield Sample(f"ce_{name}", _BAD, again, _DATA, headers=(*headers, twice))
    yield Sample("another id", _BAD, again, _DATA, headers=(*binary_headers(), ("ce_id", EMAIL.encode())))
    yield Sample("once null", _BAD, again, _DATA, headers=(*binary_headers(), ("ce_id", None)))
    yield Sample("extension", _BAD, again, _DATA, headers=(*binary_headers(), ("ce_x", b"1"), ("ce_x", b"2")))
    yield Sample("content type", _BAD, again, _GOOD, headers=(*STRUCTURED, *STRUCTURED))
    yield Sample(
        "content type, other letters",
        _BAD,
        "Its name has no case.",
        _GOOD,
        headers=(
            *STRUCTURED,
            ("Content-Type", b"application/json"),
        ),
    )
    yield _taken(
        "of a stranger",
        "Headers that are none of ours go nowhere.",
        "repeated",
        (*STRUCTURED, *[("x", b"1")] * 500),
    )


def _bytes_in_headers() -> Iterator[Sample]:
    for name in ("id", "source", "type", "subject", "time", "specversion"):
        why = "Attributes are UTF-8."
        yield Sample(f"ce_{name}", _BAD, why, _DATA, headers=binary_headers(**{name: b"\xff\xfe"}))
    yield Sample("an extension", _BAD, "The same.", _DATA, headers=(*binary_headers(), ("ce_x", b"\x80")))
    yield Sample("NUL in the id", _BAD, "No control characters.", _DATA, headers=binary_headers(id=b"1\0"))
    yield Sample(
        "line end in the source",
        _BAD,
        "No control characters.",
        _DATA,
        headers=binary_headers(source=b"a\nb"),
    )
    yield Sample("empty id", _BAD, "Texts are not empty.", _DATA, headers=binary_headers(id=b""))
    yield Sample(
        "data in a header", _BAD, "Data is the value.", _DATA, headers=(*binary_headers(), ("ce_data", _DATA))
    )
    yield Sample(
        "name that is not UTF-8",
        _BAD,
        "No attribute has it.",
        _DATA,
        headers=(
            *binary_headers(),
            (f"ce_{NOT_UTF8_NAME}", b"x"),
        ),
    )
    yield Sample(
        "name of a stranger, not UTF-8",
        Code.UNKNOWN_TYPE,
        "It is kept as it came.",
        dump(event("x")),
        headers=(*STRUCTURED, (NOT_UTF8_NAME, b"\xff")),
    )
    yield Sample(
        "empty name", Code.UNKNOWN_TYPE, "It is kept as it came.", dump(event("x")), headers=(("", b""),)
    )
    why = "Headers that are none of ours go nowhere."
    yield _taken("value of a stranger", why, "bytes", (*STRUCTURED, ("x", bytes(range(256)))))
    yield _taken(
        "attribute in capitals",
        "Kafka's headers have a case: no attribute.",
        "case",
        (
            *STRUCTURED,
            ("CE_ID", b"\xff"),
        ),
    )
    why = "Kafka's binding encodes nothing: it stands for itself."
    yield _taken_in_binary_mode("percent in an extension", why, "encoded", ("ce_note", b"%D0%90"))


def _forged() -> Iterator[Sample]:
    """Headers with the names of a dead letter's own: they came with the record and are not believed."""
    own: Headers = (
        ("dlq.errors.code", b"tombstone"),
        ("dlq.errors.message", NAME.encode()),
        ("dlq.errors.topic", b"t"),
        ("dlq.errors.partition", b"0"),
        ("dlq.errors.offset", b"0"),
        ("dlq.errors.group", b"g"),
        ("dlq.errors.timestamp", b"2026-03-02T08:15:30.000000Z"),
    )
    why = "The writer's own stand behind them."
    bad = dump(event("x"))
    yield Sample("all of them", Code.UNKNOWN_TYPE, why, bad, headers=(*STRUCTURED, *own))
    yield Sample("twice all of them", Code.UNKNOWN_TYPE, why, bad, headers=(*own, *own))
    yield Sample("half of them", Code.UNKNOWN_TYPE, why, bad, headers=own[:3])
    yield Sample("one that is null", Code.UNKNOWN_TYPE, why, bad, headers=(("dlq.errors.code", None),))
    yield Sample("no text", Code.UNKNOWN_TYPE, why, bad, headers=(("dlq.errors.offset", b"\xff\xfe"),))
    yield Sample("huge number", Code.UNKNOWN_TYPE, why, bad, headers=(("dlq.errors.offset", b"9" * 999),))
    yield Sample(
        "says that it is cut",
        Code.UNKNOWN_TYPE,
        why,
        bad,
        headers=(
            ("dlq.errors.size", b"9"),
            ("dlq.errors.sha256", b"0" * 64),
        ),
    )
    yield Sample("in capitals", Code.UNKNOWN_TYPE, why, bad, headers=(("DLQ.ERRORS.CODE", b"malformed"),))
    yield Sample("Kafka's own", Code.UNKNOWN_TYPE, why, bad, headers=(("__dlq.errors.topic", b"t"),))
    yield Sample("on a tombstone", Code.TOMBSTONE, why, None, headers=own)
    yield _taken("on a good event", "Headers decide nothing: it is applied.", "forged", (*STRUCTURED, *own))


def _keys() -> Iterator[Sample]:
    code, why = Code.KEY_MISMATCH, "The key is the ticket id, byte for byte."
    keys = {
        "none": None,
        "empty": b"",
        "another ticket": b"bad-input-2",
        "personal": PHONE.encode(),
        "another case": TICKET.upper().encode(),
        "a space more": KEY + b" ",
        "NUL more": KEY + b"\0",
        "cut": KEY[:-1],
        "not UTF-8": b"\xff\xfe\x00",
        "a number": (1).to_bytes(8, "big"),
        "UTF-16": TICKET.encode("utf-16"),
        "quoted": b'"' + KEY + b'"',
        "an object": b'{"id":"' + KEY + b'"}',
        "schema registry's frame": b"\0\0\0\0\7" + KEY,
    }
    for name, key in keys.items():
        yield Sample(name, code, why, _GOOD, key)
    yield Sample("binary mode", code, why, _DATA, EMAIL.encode(), binary_headers())


def _partitions() -> Iterator[Sample]:
    code, why = Code.KEY_MISMATCH, "All events of a ticket are in one partition: the one its key hashes to."
    yield Sample("structured", code, why, _GOOD, misplaced=True)
    yield Sample("binary mode", code, why, _DATA, headers=binary_headers(), misplaced=True)
    assigned = dump(event("ticket.assigned.v1", data={"operator": NAME}))
    yield Sample("another type", code, why, assigned, misplaced=True)
    yield Sample("wrong key, too", code, why, _GOOD, b"bad-input-2", misplaced=True)
    unknown = dump(event("x"))
    yield Sample("unknown type, too", code, "The partition is looked at first.", unknown, misplaced=True)
    yield Sample("nothing", Code.TOMBSTONE, "That it is none is seen first.", None, misplaced=True)


CLASSES: Mapping[str, Callable[[], Iterator[Sample]]] = {
    "content types": _content_types,
    "null headers": _null_headers,
    "repeated headers": _repeated_headers,
    "bytes in headers": _bytes_in_headers,
    "forged dead-letter headers": _forged,
    "keys": _keys,
    "wrong partition": _partitions,
}
