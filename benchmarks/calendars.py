"""What a deadline costs in business time: it must not grow with the length of the target."""

import random
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from benchmarks.report import Result, Row
from workflow.calendars import CLOSED, Calendar, Shift

_ROUNDS = 5
_YEAR = timedelta(days=365)
_HOLIDAYS = ((1, 1), (1, 2), (1, 7), (2, 23), (3, 8), (5, 1), (5, 9), (6, 12), (11, 4))


def measure(deadlines: int) -> Result:
    """Compute deadlines from instants all over a year, in a calendar that is warm."""
    calendar = _calendar()
    at = random.Random(1)
    new_year = datetime(2026, 1, 1, tzinfo=UTC)
    starts = [new_year + _YEAR * at.random() for _ in range(deadlines)]
    day = timedelta(hours=9)
    years = calendar.elapsed(new_year, new_year + 2 * _YEAR)
    short, long = (_microseconds(calendar, starts, target) for target in (2 * day, years))
    return Result(
        "Business time",
        f"{deadlines:,} deadlines in a calendar from 9 to 18 on weekdays with holidays, once it is warm; "
        f"the best of {_ROUNDS} rounds.",
        (
            Row("a target of two days", short, "µs"),
            Row("a target of two years", long, "µs", f"{years // day} business days; target: under 20"),
            Row("two years to two days", long / short, "1", "target: about 1"),
        ),
    )


def _calendar() -> Calendar:
    week = ((Shift(9 * 60, 18 * 60),),) * 5 + (CLOSED,) * 2
    holidays = (date(year, month, day) for year in range(2026, 2030) for month, day in _HOLIDAYS)
    return Calendar("Europe/Berlin", week, frozenset(holidays))


def _microseconds(calendar: Calendar, starts: Sequence[datetime], target: timedelta) -> float:
    """The mean cost of a deadline in the best round; the first one warms the calendar."""
    rounds = []
    for _ in range(_ROUNDS + 1):
        begun = time.perf_counter()
        for start in starts:
            calendar.add(start, target)
        rounds.append(time.perf_counter() - begun)
    return 1e6 * min(rounds[1:]) / len(starts)
