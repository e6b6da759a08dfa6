"""The promise that a clock ran under, for people: which rule of which version, why, in which hours."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from schemas.state import Clock
from workflow import durations
from workflow.calendars import Calendar, Shifts
from workflow.ledger import Fields
from workflow.policy import REGION, Kind, Policies, Policy, Rule, UnknownPolicyVersion

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MOST_SPECIAL_DAYS: Final = 10
"""Of a long run only the first holidays and exceptions are told."""

Spans = tuple[tuple[str, str], ...]
"""Shifts as the policy file writes them: `08:00` to `20:00`; past `24:00` is the next day."""


@dataclass(frozen=True, slots=True)
class Hours:
    """A calendar: its name in the policy, its IANA time zone, and when it is open in a week.

    `always`: open without end, and `hours` is empty. `special_days`: holidays (no shifts) and exceptions on
    the dates that mattered, as `2026-01-01`, MOST_SPECIAL_DAYS at most.
    """

    name: str
    zone: str
    always: bool
    hours: Mapping[str, Spans]
    special_days: Mapping[str, Spans]


@dataclass(frozen=True, slots=True)
class Condition:
    """One entry of a rule's `when`: what the field may be, and what it is in this ticket."""

    field: str
    allowed: tuple[str, ...]
    value: str | None


@dataclass(frozen=True, slots=True)
class RuleInForce:
    """The rule that a clock runs under.

    `number` is its place in the policy file, from 1. `when` empty: it is for every ticket. `passed_over`: the
    rules of the same clock that stand before it and did not match. `target` as the policy writes it, or
    `promised` or `scheduled`. `by_region`: the calendar is that of the ticket's `region`, which may be null.
    """

    policy: str
    number: int
    when: tuple[Condition, ...]
    passed_over: tuple[int, ...]
    target: str
    start: tuple[str, ...]
    stop: tuple[str, ...]
    cancel: tuple[str, ...]
    pause: tuple[str, ...]
    reopen: str
    warnings: tuple[str, ...]
    steps: tuple[str, ...]
    by_region: bool
    region: str | None
    calendar: Hours


@dataclass(frozen=True, slots=True)
class Terms:
    """A rule with its policy and the calendar that the ticket's region gives it."""

    policy: Policy
    rule: Rule
    calendar: Calendar


def terms_of(policies: Policies, clock: Clock, fields: Fields) -> Terms | None:
    """What a clock runs under; None where that version is not here, or is not as it was."""
    try:
        policy = policies.get(clock.policy)
        rule = policy.rule(clock.rule)
    except (UnknownPolicyVersion, IndexError):
        return None
    if rule.clock != clock.clock:
        return None
    return Terms(policy, rule, policy.calendar_of(rule, fields["region"]))


def in_words(terms: Terms, fields: Fields, start: datetime, end: datetime | None) -> RuleInForce:
    """The rule as data. `start` and `end` bound the run, so that its holidays can be named."""
    policy, rule = terms.policy, terms.rule
    fixed = isinstance(rule.target, timedelta)
    return RuleInForce(
        policy=policy.label,
        number=rule.number,
        when=tuple(Condition(name, tuple(sorted(rule.when[name])), fields[name]) for name in rule.when),
        passed_over=tuple(
            each.number for each in policy.rules[: rule.number - 1] if each.clock == rule.clock
        ),
        target=durations.render(rule.target) if isinstance(rule.target, timedelta) else str(rule.target),
        start=tuple(sorted(rule.start)),
        stop=tuple(sorted(rule.stop)),
        cancel=tuple(sorted(rule.cancel)),
        pause=tuple(sorted(rule.pause)),
        reopen=str(rule.reopen),
        warnings=tuple(each.name for each in rule.thresholds if each.kind is Kind.WARN),
        steps=tuple(each.name for each in rule.thresholds if each.kind is Kind.STEP),
        by_region=fixed and rule.calendar == REGION,
        region=fields["region"],
        calendar=hours_of(terms, start, end),
    )


def hours_of(terms: Terms, start: datetime, end: datetime | None) -> Hours:
    """The calendar of a run from `start` to `end` (None: no end is known, so no day of it is special)."""
    calendar = terms.calendar
    by_name = {id(each): name for name, each in terms.policy.calendars.items()}
    name = "always" if calendar.always else by_name.get(id(calendar), "always")
    if calendar.always:
        return Hours(name, "UTC", always=True, hours={}, special_days={})
    weekly = {day: _spans(shifts) for day, shifts in zip(DAYS, calendar.hours, strict=True)}
    special = {} if end is None else _special_days(calendar, start, end)
    return Hours(name, calendar.zone, always=False, hours=weekly, special_days=special)


def _special_days(calendar: Calendar, start: datetime, end: datetime) -> dict[str, Spans]:
    zone = ZoneInfo(calendar.zone)
    # A shift of the day before may still run when the clock starts.
    first = start.astimezone(zone).date() - timedelta(days=1)
    last = end.astimezone(zone).date()
    days: set[date] = {day for day in {*calendar.holidays, *calendar.exceptions} if first <= day <= last}
    return {str(day): _spans(calendar.shifts_of(day)) for day in sorted(days)[:MOST_SPECIAL_DAYS]}


def _spans(shifts: Shifts) -> Spans:
    return tuple((_wall_time(opens), _wall_time(closes)) for opens, closes in shifts)


def _wall_time(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
