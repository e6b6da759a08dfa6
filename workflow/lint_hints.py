"""What in a policy has no effect, or another one than it seems: no problem, but perhaps not what was meant.

The contract gives all of it a meaning, so that no worker may refuse it ("a threshold that lies before the
clock's start never fires"); whoever writes a policy by hand wants to know all the same. Each hint says what
would be clearer. A calendar that nothing counts in is none: a table of hours may be kept for later.
"""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Final

from workflow.calendar_file import DAYS
from workflow.calendars import Calendar
from workflow.lint_lines import Found, Lines
from workflow.policy import ANY, REGION, Action, Kind, Policy, Reopen, Rule, Target, Threshold
from workflow.reachable_states import base, can_come, running_states
from workflow.vocabulary import STATES, TRIGGERS

_ZERO: Final = timedelta()


def hints(policy: Policy, lines: Lines) -> Iterator[Found]:
    """Everything without effect in a policy that has no problem."""
    states = running_states(policy)
    yield from _calendars(policy, lines)
    yield from _regions(policy, lines)
    for rule in policy.rules:
        running = states[rule.number]
        yield from _triggers(rule, running, lines)
        yield from _warnings(rule, lines)
        yield from _steps(rule, running, lines)


def _calendars(policy: Policy, lines: Lines) -> Iterator[Found]:
    for name, calendar in policy.calendars.items():
        line = lines.calendar(name)
        for day, shifts in zip(DAYS, calendar.hours, strict=True):
            ordered = sorted(shifts)
            if any(later.opens_minutes < earlier.closes_minutes for earlier, later in pairwise(ordered)):
                yield line, f"shifts of {day} overlap, and the time that they share counts once; join them"
        if _is_outdated(calendar, policy):
            yield line, "every holiday lies before the policy comes into force; add the holidays to come"
        shut = not calendar.has_weekly_hours and not any(calendar.exceptions.values())
        if shut and name in policy.service_hours.values():
            yield (
                line,
                "the calendar never opens, so that `service_hours` calls every registration out of hours",
            )


def _is_outdated(calendar: Calendar, policy: Policy) -> bool:
    if not calendar.holidays or policy.effective_from.year < 1970:
        return False
    # No zone is further from UTC than a day.
    return max(calendar.holidays) < policy.effective_from.date() - timedelta(days=1)


def _regions(policy: Policy, lines: Lines) -> Iterator[Found]:
    by_region = [rule for rule in policy.rules if rule.calendar == REGION]
    meant = bool(by_region) or REGION in (policy.citizen_hours, *policy.service_hours.values())
    if meant and policy.region_calendars and ANY not in policy.region_calendars:
        yield (
            lines.key("region_calendars"),
            'regions that are not named here are always open; say what they have with `"*"`',
        )
    if not policy.region_calendars:
        for rule in by_region:
            yield (
                lines.part(rule.number, "calendar"),
                "`region` is always open without `region_calendars`; state them, or leave `calendar` out",
            )


def _triggers(rule: Rule, running: frozenset[str], lines: Lines) -> Iterator[Found]:
    number = rule.number
    if rule.stop and not any(can_come(trigger, running) for trigger in rule.stop):
        yield (
            lines.part(number, "stop"),
            "no trigger of `stop` can come while the clock runs, so that the promise is never kept; "
            "name one that can, or write `stop: []`",
        )
    else:
        yield from _stops(rule, running, lines)
    for trigger in (each for each in TRIGGERS if each in rule.cancel):
        if not can_come(trigger, running):
            line = lines.part(number, f"cancel {trigger}", "cancel")
            yield line, "the trigger cannot come while the clock runs; take it out of `cancel`"
    for state in (each for each in STATES if each in rule.pause - running):
        line = lines.part(number, f"pause {state}", "pause")
        yield line, "the clock cannot run in this state; take it out of `pause`"
    if rule.reopen is Reopen.RESTART and isinstance(rule.target, Target):
        yield (
            lines.part(number, "reopen"),
            "a reopening announces no instant: the clock restarts with the last one, which may be over; "
            "write `continue` or `none`",
        )
    if rule.reopen is not Reopen.NONE and "reopened" in rule.start:
        yield (
            lines.part(number, "reopen"),
            "the clock starts at `reopened` anyway, so that `reopen` does nothing; leave one of the two out",
        )


def _stops(rule: Rule, running: frozenset[str], lines: Lines) -> Iterator[Found]:
    for trigger in (each for each in TRIGGERS if each in rule.stop):
        line = lines.part(rule.number, f"stop {trigger}", "stop")
        if not rule.cancel.isdisjoint((trigger, base(trigger))):
            yield line, "the trigger cancels the clock before it can stop it; take it out of one of the two"
        elif not can_come(trigger, running):
            yield line, "the trigger cannot come while the clock runs; take it out of `stop`"


def _warnings(rule: Rule, lines: Lines) -> Iterator[Found]:
    target = rule.target
    seen: dict[timedelta, str] = {}
    for warning in (each for each in rule.thresholds if each.kind is Kind.WARN):
        line = lines.part(rule.number, warning.name, "warn")
        if warning.percent is not None and warning.percent >= 100:
            when = "with" if warning.percent == 100 else "after"
            yield (
                line,
                f"the warning comes {when} the breach; let it come earlier, or write it in `on_breach`",
            )
        if isinstance(target, Target):
            continue
        point = warning.point(target)
        if point < _ZERO:
            yield (
                line,
                "the warning lies before the clock's start and never comes; bring it nearer the deadline",
            )
        elif point in seen and point < target:
            yield line, f"the warning comes at the same moment as `{seen[point]}`; keep one"
        seen.setdefault(point, warning.name)


def _steps(rule: Rule, running: frozenset[str], lines: Lines) -> Iterator[Found]:
    acts = [each for each in rule.thresholds if each.kind is not Kind.WARN]
    # The engine closes as `closed` does; a clock that this ends has no steps left.
    ends = "closed" in rule.stop | rule.cancel and "closed" not in running
    closing = min((each.offset for each in acts if each.do is Action.CLOSE), default=None)
    for step in acts:
        line = _line_of(step, rule, lines)
        if step.kind is Kind.STEP and step.do is Action.NONE and not step.notify:
            yield line, "the step does nothing; let it `do` something or `notify` somebody, or delete it"
        if ends and closing is not None and step.offset > closing:
            yield (
                line,
                "the step never comes: an earlier one closes the ticket, which ends the clock; delete it",
            )
        if step.do is Action.ESCALATE and running <= {"resolved", "closed"}:
            yield (
                line,
                "`escalate` only notifies where the clock runs, on resolved or closed tickets; write `none`",
            )


def _line_of(step: Threshold, rule: Rule, lines: Lines) -> int:
    zero = () if step.kind is Kind.STEP else ("+0s",)
    return lines.part(rule.number, step.name, *zero, "on_breach")
