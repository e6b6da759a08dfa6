"""The algebra of business time, and a plain oracle that walks from minute to minute."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import assume, given
from hypothesis import strategies as st

from tests.support.calendars import MINUTE, durations, moments, situations
from tests.support.laws import law
from workflow.calendars import ALWAYS, CLOSED, Calendar, Shift

ZERO = timedelta()
DAY = timedelta(days=1)


@law
@given(moments(1), durations)
def test_elapsed_is_the_inverse_of_add_to_the_microsecond(
    moment: tuple[Calendar, list[datetime]], business: timedelta
) -> None:
    """Exactly the target has elapsed at the deadline, and less a microsecond before it."""
    calendar, (start,) = moment
    deadline = calendar.add(start, business)
    assert calendar.elapsed(start, deadline) == business
    assert calendar.elapsed(start, deadline - timedelta(microseconds=1)) < business


@law
@given(moments(2))
def test_add_is_the_inverse_of_elapsed_but_for_closed_time(moment: tuple[Calendar, list[datetime]]) -> None:
    """What elapsed until an instant leads back to it, or to the closing before it."""
    calendar, (start, end) = moment
    business = calendar.elapsed(start, end)
    assume(business > ZERO)
    reached = calendar.add(start, business)
    assert reached <= end
    assert calendar.elapsed(reached, end) == ZERO


@law
@given(moments(3))
def test_splitting_an_interval_adds_up(moment: tuple[Calendar, list[datetime]]) -> None:
    """The parts of an interval elapse as long as the whole."""
    calendar, (first, middle, last) = moment
    assert calendar.elapsed(first, middle) + calendar.elapsed(middle, last) == calendar.elapsed(first, last)


@law
@given(moments(1), durations, durations)
def test_adding_in_two_parts_is_adding_at_once(
    moment: tuple[Calendar, list[datetime]], one: timedelta, other: timedelta
) -> None:
    """A deadline does not depend on where a clock was looked at in between."""
    calendar, (start,) = moment
    assert calendar.add(calendar.add(start, one), other) == calendar.add(start, one + other)


@law
@given(moments(1), durations, durations)
def test_going_back_undoes_going_forward(
    moment: tuple[Calendar, list[datetime]], one: timedelta, other: timedelta
) -> None:
    """Back from a deadline by part of the time is where the rest of the time leads to."""
    calendar, (start,) = moment
    assume(one != other)
    forward, back = max(one, other), min(one, other)
    assert calendar.add(calendar.add(start, forward), -back) == calendar.add(start, forward - back)


@law
@given(moments(1), durations)
def test_going_back_finds_the_earliest_instant_from_which_it_elapses(
    moment: tuple[Calendar, list[datetime]], business: timedelta
) -> None:
    """From there exactly that much elapses until the start, and more from a microsecond before."""
    calendar, (start,) = moment
    earlier = calendar.add(start, -business)
    assert calendar.elapsed(earlier, start) == business
    assert calendar.elapsed(earlier - timedelta(microseconds=1), start) > business


@law
@given(moments(2), durations, durations)
def test_deadlines_are_monotone(
    moment: tuple[Calendar, list[datetime]], one: timedelta, other: timedelta
) -> None:
    """A longer target is never due earlier, and neither is a later start."""
    calendar, (start, later) = moment
    short, long = sorted((one, other))
    assert calendar.add(start, short) <= calendar.add(start, long)
    assert calendar.add(start, short) <= calendar.add(later, short)
    if short < long:
        assert calendar.add(start, short) < calendar.add(start, long)


@law
@given(moments(1))
def test_the_next_opening_is_open_and_nothing_elapses_until_then(
    moment: tuple[Calendar, list[datetime]],
) -> None:
    """`next_opening` is the instant itself while open, and else the first open one after it."""
    calendar, (at,) = moment
    opening = calendar.next_opening(at)
    assert calendar.is_open(opening)
    assert calendar.elapsed(at, opening) == ZERO
    assert (opening == at) == calendar.is_open(at)
    assert calendar.next_opening(opening) == opening
    assert calendar.add(at, ZERO) == opening


@law
@given(moments(2))
def test_stretches_are_the_time_that_elapses(moment: tuple[Calendar, list[datetime]]) -> None:
    """They lie in order and apart between the instants, are open throughout, and last as long as elapses."""
    calendar, (start, end) = moment
    found = list(calendar.stretches(start, end))
    edges = [start, *(each for pair in found for each in pair), end]
    assert edges == sorted(edges)
    assert all(until < since for (_, until), (since, _) in pairwise(found))
    assert all(calendar.elapsed(since, until) == until - since > ZERO for since, until in found)
    assert sum((until - since for since, until in found), ZERO) == calendar.elapsed(start, end)


def test_a_stretch_may_run_over_new_year() -> None:
    """Where it is open at midnight of New Year (UTC) it is one stretch; no time has none."""
    calendar = Calendar("UTC", holidays=frozenset({date(2026, 1, 4)}))
    start, end = datetime(2025, 12, 30, tzinfo=UTC), datetime(2026, 1, 6, tzinfo=UTC)
    closed, opens = datetime(2026, 1, 4, tzinfo=UTC), datetime(2026, 1, 5, tzinfo=UTC)
    assert list(calendar.stretches(start, end)) == [(start, closed), (opens, end)]
    assert list(ALWAYS.stretches(start, end)) == [(start, end)]
    assert list(calendar.stretches(end, start)) == list(ALWAYS.stretches(end, start)) == []


@lru_cache(maxsize=8)
def _minutes_by_wall(zone: str, start: datetime, days: int) -> dict[datetime, list[int]]:
    """Which minutes after `start` each wall time is: none when skipped, two when repeated."""
    found: dict[datetime, list[int]] = {}
    info = ZoneInfo(zone)
    for minute in range(days * 1440):
        wall = (start + minute * MINUTE).astimezone(info).replace(tzinfo=None, fold=0)
        found.setdefault(wall, []).append(minute)
    return found


class Oracle:
    """Open minutes around a date, found without any arithmetic on offsets, for zones of whole minutes."""

    DAYS = 22

    def __init__(self, calendar: Calendar, around: datetime) -> None:
        self.start = around - 11 * DAY
        self.by_wall = _minutes_by_wall(calendar.zone, self.start, self.DAYS)
        self.open = [False] * (self.DAYS * 1440)
        for offset in range(3, self.DAYS - 3):
            day = (self.start + offset * DAY).date()
            for shift in self._shifts(calendar, day):
                self.open[self._minute(day, shift[0], 0) : self._minute(day, shift[1], -1)] = [True] * max(
                    0, self._minute(day, shift[1], -1) - self._minute(day, shift[0], 0)
                )

    @staticmethod
    def _shifts(calendar: Calendar, day: date) -> Sequence[Shift]:
        if day in calendar.exceptions:
            return calendar.exceptions[day]
        return CLOSED if day in calendar.holidays else calendar.hours[day.weekday()]

    def _minute(self, day: date, minutes: int, which: int) -> int:
        """The first (`which` 0) or last (-1) minute with that wall time; a skipped one moves by the gap."""
        wall = datetime(day.year, day.month, day.day) + minutes * MINUTE  # noqa: DTZ001 - wall time is naive
        if wall not in self.by_wall:
            before = after = wall
            while before not in self.by_wall:
                before -= MINUTE
            while after not in self.by_wall:
                after += MINUTE
            wall += after - before - MINUTE
        return self.by_wall[wall][which]

    def add(self, minute: int, business: int) -> int | None:
        """The minute after `minute` at which `business` minutes were open; None beyond what is known."""
        while business:
            if minute >= (self.DAYS - 5) * 1440:
                return None
            business -= self.open[minute]
            minute += 1
        return minute


@law
@given(
    situations(),
    st.integers(6 * 1440, 14 * 1440),
    st.integers(1, 3 * 1440),
    st.integers(0, 4 * 1440),
)
def test_a_walk_from_minute_to_minute_finds_the_same(
    situation: tuple[Calendar, datetime], start: int, business: int, length: int
) -> None:
    """Deadlines, elapsed time and openings agree with counting open minutes one by one."""
    calendar, around = situation
    oracle = Oracle(calendar, around)
    at = oracle.start + start * MINUTE
    assert calendar.is_open(at) == oracle.open[start]
    assert calendar.elapsed(at, at + length * MINUTE) == sum(oracle.open[start : start + length]) * MINUTE
    expected = oracle.add(start, business)
    found = calendar.add(at, business * MINUTE)
    if expected is not None:
        assert found == oracle.start + expected * MINUTE
    else:
        assert found >= oracle.start + (Oracle.DAYS - 5) * DAY
