"""What is promised to one ticket by one clock, however the policy writes it; and two promises compared."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Final

from workflow import durations
from workflow.calendar_words import Hours, hours_of, in_words, opens_more
from workflow.calendars import Calendar
from workflow.policy import Kind, Policy, Reopen, Rule, Target, Threshold
from workflow.policy_table import ANNOUNCED, acts, step_words
from workflow.ticket_groups import alternatives
from workflow.vocabulary import STATES, TRIGGERS

_ZERO: Final = timedelta()
_UNITS: Final = {"ms": "ms", "s": "s", "m": "min", "h": "h", "d": "days"}
_REOPENING: Final = {
    Reopen.RESTART: "it begins anew",
    Reopen.CONTINUE: "it goes on",
    Reopen.NONE: "it stays as it ended",
}


class Becomes(StrEnum):
    """What a change is for those whom the promise is made to. `shorter`: the deadline comes earlier."""

    NEW = "new"
    GONE = "gone"
    SHORTER = "shorter"
    LONGER = "longer"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Terms:
    """A rule as it is for one ticket. `name`: the calendar's, as the policy calls it."""

    rule: Rule
    name: str
    calendar: Calendar = field(compare=False)  # of one rule, its name says which

    @property
    def hours(self) -> Hours:
        """When its calendar is open."""
        return hours_of(self.calendar)


def terms_for(policy: Policy, rule: Rule | None, fields: Mapping[str, str | None]) -> Terms | None:
    """What a rule that matches promises to a ticket with these fields; None, where none does: nothing."""
    if rule is None:
        return None
    calendar = policy.calendar_of(rule, fields.get("region"))
    name = "always" if calendar.always else policy.calendar_name(rule.calendar, fields.get("region"))
    return Terms(rule, name, calendar)


def compared(before: Terms | None, after: Terms | None) -> tuple[Becomes, tuple[str, ...]] | None:
    """What becomes of a promise, and what of it changes as parts of a sentence; None: it is the same."""
    if before is None or after is None:
        known = before or after
        return None if known is None else (Becomes.NEW if before is None else Becomes.GONE, (summary(known),))
    details = tuple(_details(before, after))
    return (_direction(before, after), details) if details else None


def summary(terms: Terms) -> str:
    """`30 min from created until resolved or closed`, and in which hours."""
    rule = terms.rule
    text = f"{target_words(rule.target)} from {_words(rule.start, TRIGGERS)}"
    if rule.stop:
        text += f" until {_words(rule.stop, TRIGGERS)}"
    return (
        text if terms.calendar.always else f"{text}, counted in {calendar_words(terms.name, terms.calendar)}"
    )


def target_words(target: timedelta | Target) -> str:
    """`30 min`, `3 days`, `the promised deadline`."""
    if isinstance(target, Target):
        return ANNOUNCED[target]
    written = durations.render(target)
    number = written.rstrip("dhms")
    return f"{number} {_UNITS[written[len(number) :]]}"


def calendar_words(name: str, calendar: Calendar) -> str:
    """`always`, or a calendar's name with its hours."""
    return "always" if calendar.always else f"{name} ({in_words(calendar)})"


def calendar_change(before: tuple[str, Calendar], after: tuple[str, Calendar]) -> str:
    """Which hours count instead of which. What changes within a calendar is told of that calendar."""
    if before[0] == after[0]:
        return f"{after[0]}, whose hours change"
    return f"{calendar_words(*after)} instead of {calendar_words(*before)}"


def _details(before: Terms, after: Terms) -> Iterator[str]:
    old, new = before.rule, after.rule
    if old.target != new.target:
        yield f"{target_words(old.target)} becomes {target_words(new.target)}"
    if before.hours != after.hours:
        yield f"counted in {calendar_change((before.name, before.calendar), (after.name, after.calendar))}"
    yield from _names("starts at", old.start, new.start, TRIGGERS)
    yield from _names("kept by", old.stop, new.stop, TRIGGERS)
    yield from _names("cancelled by", old.cancel, new.cancel, TRIGGERS)
    yield from _names("stands still in", old.pause, new.pause, STATES)
    if old.reopen is not new.reopen:
        yield f"on reopening {_REOPENING[new.reopen]}, and no longer: {_REOPENING[old.reopen]}"
    yield from _warnings(old, new)
    yield from _steps(old, new)


def _names(what: str, old: frozenset[str], new: frozenset[str], order: Iterable[str]) -> Iterator[str]:
    order = tuple(order)
    if new - old:
        yield f"also {what} {_words(new - old, order)}"
    if old - new:
        yield f"no longer {what} {_words(old - new, order)}"


def _words(names: frozenset[str], order: Iterable[str]) -> str:
    return alternatives([name for name in order if name in names])


def _warnings(old: Rule, new: Rule) -> Iterator[str]:
    same = old.target == new.target
    before, after = _by_moment(old, same), _by_moment(new, same)
    added = [name for moment, name in after.items() if moment not in before]
    removed = [name for moment, name in before.items() if moment not in after]
    if added:
        yield f"also warns at {', '.join(added)}"
    if removed:
        yield f"no longer warns at {', '.join(removed)}"


def _by_moment(rule: Rule, same_target: bool) -> dict[object, str]:
    """Warnings that come, by when: under one target, `50%` of ten minutes and `-5m` are one moment."""
    found: dict[object, str] = {}
    for each in rule.thresholds:
        if each.kind is not Kind.WARN:
            continue
        point = each.point(rule.target) if isinstance(rule.target, timedelta) else None
        if point is None or point >= _ZERO:
            written = (each.percent, each.offset)
            found.setdefault(point if same_target and point is not None else written, each.name)
    return found


def _steps(old: Rule, new: Rule) -> Iterator[str]:
    before, after = _by_offset(old), _by_offset(new)
    for offset in sorted({*before, *after}):
        was, becomes = before.get(offset), after.get(offset)
        if becomes is None and was is not None:
            yield f"after a breach no longer: {step_words(was)}"
        elif was is None and becomes is not None:
            yield f"after a breach also: {step_words(becomes)}"
        elif was is not None and becomes is not None and _does(was) != _does(becomes):
            yield f"after a breach: {step_words(was)} becomes {step_words(becomes)}"


def _by_offset(rule: Rule) -> dict[timedelta, Threshold]:
    return {each.offset: each for each in rule.thresholds if acts(each)}


def _does(step: Threshold) -> tuple[str, frozenset[str]]:
    return step.do, frozenset(step.notify)


def _direction(before: Terms, after: Terms) -> Becomes:
    """Whether a deadline comes earlier or later; where the changes pull both ways, neither is claimed."""
    old, new = before.rule, after.rule
    earlier = {
        _of_targets(old.target, new.target),
        opens_more(before.hours, after.hours),
        _of_pauses(old.pause, new.pause),
    }
    if earlier - {0} == {1}:
        return Becomes.SHORTER
    return Becomes.LONGER if earlier - {0} == {-1} else Becomes.CHANGED


def _of_pauses(old: frozenset[str], new: frozenset[str]) -> int | None:
    if old == new:
        return 0
    if new < old:
        return 1
    return -1 if new > old else None


def _of_targets(old: timedelta | Target, new: timedelta | Target) -> int | None:
    if old == new:
        return 0
    if isinstance(old, Target) or isinstance(new, Target):
        return None
    return 1 if new < old else -1
