"""What follows from a command: a fact, or a rejection. Pure: time and the policy are passed in.

A command is an event or something that is due. `decide` produces facts and changes nothing; `evolve` makes the next
ticket of a fact.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.envelope import Code, Event, digest
from schemas.events import Absorbed, Closed, CloseReason, Created, Dropped
from schemas.instants import parse_instant
from schemas.records import ClockCause, EventCause, JournalEntry
from schemas.state import REMEMBERED_EVENTS, State, Ticket
from workflow.changes import Changed, personal_changes, public_changes
from workflow.due import Due, fire, next_due
from workflow.ledger import Ledger, matching_fields
from workflow.policy import Policies, Policy
from workflow.sla import act, move_start
from workflow.states import next_state
from workflow.ticket import evolve, trigger_names


@dataclass(frozen=True, slots=True)
class Accepted:
    """A fact: its journal entry and the ticket after it (None: it left the state).

    `policy` is the version in force. `absorbed` is the survivor's id and the event that it has to learn, when the ticket was merged into it.
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
    """What an event does to a ticket (None: there is none). `now` is the engine's time and decides nothing."""
    event = command.event
    remembered = digest(event.source, event.id)
    if ticket is not None and remembered in ticket.seen:
        return Duplicate()
    registration = _registration(event, ticket)
    if ticket is None and registration is None:
        return Rejected(
            Code.UNKNOWN_TICKET, f"{event.type} is about a ticket that is not there: create it first"
        )
    trigger = event.data.triggers[0]
    to = next_state(ticket, trigger)
    if to is None:
        return Rejected(Code.ILLEGAL_TRANSITION, _refusal(ticket, trigger))
    return _applied(ticket, command, to, remembered, registration, now, policies)


def _registration(event: Event, ticket: Ticket | None) -> Created | None:
    if ticket is not None:
        return None
    if isinstance(event.data, Dropped):
        return event.data.created
    return event.data if isinstance(event.data, Created) else None


def _refusal(ticket: Ticket | None, trigger: str) -> str:
    state = "not there yet" if ticket is None else f"in the state {ticket.state}"
    return f"{trigger} is not possible while the ticket is {state}"


def _applied(
    ticket: Ticket | None,
    command: Arrived,
    to: State,
    remembered: str,
    registration: Created | None,
    now: datetime,
    policies: Policies,
) -> Accepted:
    event = command.event
    at = min(event.time, command.arrival)
    policy = policies.in_force(command.arrival)
    changed = public_changes(ticket, event.data, registration, at, policy)
    ledger = _opened(ticket, changed, at, now, policies, policy)
    fields = _fields_after(ticket, changed)
    trigger = event.data.triggers[0]
    for name_group in _groups(trigger_names(trigger, changed, creates=ticket is None)):
        act(ledger, name_group, fields, to, cancelling=_cancels(event))
    if (
        isinstance(event.data, Absorbed)
        and ticket is not None
        and event.data.registered_at < ticket.registered_at
    ):
        move_start(ledger, event.data.registered_at, ticket.registered_at)
    level = 0 if ticket is None else ticket.level
    entry = JournalEntry.model_construct(
        ticket_id=event.subject,
        seq=1 if ticket is None else ticket.seq + 1,
        at=at,
        recorded_at=now,
        cause=EventCause.model_construct(
            kind="event", id=event.id, source=event.source, type=event.type,
            partition=command.partition, offset=command.offset,
        ),
        trigger=trigger,
        from_=None if ticket is None else str(ticket.state),
        to=str(to),
        level=level + 1 if trigger == "escalated" else level,
        changed=changed,
        clocks=tuple(ledger.changes),
    )  # fmt: skip
    after = evolve(ticket, entry, _personal(ticket, registration or event.data, remembered))
    return Accepted(entry, ticket, after, policy, _absorption(event, after))


def _groups(names: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Triggers that act together: a drop that creates counts as created, then dropped."""
    return (("created",), ("dropped",)) if names == ("created", "dropped") else (names,)


def _opened(
    ticket: Ticket | None, changed: Changed, at: datetime, now: datetime, policies: Policies, policy: Policy
) -> Ledger:
    announced = {
        name: parse_instant(value) if (value := changed.get(name)) else ticket and getattr(ticket, name)
        for name in ("promised_deadline", "scheduled_at")
    }
    return Ledger.opened(
        ticket,
        policies=policies,
        policy=policy,
        at=at,
        now=now,
        fields=_fields_after(ticket, changed) if ticket is None else matching_fields(ticket),
        promised=announced["promised_deadline"],
        scheduled=announced["scheduled_at"],
    )


def _fields_after(ticket: Ticket | None, changed: Changed) -> dict[str, str | None]:
    fields: dict[str, str | None] = (
        dict.fromkeys(("category", "priority", "channel", "queue", "region"))
        if ticket is None
        else matching_fields(ticket)
    )
    return {name: changed.get(name, value) for name, value in fields.items()}


def _cancels(event: Event) -> bool:
    return isinstance(event.data, Closed) and event.data.reason is not CloseReason.CONFIRMED


def _personal(ticket: Ticket | None, data: Any, remembered: str) -> Mapping[str, Any]:
    seen = (remembered,) if ticket is None else (*ticket.seen, remembered)[-REMEMBERED_EVENTS:]
    return {**personal_changes(data), "seen": seen}


def _absorption(event: Event, ticket: Ticket | None) -> tuple[str, Absorbed] | None:
    data = event.data
    if not isinstance(data, Closed) or data.reason is not CloseReason.MERGED or ticket is None:
        return None
    if data.merged_into is None:
        return None
    learnt = Absorbed(ticket=ticket.ticket_id, registered_at=ticket.registered_at)
    return data.merged_into, learnt


def decide_due(ticket: Ticket, due: Due, now: datetime, policies: Policies) -> Accepted | None:
    """What a firing does, or None where the ticket is not due for it (any more).

    Raises ValueError when `now` is before it is due: nothing ever fires early.
    """
    if next_due(ticket, policies) != due:
        return None
    if now < due.at:
        raise ValueError(f"the clock {due.clock} is not due yet")
    policy = policies.in_force(due.at)
    ledger = _opened(ticket, {}, due.at, now, policies, policy)
    ledger.by_engine = True
    fired = fire(ledger, ticket, due)
    entry = JournalEntry.model_construct(
        ticket_id=ticket.ticket_id,
        seq=ticket.seq + 1,
        at=due.at,
        recorded_at=now,
        cause=ClockCause.model_construct(
            kind="clock", clock=due.clock, cycle=due.cycle, threshold=due.threshold, due=due.at
        ),
        trigger=fired.trigger,
        from_=str(ticket.state),
        to=None if fired.to is None else str(fired.to),
        level=fired.level,
        changed=fired.changed,
        clocks=tuple(ledger.changes),
    )
    return Accepted(entry, ticket, evolve(ticket, entry), policy)
