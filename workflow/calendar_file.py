"""One entry of a policy file's ``calendars``: from its nodes to a ``Calendar``."""

import re
from datetime import date
from typing import Final

from yaml.nodes import Node

from workflow.calendars import (
    ALWAYS,
    CLOSED,
    FIRST_YEAR,
    LAST_YEAR,
    ROUND_THE_CLOCK,
    Calendar,
    Shift,
    Shifts,
    time_zone,
)
from workflow.yaml_reader import Reader

_KEYS: Final = ("timezone", "hours", "holidays", "exceptions")
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MOST_SHIFTS: Final = 48  # a day; half-hour slots
_WALL_TIME: Final = re.compile(r"([0-9]{1,2}):([0-5][0-9])")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MIDNIGHT_MINUTES: Final = 24 * 60


def read_calendar(reader: Reader, node: Node) -> Calendar:
    """The calendar that a node states; ``ALWAYS`` for ``{}``, and for what is noted as a problem.

    Without ``hours`` every day is open around the clock (contract: "no hours: always open"), so that
    ``holidays`` alone make a service that only rests on those.
    """
    entries = reader.mapping(node, "a calendar", _KEYS)
    if not entries:
        return ALWAYS
    zone = _zone(reader, entries["timezone"]) if "timezone" in entries else None
    if "timezone" not in entries:
        reader.fail(node, "a calendar with hours, holidays or exceptions needs `timezone`")
    hours = _hours(reader, entries["hours"]) if "hours" in entries else ROUND_THE_CLOCK
    holidays = _holidays(reader, entries["holidays"]) if "holidays" in entries else frozenset()
    exceptions = _exceptions(reader, entries["exceptions"]) if "exceptions" in entries else {}
    if "hours" not in entries and not holidays and not exceptions:
        return ALWAYS
    return Calendar(zone or "UTC", hours, holidays, exceptions)


def _zone(reader: Reader, node: Node) -> str | None:
    name = reader.text(node, "`timezone`")
    if name is None:
        return None
    try:
        time_zone(name)
    except ValueError as error:
        reader.fail(node, f"`timezone`: {error}")
        return None
    return name


def _hours(reader: Reader, node: Node) -> tuple[Shifts, ...]:
    entries = reader.mapping(node, "`hours`", DAYS) or {}
    return tuple(_shifts(reader, entries[day]) if day in entries else CLOSED for day in DAYS)


def _holidays(reader: Reader, node: Node) -> frozenset[date]:
    found = set()
    for item in reader.items(node, "`holidays`"):
        text = reader.text(item, "a holiday")
        day = None if text is None else _date(reader, item, text)
        if day is not None:
            found.add(day)
    return frozenset(found)


def _exceptions(reader: Reader, node: Node) -> dict[date, Shifts]:
    found = {}
    for text, entry in (reader.mapping(node, "`exceptions`") or {}).items():
        day = _date(reader, entry, text)
        shifts = _shifts(reader, entry)
        if day is not None:
            found[day] = shifts
    return found


def _shifts(reader: Reader, node: Node) -> Shifts:
    found = (_shift(reader, item) for item in reader.items(node, "a day's hours", _MOST_SHIFTS))
    return tuple(shift for shift in found if shift is not None)


def _shift(reader: Reader, node: Node) -> Shift | None:
    times = reader.items(node, "a shift")
    if len(times) != 2:
        reader.fail(node, 'a shift is an opening and a closing time, as in ["08:00", "20:00"]')
        return None
    opens, closes = (_minutes(reader, item) for item in times)
    if opens is None or closes is None:
        return None
    if opens >= _MIDNIGHT_MINUTES:
        reader.fail(node, "a shift opens before 24:00; one that opens later belongs to the next day")
    elif closes <= opens:
        reader.fail(node, "a shift closes after it opens; past midnight, two at night is 26:00")
    else:
        return Shift(opens, closes)
    return None


def _minutes(reader: Reader, node: Node) -> int | None:
    """Wall time in minutes after midnight, up to 48:00."""
    text = reader.text(node, "a time of day")
    if text is None:
        return None
    written = _WALL_TIME.fullmatch(text)
    minutes = -1 if written is None else int(written[1]) * 60 + int(written[2])
    if 0 <= minutes <= 2 * _MIDNIGHT_MINUTES:
        return minutes
    reader.fail(node, "a time of day is hours and minutes from 00:00 to 48:00, as in 09:30")
    return None


def _date(reader: Reader, node: Node, text: str) -> date | None:
    try:
        day = date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None or not FIRST_YEAR <= day.year <= LAST_YEAR:
        reader.fail(node, f"a date is year, month and day between {FIRST_YEAR} and {LAST_YEAR}: 2026-12-31")
        return None
    return day
