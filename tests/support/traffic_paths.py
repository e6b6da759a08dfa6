"""Ways that a ticket goes under the default policy, each with what must come out of it.

What is expected was worked out by hand from the contract and the promises, never by the code under test.
Every verdict is one by event time, so it is the same however late an event arrives and whatever fired before.
Three ages keep it so: what was due is long past, or lies at least 19 hours ahead.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0

JUST_NOW = 2.0
"""Everything happens within a second, and nothing is due before the last of it is published."""
HOURS_AGO = 5 * HOUR
"""The short promises are over; of 48 hours not half has passed."""

Step = tuple[float, str, Mapping[str, Any]]
"""Seconds since the ticket began, the event's type, its data; numbers for instants are such seconds too."""

CREATED, DROPPED = "ticket.created.v1", "call.dropped.v1"


@dataclass(frozen=True)
class Path:
    """A way.

    `verdicts`: (clock, cycle) -> met, breached or cancelled, of the clocks that have one in the end. `state`:
    the last one, None where the ticket left. `age_seconds`: how long before it is published it begins.
    """

    name: str
    channel: str
    category: str
    steps: tuple[Step, ...]
    verdicts: Mapping[tuple[str, int], str]
    state: str | None
    age_seconds: float = JUST_NOW
    weight: int = 1
    begins_with: str = CREATED


def _quick(*steps: tuple[str, Mapping[str, Any]]) -> tuple[Step, ...]:
    return tuple((0.05 * number, kind, data) for number, (kind, data) in enumerate(steps, 1))


_ASSIGNED = ("ticket.assigned.v1", {"operator": "op-7"})
_RESOLVED = ("ticket.resolved.v1", {"summary": "Решено"})
_CONFIRMED = ("ticket.closed.v1", {"reason": "confirmed"})
_NOTHING: dict[str, str] = {}
_PENDING, _RESUMED = ("ticket.pending.v1", _NOTHING), ("ticket.resumed.v1", _NOTHING)
_CITIZEN = ("ticket.contacted.v1", {"by": "client"})
_OPERATOR = ("ticket.contacted.v1", {"by": "operator", "channel": "chat"})
_REPLIED, _SOLVED, _AGREED = ("first_response", 1), ("resolution", 1), ("confirmation", 1)
_MET = {_REPLIED: "met", _SOLVED: "met"}
_ALL_MET = {**_MET, _AGREED: "met"}

QUICK = (
    Path(
        "call", "phone", "status_check",
        _quick(_ASSIGNED, _RESOLVED, _CONFIRMED), _ALL_MET, "closed",
        weight=14,
    ),
    Path(
        "chat", "chat", "technical_fault",
        _quick(_ASSIGNED, _CITIZEN, _OPERATOR, _RESOLVED, _CONFIRMED),
        {**_ALL_MET, ("next_response", 1): "met"}, "closed",
        weight=4,
    ),
    Path(
        "waits for the citizen", "mobile_app", "contact_change",
        _quick(_ASSIGNED, _PENDING, _RESUMED, _RESOLVED), _MET, "resolved",
        weight=5,
    ),
    Path(
        "rejected answer", "feedback_form", "access_recovery",
        _quick(_ASSIGNED, ("ticket.escalated.v1", {"unit": "line-2", "by": "op-7"}), _RESOLVED,
               ("ticket.reopened.v1", {}), _RESOLVED, _CONFIRMED),
        {**_MET, ("confirmation", 1): "cancelled", ("confirmation", 2): "met"}, "closed",
        weight=3,
    ),
    Path(
        "other units", "cabinet", "complex",
        _quick(_ASSIGNED, ("ticket.transferred.v1", {"queue": "reference", "unit": "archive"}), _ASSIGNED,
               ("ticket.promised.v1", {"deadline": 2 * DAY, "by": "op-7"})),
        {_REPLIED: "met"}, "assigned",
        weight=4,
    ),
    Path(
        "dropped call", "phone", "contact_change",
        _quick(("call.returned.v1", {"operator": "op-3"}), _ASSIGNED, _RESOLVED, _CONFIRMED),
        {_REPLIED: "cancelled", _SOLVED: "met", _AGREED: "met", ("callback", 1): "met"},
        "closed", begins_with=DROPPED,
        weight=4,
    ),
    Path(
        "another call", "chat", "status_check",
        _quick(_ASSIGNED, ("call.scheduled.v1", {"at": DAY}), _RESOLVED),
        {**_MET, ("scheduled_call", 1): "cancelled"}, "resolved",
        weight=3,
    ),
    Path(
        "cancelled", "phone", "technical_fault", _quick(("ticket.closed.v1", {"reason": "cancelled"})),
        {_REPLIED: "cancelled", _SOLVED: "cancelled"}, "closed",
        weight=4,
    ),
    Path(
        "turns out to be complex", "chat", "technical_fault",
        _quick(_ASSIGNED, ("ticket.reclassified.v1", {"category": "complex", "priority": "high"})),
        {_REPLIED: "met"}, "assigned",
        weight=4,
    ),
)  # fmt: skip

