"""What follows from a command: a fact, or a rejection. Pure: time and the policy are passed in.

A command is an event or something that is due. `decide` produces facts and changes nothing; `evolve` makes
the next ticket of a fact.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.envelope import Code, Event, digest
from schemas.events import Absorbed, Closed, CloseReason, Created, Dropped, EventData
from schemas.instants import parse_instant
from schemas.records import ClockCause, EventCause, JournalEntry
from schemas.state import REMEMBERED_EVENTS, State, Ticket
from workflow.changes import Changed, personal_changes, public_changes
from workflow.due import Due, Effect, fire, next_due
from workflow.ledger import Ledger, matching_fields
from workflow.policy import FIELDS, Policies, Policy
from workflow.sla import act, move_start
from workflow.states import next_state
from workflow.ticket import evolve, trigger_names


@dataclass(frozen=True, slots=True)
class Accepted:
    """A fact: its journal entry and the ticket after it (None: it left the state).

    `policy` is the version in force. `absorbed` is the survivor's id and the event that it has to learn,
    when the ticket was merged into it.
    """

    entry: JournalEntry
    before: Ticket | None
    after: Ticket | None
    policy: Policy
    absorbed: tuple[str, Absorbed] | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """The event is refused: a dead letter with this code and this sentence, which names no value."""

    code: Code
    message: str


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The event was applied before: it leaves nothing but a count."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """The command that an event is: the event, its arrival, and where it stands in the events topic."""

    event: Event
    arrival: datetime
    partition: int
    offset: int


def decide(
    ticket: Ticket | None, command: Arrived, now: datetime, policies: Policies
) -> Accepted | Rejected | Duplicate:
    """What an event does to a ticket (None: there is none). `now`, the engine's time, decides nothing."""
    event = command.event
    remembered = digest(event.source, event.id)
    if ticket is not None and remembered in ticket.seen:
        return Duplicate()
    registration = _registration(event, ticket)
    if ticket is None and registration is None:
        return Rejected(Code.UNKNOWN_TICKET, f"{event.type} needs a ticket that is there: create it first")
    trigger = event.data.triggers[0]
    to = next_state(ticket, trigger)
    if to is None:
        return Rejected(Code.ILLEGAL_TRANSITION, _refusal(ticket, trigger))
    at, policy = min(event.time, command.arrival), policies.in_force(command.arrival)
    changed = public_changes(ticket, event.data, registration, at, policy)
    level = (0 if ticket is None else ticket.level) + (trigger == "escalated")
    effect = Effect(trigger, to, level, changed)
    ledger = _ledger(ticket, changed, at=at, now=now, policies=policies, policy=policy)
    _act(ledger, event, effect)
    cause = EventCause(
        kind="event", id=event.id, source=event.source, type=event.type,
        partition=command.partition, offset=command.offset,
    )  # fmt: skip
    entry = _entry(ledger, event.subject, cause, effect)
    after = evolve(ticket, entry, _personal(ticket, registration or event.data, remembered))
    return Accepted(entry, ticket, after, policy, _absorption(event, after))


def decide_due(ticket: Ticket, due: Due, now: datetime, policies: Policies) -> Accepted | None:
    """What a firing does, or None where the ticket is not due for it (any more).

    Raises ValueError when `now` is before it is due: nothing ever fires early.
    """
    if next_due(ticket, policies) != due:
        return None
    if now < due.at:
        raise ValueError(f"the clock {due.clock} is not due yet")
    policy = policies.in_force(due.at)
    ledger = _ledger(ticket, {}, at=due.at, now=now, policies=policies, policy=policy)
    ledger.by_engine = True
    effect = fire(ledger, ticket, due)
    cause = ClockCause(kind="clock", clock=due.clock, cycle=due.cycle, threshold=due.threshold, due=due.at)
    entry = _entry(ledger, ticket.ticket_id, cause, effect)
    return Accepted(entry, ticket, evolve(ticket, entry), policy)


def _registration(event: Event, ticket: Ticket | None) -> Created | None:
    """What creates the ticket, where there is none."""
    if ticket is not None:
        return None
    if isinstance(event.data, Dropped):
        return event.data.created
    return event.data if isinstance(event.data, Created) else None


def _refusal(ticket: Ticket | None, trigger: str) -> str:
    state = "not there yet" if ticket is None else f"in the state {ticket.state}"
    return f"{trigger} is not possible while the ticket is {state}"


def _ledger(ticket: Ticket | None, changed: Changed, **circumstances: Any) -> Ledger:
    announced = {
        name: parse_instant(value) if (value := changed.get(name)) else ticket and getattr(ticket, name)
        for name in ("promised_deadline", "scheduled_at")
    }
    return Ledger.opened(
        ticket,
        fields=_fields_after(None, changed) if ticket is None else matching_fields(ticket),
        promised=announced["promised_deadline"],
        scheduled=announced["scheduled_at"],
        **circumstances,
    )


def _fields_after(ticket: Ticket | None, changed: Changed) -> dict[str, str | None]:
    fields = dict.fromkeys(FIELDS) if ticket is None else matching_fields(ticket)
    return {name: changed.get(name, value) for name, value in fields.items()}


def _act(ledger: Ledger, event: Event, effect: Effect) -> None:
    """Let the event's triggers act on the clocks; a drop that creates counts as created, then dropped."""
    ticket, data = ledger.ticket, event.data
    names = trigger_names(str(effect.trigger), effect.changed, creates=ticket is None)
    groups = [(name,) for name in names] if ticket is None else [names]
    fields = _fields_after(ticket, effect.changed)
    cancelling = isinstance(data, Closed) and data.reason is not CloseReason.CONFIRMED
    for group in groups:
        act(ledger, group, fields, State(str(effect.to)), cancelling=cancelling)
    if isinstance(data, Absorbed) and ticket is not None and data.registered_at < ticket.registered_at:
        move_start(ledger, data.registered_at, ticket.registered_at)


def _entry(ledger: Ledger, ticket_id: str, cause: EventCause | ClockCause, effect: Effect) -> JournalEntry:
    ticket = ledger.ticket
    return JournalEntry(
        ticket_id=ticket_id,
        seq=1 if ticket is None else ticket.seq + 1,
        at=ledger.at,
        recorded_at=ledger.now,
        cause=cause,
        trigger=effect.trigger,
        from_=None if ticket is None else str(ticket.state),
        to=None if effect.to is None else str(effect.to),
        level=effect.level,
        changed=effect.changed,
        clocks=tuple(ledger.changes),
    )


def _personal(ticket: Ticket | None, data: EventData, remembered: str) -> Mapping[str, Any]:
    seen = (remembered,) if ticket is None else (*ticket.seen, remembered)[-REMEMBERED_EVENTS:]
    return {**personal_changes(data), "seen": seen}


def _absorption(event: Event, ticket: Ticket | None) -> tuple[str, Absorbed] | None:
    data = event.data
    if not isinstance(data, Closed) or data.reason is not CloseReason.MERGED or ticket is None:
        return None
    if data.merged_into is None:
        return None
    return data.merged_into, Absorbed(ticket=ticket.ticket_id, registered_at=ticket.registered_at)
