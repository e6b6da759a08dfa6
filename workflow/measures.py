"""What is measured when a fact happens (contract, "Metric event")."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final, Literal, Protocol

from schemas.instants import seconds
from schemas.records import Change, EventCause, JournalEntry, Metric, MetricName, Outcome
from schemas.state import EXPIRED, State, Ticket, Verdict

NO_REGION: Final = "none"
"""The `region` label of a ticket without one."""

_OUTCOMES: Final = {
    Change.MET: Outcome.MET,
    Change.BREACHED: Outcome.BREACHED,
    Change.CANCELLED: Outcome.CANCELLED,
}


class Fact(Protocol):
    """A journal entry, and the ticket before and after it (None: not there yet, or gone from the state)."""

    @property
    def entry(self) -> JournalEntry:
        """What happened."""

    @property
    def before(self) -> Ticket | None:
        """The ticket that it happened to."""

    @property
    def after(self) -> Ticket | None:
        """What it made of it."""


def metrics(fact: Fact) -> list[tuple[str, Metric]]:
    """The measurements of a fact, each with its record id; labels are the ticket's after it."""
    ticket = fact.after or fact.before
    if ticket is None:
        return []
    found = []
    counts: dict[MetricName, int] = {}
    common = labels_of(ticket)
    for name, value, labels in (*_of_ticket(fact, ticket), *_of_clocks(fact)):
        counts[name] = counts.get(name, 0) + 1
        record_id = f"{fact.entry.record_id}/{name}/{counts[name]}"
        unit: Literal["s", "1"] = "s" if name.endswith("_seconds") else "1"
        metric = Metric(metric=name, value=value, unit=unit, labels=labels | common)
        found.append((record_id, metric))
    return found


def labels_of(ticket: Ticket) -> dict[str, str]:
    """What every measurement of a ticket is counted by."""
    return {
        "category": str(ticket.category),
        "queue": str(ticket.queue),
        "channel": str(ticket.channel),
        "priority": str(ticket.priority),
        "region": ticket.region or NO_REGION,
    }


def _since(start: datetime, at: datetime) -> float:
    """Seconds of wall time; an event that counts before the registration waited for nothing."""
    return max(seconds(at - start), 0.0)


def _of_ticket(fact: Fact, ticket: Ticket) -> Iterator[tuple[MetricName, float | int, dict[str, str]]]:
    entry, before = fact.entry, fact.before
    if entry.trigger == "assigned" and before is not None and before.assigned_at is None:
        yield MetricName.WAIT_SECONDS, _since(ticket.registered_at, entry.at), {}
    if entry.trigger == "resolved":
        yield MetricName.RESOLUTION_SECONDS, _since(ticket.registered_at, entry.at), {}
    if _is_repeat_contact(fact):
        yield MetricName.REPEAT_CONTACT, 1, {}
    if entry.trigger == "escalated":
        yield MetricName.ESCALATION, 1, {}
    if entry.trigger == "reopened":
        yield MetricName.REOPENING, 1, {}
    if _is_correction(fact):
        yield MetricName.CORRECTION, 1, {}


def _is_repeat_contact(fact: Fact) -> bool:
    """A new ticket that follows another, or a citizen who writes or calls about a closed one."""
    if fact.before is None:
        return "follows" in fact.entry.changed
    if fact.before.state is not State.CLOSED:
        return False
    return fact.entry.trigger == "dropped" or fact.entry.changed.get("contacted_by") == "client"


def _is_correction(fact: Fact) -> bool:
    """A verdict was withdrawn, or a person gave the reason of a closing that was the engine's."""
    if any(change.change is Change.RETRACTED for change in fact.entry.clocks):
        return True
    replaced = fact.before is not None and fact.before.close_reason == EXPIRED
    return replaced and fact.entry.trigger == "closed" and isinstance(fact.entry.cause, EventCause)


def _of_clocks(fact: Fact) -> Iterator[tuple[MetricName, int, dict[str, str]]]:
    for change in fact.entry.clocks:
        outcome = _OUTCOMES.get(change.change)
        if change.change is Change.RETRACTED:
            outcome = _withdrawn(fact, change.clock)
        if outcome is not None:
            yield MetricName.CLOCK_OUTCOME, 1, {"clock": change.clock, "outcome": str(outcome)}


def _withdrawn(fact: Fact, clock_id: str) -> Outcome:
    clock = None if fact.before is None else fact.before.clock(clock_id)
    was_met = clock is not None and clock.verdict is Verdict.MET
    return Outcome.UNMET if was_met else Outcome.RETRACTED
