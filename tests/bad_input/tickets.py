"""Records that are odd for their size, or for what their ticket is: nothing, closed, or told already."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from schemas.envelope import Code
from tests.bad_input.sample import (
    APPLIED,
    CLOSED,
    DATA,
    DUPLICATE,
    EMAIL,
    KEY,
    NAME,
    OPEN,
    PASSPORT,
    PHONE,
    SNILS,
    STRUCTURED,
    TICKET,
    TIME,
    UNKNOWN,
    Sample,
    applied,
    binary_headers,
    dump,
    event,
)

_KIB, _MIB = 1024, 1024 * 1024
LIMIT = 256 * _KIB
"""The largest value that is taken (contract, "Dead-letter codes")."""
NEAR_THE_BROKERS_LIMIT = 4 * _MIB - 512
"""The topics take batches of 4 MiB; key, headers and the batch's own fields need some of it."""


def _tombstones() -> Iterator[Sample]:
    code, why = Code.TOMBSTONE, "Without a value nothing is said."
    yield Sample("structured", code, why, None)
    yield Sample("no headers", code, why, None, headers=())
    yield Sample("no key", code, why, None, None, ())
    yield Sample("empty key", code, why, None, b"")
    yield Sample(
        "binary mode", code, "An event in binary mode without data is one.", None, headers=binary_headers()
    )
    yield Sample("content type of somebody else", code, why, None, headers=(("content-type", b"text/plain"),))
    yield Sample("personal header", code, why, None, headers=(("client", NAME.encode()),))
    yield Sample(
        "broken headers",
        code,
        why,
        None,
        headers=(
            ("ce_id", None),
            ("ce_id", b"\xff"),
            ("content-type", None),
        ),
    )
    yield Sample("of an open ticket", code, "It deletes nothing.", None, OPEN.encode())


def _sizes() -> Iterator[Sample]:
    code, why = Code.TOO_LARGE, "256 KiB are the most."
    yield Sample("one byte more", code, why, b'"' + b"x" * (LIMIT - 1) + b'"')
    yield Sample("spaces after a good event", code, why, dump(event()).ljust(LIMIT + 1))
    yield Sample(
        "one byte more in binary mode", code, why, dump(DATA).ljust(LIMIT + 1), headers=binary_headers()
    )
    yield Sample("not JSON", code, "The size is looked at first.", b"\xff" * (LIMIT + 1))
    yield Sample("wrong key, too", code, "The size is looked at first.", b"x" * (LIMIT + 1), PHONE.encode())
    long = dump(event(data={**DATA, "description": NAME * 10_000}))
    yield Sample("a description", code, why, long)
    yield Sample("brackets", code, "It is not even parsed.", b"[" * 600_000)
    yield Sample("half a mebibyte of nothing", code, why, bytes(512 * _KIB), headers=())
    yield Sample("exactly the limit, not JSON", Code.MALFORMED, "It is not too large.", b"x" * LIMIT)
    good = dump(event(id="1", source="/channels/phone", subject="bad-input-taken-limit"))
    yield applied("exactly the limit", "As much is allowed.", "limit", value=good.ljust(LIMIT))


