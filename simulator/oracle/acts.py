"""What one event, or one firing, does to the clocks of a ticket, rule by rule of the contract.

"One event acts so: cancel and stop under the running rule; fields change; re-match; start; then pause or
resume by the new state." Where the contract is silent it follows docs/decisions/0001; such places say so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

from simulator.oracle.stretches import Clock, Stretch
from simulator.oracle.terms import Rule, Version

Seconds = int | Fraction


class Change(NamedTuple):
    """What happened to a clock."""

    clock: str
    cycle: int
    change: str
    at: Seconds
    deadline: Seconds | None
    elapsed: Seconds
    target: Seconds
    rule: int
    policy: str
    threshold: str | None = None
    found_at: Seconds | None = None


@dataclass
class Ticket:
    """A ticket. `marks`: when each trigger last acted, in which record; `starts`: where it starts clocks."""

    id: str
    fields: dict[str, Any]
    registered_at: Seconds
    state: str = "created"
    level: int = 0
    operator: str | None = None
    returns_to: str = "assigned"
    reason: str | None = None
    leaves_at: Seconds | None = None
    seq: int = 0
    seen: set[str] = field(default_factory=set)
    clocks: dict[str, Clock] = field(default_factory=dict)
    marks: dict[str, tuple[Seconds, int, int]] = field(default_factory=dict)
    starts: dict[str, tuple[Seconds, int, int]] = field(default_factory=dict)
    announced: dict[str, int] = field(default_factory=dict)
    entered: list[tuple[Seconds, str, int, bool]] = field(default_factory=list)
    """When it entered which state in which record, and whether the engine led it there."""


@dataclass
class Act:
    """What happens to a ticket at once: an event, or the engine's own closing."""

    ticket: Ticket
    triggers: frozenset[str]
    at: Seconds
    now: Version
    found: Seconds
    by_engine: bool = False
    order: int = 0
    """A drop that creates "counts as created, then dropped": which of the two."""
    enters: bool = False
    """It leads the ticket into a state."""
    changes: list[Change] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)
    """Running clocks that this act has ended: "`reopen` concerns clocks that had ended before" (0001)."""

    def when(self, clock: Clock) -> Seconds:
        """For a clock not before the last event that changed that clock."""
        return max(self.at, clock.changed_at)

    def proves_wrong(self, clock: Clock, at: Seconds) -> bool:
        """Whether a breach was declared that what *arrives* now, counting at `at`, takes back."""
        broken = clock.broken_deadline
        return not self.by_engine and clock.breached and broken is not None and at <= broken

    def note(self, clock: Clock, change: str, at: Seconds, deadline: Seconds | None, **more: Any) -> None:
        """Write down a change; of the engine's own a clock does not know later when it was changed."""
        self.changes.append(
            Change(
                clock.id, clock.cycle, change, at, deadline, clock.elapsed(at), clock.target,
                clock.rule.number, clock.version.name, **more,
            )
        )  # fmt: skip
        if not self.by_engine:
            clock.changed_at = at


def end(act: Act, clock: Clock, at: Seconds, *, void: bool) -> None:
    """A running clock ends. A cancel after a breach is `stopped` (decision 0001)."""
    deadline = clock.deadline if clock.running else clock.last_deadline
    too_late = clock.elapsed(at) > clock.target if deadline is None else at > deadline
    if not clock.breached and not void and too_late:
        # "A stop at the deadline itself meets it; later breaches": in one record (decision 0001).
        clock.broken_deadline, clock.breached = deadline, True
        clock.fired.add("breach")
        act.note(clock, "breached", at, deadline, threshold="breach", found_at=act.found)
    clock.ended = "stopped" if clock.breached else "cancelled" if void else "met"
    act.note(clock, clock.ended, at, deadline)
    clock.halt(at)
    clock.by_engine, clock.last_deadline, clock.ended_at = act.by_engine, deadline, at


def retract(act: Act, clock: Clock, at: Seconds) -> None:
    """A breach proves wrong: `breach` and all later steps are armed again, by what is the target now."""
    broken = clock.broken_deadline
    clock.breached, clock.broken_deadline = False, None
    act.note(clock, "retracted", at, clock.deadline if clock.running else broken)
    clock.fired = {name for name in clock.fired if name != "breach" and not name.startswith("+")}


