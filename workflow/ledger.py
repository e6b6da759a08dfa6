"""The clocks of one ticket while one fact is being decided: what was changed so far, and how to change more.

Every change is recorded and applied at once through `evolve_clock`, so that what is decided and what a fold
of the journal gives cannot differ.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from schemas.instants import seconds
from schemas.records import Change, ClockChange
from schemas.state import Clock, Ticket
from workflow.calendars import Calendar
from workflow.counting import ZERO, add_business, counted, reached
from workflow.policy import Policies, Policy, Rule, Target
from workflow.ticket import evolve_clock

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
        return counted(clock, self.calendar(clock), at)

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
        return self._apply(ClockChange(clock=clock_id, cycle=cycle, change=change, at=at, **values))

    def _apply(self, entry: ClockChange) -> Clock:
        self.changes.append(entry)
        clock = evolve_clock(self.clocks.get(entry.clock), entry, by_engine=self.by_engine)
        self.clocks[entry.clock] = clock
        return clock

    def begin(
        self,
        clock_id: str,
        policy: Policy,
        rule: Rule,
        *,
        by: str,
        at: datetime | None = None,
        elapsed: timedelta = ZERO,
    ) -> Clock | None:
        """Start the next cycle of a clock, `at` where that is not now; None: its target is not announced."""
        before = self.clocks.get(clock_id)
        if at is None:
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

    def retarget(
        self, clock: Clock, rule: Rule, *, at: datetime, elapsed: timedelta, target: timedelta
    ) -> Clock:
        """Go on under a rule: elapsed stays as counted, the remainder runs under the new one.

        A breach is a fact: its deadline stays, and only the steps move.
        """
        return self._set_deadline(
            clock,
            Change.RETARGETED,
            at=at,
            elapsed_seconds=seconds(elapsed),
            target_seconds=seconds(target),
            rule=rule.number,
        )

    def resume(self, clock: Clock, *, at: datetime, elapsed: timedelta) -> Clock:
        """Go on after a pause or an end, with what is left; the deadline of a breach stays."""
        return self._set_deadline(clock, Change.RESUMED, at=at, elapsed_seconds=seconds(elapsed))

    def _set_deadline(self, clock: Clock, change: Change, **values: Any) -> Clock:
        """Record a change whose deadline follows from how the clock goes on after it."""
        entry = ClockChange(
            clock=clock.clock,
            cycle=clock.cycle,
            change=change,
            **{
                "deadline": clock.deadline,
                "target_seconds": clock.target_seconds,
                "rule": clock.rule,
                "policy": clock.policy,
                **values,
            },
        )
        then = evolve_clock(clock, entry, by_engine=self.by_engine)
        if then.paused:
            entry = entry.model_copy(update={"deadline": None})
        elif not then.breached:
            deadline = reached(then, self.calendar(then), timedelta(seconds=then.target_seconds))
            entry = entry.model_copy(update={"deadline": deadline})
        return self._apply(entry)

    def retract(self, clock: Clock, at: datetime) -> Clock:
        """Withdraw a verdict by a fact of its own: nothing is ever edited.

        A breach kept its deadline when the clock was retargeted; without the breach what is left counts.
        """
        if not clock.breached or not clock.running or clock.paused:
            return self.change(clock, Change.RETRACTED, at)
        deadline = reached(clock, self.calendar(clock), timedelta(seconds=clock.target_seconds))
        return self.change(clock, Change.RETRACTED, at, deadline=deadline)

    def breach_is_wrong(self, clock: Clock, at: datetime) -> bool:
        """Whether what counts at `at` shows that the declared breach did not happen."""
        if self.by_engine or not clock.breached or clock.deadline is None:
            return False
        return at <= clock.deadline