def _near_the_limit() -> Iterator[Sample]:
    code, unknown = Code.TOO_LARGE, Code.UNKNOWN_TYPE
    whole, cut = "Up to 1 MiB a dead letter has the value.", "Above 1 MiB a dead letter has the beginning."
    yield Sample("a mebibyte", code, whole, NAME.encode() * (_MIB // len(NAME.encode())))
    yield Sample("exactly a mebibyte", code, whole, b"x" * _MIB)
    yield Sample("a mebibyte and a byte", code, cut, b"x" * (_MIB + 1))
    yield Sample("as large as the broker takes", code, cut, b"x" * NEAR_THE_BROKERS_LIMIT, headers=())
    yield Sample(
        "a tombstone with a key of a mebibyte", Code.TOMBSTONE, "Keys have no bound.", None, b"k" * _MIB
    )
    yield Sample(
        "a key of a mebibyte and a byte",
        Code.KEY_MISMATCH,
        "It is cut, too.",
        dump(event()),
        b"k" * (_MIB + 1),
    )
    yield Sample(
        "10,000 headers", unknown, "Nobody counts them.", dump(event("x")), headers=(("x", b"1"),) * 10_000
    )
    yield Sample(
        "headers of a mebibyte",
        unknown,
        "They are kept.",
        dump(event("x")),
        headers=(("x", b"1" * (_MIB - 1)),),
    )
    yield Sample(
        "headers of more", unknown, "They are left out.", dump(event("x")), headers=(("x", b"1" * _MIB),)
    )
    yield Sample(
        "an attribute of 3 MiB",
        Code.INVALID_ENVELOPE,
        "Texts are bounded.",
        dump(DATA),
        headers=binary_headers(id=b"1" * (3 * _MIB)),
    )
    taken = applied("headers of 3 MiB on a good event", "They go nowhere.", "headers")
    yield taken._replace(headers=(*STRUCTURED, ("x", b"1" * (3 * _MIB))))


def _unknown_tickets() -> Iterator[Sample]:
    code, why = Code.UNKNOWN_TICKET, "It needs a ticket that is there."
    kinds: Mapping[str, dict[str, Any]] = {
        "ticket.assigned.v1": {"operator": NAME},
        "ticket.transferred.v1": {"queue": "technical", "reason": NAME},
        "ticket.escalated.v1": {"unit": EMAIL},
        "ticket.promised.v1": {"deadline": "2099-01-01T00:00:00Z", "by": NAME},
        "ticket.contacted.v1": {"by": "client"},
        "ticket.pending.v1": {"reason": NAME},
        "ticket.resumed.v1": {},
        "ticket.reclassified.v1": {"priority": "high"},
        "ticket.resolved.v1": {"summary": NAME},
        "ticket.reopened.v1": {"reason": PHONE},
        "ticket.closed.v1": {"reason": "confirmed"},
        "ticket.absorbed.v1": {"ticket": "T-1", "registered_at": TIME},
        "call.dropped.v1": {},
        "call.scheduled.v1": {"at": "2099-01-01T00:00:00Z"},
        "call.returned.v1": {"operator": SNILS},
    }
    for kind, data in kinds.items():
        value = dump(event(kind, id=f"unknown/{kind}", subject=UNKNOWN, data=data))
        yield Sample(kind, code, why, value, UNKNOWN.encode())
    half = event("call.dropped.v1", id="unknown/half", subject=UNKNOWN, data={"client": DATA["client"]})
    yield Sample("half a creating drop", code, "It lacks what a ticket needs.", dump(half), UNKNOWN.encode())
    data = event("ticket.resumed.v1", id="unknown/no-data", subject=UNKNOWN, data=None)
    yield Sample("no data", code, "Where nothing must be said, null says it.", dump(data), UNKNOWN.encode())


def _illegal_transitions() -> Iterator[Sample]:
    cases: list[tuple[str, str, dict[str, Any]]] = [
        (OPEN, "ticket.created.v1", DATA),
        (OPEN, "ticket.pending.v1", {"reason": NAME}),
        (OPEN, "ticket.resumed.v1", {"reason": PHONE}),
        (OPEN, "ticket.resolved.v1", {"summary": SNILS}),
        (OPEN, "ticket.reopened.v1", {"reason": EMAIL}),
        (CLOSED, "ticket.created.v1", DATA),
        (CLOSED, "ticket.assigned.v1", {"operator": NAME}),
        (CLOSED, "ticket.closed.v1", {"reason": "cancelled"}),
        (CLOSED, "ticket.reclassified.v1", {"priority": "high"}),
        (CLOSED, "call.returned.v1", {"operator": NAME}),
    ]
    for ticket, kind, data in cases:
        value = dump(event(kind, id=f"illegal/{ticket}/{kind}", subject=ticket, data=data))
        why = "The table of transitions has no such row."
        yield Sample(f"{ticket}, {kind}", Code.ILLEGAL_TRANSITION, why, value, ticket.encode())


def _duplicates() -> Iterator[Sample]:
    why = "Source and id were applied already; the rest is not looked at."

    def again(kind: str, ticket: str = OPEN, name: str = f"prelude/{OPEN}", **attributes: Any) -> bytes:
        return dump(event(kind, id=name, source="/channels/phone", subject=ticket, **attributes))

    created, key = "ticket.created.v1", OPEN.encode()
    yield Sample("the same", DUPLICATE, why, again(created), key)
    yield Sample("the same once more", DUPLICATE, why, again(created), key)
    yield Sample("another type", DUPLICATE, why, again("ticket.resolved.v1", data={"summary": NAME}), key)
    yield Sample(
        "an illegal one", DUPLICATE, "It is known before it is judged.", again("ticket.resumed.v1"), key
    )
    yield Sample("another time", DUPLICATE, why, again(created, time="2025-01-01T00:00:00Z"), key)
    yield Sample("escaped", DUPLICATE, why, again(created).replace(b"prelude", rb"\u0070relude"), key)
    yield Sample(
        "binary mode",
        DUPLICATE,
        why,
        dump(DATA),
        key,
        binary_headers(
            id=f"prelude/{OPEN}".encode(),
            subject=key,
        ),
    )
    yield Sample(
        "of a closed ticket", DUPLICATE, why, again(created, CLOSED, "prelude/close"), CLOSED.encode()
    )
    other = dump(event("ticket.created.v1", id=f"prelude/{OPEN}", source="/channels/chat", subject=OPEN))
    yield Sample("of another source", Code.ILLEGAL_TRANSITION, "Then it is another event.", other, key)
    bad = again("ticket.assigned.v1", data={"operator": 7})
    yield Sample("with wrong data", Code.INVALID_DATA, "Data is looked at first.", bad, key)
    elsewhere = "bad-input-taken-elsewhere"
    yield Sample(
        "of another ticket",
        APPLIED,
        "Ids are remembered by the ticket.",
        again(created, elsewhere),
        elsewhere.encode(),
    )


def _fed_back() -> Iterator[Sample]:
    """Records of ours, or of other systems, that somebody publishes as events."""
    ours = {"source": "ticketflow", "id": f"{TICKET}/1"}
    journal = event("ticket.journal.v1", **ours, data={"ticket_id": TICKET, "seq": 1})
    yield Sample("a journal record", Code.UNKNOWN_TYPE, "The journal is no input.", dump(journal))
    state = event("ticket.state.v1", **ours, data={"ticket_id": TICKET, "client": DATA["client"]})
    yield Sample("a state record", Code.UNKNOWN_TYPE, "The state is no input.", dump(state))
    metric = event("metric.recorded.v1", **ours, data={"metric": "wait_seconds", "value": 1})
    yield Sample("a metric", Code.UNKNOWN_TYPE, "Metrics are no input.", dump(metric))
    yield Sample("its data alone", Code.INVALID_ENVELOPE, "It lacks its envelope.", dump(DATA))
    connect = {"schema": {"type": "struct"}, "payload": event()}
    yield Sample("a connector's envelope", Code.INVALID_ENVELOPE, "The event is the document.", dump(connect))
    change = {"before": None, "after": {"name": NAME, "passport": PASSPORT}, "op": "c", "ts_ms": 1}
    yield Sample("a change of a database", Code.INVALID_ENVELOPE, "No event.", dump(change), b'{"id":7}', ())
    text = "a text in a text"
    yield Sample(text, Code.INVALID_ENVELOPE, "Decoded once it is a text.", dump(dump(event()).decode()))
    line = f"{NAME};{PHONE};{EMAIL}\r\n".encode()
    yield Sample("a line of a table", Code.MALFORMED, "No JSON.", line, None, ())
    protobuf = b"\n\x03T-1\x12\x05phone\x1a\x0c" + PHONE.encode()
    yield Sample("Protocol Buffers", Code.MALFORMED, "No JSON.", protobuf, KEY, ())


CLASSES: Mapping[str, Callable[[], Iterator[Sample]]] = {
    "tombstones": _tombstones,
    "oversized by a byte": _sizes,
    "near the broker's limit": _near_the_limit,
    "unknown tickets": _unknown_tickets,
    "illegal transitions": _illegal_transitions,
    "duplicates": _duplicates,
    "other systems' records": _fed_back,
}