def cancel_or_stop(act: Act, clock: Clock, *, void: bool) -> None:
    """Cancel and stop under the running rule; late ones take back a breach declared after they count."""
    void = void or bool(act.triggers & clock.rule.cancel)
    if not void and not act.triggers & clock.rule.stop:
        return
    at = act.when(clock)
    wrong = act.proves_wrong(clock, at)
    if clock.running:
        if wrong:
            retract(act, clock, at)
        end(act, clock, at, void=void)
        act.touched.add(clock.id)
    elif clock.by_engine and wrong:
        # "Late stops and cancels also retract breaches of clocks that only the engine's own closing ended."
        retract(act, clock, at)
        end(act, clock, at, void=void)
    elif clock.by_engine and clock.ended == "met" and void and (at <= clock.ended_at or _replaces(act)):
        act.note(clock, "retracted", at, clock.last_deadline)
        end(act, clock, at, void=True)


def again(act: Act, clock: Clock, before: Rule, calendar_before: str) -> None:
    """A running clock matches again: another rule or calendar counts from now on, or none."""
    fields = act.ticket.fields
    at, rule = act.when(clock), clock.version.rule(clock.id, fields)
    if rule is None:
        if act.proves_wrong(clock, at):
            retract(act, clock, at)
        end(act, clock, at, void=True)
        act.touched.add(clock.id)
        return
    calendar = clock.version.calendar(rule, fields)
    if rule is before and calendar == calendar_before:
        return
    # Where it stands still or goes on by the engine's own doing, after this, stays so.
    clock.rule, clock.set_at = rule, at
    clock.change_calendar(at, calendar)
    act.note(clock, "retargeted", at, clock.deadline)


def _replaces(act: Act) -> bool:
    """A person closes what the engine closed: "the reason is replaced and verdicts are reconsidered"."""
    return "closed" in act.triggers and act.ticket.state == "closed"


def match_again(act: Act, old: Mapping[str, Any]) -> None:
    """Running clocks match again within their version; what matches for the first time may start late."""
    fields = act.ticket.fields
    for clock in act.ticket.clocks.values():
        if clock.running:
            again(act, clock, clock.rule, clock.version.calendar(clock.rule, old))
    for name in act.now.ids:
        rule = act.now.rule(name, fields)
        if name not in act.ticket.clocks and rule is not None and rule is not act.now.rule(name, old):
            start_late(act, rule)


def start_late(act: Act, rule: Rule) -> None:
    """A clock starts at its last start trigger, with the pauses since deducted."""
    ticket = act.ticket
    if act.triggers & rule.start:
        return  # it starts now, as any clock does
    begun = max(
        (ticket.starts[t] for t in rule.start if t in ticket.starts), key=lambda m: m[1], default=None
    )
    ended = [ticket.marks[t][1:] for t in rule.stop | rule.cancel if t in ticket.marks]
    if begun is None or any(mark > begun[1:] for mark in ended):
        return
    begin, seq, _ = begun
    calendar = act.now.calendar(rule, ticket.fields)
    by = next(t for t in rule.start if ticket.starts.get(t) == begun)
    clock = Clock(rule.clock, 1, rule, act.now, by, begin, begin, begin, [Stretch(begin, None, calendar)])
    if rule.announced:
        clock.announce(begin, ticket.announced[rule.target])
    entered = [each for each in ticket.entered if each[2] <= seq][-1:]
    if entered and entered[0][1] in rule.pause:
        clock.halt(begin)
        clock.paused = True
    moved = begin
    for at, state, _, by_engine in (each for each in ticket.entered if each[2] > seq):
        moment, stands = max(at, clock.changed_at), state in rule.pause
        if not _is_so_from(clock, moment, stands, by_engine=by_engine):
            _stand_or_run(clock, moment, calendar, stands=stands)
            moved = moment
            clock.changed_at = clock.changed_at if by_engine else moment
    at = max(act.at, moved)  # as for any clock not before what last changed it
    if clock.paused:  # "Starting in a pausing state: started, then paused"
        clock.paused = False
        clock.go(at, calendar)
    clock.set_at = at
    ticket.clocks[clock.id] = clock
    act.note(clock, "started", at, clock.deadline)


def _is_so_from(clock: Clock, at: Seconds, stands: bool, *, by_engine: bool) -> bool:
    """Whether a clock stands still, or runs, as the new state has it.

    An event's state counts from the event on, whatever the engine has done since; the engine's from now on.
    """
    if by_engine:
        return clock.paused is stands
    return clock.stands_from(at) if stands else clock.runs_from(at)


