"""CloudEvents over Kafka: both modes, in the contract's order."""

import json
from datetime import timedelta
from typing import Any

import pytest

from schemas.envelope import BadRecord, Code, Event, decode, digest, encode, upcast
from schemas.instants import format_instant, parse_instant
from schemas.topics import partition_for

ARRIVAL = parse_instant("2026-03-02T08:16:00Z")
KEY = b"GU-1"
ATTRIBUTES: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/chat",
    "type": "ticket.assigned.v1",
    "subject": "GU-1",
    "time": "2026-03-02T11:15:30.1234567+03:00",
}
DATA = {"operator": "op-7"}


def _decode(
    value: Any, *headers: tuple[str | bytes, bytes | None], key: bytes | None = KEY
) -> Event | BadRecord:
    raw = value if isinstance(value, bytes) or value is None else json.dumps(value).encode()
    return decode(key, raw, headers, arrival=ARRIVAL, partition=0, partitions=1)


def _structured(**changes: Any) -> dict[str, Any]:
    return {**ATTRIBUTES, "data": DATA, **changes}


def _binary(**changes: bytes | None) -> list[tuple[str | bytes, bytes | None]]:
    carried = {**{name: value.encode() for name, value in ATTRIBUTES.items()}, **changes}
    return [(f"ce_{name}", value) for name, value in carried.items()]


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("content-type", b"application/cloudevents+json")],
        [("content-type", b"Application/CloudEvents+JSON ; charset=UTF-8")],
        [("Content-Type", b"application/cloudevents+json")],
        [(b"content-type", b"application/cloudevents+json"), (b"\xff", b"\xff"), ("\udcff", None)],
        [("content-type", None)],
        [("content-type", b"application/cloudevents+json"), ("ce_id", None), ("ce_id", b"\xff")],
        [("trace", b"\x00")],
    ],
)
def test_structured_mode(headers: list[tuple[str | bytes, bytes | None]]):
    """An event in its value is read whatever else the headers say; other headers do not matter."""
    event = _decode(_structured(), *headers)
    assert isinstance(event, Event), event
    assert (event.id, event.source, event.type, event.subject) == (
        "e-1",
        "/chat",
        "ticket.assigned.v1",
        "GU-1",
    )
    assert event.data.model_dump() == DATA
    assert format_instant(event.time) == "2026-03-02T08:15:30.123456Z"


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        b"application/json",
        b"APPLICATION/JSON; charset=utf-8",
        b"text/json",
        b"application/vnd.x+json",
        b"",
    ],
)
def test_binary_mode(content_type: bytes | None):
    """An event in ce_ headers is the same as the one in structured mode; nothing is percent-decoded."""
    event = _decode(DATA, ("content-type", content_type), *_binary(source=b"/chat"))
    assert event == _decode(_structured())
    percent = _decode(DATA, *_binary(id="%D0 ж".encode()))
    assert isinstance(percent, Event)
    assert percent.id == "%D0 ж"


def test_extensions_are_kept():
    """Attributes that the contract does not know are kept with their types; null is as if not there."""
    event = _decode(
        _structured(traceparent="00-ab-01", attempt=2, test=True, nothing=None, dataschema="urn:x")
    )
    assert isinstance(event, Event)
    assert event.extensions == {"traceparent": "00-ab-01", "attempt": 2, "test": True}
    binary = _decode(DATA, *_binary(traceparent=b"00-ab-01"))
    assert isinstance(binary, Event)
    assert binary.extensions == {"traceparent": "00-ab-01"}


