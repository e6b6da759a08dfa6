"""Histories of tickets, for properties: events as channels publish them, and everything that goes wrong."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

BEGIN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

Step = tuple[int, str, int, int]
"""Ticket, kind, seconds since the step before, seconds that the event is late."""

DATA: dict[str, tuple[str, dict[str, Any]]] = {
    "created": (
        "ticket.created.v1",
        {"channel": "phone", "category": "technical_fault", "client": {"id": "c-1", "phone": "+70000000000"}},
    ),
    "chat": ("ticket.created.v1", {"channel": "chat", "category": "complex", "client": {"id": "c-2"}}),
    "assigned": ("ticket.assigned.v1", {"operator": "op-1"}),
    "transferred": ("ticket.transferred.v1", {"queue": "security"}),
    "escalated": ("ticket.escalated.v1", {"unit": "u-2"}),
    "client": ("ticket.contacted.v1", {"by": "client"}),
    "operator": ("ticket.contacted.v1", {"by": "operator"}),
    "pending": ("ticket.pending.v1", {}),
    "resumed": ("ticket.resumed.v1", {}),
    "reclassified": ("ticket.reclassified.v1", {"category": "access_recovery", "region": "77"}),
    "resolved": ("ticket.resolved.v1", {"summary": "done"}),
    "reopened": ("ticket.reopened.v1", {}),
    "confirmed": ("ticket.closed.v1", {"reason": "confirmed"}),
    "cancelled": ("ticket.closed.v1", {"reason": "cancelled"}),
    "merged": ("ticket.closed.v1", {"reason": "merged", "merged_into": "T-0"}),
    "dropped": ("call.dropped.v1", {}),
    "returned": ("call.returned.v1", {}),
    "unknown_type": ("ticket.vanished.v1", {}),
    "invalid_data": ("ticket.assigned.v1", {"operator": 7}),
}
KINDS = (*DATA, "promised", "scheduled", "garbage", "again")

_GAPS = (0, 1, 10, 29, 31, 100, 299, 300, 301, 900, 1801, 7200, 90_000, 1_000_000)
_LATENESSES = (0, 0, 0, 0, 1, 40, 400, 2000)

steps = st.lists(
    st.tuples(
        st.integers(0, 3), st.sampled_from(KINDS), st.sampled_from(_GAPS), st.sampled_from(_LATENESSES)
    ),
    max_size=60,
)


def event(identifier: str, ticket_id: str, kind: str, time: datetime, data: dict[str, Any]) -> dict[str, Any]:
    """A CloudEvent in structured mode."""
    return {
        "specversion": "1.0",
        "id": identifier,
        "source": "tests",
        "type": kind,
        "subject": ticket_id,
        "time": time.isoformat(),
        "data": data,
    }


def published(history: Sequence[Step]) -> list[tuple[bytes, bytes, datetime]]:
    """Keys, values and arrivals of a history's records."""
    records: list[tuple[bytes, bytes, datetime]] = []
    now = BEGIN
    for number, (ticket, kind, gap_seconds, late_seconds) in enumerate(history):
        now += timedelta(seconds=gap_seconds)
        ticket_id = f"T-{ticket}"
        if kind == "again":
            key, value = records[number // 2][:2] if records else (b"T-0", b"{}")
            records.append((key, value, now))
            continue
        happened = now - timedelta(seconds=late_seconds)
        records.append((ticket_id.encode(), _value(number, ticket_id, kind, happened), now))
    return records


def _value(number: int, ticket_id: str, kind: str, happened: datetime) -> bytes:
    if kind == "garbage":
        return b'{"specversion": "1.0", "subject": "%b"' % ticket_id.encode()
    if kind in ("promised", "scheduled"):
        later = (happened + timedelta(seconds=1000)).isoformat()
        kind, data = {
            "promised": ("ticket.promised.v1", {"deadline": later, "by": "op-1"}),
            "scheduled": ("call.scheduled.v1", {"at": later}),
        }[kind]
    else:
        kind, data = DATA[kind]
    return json.dumps(event(f"e-{number}", ticket_id, kind, happened, data)).encode()


def lines(history: Sequence[Step]) -> list[bytes]:
    """The history as a file has it: arrivals in the extension attribute `arrivaltime`."""
    written = []
    for _, value, arrival in published(history):
        try:
            document = json.loads(value)
        except ValueError:
            written.append(value)
        else:
            written.append(json.dumps({**document, "arrivaltime": arrival.isoformat()}).encode())
    return written
