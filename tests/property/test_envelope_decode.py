"""`decode` over anything: it never raises, and its messages show nothing of what it read."""

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from schemas.envelope import BadRecord, Event, decode
from schemas.instants import parse_instant
from tests.bad_input.samples import Sample, prelude, samples

ARRIVAL = parse_instant("2026-03-02T08:16:00Z")
SECRET = "Ъёж7391"

NAMES = st.sampled_from(
    [
        "content-type",
        "ce_specversion",
        "ce_id",
        "ce_source",
        "ce_type",
        "ce_subject",
        "ce_time",
        "ce_x",
        "ce_",
        "",
    ]
)
HEADERS = st.lists(
    st.tuples(
        NAMES | st.text(max_size=8) | st.just(f"ce_{SECRET}") | st.binary(max_size=8),
        st.none()
        | st.binary(max_size=20)
        | st.sampled_from(
            [
                b"application/cloudevents+json",
                b"application/cloudevents-batch+json",
                b"application/json",
                b"1.0",
                b"ticket.assigned.v1",
                b"2026-03-02T08:15:30Z",
                SECRET.encode(),
            ]
        ),
    ),
    max_size=9,
)
KEYS = st.none() | st.binary(max_size=20) | st.just(SECRET.encode())
RECORDS = st.sampled_from([*samples(), *prelude()]).filter(lambda record: len(record.value or b"") < 10_000)


def _decode(key: bytes | None, value: bytes | None, headers: Any) -> Event | BadRecord:
    return decode(key, value, headers, arrival=ARRIVAL, partition=1, partitions=2)


@given(KEYS, st.none() | st.binary(max_size=200), HEADERS)
@example(b"\xff", b'{"data":' * 30_000, [(b"\xff", b"\xff"), ("\udcff", None)])
def test_arbitrary_records_are_decoded_or_refused(key: bytes | None, value: bytes | None, headers: Any):
    """Any key, value and headers give an event or a bad record."""
    assert isinstance(_decode(key, value, headers), Event | BadRecord)


@given(RECORDS, st.data())
def test_mutated_records_are_decoded_or_refused(record: Sample, data: Any):
    """A record with some of its bytes replaced, removed or added gives an event or a bad record."""
    value = bytearray(record.value or b"")
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(value)))
        length = data.draw(st.integers(0, 6))
        piece = data.draw(
            st.binary(max_size=3) | st.sampled_from([b'"', b"{", b"]", b"\\u", b"9" * 70, b"null"])
        )
        value[start : start + length] = piece
    headers = data.draw(st.just(record.headers) | HEADERS)
    assert isinstance(_decode(record.key, bytes(value), headers), Event | BadRecord)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.just(SECRET),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5) | st.just(SECRET), inner, max_size=3)
    ),
    max_leaves=6,
)


def _places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document)
        if isinstance(document, list)
        else ()
    )
    return [path, *(place for step, item in inside for place in _places(item, (*path, step)))]


def _replaced(document: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = document.copy()
    copy[path[0]] = _replaced(copy[path[0]], path[1:], new)
    return copy


GOOD = [
    json.loads(record.value or b"")
    for record in samples()
    if record.code in ("unknown_ticket", "illegal_transition") and record.value is not None
]


@given(st.sampled_from(GOOD), st.data())
def test_messages_show_nothing_of_the_input(document: Any, data: Any):
    """Wherever in a good event something else stands, a name included, the message does not repeat it."""
    place = data.draw(st.sampled_from(_places(document)))
    new = data.draw(
        st.just(SECRET)
        | st.just({SECRET: SECRET})
        | st.just([SECRET])
        | st.sampled_from([7391, 7391.7391])
        | JSON
    )
    changed = _replaced(document, place, new)
    if isinstance(changed, dict) and data.draw(st.booleans()):
        changed[SECRET] = 1
    value = json.dumps(changed, ensure_ascii=data.draw(st.booleans())).encode()
    for headers in ((), [(f"ce_{SECRET}", SECRET.encode())], [("content-type", SECRET.encode())]):
        decoded = _decode(SECRET.encode(), value, headers)
        assert isinstance(decoded, BadRecord)  # the key is wrong already
        assert SECRET not in decoded.message
        assert "7391" not in decoded.message


@given(st.sampled_from(GOOD), st.data())
def test_data_errors_show_nothing_of_the_input(document: Any, data: Any):
    """The same for `data`, of an event whose envelope and key are right."""
    place = data.draw(st.sampled_from(_places(document["data"])))
    new = data.draw(st.just(SECRET) | st.just({SECRET: SECRET}) | st.just([SECRET, {SECRET: 7391}]) | JSON)
    changed = {**document, "data": _replaced(document["data"], place, new)}
    key = document["subject"].encode()
    decoded = decode(key, json.dumps(changed).encode(), (), arrival=ARRIVAL, partition=0, partitions=1)
    shown = decoded.message if isinstance(decoded, BadRecord) else ""
    assert SECRET not in shown
    assert "7391" not in shown
