"""Which fields of a ticket an event changes: public ones for the journal, personal ones for the state."""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from schemas.events import (
    Absorbed,
    Assigned,
    Closed,
    Contacted,
    Created,
    Escalated,
    EventData,
    Priority,
    Promised,
    Reclassified,
    Reopened,
    Resolved,
    Scheduled,
    Transferred,
    default_queue,
)
from schemas.instants import format_instant
from schemas.state import State, Ticket
from workflow.policy import Policy

Changed = dict[str, str | None]

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


def public_changes(
    ticket: Ticket | None, data: EventData, registration: Created | None, at: datetime, policy: Policy
) -> Changed:
    """New values of the ticket's non-personal fields, as a journal record has them; what stays is left out.

    `registration` is what creates the ticket where there is none, `policy` the version in force.
    """
    if registration is not None:
        return _registered(registration)
    assert ticket is not None  # noqa: S101 - without a ticket there is a registration
    changes = _CHANGES.get(type(data))
    if changes is None:
        return {}
    proposed = changes(ticket, data, at, policy)
    return {
        name: value for name, value in proposed.items() if name in _ALWAYS or value != _shown(ticket, name)
    }


def personal_changes(data: EventData) -> Mapping[str, Any]:
    """New values of the ticket's personal fields, which only its state record carries."""
    if isinstance(data, Created):
        names = ("client", "description", "error_code", "attachments", "callback_window")
        return {name: getattr(data, name) for name in names}
    if isinstance(data, Resolved):
        return {"summary": data.summary}
    return _NOTHING


def _shown(ticket: Ticket, name: str) -> str | None:
    value = getattr(ticket, name)
    return format_instant(value) if isinstance(value, datetime) else value


def _registered(data: Created) -> Changed:
    fields: Changed = {
        "channel": data.channel,
        "category": data.category,
        "queue": data.queue or default_queue(data.category),
        "priority": data.priority or Priority.NORMAL,
        "region": data.region,
        "request_type": data.request_type,
        "follows": data.follows,
    }
    return {name: str(value) for name, value in fields.items() if value is not None}


def _assigned(ticket: Ticket, data: Assigned, at: datetime, policy: Policy) -> Changed:
    del ticket, at, policy
    return {"operator": data.operator}


def _transferred(ticket: Ticket, data: Transferred, at: datetime, policy: Policy) -> Changed:
    del at, policy
    return {"queue": str(data.queue), "unit": data.unit or ticket.unit, "operator": None}


def _escalated(ticket: Ticket, data: Escalated, at: datetime, policy: Policy) -> Changed:
    del at, policy
    return {"unit": data.unit or ticket.unit}


def _promised(ticket: Ticket, data: Promised, at: datetime, policy: Policy) -> Changed:
    del ticket, at, policy
    return {"promised_deadline": format_instant(data.deadline)}


def _scheduled(ticket: Ticket, data: Scheduled, at: datetime, policy: Policy) -> Changed:
    del ticket, at, policy
    return {"scheduled_at": format_instant(data.at)}


def _contacted(ticket: Ticket, data: Contacted, at: datetime, policy: Policy) -> Changed:
    del ticket, at, policy
    return {"contacted_by": str(data.by)}


def _reclassified(ticket: Ticket, data: Reclassified, at: datetime, policy: Policy) -> Changed:
    del ticket, at, policy
    return {name: str(value) for name, value in data if value is not None}


def _reopened(ticket: Ticket, data: Reopened, at: datetime, policy: Policy) -> Changed:
    del ticket, data, at, policy
    return {"close_reason": None, "merged_into": None, "reopenable_until": None}


def _closed(ticket: Ticket, data: Closed, at: datetime, policy: Policy) -> Changed:
    changed: Changed = {"close_reason": str(data.reason), "merged_into": data.merged_into}
    if ticket.state is not State.CLOSED:  # a person's reason after the engine's own closing moves no date
        changed["reopenable_until"] = format_instant(at + policy.reopening_window)
    return changed


def _absorbed(ticket: Ticket, data: Absorbed, at: datetime, policy: Policy) -> Changed:
    del at, policy
    return {"registered_at": format_instant(min(ticket.registered_at, data.registered_at))}


_ALWAYS: Final = frozenset({"contacted_by"})
"""Fields that a record names even when they stay: the fold must see who made this contact."""

_CHANGES: Final[Mapping[type[EventData], Callable[[Ticket, Any, datetime, Policy], Changed]]] = {
    Assigned: _assigned,
    Transferred: _transferred,
    Escalated: _escalated,
    Promised: _promised,
    Scheduled: _scheduled,
    Contacted: _contacted,
    Reclassified: _reclassified,
    Reopened: _reopened,
    Closed: _closed,
    Absorbed: _absorbed,
}
