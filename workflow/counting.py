"""What a clock has counted at an instant, and when it reaches an amount: out of the clock and its calendar.

A clock knows one point of its count, `elapsed_seconds` at `since`, and where the engine itself has let it
stand still or go on since the last event that changed it (`turns`). From there it is counted forwards or
backwards: an event that arrives late may count before what the engine has done meanwhile.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from schemas.instants import EARLIEST, LATEST
from schemas.state import Clock
from workflow.calendars import LATEST as FAR
from workflow.calendars import Calendar, NeverOpenError

ZERO = timedelta(0)


class Piece(NamedTuple):
    """The time between two instants, in which a clock goes or stands still throughout."""

    begin: datetime
    end: datetime
    counts: bool


def pieces(clock: Clock, begin: datetime, end: datetime) -> Iterator[Piece]:
    """The time from `begin` to `end` (not before it), cut where the engine changed the clock's pace."""
    counts = not clock.turns[0].counts if clock.turns else clock.counts
    for turn in clock.turns:
        if begin < turn.at < end:
            yield Piece(begin, turn.at, counts)
            begin = turn.at
        if turn.at < end:
            counts = turn.counts
    yield Piece(begin, end, counts)


def counted(clock: Clock, calendar: Calendar, at: datetime) -> timedelta:
    """The business time that a clock has counted up to `at`, which is not before an event changed it last."""
    elapsed = timedelta(seconds=clock.elapsed_seconds)
    if at >= clock.since:
        return elapsed + _between(clock, calendar, clock.since, at)
    return elapsed - _between(clock, calendar, at, clock.since)


def _between(clock: Clock, calendar: Calendar, begin: datetime, end: datetime) -> timedelta:
    if not clock.turns:  # as good as always, and this is asked for with every fact
        return calendar.elapsed(begin, end) if clock.counts else ZERO
    passing = (each for each in pieces(clock, begin, end) if each.counts)
    return sum((calendar.elapsed(each.begin, each.end) for each in passing), ZERO)


def reached(clock: Clock, calendar: Calendar, point: timedelta) -> datetime:
    """The earliest instant at which a clock that goes has counted `point`; that may be before `since`.

    Where it was reached as the clock came to stand still, it is the instant at which it went on: until then
    no more was counted. What had passed when an event changed the clock lies before that event.
    """
    elapsed = timedelta(seconds=clock.elapsed_seconds)
    if not clock.turns or point == elapsed > ZERO:
        return add_business(calendar, clock.since, elapsed, point)
    begin = clock.changed_at
    elapsed = counted(clock, calendar, begin)
    if point < elapsed:
        return add_business(calendar, begin, elapsed, point)
    for piece in pieces(clock, begin, FAR):
        if piece.counts:
            at = add_business(calendar, piece.begin, elapsed, point)
            if at < piece.end:
                return at
            elapsed += calendar.elapsed(piece.begin, piece.end)
    return FAR


def has_passed(point: timedelta, elapsed: timedelta) -> bool:
    """Whether `point` lies behind a clock that has counted `elapsed`. At its start nothing lies behind it."""
    return point < elapsed or point == elapsed > ZERO


def goes_from(clock: Clock) -> datetime:
    """The first instant from `since` on at which a clock that goes now does so."""
    if not clock.turns:
        return clock.since
    return next((piece.begin for piece in pieces(clock, clock.since, FAR) if piece.counts), clock.since)


def add_business(calendar: Calendar, at: datetime, elapsed: timedelta, point: timedelta) -> datetime:
    """The earliest instant at which `point` of business time has elapsed, when `elapsed` of it has at `at`.

    In the past where more has elapsed than that. What was reached exactly is not put off to the next opening.
    Where the calendar has not that much open time it is the first or the last instant that we know: no event,
    however old its time, may stop a partition.
    """
    if point == elapsed > ZERO:
        return at
    try:
        return calendar.add(at, point - elapsed)
    except NeverOpenError:
        return EARLIEST if point < elapsed else LATEST
