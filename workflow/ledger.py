"""The clocks of one ticket while one fact is being decided: what was changed so far, and how to change more.

Every change is recorded and applied at once through `evolve_clock`, so that what is decided and what a fold
of the journal gives cannot differ.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from schemas.instants import EARLIEST, LATEST, seconds
from schemas.records import Change, ClockChange
from schemas.state import Clock, Ticket
from workflow.calendars import Calendar, NeverOpenError
from workflow.policy import Policies, Policy, Rule, Target
from workflow.ticket import evolve_clock

ZERO = timedelta(0)

Fields = Mapping[str, str | None]
"""What a rule's `when` may ask of a ticket: category, priority, channel, queue, region."""


def matching_fields(ticket: Ticket) -> dict[str, str | None]:
    """The fields of a ticket that rules match on."""
    return {
        "category": ticket.category,
        "priority": ticket.priority,
        "channel": ticket.channel,
        "queue": ticket.queue,
        "region": ticket.region,
    }


def add_business(calendar: Calendar, at: datetime, elapsed: timedelta, point: timedelta) -> datetime:
    """The earliest instant at which `point` of business time has elapsed, when `elapsed` of it has at `at`.

    In the past where more has elapsed than that. What was reached exactly is not put off to the next opening.
    Where the calendar has not that much open time it is the first or the last instant that we know: no event,
    however old its time, may stop a partition.
    """
    if point == elapsed and elapsed > ZERO:
        return at
    try:
        return calendar.add(at, point - elapsed)
    except NeverOpenError:
        return EARLIEST if point < elapsed else LATEST


@dataclass(slots=True)
class Ledger:
    """The clocks by id, the changes so far, and the circumstances of the fact.

    `at` is when the fact counts, `now` the engine's time, `policy` the version in force, `fields` the
    ticket's as of now; `by_engine` is True while a firing is decided.
    """

    clocks: dict[str, Clock]
    policies: Policies
    policy: Policy
    at: datetime
    now: datetime
    fields: Fields
    ticket: Ticket | None
    by_engine: bool = False
    promised: datetime | None = None
    scheduled: datetime | None = None
    changes: list[ClockChange] = field(default_factory=list)

    @classmethod
    def opened(cls, ticket: Ticket | None, **circumstances: Any) -> "Ledger":
        """The ledger of a ticket, before anything has changed."""
        clocks = {} if ticket is None else {clock.clock: clock for clock in ticket.clocks}
        return cls(clocks=clocks, ticket=ticket, **circumstances)

    def running(self) -> list[Clock]:
        """Clocks that have not ended, by id."""
        return [self.clocks[name] for name in sorted(self.clocks) if self.clocks[name].running]

    def rule(self, clock: Clock) -> Rule:
        """The rule that a clock's cycle runs under, in the policy version that it started under."""
        return self.policies.get(clock.policy).rule(clock.rule)

    def calendar(self, clock: Clock) -> Calendar:
        """The calendar that a clock counts in, by the ticket's region as of now."""
        return self.policies.get(clock.policy).calendar_of(self.rule(clock), self.fields["region"])

    def moment(self, clock: Clock) -> datetime:
        """When the fact counts for a clock: not before the last event that changed it (contract, "Time")."""
        return max(self.at, clock.changed_at)

    def elapsed(self, clock: Clock, at: datetime) -> timedelta:
        """The business time that a clock has counted up to `at`."""
        counted = timedelta(seconds=clock.elapsed_seconds)
        if at < clock.since:
            # The engine's own escalation has paused or resumed it since: before, it did the opposite.
            return counted - self.calendar(clock).elapsed(at, clock.since) if clock.paused else counted
        if clock.paused:
            return counted
        until = at if clock.ended_at is None else min(at, clock.ended_at)
        return counted + self.calendar(clock).elapsed(clock.since, until)

    def target(self, rule: Rule, at: datetime, elapsed: timedelta) -> timedelta | None:
        """A rule's target, or None where it is an announced instant that nobody has announced."""
        if isinstance(rule.target, timedelta):
            return rule.target
        announced = self.promised if rule.target is Target.PROMISED else self.scheduled
        return None if announced is None else announced - at + elapsed

    def change(self, clock: Clock, change: Change, at: datetime, **more: Any) -> Clock:
        """Record a change that leaves the clock's rule, target and deadline as they are."""
        standing = {
            "deadline": None if clock.paused else clock.deadline,
            "elapsed_seconds": seconds(self.elapsed(clock, at)),
            "target_seconds": clock.target_seconds,
            "rule": clock.rule,
            "policy": clock.policy,
        }
        return self.record(clock.clock, clock.cycle, change, at, standing | more)

    def record(
        self, clock_id: str, cycle: int, change: Change, at: datetime, values: Mapping[str, Any]
    ) -> Clock:
        """Record a change and apply it; returns the clock after it."""
        entry = ClockChange(clock=clock_id, cycle=cycle, change=change, at=at, **values)
        self.changes.append(entry)
        clock = evolve_clock(self.clocks.get(clock_id), entry, by_engine=self.by_engine)
        self.clocks[clock_id] = clock
        return clock

    def begin(
        self, clock_id: str, policy: Policy, rule: Rule, *, by: str, elapsed: timedelta = ZERO
    ) -> Clock | None:
        """Start the next cycle of a clock; None where its target has not been announced."""
        before = self.clocks.get(clock_id)
        at = self.at if before is None else self.moment(before)
        target = self.target(rule, at, elapsed)
        if target is None:
            return None
        calendar = policy.calendar_of(rule, self.fields["region"])
        values = {
            "deadline": add_business(calendar, at, elapsed, target),
            "elapsed_seconds": seconds(elapsed),
            "target_seconds": seconds(target),
            "rule": rule.number,
            "policy": policy.label,
            "by": by,
        }
        return self.record(clock_id, 1 if before is None else before.cycle + 1, Change.STARTED, at, values)

    def retract(self, clock: Clock, at: datetime) -> Clock:
        """Withdraw a verdict by a fact of its own: nothing is ever edited."""
        return self.change(clock, Change.RETRACTED, at)

    def breach_is_wrong(self, clock: Clock, at: datetime) -> bool:
        """Whether what counts at `at` shows that the declared breach did not happen."""
        if self.by_engine or not clock.breached or clock.deadline is None:
            return False
        return at <= clock.deadline
