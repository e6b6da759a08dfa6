"""How a ticket follows from the facts: `evolve` is the only place where a ticket changes.

Live processing, restoring, replay and the verifier all go through it, so that folding a ticket's journal
gives its state (contract, "Journal record").
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from schemas.events import Category, Channel, Priority, Queue, RequestType
from schemas.instants import parse_instant
from schemas.records import Change, ClockCause, ClockChange, JournalEntry
from schemas.state import (
    PERSONAL_FIELDS,
    REMEMBERED_STATES,
    Clock,
    Entered,
    Mark,
    State,
    Ticket,
    Turn,
    Verdict,
)

_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "channel": Channel,
    "category": Category,
    "queue": Queue,
    "priority": Priority,
    "request_type": RequestType,
    "registered_at": parse_instant,
    "promised_deadline": parse_instant,
    "scheduled_at": parse_instant,
    "reopenable_until": parse_instant,
}
"""How to read a field of a journal record's `changed`; the rest is text as it stands."""


def evolve(
    ticket: Ticket | None, entry: JournalEntry, personal: Mapping[str, Any] | None = None
) -> Ticket | None:
    """The ticket after a fact, or None once it has left the state.

    `personal` holds new values of PERSONAL_FIELDS and `seen`, which no journal record carries.
    """
    if entry.to is None:
        return None
    state = State(entry.to)
    update: dict[str, Any] = {
        "seq": entry.seq,
        "state": state,
        "level": entry.level,
        "updated_at": entry.at,
        "triggers": _marked(ticket, entry),
        "history": _entered(ticket, entry, state),
        "resumes_to": _resumes_to(ticket, entry, state),
        "clocks": _evolved_clocks(ticket, entry),
        **{name: _read(name, value) for name, value in entry.changed.items()},
        **(personal or {}),
    }
    if state is State.CLOSED:
        update["closed_at"] = ticket.closed_at if ticket and ticket.state is State.CLOSED else entry.at
    else:
        update["closed_at"] = None
    if ticket is None:
        return Ticket(**{"ticket_id": entry.ticket_id, "registered_at": entry.at, **update})
    if entry.trigger == "assigned" and ticket.assigned_at is None:
        update["assigned_at"] = entry.at
    return ticket.model_copy(update=update)


def public(ticket: Ticket) -> Ticket:
    """The ticket without what only its state record carries: what the fold of its journal gives."""
    defaults = {name: Ticket.model_fields[name].get_default() for name in (*PERSONAL_FIELDS, "seen")}
    return ticket.model_copy(update=defaults)


def trigger_names(trigger: str, changed: Mapping[str, str | None], *, creates: bool) -> tuple[str, ...]:
    """The triggers that act on clocks when `trigger` happened, in the order in which they act."""
    if trigger == "contacted":
        return (trigger, f"contacted.{changed['contacted_by']}")
    if trigger == "dropped" and creates:
        return ("created", "dropped")
    return (trigger,)


def on_closed(trigger: str) -> str:
    """How a ticket remembers a contact after its closing: that starts no clock, though it may end one."""
    return f"{trigger} on closed"


def _read(name: str, value: str | None) -> Any:
    reader = _READERS.get(name)
    return value if value is None or reader is None else reader(value)


def _by_engine(entry: JournalEntry) -> bool:
    return isinstance(entry.cause, ClockCause)


def _marked(ticket: Ticket | None, entry: JournalEntry) -> dict[str, Mark]:
    marks = {} if ticket is None else ticket.triggers
    if entry.trigger is None or (_by_engine(entry) and entry.trigger == "escalated"):
        return marks  # the engine's own escalation is no trigger for clocks
    mark = Mark(at=entry.at, seq=entry.seq)
    names = trigger_names(entry.trigger, entry.changed, creates=ticket is None)
    if entry.trigger == "contacted" and entry.from_ == State.CLOSED:
        names = tuple(map(on_closed, names))
    return {**marks, **dict.fromkeys(names, mark)}


def _entered(ticket: Ticket | None, entry: JournalEntry, state: State) -> tuple[Entered, ...]:
    before = () if ticket is None else ticket.history
    # An operator's escalation of an escalated ticket counts: the engine may have led there only later.
    again = entry.trigger == "escalated" and not _by_engine(entry)
    if ticket is not None and ticket.state is state and not again:
        return before
    by_engine = {"by_engine": True} if _by_engine(entry) else {}
    return (*before, Entered(at=entry.at, state=state, seq=entry.seq, **by_engine))[-REMEMBERED_STATES:]


def _resumes_to(ticket: Ticket | None, entry: JournalEntry, state: State) -> State | None:
    if ticket is None or state is not State.PENDING:
        return None
    if ticket.state is not State.PENDING:
        return ticket.state
    return State.ESCALATED if entry.trigger == "escalated" else ticket.resumes_to


