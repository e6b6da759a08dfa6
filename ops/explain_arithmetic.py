"""The arithmetic of a deadline as lines of text: stretch by stretch, up to the target."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

from ops.wording import day, duration, listed, moment, wall_time, wrapped
from workflow.reckoning import Leg, LegKind, Reckoning, Stretch
from workflow.terms_in_force import DAYS, Hours, Spans

_INDENT: Final = 4
_MOST_ROWS: Final = 40
_SPAN_COLUMNS: Final = 46
_AMOUNT_COLUMNS: Final = 16

Row = tuple[str, str, str]
"""When, how long it counts, and a remark."""


def lines_of(told: Reckoning, status: str) -> Iterator[str]:
    """The arithmetic of a cycle with that status. Bounded: of very many parts the middle is a sum."""
    yield "  The arithmetic"
    calendar: Hours | None = None
    for part in _shortened(told.legs):
        if isinstance(part, str):
            yield f"{' ' * _INDENT}{part}"
            continue
        if calendar is None or part.calendar.name != calendar.name:
            calendar = part.calendar
            yield from wrapped(f"In the calendar {calendar_words(calendar)}:", _INDENT)
        yield from map(_row, _rows(part, status))
    if told.deadline is None:
        left = next(leg.seconds for leg in reversed(told.legs) if leg.kind is LegKind.REMAINING)
        now = "are left for when it goes on" if status == "paused" else "were left when it ended"
        yield f"{' ' * _INDENT}Of {duration(told.target_seconds)}, {duration(left)} {now}."
        return
    total = f"= {duration(told.target_seconds)}"
    yield _row(("", total, "the target"))
    zone = told.legs[-1].calendar.zone
    same = ", as the journal has it" if told.agrees else ""
    yield f"{' ' * _INDENT}So the deadline is {moment(told.deadline, zone)}{same}."


def _shortened(legs: tuple[Leg, ...]) -> Iterator[Leg | str]:
    if len(legs) <= _MOST_ROWS:
        yield from legs
        return
    half = _MOST_ROWS // 2
    middle = legs[half:-half]
    counted = sum(leg.seconds for leg in middle if leg.counts)
    other = sum(leg.seconds for leg in middle if not leg.counts)
    yield from legs[:half]
    yield f"… {len(middle)} more parts: {duration(counted)} count, {duration(other)} do not …"
    yield from legs[-half:]


def _row(row: Row) -> str:
    when, amount, remark = row
    return f"{' ' * _INDENT}{when:<{_SPAN_COLUMNS}}{amount:>{_AMOUNT_COLUMNS}}  {remark}".rstrip()


def _rows(leg: Leg, status: str) -> Iterator[Row]:
    zone = leg.calendar.zone
    if leg.kind is LegKind.REMAINING:
        yield from _remaining(leg, status)
    elif leg.stretches:
        remark = "registered earlier" if leg.kind is LegKind.REGISTERED_EARLIER else ""
        for number, each in enumerate(leg.stretches):
            yield _stretch(each, zone, remark if number == 0 else "")
    elif leg.end is not None:
        yield _whole(leg, zone)


def _whole(leg: Leg, zone: str) -> Row:
    assert leg.end is not None  # noqa: S101 - the caller has asked
    when = f"until {moment(leg.end)}" if leg.start is None else span(Stretch(leg.start, leg.end, 0.0), zone)
    length = duration(leg.seconds)
    match leg.kind:
        case LegKind.PAUSED:
            return when, "–", f"paused, {length}"
        case LegKind.ENDED:
            return when, "–", f"ended, {length}"
        case LegKind.CARRIED:
            return when, length, "before it matched"
        case LegKind.CORRECTED:
            return when, length, "taken back"
        case _:
            return when, length, "closed" if not leg.seconds else ""


def _remaining(leg: Leg, status: str) -> Iterator[Row]:
    if leg.end is None or leg.start is None:
        return
    zone = leg.calendar.zone
    if leg.seconds < 0:
        yield span(Stretch(leg.end, leg.start, 0.0), zone), duration(leg.seconds), "more than the target"
    for number, each in enumerate(leg.stretches):
        open_still = number == 0 and status == "running"
        yield _stretch(each, zone, "up to the deadline" if open_still else "")


def _stretch(stretch: Stretch, zone: str, remark: str) -> Row:
    if stretch.shifts == 1:
        return span(stretch, zone), duration(stretch.seconds), remark
    days = f"… {stretch.days} more working days" if stretch.days > 1 else f"… {stretch.shifts} more shifts"
    return f"{days}, to {day(stretch.end, zone)} …", duration(stretch.seconds), remark


def span(stretch: Stretch, zone: str) -> str:
    """`Mon 2026-03-02 18:40 – 20:00`; the second date where it is another one."""
    first, last = day(stretch.start, zone), day(stretch.end, zone)
    start, end = wall_time(stretch.start, zone), wall_time(stretch.end, zone)
    if first != last and end == "00:00" and stretch.shifts == 1 and _next_day(stretch, zone):
        return f"{first} {start} – 24:00"
    return f"{first} {start} – {end}" if first == last else f"{first} {start} – {last} {end}"


def _next_day(stretch: Stretch, zone: str) -> bool:
    local = ZoneInfo(zone)
    start, end = stretch.start.astimezone(local).date(), stretch.end.astimezone(local).date()
    return end - start == timedelta(days=1)


def calendar_words(hours: Hours) -> str:
    """`moscow (Europe/Moscow: mon–fri 08:00–20:00)`, and its special days in the run."""
    if hours.always:
        return f"{hours.name} (day and night)"
    special = [f"{date} {_spans(spans)}" for date, spans in hours.special_days.items()]
    more = f"; {', '.join(special)}" if special else ""
    return f"{hours.name} ({hours.zone}: {_week(hours)}{more})"


def _week(hours: Hours) -> str:
    groups: list[tuple[list[str], Spans]] = []
    for name in DAYS:
        spans = hours.hours.get(name, ())
        if groups and groups[-1][1] == spans:
            groups[-1][0].append(name)
        else:
            groups.append(([name], spans))
    told = [f"{_run(names)} {_spans(spans)}" for names, spans in groups if spans]
    return ", ".join(told) if told else "closed every day"


def _run(names: list[str]) -> str:
    if len(names) == len(DAYS):
        return "every day"
    return names[0] if len(names) == 1 else f"{names[0]}–{names[-1]}"


def _spans(spans: Spans) -> str:
    return listed([f"{opens}–{closes}" for opens, closes in spans]) if spans else "closed"
