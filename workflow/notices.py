"""Who is told what when a fact happens (contract, "Notification")."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from schemas.events import Client, Notify
from schemas.instants import format_instant
from schemas.records import (
    Change,
    ClockChange,
    EventCause,
    Notification,
    NotificationChannel,
    Recipient,
    Role,
    Template,
    Told,
)
from schemas.state import Ticket
from workflow.decide import Accepted
from workflow.policy import Policy

Params = dict[str, str | int | None]

_BY_TRIGGER: Final[dict[str, tuple[tuple[Template, Role], ...]]] = {
    "created": ((Template.TICKET_REGISTERED, Role.CLIENT),),
    "dropped": ((Template.CALLBACK_OFFERED, Role.CLIENT),),
    "assigned": ((Template.TICKET_ASSIGNED, Role.OPERATOR),),
    "promised": ((Template.DEADLINE_ANNOUNCED, Role.CLIENT),),
    "scheduled": ((Template.CALL_SCHEDULED, Role.CLIENT),),
    "escalated": ((Template.TICKET_ESCALATED, Role.SUPERVISOR),),
    "resolved": ((Template.TICKET_RESOLVED, Role.CLIENT),),
    "reopened": ((Template.TICKET_REOPENED, Role.OPERATOR),),
    "closed": ((Template.TICKET_CLOSED, Role.CLIENT),),
}


def notifications(fact: Accepted, told_at: datetime | None = None) -> list[tuple[str, Notification]]:
    """The notifications of a fact, each with its record id; the same cause always gives the same ids.

    Citizens' hours are looked up at `told_at`, where it is later than the fact counts: what happened by day
    may come, or be found, at night. Without it: when the engine recorded the fact.
    """
    ticket = fact.after
    if ticket is None:
        return []
    found = []
    taken: dict[str, int] = {}
    told_at = max(fact.entry.at, told_at or fact.entry.recorded_at)
    for suffix, notification in (*_of_trigger(fact, ticket), *_of_clocks(fact, ticket)):
        taken[suffix] = taken.get(suffix, 0) + 1
        # Only a retraction may tell several people of one role.
        again = f"/{taken[suffix]}" if taken[suffix] > 1 else ""
        waiting = _waiting(notification, fact.policy, ticket.region, told_at)
        found.append((f"{fact.entry.record_id}/{suffix}{again}", waiting))
    return found


def _of_trigger(fact: Accepted, ticket: Ticket) -> Iterator[tuple[str, Notification]]:
    entry = fact.entry
    if entry.trigger is None or (entry.trigger == "escalated" and not isinstance(entry.cause, EventCause)):
        return  # the engine's own escalation tells whom its step names
    triggers = (entry.trigger,) if fact.before or entry.trigger == "created" else ("created", entry.trigger)
    for trigger in triggers:
        for template, role in _BY_TRIGGER.get(trigger, ()):
            if template is Template.TICKET_REGISTERED:
                template = _registration(fact, ticket)
            notice = _notice(ticket, template, role, _ref(ticket, role), _params(trigger, ticket))
            if notice is not None:
                yield f"{template}/{role}", notice


def _registration(fact: Accepted, ticket: Ticket) -> Template:
    hours = fact.policy.service_calendar(ticket.channel, ticket.region)
    within = hours.is_open(fact.entry.at)
    return Template.TICKET_REGISTERED if within else Template.TICKET_REGISTERED_OUT_OF_HOURS


def _params(trigger: str, ticket: Ticket) -> Params:
    if trigger == "promised":
        return {"deadline": _shown(ticket.promised_deadline)}
    if trigger == "scheduled":
        return {"at": _shown(ticket.scheduled_at)}
    if trigger == "closed":
        return {"reason": ticket.close_reason}
    if trigger == "escalated":
        return {"queue": str(ticket.queue), "unit": ticket.unit, "level": ticket.level}
    return {"category": str(ticket.category), "queue": str(ticket.queue), "priority": str(ticket.priority)}


def _shown(instant: datetime | None) -> str | None:
    return None if instant is None else format_instant(instant)


def _of_clocks(fact: Accepted, ticket: Ticket) -> Iterator[tuple[str, Notification]]:
    for change in fact.entry.clocks:
        for template, told in _tellings(fact, change, ticket):
            params = _clock_params(change, ticket)
            ref = _ref(ticket, told.role) if told.role is Role.CLIENT else told.ref
            notice = _notice(ticket, template, told.role, ref, params)
            if notice is not None:
                yield f"{template}/{told.role}/{change.clock}", notice


def _tellings(fact: Accepted, change: ClockChange, ticket: Ticket) -> Iterator[tuple[Template, Told]]:
    if change.change is Change.WARNED:
        for role in (Role.OPERATOR, Role.SUPERVISOR):
            yield Template.SLA_WARNING, Told(role=role, ref=_ref(ticket, role))
    elif change.change in (Change.BREACHED, Change.STEPPED):
        for told in change.told:
            yield Template.SLA_BREACHED, told
    elif change.change is Change.RETRACTED and fact.before is not None:
        clock = fact.before.clock(change.clock)
        for told in dict.fromkeys(() if clock is None else clock.told):
            yield Template.SLA_RETRACTED, told


def _clock_params(change: ClockChange, ticket: Ticket) -> Params:
    return {
        "clock": change.clock,
        "cycle": change.cycle,
        "threshold": change.threshold,
        "deadline": _shown(change.deadline),
        "category": str(ticket.category),
        "level": ticket.level,
    }


def _ref(ticket: Ticket, role: Role) -> str | None:
    if role is Role.CLIENT:
        return None if ticket.client is None else ticket.client.id
    return ticket.operator if role is Role.OPERATOR else str(ticket.queue)


def _notice(
    ticket: Ticket, template: Template, role: Role, ref: str | None, params: Params
) -> Notification | None:
    """The notification, or None where nobody fills the role or the client wants none."""
    channel = NotificationChannel.INBOX if role is not Role.CLIENT else _preferred(ticket.client)
    if ref is None or channel is None:
        return None
    return Notification(
        ticket_id=ticket.ticket_id,
        recipient=Recipient(role=role, ref=ref),
        channel=channel,
        template=template,
        params=params,
    )


def _preferred(client: Client | None) -> NotificationChannel | None:
    if client is None or client.notify is Notify.NONE:
        return None
    if client.notify is not None:
        return NotificationChannel(str(client.notify))
    if client.email:
        return NotificationChannel.EMAIL
    return NotificationChannel.SMS if client.phone else NotificationChannel.INBOX


def _waiting(notification: Notification, policy: Policy, region: str | None, at: datetime) -> Notification:
    """The same to be told at that time: outside the citizen's hours it waits for them."""
    if notification.recipient.role is not Role.CLIENT:
        return notification
    hours = policy.citizen_calendar(region)
    if hours.is_open(at):
        return notification
    return notification.model_copy(update={"not_before": hours.next_opening(at)})
