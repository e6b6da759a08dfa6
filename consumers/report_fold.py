"""A report's figures out of the journal, folded one partition after another.

A record belongs to the period that it counts in (`at`), whenever it arrived: a late correction counts when
it counts, too, and a report of the same period made later may have more in it.

What is kept in memory: the tickets of one partition that are in the state (of closed ones only their JSON),
eight bytes for every time that was measured in the period, the promises broken in it whose cycle has no
successor yet and whose ticket is in the state, and the registrations of tickets that others follow.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import chain
from typing import Final
from zoneinfo import ZoneInfo

from consumers.report_chains import Chains
from schemas.instants import seconds
from schemas.records import Change, ClockChange, JournalEntry, Outcome
from schemas.state import Clock, State, Ticket
from workflow.history import Step, moves
from workflow.measures import labels_of
from workflow.report_facts import Count, Observed, Time, observe, overdue_seconds
from workflow.report_figures import (
    USE_BOUNDS_PERCENT,
    Day,
    Figures,
    Group,
    Hour,
    Used,
    Worst,
    by_clock,
    distribution,
    is_promise,
    promises,
    rates,
    use_bound_percent,
)
from workflow.ticket import evolve

WORST_KEPT: Final = 20
"""How many of the worst broken promises are named."""


class Dimension(StrEnum):
    """What figures can be grouped by. A day is one in the report's zone."""

    CATEGORY = "category"
    QUEUE = "queue"
    CHANNEL = "channel"
    REGION = "region"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Frame:
    """What is reported: records that count from `start` (inclusive) to `end` (exclusive), how grouped."""

    start: datetime
    end: datetime
    zone: ZoneInfo
    by: tuple[Dimension, ...] = ()

    def has(self, at: datetime) -> bool:
        """Whether what counts then is reported."""
        return self.start <= at < self.end


class Lives:
    """The tickets of a partition that are in the state."""

    def __init__(self) -> None:
        self._awake: dict[str, Ticket] = {}
        self._asleep: dict[str, bytes] = {}

    def take(self, ticket_id: str) -> Ticket | None:
        """The ticket, which is the caller's to put back."""
        asleep = self._asleep.pop(ticket_id, None)
        return self._awake.pop(ticket_id, None) if asleep is None else Ticket.model_validate_json(asleep)

    def put(self, ticket: Ticket) -> None:
        """Keep a ticket. Most are closed and never change again: of those only the JSON is kept."""
        light = ticket.model_copy(update={"triggers": {}, "history": ticket.history[-1:]})
        if ticket.state is State.CLOSED:
            self._asleep[ticket.ticket_id] = light.to_json()
        else:
            self._awake[ticket.ticket_id] = light


@dataclass(slots=True)
class _Sums:
    """What was added up for one group of tickets."""

    counts: Counter[Count] = field(default_factory=Counter)
    verdicts: Counter[tuple[str, Outcome]] = field(default_factory=Counter)
    times: dict[Time, array[float]] = field(default_factory=lambda: {each: array("d") for each in Time})

    def add(self, observed: Observed) -> None:
        self.counts.update(observed.counts)
        self.verdicts.update((each.clock, each.outcome) for each in observed.verdicts)
        for time, value in observed.times:
            self.times[time].append(value)


@dataclass(frozen=True, slots=True)
class _Contact:
    """A repeat contact whose chain is not known yet. `own` is when its ticket was registered."""

    sums: _Sums
    at: datetime
    own: datetime
    follows: str


_Key = tuple[str, str, int]
"""Ticket, clock, cycle."""


