"""The protocol of a contact: what happened to a ticket, to read and keep, out of its journal and its state.

A Protocol is data: its field names are those of `ticketflow ticket protocol --json`. The journal names no
citizen and carries no free text. Both are in the ticket's state for as long as there is one, and go into a
protocol only where they are asked for.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from schemas.events import Created
from schemas.records import Change, ClockCause, JournalEntry, Role, Template
from schemas.state import PERSONAL_FIELDS, Ticket
from schemas.terms import Channel
from workflow.decide import Accepted
from workflow.history import Move, Step, by_cycle, steps
from workflow.notices import notifications
from workflow.policy import Policies, Policy

CONSENTING: Final = frozenset({Channel.FEEDBACK_FORM, Channel.CABINET})
"""Channels by which nothing can be registered without consent (contract, "Events"). It is given once for each
request, so none of the ticket's own passes to one that follows it: the citizen is to be asked again."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One event, or something that the engine did to the ticket by itself.

    `what`: the trigger. `source` and `event`: who published it, and its id there; both null for the engine,
    and then `clock` says which clock was due. `changed`: new values of the ticket's fields. `state` and
    `level`: the ticket's afterwards (`state` null: it left the state).
    """

    at: datetime
    seq: int
    what: str
    source: str | None
    event: str | None
    clock: str | None
    state: str | None
    level: int
    changed: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Promise:
    """One cycle of a clock: what was promised, and what became of it.

    `outcome`: kept, broken, cancelled or open. `deadline`: the last one that was in force. `ended_at`: null
    while it is open; of a broken promise, when the work was done all the same.
    """

    clock: str
    cycle: int
    target_seconds: float
    deadline: datetime | None
    outcome: str
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Announcement:
    """Somebody was told something. `ref`: the client's id, the operator's id, or the supervisor's queue."""

    at: datetime
    template: Template
    role: Role
    ref: str
    channel: str
    params: Mapping[str, str | int | None]


@dataclass(frozen=True, slots=True)
class Protocol:
    """All of a contact.

    `registered_by`: the channel. `client`: the citizen's id, null once the ticket has left the state, and
    then what the citizen was told is not known either. `missing_policies`: versions that clocks ran under and
    that are not here; without them `announcements` may say wrongly whether the contact was registered out of
    hours. `personal`: the citizen and the free texts, only where they were asked for and are still there.

    `follow_up`: `data` of a `ticket.created.v1` that follows this contact. `follow_up_needs_consent`: first
    the citizen has to consent to that new request, and `"consent": true` is to be added.
    `follow_up_complete`: nothing else is missing for the engine to take it.
    """

    ticket_id: str
    registered_at: datetime
    registered_by: str
    category: str
    queue: str
    priority: str
    region: str | None
    request_type: str | None
    follows: str | None
    state: str | None
    level: int
    operator: str | None
    unit: str | None
    promised_deadline: datetime | None
    scheduled_at: datetime | None
    closed_at: datetime | None
    close_reason: str | None
    merged_into: str | None
    client: str | None
    happenings: tuple[Happening, ...]
    promises: tuple[Promise, ...]
    announcements: tuple[Announcement, ...]
    missing_policies: tuple[str, ...]
    personal: Mapping[str, Any] | None
    follow_up: Mapping[str, Any]
    follow_up_needs_consent: bool
    follow_up_complete: bool


def protocol(
    entries: Sequence[JournalEntry],
    policies: Policies,
    state: Ticket | None = None,
    *,
    personal: bool = False,
) -> Protocol:
    """The protocol of one life of a ticket, and of its state, if that is still there.

    A state that is behind the journal belongs to another life of the id, and is left aside.

    Raises IncompleteJournal where a record is missing.
    """
    life = steps(entries)
    last = life[-1]
    ticket = last.after or last.before
    assert ticket is not None  # noqa: S101 - a life has a first record
    if state is not None and state.seq < last.entry.seq:
        state = None
    follow_up = _follow_up(life[0].entry, ticket, state, personal=personal)
    needs_consent = follow_up["channel"] in CONSENTING
    return Protocol(
        **{name: getattr(ticket, name) for name in _TAKEN},
        registered_by=str(life[0].entry.changed["channel"]),
        state=last.entry.to,
        level=last.entry.level,
        client=state.client.id if state and state.client else None,
        happenings=tuple(_happening(step) for step in life if _shows(step)),
        promises=tuple(_promise(moves) for moves in by_cycle(life).values()),
        announcements=tuple(_announcements(life, policies, state)),
        missing_policies=tuple(sorted(_labels(life) - set(policies.labels))),
        personal=_personal(state) if personal and state else None,
        follow_up=follow_up,
        follow_up_needs_consent=needs_consent,
        follow_up_complete=_is_complete(follow_up, consented=needs_consent),
    )