def test_rules_are_tested_in_the_contracts_order():
    """Of several broken rules the one that stands first in the contract gives the code."""
    far = "2099-01-01T00:00:00Z"
    broken = _structured(time=far, data={}, type="no.such.v1", subject="GU-1")
    assert _code(_decode(None, key=b"x")) is Code.TOMBSTONE
    assert _code(_decode(b"\xff" * 300_000, key=b"x")) is Code.TOO_LARGE
    assert _code(_decode(b"{", ("content-type", b"application/cloudevents-batch+json"))) is Code.MALFORMED
    assert _code(_decode({**broken, "id": ""}, key=b"x")) is Code.INVALID_ENVELOPE
    assert _code(_decode(broken, key=b"x")) is Code.KEY_MISMATCH
    assert _code(_decode(broken)) is Code.UNKNOWN_TYPE
    assert _code(_decode({**broken, "type": "ticket.assigned.v1"})) is Code.INVALID_DATA
    assert _code(_decode(_structured(time=far))) is Code.FUTURE_EVENT


def _code(decoded: Event | BadRecord) -> Code | None:
    return decoded.code if isinstance(decoded, BadRecord) else None


def test_exactly_five_minutes_ahead_is_no_future_event():
    """An event may be five minutes ahead of its arrival and not a microsecond more."""
    limit = ARRIVAL + timedelta(minutes=5)
    assert isinstance(_decode(_structured(time=format_instant(limit))), Event)
    more = format_instant(limit + timedelta(microseconds=1))
    assert _code(_decode(_structured(time=more))) is Code.FUTURE_EVENT


def test_exactly_256_kibibytes_are_not_too_large():
    """A value may have 256 KiB and not a byte more."""
    value = json.dumps(_structured()).encode().ljust(256 * 1024)
    assert isinstance(_decode(value), Event)
    assert _code(_decode(value + b" ")) is Code.TOO_LARGE


def test_the_partition_must_be_the_keys():
    """A record that lies in another partition than its key hashes to is refused."""
    value = json.dumps(_structured()).encode()
    for partition in range(12):
        decoded = decode(KEY, value, (), arrival=ARRIVAL, partition=partition, partitions=12)
        assert isinstance(decoded, Event) == (partition == partition_for(KEY, 12))


def test_a_leap_second_belongs_to_its_minute():
    """Second 60 is taken as the last microsecond of its minute."""
    event = _decode(_structured(time="2016-12-31T23:59:60Z"))
    assert isinstance(event, Event)
    assert format_instant(event.time) == "2016-12-31T23:59:59.999999Z"


def test_encoding_is_always_the_same_bytes():
    """Attributes stand in a fixed order, extensions sorted, texts as UTF-8 with no needless escapes."""
    encoded = encode(
        "t.v1",
        "1/Ж",
        'a"b',
        "GU-1",
        ARRIVAL,
        b'{"x":1}',
        {"zeta": True, "alpha": "№", "beta": -2, "gamma": False},
    )
    assert encoded.decode() == (
        '{"specversion":"1.0","id":"1/Ж","source":"a\\"b","type":"t.v1","subject":"GU-1",'
        '"time":"2026-03-02T08:16:00.000000Z","datacontenttype":"application/json",'
        '"alpha":"№","beta":-2,"gamma":false,"zeta":true,"data":{"x":1}}'
    )


def test_digests():
    """A digest is 16 URL-safe characters, and source and id do not run together in it."""
    assert digest("/chat", "e-1") == "tvvQegWppr8A7WIQ"
    assert len({digest("a", "bc"), digest("ab", "c"), digest("", "abc"), digest("abc", "")}) == 4


def test_old_versions_are_lifted_step_by_step():
    """An old version's data goes through every step to the newest; the rest stays as it is."""
    upcasters = {
        "x.v1": ("x.v2", lambda data: {**data, "two": 2}),
        "x.v2": ("x.v3", lambda data: {**data, "three": 3}),
    }
    assert upcast("x.v1", {"one": 1}, upcasters) == ("x.v3", {"one": 1, "two": 2, "three": 3})
    assert upcast("x.v2", {}, upcasters) == ("x.v3", {"three": 3})
    assert upcast("x.v3", {}, upcasters) == ("x.v3", {})
    assert upcast("x.v1", [], upcasters) == ("x.v3", [])


def test_a_circle_of_upcasters_ends():
    """A wrong table cannot keep the decoder busy for ever."""
    assert upcast("x.v1", {}, {"x.v1": ("x.v1", dict)}) == ("x.v1", {})