class Reporter:
    """Adds up the journal: `fold` every partition, in any order, then `figures`."""

    def __init__(self, frame: Frame, chains: Chains) -> None:
        self._frame, self._chains = frame, chains
        self._groups: dict[tuple[str, ...], _Sums] = {}
        self._days: dict[str, Counter[tuple[str, Outcome]]] = {}
        self._hours: Counter[tuple[int, int]] = Counter()
        self._used: Counter[tuple[str, int | None]] = Counter()
        self._contacts: list[_Contact] = []
        self._overdue: dict[_Key, Worst] = {}
        self._worst: list[Worst] = []
        self._left_out: set[str] = set()

    def fold(self, entries: Iterable[JournalEntry]) -> None:
        """Add up the records of a partition, in its order."""
        lives = Lives()
        for entry in entries:
            self._chains.note(entry)
            before = lives.take(entry.ticket_id)
            if entry.seq != (1 if before is None else before.seq + 1):
                self._leave_out(entry)
                if entry.seq != 1:
                    continue
                before = None
            step = Step(entry, before, evolve(before, entry))
            if step.after is not None:
                lives.put(step.after)
            if self._frame.has(entry.at):
                self._add(step)
            self._follow_overdue(step)
        for key in list(self._overdue):
            self._settle(key)

    def _leave_out(self, entry: JournalEntry) -> None:
        if self._frame.has(entry.at):
            self._left_out.add(entry.ticket_id)

    def _add(self, step: Step) -> None:
        ticket = step.after or step.before
        assert ticket is not None  # noqa: S101 - only a life without records has no ticket at all
        observed = observe(step)
        local = step.entry.at.astimezone(self._frame.zone)
        day = local.date().isoformat()
        fields = {**labels_of(ticket), Dimension.DAY: day}
        sums = self._groups.setdefault(tuple(fields[name] for name in self._frame.by), _Sums())
        sums.add(observed)
        of_day = self._days.setdefault(day, Counter())
        for verdict in observed.verdicts:
            of_day[verdict.clock, verdict.outcome] += 1
            if verdict.outcome is Outcome.BREACHED and is_promise(verdict.clock):
                self._hours[local.weekday(), local.hour] += 1
        self._used.update((use.clock, use_bound_percent(use.share)) for use in observed.uses)
        if observed.repeat:
            self._repeat(sums, ticket, step.entry.at)

    def _repeat(self, sums: _Sums, ticket: Ticket, at: datetime) -> None:
        if ticket.follows is not None:
            self._contacts.append(_Contact(sums, at, ticket.registered_at, ticket.follows))
        else:
            sums.times[Time.ISSUE_AGE].append(max(seconds(at - ticket.registered_at), 0.0))

    def _follow_overdue(self, step: Step) -> None:
        """Keep how long broken promises go on, of those that were broken in the period.

        By each change, not by the ticket after the record: a record that ends a cycle may start the next.
        """
        for move in moves([step]):
            self._follow_cycle(step.entry, move.change, move.after)
        if step.after is None and step.before is not None:
            for clock in step.before.clocks:
                self._settle((step.before.ticket_id, clock.clock, clock.cycle))

    def _follow_cycle(self, entry: JournalEntry, change: ClockChange, clock: Clock) -> None:
        if change.change is Change.STARTED:  # nothing comes back to the cycle before
            self._settle((entry.ticket_id, change.clock, change.cycle - 1))
        key = (entry.ticket_id, change.clock, change.cycle)
        broken = change.change is Change.BREACHED and self._frame.has(entry.at)
        if not is_promise(change.clock) or not (broken or key in self._overdue):
            return
        until = self._frame.end
        over_seconds = overdue_seconds(clock, until)
        if over_seconds is None:
            self._overdue.pop(key, None)
        else:
            still = clock.ended_at is None or clock.ended_at >= until
            self._overdue[key] = Worst(*key, over_seconds, still)

    def _settle(self, key: _Key) -> None:
        """Nothing more can be known of a broken promise: it is among the worst, or forgotten."""
        found = self._overdue.pop(key, None)
        if found is not None:
            self._worst.append(found)
            if len(self._worst) > 50 * WORST_KEPT:
                self._worst = _ranked(self._worst)

    def figures(self) -> Figures:
        """All figures, once every partition is folded. The groups stand in the order of their values."""
        self._resolve_chains()
        keys = sorted(self._groups)
        return Figures(
            total=_group({}, [self._groups[key] for key in keys]),
            groups=tuple(_group(self._named(key), [self._groups[key]]) for key in keys)
            if self._frame.by
            else (),
            days=tuple(Day(day, promises(self._days[day], None)) for day in sorted(self._days)),
            hours=tuple(Hour(*moment, self._hours[moment]) for moment in sorted(self._hours)),
            used=tuple(
                Used(clock, bound, self._used[clock, bound])
                for clock in sorted({clock for clock, _ in self._used})
                for bound in (*USE_BOUNDS_PERCENT, None)
            ),
            worst=tuple(_ranked(self._worst)),
            left_out=len(self._left_out),
        )

    def _named(self, key: tuple[str, ...]) -> dict[str, str]:
        return {str(name): value for name, value in zip(self._frame.by, key, strict=True)}

    def _resolve_chains(self) -> None:
        for contact in self._contacts:
            first = self._chains.first_contact(contact.follows, contact.own)
            # Whose first contact the journal does not know any more: its own registration, unless it is that.
            start = contact.own if first is None else first
            if start < contact.at:
                contact.sums.times[Time.ISSUE_AGE].append(seconds(contact.at - start))
        self._contacts.clear()


def _ranked(found: list[Worst]) -> list[Worst]:
    order: Callable[[Worst], tuple[float, str, str, int]] = lambda each: (  # noqa: E731
        -each.overdue_seconds, each.ticket_id, each.clock, each.cycle,
    )  # fmt: skip
    return sorted(found, key=order)[:WORST_KEPT]


def _group(named: dict[str, str], parts: list[_Sums]) -> Group:
    counts = sum((each.counts for each in parts), Counter[Count]())
    verdicts = sum((each.verdicts for each in parts), Counter[tuple[str, Outcome]]())
    return Group(
        group=named,
        all_promises=promises(verdicts, None),
        promises=by_clock(verdicts),
        times={
            str(time): distribution(chain.from_iterable(each.times[time] for each in parts)) for time in Time
        },
        counts={str(count): counts[count] for count in Count},
        rates=rates(counts),
    )
