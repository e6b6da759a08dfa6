"""Which seconds a calendar is open, from the contract alone: minute by minute of its wall clock.

Shares nothing with the engine's calendars. Instants are whole seconds after an origin, an instant in UTC.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

MINUTE: Final = timedelta(minutes=1)
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@lru_cache(maxsize=256)
def minutes_of(zone: str, first: datetime, last: datetime) -> dict[datetime, list[datetime]]:
    """For every wall minute that the zone's clocks show between two instants: the instants it is shown at."""
    shown: dict[datetime, list[datetime]] = {}
    instant = first
    while instant < last:
        wall = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        shown.setdefault(wall, []).append(instant)
        instant += MINUTE
    return shown


def instants_of(wall: datetime, shown: Mapping[datetime, list[datetime]]) -> list[datetime]:
    """When the clocks show this: once, twice, or, where they skip it, later by the length of the gap."""
    if wall in shown:
        return shown[wall]
    before = after = wall
    while before not in shown:
        before -= MINUTE
    while after not in shown:
        after += MINUTE
    return instants_of(wall + (after - before - MINUTE), shown)


def hours_on(calendar: Mapping[str, Any], day: date) -> list[tuple[datetime, datetime]]:
    """The shifts that begin on a date, as wall times: an exception beats a holiday beats the weekday."""
    name = day.isoformat()
    if name in calendar.get("exceptions", {}):
        shifts = calendar["exceptions"][name]
    elif name in calendar.get("holidays", []):
        shifts = []
    else:
        shifts = calendar["hours"].get(DAYS[day.weekday()], [])
    return [(_wall(day, opens), _wall(day, closes)) for opens, closes in shifts]


def _wall(day: date, text: str) -> datetime:
    hours, minutes = text.split(":")
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 (what a clock on the wall shows)
    return midnight + timedelta(hours=int(hours), minutes=int(minutes))


def shifts(calendar: Mapping[str, Any], first: datetime, last: datetime) -> list[tuple[datetime, datetime]]:
    """All shifts that may touch the time between two instants, as instants: first opening, second closing."""
    margin = timedelta(days=3)
    shown = minutes_of(calendar["timezone"], first - margin, last + margin)
    found = []
    day = (first - timedelta(days=2)).date()
    while day <= (last + timedelta(days=1)).date():
        for opens, closes in hours_on(calendar, day):
            found.append((instants_of(opens, shown)[0], instants_of(closes, shown)[-1]))
        day += timedelta(days=1)
    return found


def open_seconds(calendar: Mapping[str, Any], origin: datetime, before: int, after: int) -> bytearray:
    """One byte for each second from `before` seconds before the origin to `after` after it: 1 is open.

    A calendar without hours is always open. Overlapping shifts count once.
    """
    if "hours" not in calendar:
        return bytearray(b"\1" * (before + after))
    line = bytearray(before + after)
    first, last = origin - timedelta(seconds=before), origin + timedelta(seconds=after)
    for opens, closes in shifts(calendar, first, last):
        left = max(int((opens - first).total_seconds()), 0)
        right = min(int((closes - first).total_seconds()), len(line))
        for second in range(left, right):
            line[second] = 1
    return line