_TAKEN: Final = (
    "ticket_id", "registered_at", "category", "queue", "priority", "region", "request_type", "follows",
    "operator", "unit", "promised_deadline", "scheduled_at", "closed_at", "close_reason", "merged_into",
)  # fmt: skip
"""What a protocol has from the ticket as it is."""


def _shows(step: Step) -> bool:
    """Firings that only warn or only tell somebody are among the promises and the announcements."""
    return step.entry.trigger is not None or step.entry.to is None


def _happening(step: Step) -> Happening:
    entry, cause = step.entry, step.entry.cause
    source, event, clock = (
        (None, None, cause.clock) if isinstance(cause, ClockCause) else (cause.source, cause.id, None)
    )
    return Happening(
        at=entry.at,
        seq=entry.seq,
        what=entry.trigger or "left",
        source=source,
        event=event,
        clock=clock,
        state=entry.to,
        level=entry.level,
        changed=entry.changed,
    )


def _promise(moves: Sequence[Move]) -> Promise:
    last = moves[-1].after
    outcome = {"met": "kept", "cancelled": "cancelled"}.get(last.status, "open")
    deadlines = [move.change.deadline for move in moves if move.change.deadline is not None]
    return Promise(
        clock=last.clock,
        cycle=last.cycle,
        target_seconds=last.target_seconds,
        deadline=deadlines[-1] if deadlines else None,
        outcome="broken" if last.breached else outcome,
        ended_at=last.ended_at,
    )


def _announcements(life: Sequence[Step], policies: Policies, state: Ticket | None) -> Iterator[Announcement]:
    """What the engine asked to be told, worked out again: the notifications themselves are kept for days."""
    client = {"client": state.client if state else None}
    for step in life:
        before = step.before and step.before.model_copy(update=client)
        after = step.after and step.after.model_copy(update=client)
        fact = Accepted(step.entry, before, after, _policy_of(step, policies))
        for _, told in notifications(fact):
            yield Announcement(
                step.entry.at,
                told.template,
                told.recipient.role,
                told.recipient.ref,
                told.channel,
                told.params,
            )


def _policy_of(step: Step, policies: Policies) -> Policy:
    """The version in force at a record: what started clocks names it, else it is a matter of the date."""
    started = [each.policy for each in step.entry.clocks if each.change is Change.STARTED]
    known = [label for label in started if label in policies.labels]
    return policies.get(known[0]) if known else policies.in_force(step.entry.at)


def _labels(life: Sequence[Step]) -> set[str]:
    return {change.policy for step in life for change in step.entry.clocks}


def _personal(state: Ticket) -> dict[str, Any]:
    data = state.model_dump(mode="json", by_alias=True, include=set(PERSONAL_FIELDS))
    return {name: value for name, value in data.items() if value is not None}


def _follow_up(
    first: JournalEntry, ticket: Ticket, state: Ticket | None, *, personal: bool
) -> dict[str, Any]:
    """What registers a follow-up: by the channel that registered this one, else as the ticket is now."""
    channel = str(first.changed["channel"])
    public = {"channel": channel, **{name: getattr(ticket, name) for name in _AGAIN}}
    known = {name: str(value) for name, value in public.items() if value is not None}
    people: dict[str, Any] = {}
    if state is not None and state.client is not None:
        people = {"client": {"id": state.client.id}}
        if personal:
            people = {name: value for name, value in _personal(state).items() if name != "summary"}
            people["client"] = {name: value for name, value in people["client"].items() if value is not None}
    return {**known, **people, "follows": ticket.ticket_id}


_AGAIN: Final = ("category", "queue", "priority", "region", "request_type")


def _is_complete(follow_up: Mapping[str, Any], *, consented: bool) -> bool:
    try:
        Created.model_validate({**follow_up, **({"consent": True} if consented else {})})
    except ValidationError:
        return False
    return True