SLOW = (
    Path(
        "solved too late", "phone", "technical_fault",
        ((20, *_ASSIGNED), (40 * MINUTE, *_RESOLVED), (60 * MINUTE, *_CONFIRMED)),
        {_REPLIED: "met", _SOLVED: "breached", _AGREED: "met"}, "closed", HOURS_AGO,
    ),
    Path(
        "nobody answers", "phone", "status_check", (),
        {_REPLIED: "breached", _SOLVED: "breached"}, "escalated", HOURS_AGO,
    ),
    Path(
        "the citizen's time is not ours", "chat", "access_recovery",
        ((60, *_ASSIGNED), (5 * MINUTE, *_PENDING), (65 * MINUTE, *_RESUMED), (70 * MINUTE, *_RESOLVED)),
        _MET, "resolved", HOURS_AGO,
    ),
    Path(
        "late from the first", "feedback_form", "contact_change",
        ((16 * MINUTE, *_ASSIGNED), (18 * MINUTE, *_RESOLVED)),
        {_REPLIED: "breached", _SOLVED: "breached"}, "resolved", HOURS_AGO,
    ),
    Path(
        "nobody calls back", "phone", "complex", ((10, *_ASSIGNED), (60, DROPPED, {})),
        {_REPLIED: "met", ("callback", 1): "breached"}, "assigned", HOURS_AGO,
    ),
    Path(
        "broken promise", "cabinet", "complex",
        ((60, *_ASSIGNED), (2 * MINUTE, "ticket.promised.v1", {"deadline": 30 * MINUTE, "by": "op-2"})),
        {_REPLIED: "met", ("promise", 1): "breached"}, "escalated", HOURS_AGO,
    ),
    Path(
        "never confirmed", "phone", "status_check", ((20, *_ASSIGNED), (2 * MINUTE, *_RESOLVED)),
        {**_MET, _AGREED: "breached"}, "closed", 5 * DAY,
    ),
    Path(
        "long gone", "chat", "contact_change", ((60, *_ASSIGNED), (5 * MINUTE, *_CONFIRMED)),
        _MET, None, 40 * DAY,
    ),
)  # fmt: skip

PATHS = (*QUICK, *SLOW)

SURVIVOR = Path(
    "survivor", "chat", "complex", _quick(_ASSIGNED), {_REPLIED: "met"}, "assigned", JUST_NOW + 0.5
)
"""What merged tickets are merged into. It is registered before them, so that its clocks do not move."""

MERGED = Path(
    "merged", "chat", "complex", _quick(("ticket.closed.v1", {"reason": "merged"})),
    {_REPLIED: "cancelled", _SOLVED: "cancelled"}, "closed",
)  # fmt: skip
