"""What one journal record adds to a report: counts, verdicts, times.

The counts and verdicts are the metrics' own (`workflow.measures`), so a report, the metrics topic and the
exporter agree. A report adds what metrics do not carry: times as the promises count them, how late clocks
were found, and where a contact stands in its chain of follow-up tickets.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from schemas.records import Change, ClockChange, MetricName, Outcome
from schemas.state import Clock
from workflow.history import Step
from workflow.measures import metrics

CONFIRMATION: Final = "confirmation"
"""The clock whose breach means that the citizen was silent: it breaks no promise to anybody."""

FIRST_RESPONSE: Final = "first_response"
RESOLUTION: Final = "resolution"


class Count(StrEnum):
    """What is counted of tickets. `follow_ups` are those repeat contacts that registered a ticket."""

    REGISTERED = "registered"
    ASSIGNED = "assigned"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    REPEAT_CONTACTS = "repeat_contacts"
    FOLLOW_UPS = "follow_ups"
    ESCALATED_BY_EVENT = "escalated_by_event"
    ESCALATED_BY_ENGINE = "escalated_by_engine"
    CORRECTIONS = "corrections"
    FIRINGS = "firings"


class Time(StrEnum):
    """What is measured, in seconds; business time is what the promise's clock counted, pauses left out.

    `issue_age_seconds` is measured at each repeat contact, from the first contact of its chain.
    """

    WAIT = "wait_seconds"
    WAIT_BUSINESS = "wait_business_seconds"
    RESOLUTION = "resolution_seconds"
    RESOLUTION_BUSINESS = "resolution_business_seconds"
    ISSUE_AGE = "issue_age_seconds"
    LATENESS = "lateness_seconds"


_COUNTED: Final = {
    MetricName.WAIT_SECONDS: Count.ASSIGNED,
    MetricName.RESOLUTION_SECONDS: Count.RESOLVED,
    MetricName.REOPENING: Count.REOPENED,
    MetricName.REPEAT_CONTACT: Count.REPEAT_CONTACTS,
    MetricName.CORRECTION: Count.CORRECTIONS,
}
_TIMED: Final = {
    MetricName.WAIT_SECONDS: (Time.WAIT, Time.WAIT_BUSINESS, FIRST_RESPONSE),
    MetricName.RESOLUTION_SECONDS: (Time.RESOLUTION, Time.RESOLUTION_BUSINESS, RESOLUTION),
}
"""Wall time, business time, and the clock that counts the latter."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A verdict on a promise, or the withdrawal of one."""

    clock: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Use:
    """How much of its target a clock had used when its promise was kept or, after a breach, at last ended."""

    clock: str
    share: float


@dataclass(frozen=True, slots=True)
class Observed:
    """What a record adds. `repeat`: it is a repeat contact."""

    counts: tuple[Count, ...]
    verdicts: tuple[Verdict, ...]
    times: tuple[tuple[Time, float], ...]
    uses: tuple[Use, ...]

    @property
    def repeat(self) -> bool:
        """Whether the record is a repeat contact."""
        return Count.REPEAT_CONTACTS in self.counts


def observe(step: Step) -> Observed:
    """What a record, with the ticket before and after it, adds to a report of the period it counts in."""
    counts = [Count.REGISTERED] if step.before is None else []
    if step.before is None and "follows" in step.entry.changed:
        counts.append(Count.FOLLOW_UPS)
    verdicts, times = [], []
    for _, metric in metrics(step):
        name, labels = metric.metric, metric.labels
        if name in _COUNTED:
            counts.append(_COUNTED[name])
        if name in _TIMED:
            wall, business, clock = _TIMED[name]
            times.append((wall, float(metric.value)))
            times.extend((business, each.elapsed_seconds) for each in _kept_or_late(step, clock)[-1:])
        elif name is MetricName.ESCALATION:
            counts.append(Count.ESCALATED_BY_ENGINE if step.by_engine else Count.ESCALATED_BY_EVENT)
        elif name is MetricName.CLOCK_OUTCOME:
            verdicts.append(Verdict(labels["clock"], Outcome(labels["outcome"])))
    # A firing is a record of its own, and a step of 0 s acts in the record of the breach: one lateness each.
    late = [each.lateness_seconds for each in step.entry.clocks if each.lateness_seconds is not None][:1]
    counts.extend(Count.FIRINGS for _ in late)
    times.extend((Time.LATENESS, each) for each in late)
    uses = [
        Use(clock, change.elapsed_seconds / change.target_seconds)
        for clock in (FIRST_RESPONSE, RESOLUTION)
        for change in _kept_or_late(step, clock)
        if change.target_seconds > 0
    ]
    return Observed(tuple(counts), tuple(verdicts), tuple(times), tuple(uses))


def _kept_or_late(step: Step, clock: str) -> list[ClockChange]:
    ends = (Change.MET, Change.STOPPED)
    return [each for each in step.entry.clocks if each.clock == clock and each.change in ends]


def overdue_seconds(clock: Clock, until: datetime) -> float | None:
    """How long past its deadline a broken promise went on, by the clock on the wall, up to `until` at most.

    None where the cycle is not broken (any more). One that was found late in a pause has no deadline: it went
    on for what it counted beyond its target.
    """
    if not clock.breached:
        return None
    if clock.deadline is None:
        return max(clock.elapsed_seconds - clock.target_seconds, 0.0)
    end = until if clock.ended_at is None else min(clock.ended_at, until)
    return max((end - clock.deadline).total_seconds(), 0.0)
