"""When a ticket's clocks are due, and what a firing does (contract, "Clock rules" and "Time").

The deadline is part of the ticket's state; what is due next is derived from it. A firing is decided like
any other command: what was due is computed again, so that a stale index can never fire anything.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from schemas.instants import format_instant, seconds
from schemas.records import REOPENING_WINDOW, Change, Role, Told
from schemas.state import EXPIRED, Clock, State, Ticket
from workflow.counting import ZERO, goes_from, has_passed, reached
from workflow.ledger import Ledger, matching_fields
from workflow.policy import Action, Kind, Policies, Rule
from workflow.sla import act, finish, stand
from workflow.states import CLOSE, ESCALATE, next_state

WINDOW_OVER: Final = "over"
"""The threshold's name when a closed ticket's reopening window ends."""


class Due(NamedTuple):
    """Something that a ticket is due for. Tuples sort in the order of firing (contract, "Time")."""

    at: datetime
    ticket_id: str
    clock: str
    cycle: int
    order: int
    threshold: str


def next_due(ticket: Ticket, policies: Policies) -> Due | None:
    """What the ticket is due for first, or None where nothing is left to come."""
    first: Due | None = None
    for clock in ticket.clocks:
        if clock.running and not clock.paused:
            due = _clock_due(ticket, clock, policies)
            if due is not None and (first is None or due < first):
                first = due
    if ticket.reopenable_until is not None:
        over = Due(ticket.reopenable_until, ticket.ticket_id, REOPENING_WINDOW, 1, 0, WINDOW_OVER)
        if first is None or over < first:
            first = over
    return first


def _clock_due(ticket: Ticket, clock: Clock, policies: Policies) -> Due | None:
    """The first threshold of a clock that has not fired; what is passed already is due when that was set."""
    policy = policies.get(clock.policy)
    rule = policy.rule(clock.rule)
    waiting = [each for each in _points(rule, clock.target_seconds) if each.name not in clock.fired]
    if not waiting:
        return None
    elapsed = timedelta(seconds=clock.elapsed_seconds)
    passed = [each for each in waiting if has_passed(each.at, elapsed)]
    if passed:
        at, first = goes_from(clock), min(passed, key=lambda each: each.order)
    else:
        first = waiting[0]
        at = max(reached(clock, policy.calendar_of(rule, ticket.region), first.at), goes_from(clock))
    return Due(at, ticket.ticket_id, clock.clock, clock.cycle, first.order, first.name)


class _Point(NamedTuple):
    """When a threshold is due in elapsed business time, and its place in the policy."""

    at: timedelta
    order: int
    name: str


@lru_cache(maxsize=4096)  # a policy has few rules, and most have one target
def _points(rule: Rule, target_seconds: float) -> tuple[_Point, ...]:
    """A rule's thresholds in the order of firing, without warnings that lie before the clock's start."""
    target = timedelta(seconds=target_seconds)
    points = (_Point(each.point(target), each.order, each.name) for each in rule.thresholds)
    warnings = {each.order for each in rule.thresholds if each.kind is Kind.WARN}
    return tuple(sorted(each for each in points if each.at >= ZERO or each.order not in warnings))


@dataclass(frozen=True, slots=True)
class Effect:
    """What a command does to the ticket besides its clocks; `to` is None where it leaves the state."""

    trigger: str | None
    to: State | None
    level: int
    changed: dict[str, str | None]


def fire(ledger: Ledger, ticket: Ticket, due: Due) -> Effect:
    """Decide a firing that is still due; the ledger's `at` is when it was due."""
    if due.clock == REOPENING_WINDOW:
        for clock in ledger.running():
            finish(ledger, clock, cancel=True)
        return Effect(None, None, ticket.level, {})
    clock = ledger.clocks[due.clock]
    threshold = next(each for each in ledger.rule(clock).thresholds if each.name == due.threshold)
    change = {Kind.WARN: Change.WARNED, Kind.BREACH: Change.BREACHED, Kind.STEP: Change.STEPPED}[
        threshold.kind
    ]
    found = {
        "threshold": threshold.name,
        "found_at": ledger.now,
        "lateness_seconds": seconds(ledger.now - due.at),
    }
    told = told_of(ticket, threshold.notify)
    ledger.change(clock, change, due.at, **found, **({"told": told} if told else {}))
    return _do(ledger, ticket, threshold.do)


def told_of(ticket: Ticket, roles: tuple[Role, ...]) -> tuple[Told, ...]:
    """Who of the roles there is to tell; a role that nobody fills is told nothing."""
    there: dict[Role, str | None] = {Role.SUPERVISOR: ticket.queue}
    if ticket.operator is not None:
        there[Role.OPERATOR] = ticket.operator
    if ticket.client is not None and ticket.client.notify != "none":
        there[Role.CLIENT] = None
    return tuple(Told(role=role, ref=there[role]) for role in roles if role in there)


def _do(ledger: Ledger, ticket: Ticket, action: Action) -> Effect:
    unchanged = Effect(None, ticket.state, ticket.level, {})
    if action is Action.NONE:
        return unchanged
    to = next_state(ticket, ESCALATE if action is Action.ESCALATE else CLOSE)
    if to is None:
        return unchanged  # resolved or closed: it only notifies
    if action is Action.ESCALATE:
        stand(ledger, to)
        return Effect("escalated", to, ticket.level + 1, {})
    act(ledger, ("closed",), matching_fields(ticket), to)
    until = format_instant(ledger.at + ledger.policy.reopening_window)
    return Effect("closed", to, ticket.level, {"close_reason": EXPIRED, "reopenable_until": until})