def _evolved_clocks(ticket: Ticket | None, entry: JournalEntry) -> tuple[Clock, ...]:
    if not entry.clocks:
        return () if ticket is None else ticket.clocks
    clocks = {} if ticket is None else {clock.clock: clock for clock in ticket.clocks}
    for change in entry.clocks:
        clocks[change.clock] = evolve_clock(clocks.get(change.clock), change, by_engine=_by_engine(entry))
    return tuple(clocks[name] for name in sorted(clocks))


def evolve_clock(clock: Clock | None, change: ClockChange, *, by_engine: bool) -> Clock:
    """The clock after one change; `by_engine`: a firing made it, not an event."""
    if clock is None or change.change is Change.STARTED:
        return _started(change)
    return clock.model_copy(update=_EVOLVERS[change.change](clock, change, by_engine))


def _started(change: ClockChange) -> Clock:
    return Clock(
        clock=change.clock,
        cycle=change.cycle,
        rule=change.rule,
        policy=change.policy,
        by=change.by,
        target_seconds=change.target_seconds,
        elapsed_seconds=change.elapsed_seconds,
        since=change.at,
        changed_at=change.at,
        deadline=change.deadline,
    )


def _counted(clock: Clock, change: ClockChange, by_engine: bool, *, counts: bool) -> dict[str, Any]:
    """What is known of the count; from here on the clock goes or stands still.

    An event that arrives later may still count before what the engine did by itself, so that is kept apart.
    """
    known: dict[str, Any] = {"elapsed_seconds": change.elapsed_seconds, "since": change.at}
    if not by_engine:
        known["changed_at"] = change.at
    turns = _turned(clock, change.at, counts) if by_engine else ()
    return known if turns == clock.turns else known | {"turns": turns}


def _turned(clock: Clock, at: datetime, counts: bool) -> tuple[Turn, ...]:
    kept = tuple(turn for turn in clock.turns if turn.at < at)
    first = not clock.turns[0].counts if clock.turns else clock.counts
    before = kept[-1].counts if kept else first
    return kept if before is counts else (*kept, Turn(at=at, counts=counts))


def _paused(clock: Clock, change: ClockChange, by_engine: bool) -> dict[str, Any]:
    return {
        **_counted(clock, change, by_engine, counts=False),
        "paused": True,
        "deadline": clock.deadline if clock.breached else None,
    }


def _resumed(clock: Clock, change: ClockChange, by_engine: bool) -> dict[str, Any]:
    running = {"paused": False, "ended_at": None, "ended_by_engine": False}
    return {**_counted(clock, change, by_engine, counts=True), **running, "deadline": change.deadline}


def _retargeted(clock: Clock, change: ClockChange, by_engine: bool) -> dict[str, Any]:
    # Another rule counts what the clock does, and does not change that: the engine's turns after this stay.
    later = clock.turns if by_engine else tuple(turn for turn in clock.turns if turn.at > change.at)
    return {
        "elapsed_seconds": change.elapsed_seconds,
        "since": change.at,
        "changed_at": clock.changed_at if by_engine else change.at,
        **({} if later == clock.turns else {"turns": later}),
        "target_seconds": change.target_seconds,
        "rule": change.rule,
        "policy": change.policy,
        "deadline": clock.deadline if clock.breached else change.deadline,
    }


def _fired(clock: Clock, change: ClockChange, by_engine: bool) -> dict[str, Any]:
    del by_engine
    fired: dict[str, Any] = {"fired": (*clock.fired, change.threshold), "told": (*clock.told, *change.told)}
    if change.change is Change.BREACHED:
        fired |= {"verdict": Verdict.BREACHED, "deadline": change.deadline}
    return fired


def _retracted(clock: Clock, change: ClockChange, by_engine: bool) -> dict[str, Any]:
    del by_engine
    kept = tuple(name for name in clock.fired if name != "breach" and not name.startswith("+"))
    again: dict[str, Any] = {"verdict": None, "ended_at": None, "ended_by_engine": False}
    deadline = clock.deadline if change.deadline is None else change.deadline
    return {**again, "fired": kept, "told": (), "deadline": deadline}


def _ended(clock: Clock, change: ClockChange, by_engine: bool) -> dict[str, Any]:
    verdict = Verdict.MET if change.change is Change.MET else clock.verdict
    return {
        **_counted(clock, change, by_engine, counts=False),
        "verdict": verdict,
        "ended_at": change.at,
        "ended_by_engine": by_engine,
    }


_EVOLVERS: Final[Mapping[Change, Callable[[Clock, ClockChange, bool], dict[str, Any]]]] = {
    Change.PAUSED: _paused,
    Change.RESUMED: _resumed,
    Change.RETARGETED: _retargeted,
    Change.WARNED: _fired,
    Change.BREACHED: _fired,
    Change.STEPPED: _fired,
    Change.RETRACTED: _retracted,
    Change.STOPPED: _ended,
    Change.MET: _ended,
    Change.CANCELLED: _ended,
}
