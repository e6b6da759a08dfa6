"""Business time at every change of every zone's clock, against a walk through the days around it."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from math import gcd
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

import pytest

from tests.support.calendars import MINUTE
from workflow.calendars import CLOSED, Calendar, Shift

SAMPLE = (
    "Africa/Casablanca",  # no daylight saving in Ramadan
    "America/Caracas",  # half an hour back in 2007, and forward in 2016
    "Antarctica/Troll",  # two hours
    "Asia/Kathmandu",  # a quarter of an hour, once
    "Asia/Pyongyang",
    "Australia/Lord_Howe",  # half an hour twice a year
    "Europe/Dublin",
    "Europe/Moscow",  # other offsets in 2011 and 2014
    "Pacific/Apia",  # a day that never was
)
PARTS = 20
"""The long run is cut so that several processes can share it."""

FIRST, END = datetime(1970, 1, 1, tzinfo=UTC), datetime(2038, 1, 1, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


class Jump(NamedTuple):
    """The first instant, in UTC, at which a zone's clock is off by something else than before."""

    at: datetime
    before: timedelta
    after: timedelta


@cache
def jumps(name: str) -> tuple[Jump, ...]:
    """All from 1970 to 2037: looked for twice a day, then narrowed down to the second."""
    zone, found, at = ZoneInfo(name), [], FIRST
    before = _offset(at, zone)
    while at < END:
        later = at + DAY / 2
        after = _offset(later, zone)
        if after != before:
            found.append(Jump(_first_after(at, later, zone), before, after))
        at, before = later, after
    return tuple(found)


def _offset(at: datetime, zone: ZoneInfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()


def _first_after(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    before = _offset(low, zone)
    while high - low > SECOND:
        middle = low + (high - low) // SECOND // 2 * SECOND
        low, high = (middle, high) if _offset(middle, zone) == before else (low, middle)
    return high


class Walk:
    """The days around a jump, step by step; it knows of the zone only what a clock on the wall shows."""

    BEFORE, AFTER = timedelta(hours=50), timedelta(hours=56)

    def __init__(self, name: str, jump: Jump) -> None:
        zone = ZoneInfo(name)
        parts = (each.seconds for each in (jump.before, jump.after))
        self.step = timedelta(seconds=gcd(60, jump.at.second, *parts))  # a minute, but for Monrovia in 1972
        self.start = jump.at - self.BEFORE
        self.jump = self.BEFORE // self.step
        self.length = self.jump + self.AFTER // self.step
        self.walls = [_wall(self.start + n * self.step, zone) for n in range(self.length)]
        self.first = {wall: self.length - n for n, wall in enumerate(reversed(self.walls), 1)}
        self.last = {wall: n for n, wall in enumerate(self.walls)}
        self.gap = max(later - wall for wall, later in pairwise(self.walls)) - self.step

    def stretches(self, shifts: dict[date, tuple[Shift, ...]]) -> list[tuple[datetime, datetime]]:
        """When it is open: the runs of steps that lie in a shift of some date."""
        is_open = bytearray(self.length)
        for day, of_day in shifts.items():
            midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - wall time is naive
            for opens, closes in of_day:
                first = self._step(self.first, midnight + opens * MINUTE)
                until = self._step(self.last, midnight + closes * MINUTE)
                is_open[first:until] = b"\1" * len(range(first, until))
        found, until = [], 0
        while (first := is_open.find(1, until)) >= 0:
            until = is_open.find(0, first)  # the walk begins and ends closed
            found.append((self.start + first * self.step, self.start + until * self.step))
        return found

    def _step(self, steps: dict[datetime, int], wall: datetime) -> int:
        return steps[wall] if wall in steps else steps[wall + self.gap]  # skipped: it moves by the gap

    def dates(self) -> list[date]:
        """The dates of the jump, and the ones around them."""
        before, after = sorted(self.walls[self.jump - 1 : self.jump + 1])
        days = (after.date() - before.date()).days
        return [before.date() + n * DAY for n in range(-1, days + 2)]

    def middle(self) -> datetime:
        """The wall time in the middle of what is skipped or repeated, in whole minutes."""
        before, after = self.walls[self.jump - 1] + self.step, self.walls[self.jump]
        found = min(before, after) + abs(after - before) // 2
        return found.replace(second=0, microsecond=0)


def _wall(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None, fold=0)


def hours_around(walk: Walk) -> Iterator[dict[date, tuple[Shift, ...]]]:
    """By day, over night, round the clock; opening and closing amid what is skipped or repeated."""
    for shift in (Shift(9 * 60, 18 * 60), Shift(20 * 60, 30 * 60), Shift(0, 24 * 60)):
        yield dict.fromkeys(walk.dates(), (shift,))
    middle = walk.middle()
    minutes = middle.hour * 60 + middle.minute
    yield {middle.date(): (Shift(minutes, minutes + 180),)}
    yield {middle.date() - DAY: (Shift(minutes + 24 * 60 - 180, minutes + 24 * 60),)}


def check(name: str) -> None:
    """At every jump of a zone the calendar is open when the walk is, and counts what the walk counts."""
    for jump in jumps(name):
        walk = Walk(name, jump)
        start, end = walk.start, walk.start + walk.length * walk.step
        for hours in hours_around(walk):
            calendar = Calendar(name, (CLOSED,) * 7, exceptions=hours)
            expected = walk.stretches(hours)
            assert list(calendar.stretches(start, end)) == expected, (name, jump, hours)
            counted = timedelta()
            for opens, closes in expected:
                assert calendar.next_opening(start if counted == timedelta() else opens) == opens
                assert calendar.add(start, counted + SECOND) == opens + SECOND
                counted += closes - opens
                assert calendar.add(start, counted) == closes
                assert calendar.elapsed(start, closes) == counted
                assert calendar.is_open(opens)
                assert not calendar.is_open(closes)
            assert calendar.elapsed(start, end) == counted


def test_the_sample_has_the_odd_ones() -> None:
    """Among its changes are a quarter of an hour, half an hour, an hour, two hours, and a whole day."""
    found = {abs(jump.after - jump.before) // MINUTE for name in SAMPLE for jump in jumps(name)}
    assert {15, 30, 60, 120, 24 * 60} <= found


@pytest.mark.parametrize("name", SAMPLE)
def test_the_calendar_agrees_with_a_walk_at_every_change_of_some_zones(name: str) -> None:
    """Shifts by day, over night and at the edges are open when the clock on the wall says so."""
    check(name)


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("part", range(PARTS))
def test_the_calendar_agrees_with_a_walk_at_every_change_of_every_zone(part: int) -> None:
    """So it is in all zones that there are, from 1970 to 2037."""
    for name in sorted(available_timezones())[part::PARTS]:
        check(name)