def _stand_or_run(clock: Clock, at: Seconds, calendar: str, *, stands: bool) -> None:
    clock.paused = stands
    if stands:
        clock.halt(at)
    else:
        clock.go(at, calendar)


def absorb(act: Act, registered_at: Seconds) -> None:
    """An earlier registration moves the start of running clocks that started at `created`."""
    ticket = act.ticket
    if registered_at >= ticket.registered_at:
        return
    ticket.registered_at = registered_at
    for clock in ticket.clocks.values():
        if clock.running and clock.by == "created" and registered_at < clock.begin:
            at = act.when(clock)
            # Silent: in which calendar, if that has changed since. Taken as the clock's present one.
            calendar = clock.version.calendar(clock.rule, ticket.fields)
            clock.stretches.insert(0, Stretch(registered_at, clock.begin, calendar))
            clock.begin = registered_at
            clock.set_at = at
            act.note(clock, "retargeted", at, clock.deadline)


def start(act: Act) -> None:
    """Start triggers, and what reopening does to ended clocks."""
    ticket = act.ticket
    for name in sorted({*act.now.ids, *ticket.clocks}):
        clock, rule = ticket.clocks.get(name), act.now.rule(name, ticket.fields)
        if clock is not None and clock.running:
            announce_again(act, clock, rule)
        elif rule is not None and act.triggers & rule.start:
            begin(act, rule)
        elif clock is not None and "reopened" in act.triggers and name not in act.touched:
            reopen(act, clock, rule)


def announce_again(act: Act, clock: Clock, rule: Rule | None) -> None:
    """Start while running is ignored, but an announcement moves the target, or follows a broken one."""
    if not clock.rule.announced or not act.triggers & clock.rule.start:
        return
    at = act.when(clock)
    if clock.breached:
        end(act, clock, at, void=False)
        if rule is not None and act.triggers & rule.start:
            begin(act, rule)
        return
    clock.announce(at, act.ticket.announced[clock.rule.target])
    clock.set_at = at
    act.note(clock, "retargeted", at, clock.deadline)


def begin(act: Act, rule: Rule) -> None:
    """A cycle begins."""
    ticket, last = act.ticket, act.ticket.clocks.get(rule.clock)
    at, cycle = (act.at, 1) if last is None else (act.when(last), last.cycle + 1)
    by = next(iter(sorted(act.triggers & rule.start)), "reopened")
    stretch = Stretch(at, None, act.now.calendar(rule, ticket.fields))
    clock = Clock(rule.clock, cycle, rule, act.now, by, at, at, at, [stretch])
    if rule.announced:
        clock.announce(at, ticket.announced[rule.target])
    ticket.clocks[rule.clock] = clock
    act.note(clock, "started", at, clock.deadline)


def reopen(act: Act, clock: Clock, rule: Rule | None) -> None:
    """An ended clock begins a new cycle, goes on, or stays as it is."""
    if clock.rule.reopen == "restart" and rule is not None:
        begin(act, rule)
    elif clock.rule.reopen == "continue":
        at = act.when(clock)
        if clock.ended == "met":
            act.note(clock, "retracted", at, clock.last_deadline)
        clock.ended, clock.paused, clock.by_engine = None, False, False
        clock.go(at, clock.version.calendar(clock.rule, act.ticket.fields))
        act.note(clock, "resumed", at, clock.deadline)
        if clock.version.rule(clock.id, act.ticket.fields) is not None:  # else it keeps its own
            again(act, clock, clock.rule, clock.version.calendar(clock.rule, act.ticket.fields))


def stand_or_go(act: Act) -> None:
    """Pause or resume by the new state. A late pause takes back a breach declared after it counts."""
    ticket = act.ticket
    for clock in ticket.clocks.values():
        if not clock.running:
            continue
        at, stands = act.when(clock), ticket.state in clock.rule.pause
        wrong = act.enters and stands and act.proves_wrong(clock, at)
        if not wrong and _is_so_from(clock, at, stands, by_engine=act.by_engine or not act.enters):
            continue
        if stands and act.proves_wrong(clock, at):
            retract(act, clock, at)
        _stand_or_run(clock, at, clock.version.calendar(clock.rule, ticket.fields), stands=stands)
        act.note(clock, "paused" if stands else "resumed", at, clock.deadline)
