"""Calendars compared and in words: when two are open alike, which is open more, what changes between them."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from itertools import groupby
from typing import Final, NamedTuple, TypeVar

from workflow.calendar_file import DAYS
from workflow.calendars import ROUND_THE_CLOCK, Calendar, Shift, Shifts

_MOST_DAYS_TOLD: Final = 10
_DAY_MINUTES: Final = 24 * 60
_Day = TypeVar("_Day")


class Hours(NamedTuple):
    """When a calendar is open, however it is written: equal means open at the same instants."""

    zone: str
    """Empty where none matters: open without end."""
    week: tuple[Shifts, ...]
    """Seven days, Monday first; without special days cut at midnight."""
    special: tuple[tuple[date, Shifts], ...]
    """The dates that differ from their weekday."""


def hours_of(calendar: Calendar) -> Hours:
    """The hours that a calendar states."""
    if calendar.always:
        return Hours("", ROUND_THE_CLOCK, ())
    days = {*calendar.holidays, *calendar.exceptions}
    weekly = tuple(_joined(shifts) for shifts in calendar.hours)
    found = ((day, _joined(calendar.shifts_of(day))) for day in sorted(days))
    special = tuple((day, shifts) for day, shifts in found if shifts != weekly[day.weekday()])
    if special:
        return Hours(calendar.zone, weekly, special)
    week = _cut_at_midnight(weekly)
    return Hours("" if week == ROUND_THE_CLOCK else calendar.zone, week, ())


def opens_more(before: Hours, after: Hours) -> int | None:
    """1: open whenever it was before and more; -1: less; 0: the same; None: neither, or it cannot be told."""
    if before == after:
        return 0
    if _contains(after, before):
        return 1
    return -1 if _contains(before, after) else None


def in_words(calendar: Calendar) -> str:
    """`mon–fri 08:00–20:00, sat 09:00–13:00, Europe/Moscow`, or `open without end`."""
    hours = hours_of(calendar)
    if not hours.zone:
        return "open without end"
    days = ", ".join(f"{days} {_spans(shifts)}" for days, shifts in _runs(calendar.hours) if shifts)
    count = len(hours.special)
    dates = f", {count} date{'s' if count > 1 else ''} otherwise" if count else ""
    return f"{days or 'closed all week'}{dates}, {calendar.zone}"


def changes(before: Calendar, after: Calendar) -> Iterator[str]:
    """What changes in a calendar, a sentence's part each: zone, days of the week, dates."""
    if not hours_of(before).zone or not hours_of(after).zone:
        yield f"{in_words(before)} becomes {in_words(after)}"
        return
    if before.zone != after.zone:
        yield f"{before.zone} becomes {after.zone}"
    pairs = [(_joined(a), _joined(b)) for a, b in zip(before.hours, after.hours, strict=True)]
    for days, (old, new) in _runs(pairs):
        if old != new:
            yield f"{days} {_spans(old)} becomes {_spans(new)}"
    dates = sorted({*before.holidays, *before.exceptions, *after.holidays, *after.exceptions})
    moved = [day for day in dates if _is_other(before, day) or _is_other(after, day)]
    told = [day for day in moved if _joined(before.shifts_of(day)) != _joined(after.shifts_of(day))]
    for day in told[:_MOST_DAYS_TOLD]:
        old, new = _joined(before.shifts_of(day)), _joined(after.shifts_of(day))
        yield f"{day} {_spans(old)} becomes {_spans(new)}"
    if len(told) > _MOST_DAYS_TOLD:
        yield f"and {len(told) - _MOST_DAYS_TOLD} more dates"


def _is_other(calendar: Calendar, day: date) -> bool:
    """Whether a date has not its weekday's hours; a change of those is told of the weekday."""
    return _joined(calendar.shifts_of(day)) != _joined(calendar.hours[day.weekday()])


def _contains(wide: Hours, narrow: Hours) -> bool:
    if not wide.zone:
        return True
    if wide.zone != narrow.zone:
        return False
    if not wide.special and not narrow.special:
        return all(_covers(a, b) for a, b in zip(wide.week, narrow.week, strict=True))
    # Day by day: what one day leaves open and the day before covers is not seen, and so nothing is claimed.
    wide_days, narrow_days = dict(wide.special), dict(narrow.special)
    return all(_covers(a, b) for a, b in zip(wide.week, narrow.week, strict=True)) and all(
        _covers(_on(wide, wide_days, day), _on(narrow, narrow_days, day))
        for day in {*wide_days, *narrow_days}
    )


def _on(hours: Hours, special: Mapping[date, Shifts], day: date) -> Shifts:
    return special.get(day, hours.week[day.weekday()])


def _covers(wide: Shifts, narrow: Shifts) -> bool:
    return all(
        any(a.opens_minutes <= b.opens_minutes and b.closes_minutes <= a.closes_minutes for a in wide)
        for b in narrow
    )


def _joined(shifts: Iterable[Shift]) -> Shifts:
    """In order, and those that touch as one."""
    found: list[Shift] = []
    for shift in sorted(shifts):
        if found and shift.opens_minutes <= found[-1].closes_minutes:
            found[-1] = Shift(found[-1].opens_minutes, max(found[-1].closes_minutes, shift.closes_minutes))
        else:
            found.append(shift)
    return tuple(found)


def _cut_at_midnight(week: tuple[Shifts, ...]) -> tuple[Shifts, ...]:
    days: list[list[Shift]] = [[] for _ in DAYS]
    for number, shifts in enumerate(week):
        for shift in shifts:
            opens, end = shift
            day = number
            while end > 0:
                if opens < _DAY_MINUTES:
                    days[day % 7].append(Shift(opens, min(end, _DAY_MINUTES)))
                opens, end, day = max(opens - _DAY_MINUTES, 0), end - _DAY_MINUTES, day + 1
    return tuple(map(_joined, days))


def _runs(days: Iterable[_Day]) -> Iterator[tuple[str, _Day]]:
    """Days of the week one after another that have the same: `mon–fri`."""
    for each, run in groupby(zip(DAYS, days, strict=True), key=lambda pair: pair[1]):
        names = [name for name, _ in run]
        yield names[0] if len(names) == 1 else f"{names[0]}–{names[-1]}", each


def _spans(shifts: Shifts) -> str:
    return " and ".join(f"{_wall_time(a)}–{_wall_time(b)}" for a, b in shifts) or "closed"


def _wall_time(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
