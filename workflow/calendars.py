"""Business time: when a calendar is open, and arithmetic that counts only that.

The rules (contract, "Policy file" and "Clock rules"):

* A shift belongs to the date on which it begins; past 24:00 it runs into the next day. A holiday closes the
  shifts of its date, not the shift of the day before that still runs. An exception replaces the shifts of its
  date and beats a holiday.
* Wall times that daylight saving skips move forward by the length of the gap (a shift that thereby ends
  before it begins is none); of a repeated hour an opening takes the first and a closing the second;
  overlapping shifts count once.
* A deadline is the earliest instant at which the business time has elapsed: falling on closing time, it is
  that closing time. Zero outside hours is the next opening.

A shift contains its opening and not its closing instant. Instants are aware datetimes, exact to the
microsecond. Calendars know the years 1970 to 2100 (UTC) and are closed outside them, so that no instant that
an event may carry is an error; only a search for open time that finds none is.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 2100

_BLOCKS_KEPT: Final = 32  # years of intervals kept per calendar; their totals, 131 numbers, are all kept
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DATE: Final = date(1970, 1, 1)
_MICROSECOND: Final = timedelta(microseconds=1)
_MINUTE_US: Final = 60_000_000
_DAY_MINUTES: Final = 24 * 60
_DAY_US: Final = _DAY_MINUTES * _MINUTE_US
_ZERO: Final = timedelta()
# A shift of up to 48 hours in a zone up to a day off UTC, moved by a gap of up to a day (Samoa, 2011).
_DAYS_AROUND: Final = 4

EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
LATEST: Final = datetime.max.replace(tzinfo=UTC)


class NeverOpenError(ValueError):
    """A calendar has no open time in the direction asked, up to the end of the years it knows."""


class Shift(NamedTuple):
    """Opening and closing as minutes of wall time after midnight of the date on which the shift begins."""

    opens_minutes: int
    closes_minutes: int  # more than 24 * 60: on the next day


Shifts = tuple[Shift, ...]
WHOLE_DAY: Final[Shifts] = (Shift(0, 24 * 60),)
CLOSED: Final[Shifts] = ()
ROUND_THE_CLOCK: Final = (WHOLE_DAY,) * 7


class _Block(NamedTuple):
    """The open intervals of a UTC year, merged, in order, in microseconds since 1970."""

    starts: list[int]
    ends: list[int]
    open_before: list[int]  # open time of the year before each interval …
    open_through: list[int]  # … and up to its end

    @property
    def total(self) -> int:
        return self.open_through[-1] if self.open_through else 0


@dataclass(frozen=True)
class Calendar:
    """Weekly hours in a time zone, with holidays and exceptions. Equal if written the same."""

    zone: str = "UTC"
    hours: tuple[Shifts, ...] = ROUND_THE_CLOCK
    """Seven entries, Monday first."""
    holidays: frozenset[date] = frozenset()
    exceptions: Mapping[date, Shifts] = field(default_factory=dict, hash=False)
    always: bool = False
    """Open without end: plain arithmetic, everything else is ignored."""
    _epoch: datetime = field(init=False, repr=False, compare=False)
    """The wall time 1970-01-01 00:00 in the zone: adding to it is arithmetic of wall time."""
    _blocks: dict[int, _Block] = field(init=False, repr=False, compare=False, default_factory=dict)
    _totals: dict[int, int] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_epoch", datetime(1970, 1, 1, tzinfo=time_zone(self.zone)))
        object.__setattr__(self, "exceptions", MappingProxyType(dict(self.exceptions)))
        if len(self.hours) != 7:
            raise ValueError("A calendar needs the hours of seven days, Monday first.")

    def add(self, start: datetime, business: timedelta) -> datetime:
        """The earliest instant at which that much business time has elapsed since ``start``.

        Going back (``business`` negative) it is the instant at which a counter that stands at zero at
        ``start`` first reached the value: the earliest ``t`` with ``elapsed(t, start) == -business``. Both
        ways a value that is reached on closing time is reached there, and not at the next opening.

        Raises:
            NeverOpenError: not that much open time before the end of 2100, or since 1970 when going back.
        """
        if self.always:
            return _plain_sum(start, business)
        if not business:
            return self.next_opening(start)
        at_us, year = _locate(start)
        open_us = self._open_since_new_year(at_us, year) + business // _MICROSECOND
        while open_us <= 0:
            year -= 1
            open_us += self._total(year)
        while open_us > (total := self._total(year)):
            open_us -= total
            year += 1
        block = self._block(year)
        i = bisect_left(block.open_through, open_us)
        return _instant(block.starts[i] + open_us - block.open_before[i])

    def elapsed(self, start: datetime, end: datetime) -> timedelta:
        """The business time between two instants; zero when ``end`` is not after ``start``."""
        if end <= start:
            return _ZERO
        if self.always:
            return end - start
        start_us, first = _locate(start)
        end_us, last = _locate(end)
        open_us = self._open_since_new_year(end_us, last) - self._open_since_new_year(start_us, first)
        open_us += sum(map(self._total, range(first, last)))
        return timedelta(microseconds=open_us)

    def stretches(self, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The open time between two instants, in order: each stretch from its opening to its closing."""
        if end <= start:
            return
        if self.always:
            yield start, end
            return
        start_us, first = _locate(start)
        end_us, last = _locate(end)
        held: tuple[int, int] | None = None
        for year in range(first, last + 1):
            block = self._block(year)
            for i in range(bisect_right(block.ends, start_us), bisect_left(block.starts, end_us)):
                opens_us, closes_us = max(block.starts[i], start_us), min(block.ends[i], end_us)
                if held is not None and held[1] < opens_us:
                    yield _instant(held[0]), _instant(held[1])
                    held = None
                held = (opens_us if held is None else held[0], closes_us)  # one may run over New Year
        if held is not None:
            yield _instant(held[0]), _instant(held[1])

    def is_open(self, at: datetime) -> bool:
        """Whether ``at`` lies in a shift; the closing instant does not."""
        if self.always:
            return True
        at_us, year = _locate(at)
        block = self._block(year)
        i = bisect_right(block.ends, at_us)
        return i < len(block.ends) and block.starts[i] <= at_us

    def next_opening(self, at: datetime) -> datetime:
        """``at`` itself while open, else the next instant at which a shift opens.

        Raises:
            NeverOpenError: no shift opens any more before the end of 2100.
        """
        if self.always:
            return at
        at_us, year = _locate(at)
        while True:
            block = self._block(year)
            i = bisect_right(block.ends, at_us)
            if i < len(block.ends):
                return at if block.starts[i] <= at_us else _instant(block.starts[i])
            year += 1

    @property
    def has_weekly_hours(self) -> bool:
        """Whether it opens again and again: without, open time is used up and ``add`` may fail."""
        return self.always or any(self.hours)

    def shifts_of(self, day: date) -> Shifts:
        """The shifts that begin on a date: its exception, else none on a holiday, else the weekday's."""
        exception = self.exceptions.get(day)
        if exception is not None:
            return exception
        return CLOSED if day in self.holidays else self.hours[day.weekday()]

    def _open_since_new_year(self, at_us: int, year: int) -> int:
        block = self._block(year)
        i = bisect_right(block.starts, at_us) - 1
        if i < 0:
            return 0
        return block.open_before[i] + min(at_us, block.ends[i]) - block.starts[i]

    def _total(self, year: int) -> int:
        total = self._totals.get(year)
        if total is None:
            total = self._totals[year] = self._block(year).total
        return total

    def _block(self, year: int) -> _Block:
        block = self._blocks.get(year)
        if block is None:
            if not FIRST_YEAR - 1 <= year <= LAST_YEAR + 1:
                raise NeverOpenError("The calendar has no open time left in the years that it knows.")
            if len(self._blocks) >= _BLOCKS_KEPT:
                del self._blocks[next(iter(self._blocks))]
            known = FIRST_YEAR <= year <= LAST_YEAR
            block = self._blocks[year] = _merged(self._intervals(year)) if known else _Block([], [], [], [])
        return block

    def _intervals(self, year: int) -> Iterator[tuple[int, int]]:
        first_us, end_us = _new_year_us(year), _new_year_us(year + 1)
        first = _days_since_epoch(date(year, 1, 1)) - _DAYS_AROUND
        last = _days_since_epoch(date(year, 12, 31)) + _DAYS_AROUND
        for day in range(first, last + 1):
            for opens_minutes, closes_minutes in self.shifts_of(_EPOCH_DATE + timedelta(day)):
                opens_us = self._opening_us(day * _DAY_MINUTES + opens_minutes)
                closes_us = self._closing_us(day * _DAY_MINUTES + closes_minutes)
                if opens_us < closes_us and closes_us > first_us and opens_us < end_us:
                    yield max(opens_us, first_us), min(closes_us, end_us)

    def _opening_us(self, wall_minutes: int) -> int:
        # fold=0 is the first of a repeated hour, and moves a skipped time forward by the gap (PEP 495).
        wall = self._epoch + timedelta(minutes=wall_minutes)
        return wall_minutes * _MINUTE_US - _offset_us(wall)

    def _closing_us(self, wall_minutes: int) -> int:
        # fold=1 is the second of a repeated hour, but would move a skipped time back: the later one is right.
        wall = self._epoch + timedelta(minutes=wall_minutes)
        return wall_minutes * _MINUTE_US - min(_offset_us(wall), _offset_us(wall.replace(fold=1)))


def time_zone(name: str) -> ZoneInfo:
    """The IANA time zone of that name.

    Raises:
        ValueError: there is none; the message does not repeat the name.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        # OSError: a name that is a folder of the database, as "Europe", or one too long for a file name.
        raise ValueError(
            "this is no time zone of the IANA database; they look like Europe/Moscow or UTC"
        ) from None


def _merged(intervals: Iterable[tuple[int, int]]) -> _Block:
    block = _Block([], [], [], [])
    for start, end in sorted(intervals):
        if block.ends and start <= block.ends[-1]:
            block.ends[-1] = max(end, block.ends[-1])
        else:
            block.starts.append(start)
            block.ends.append(end)
    total = 0
    for start, end in zip(block.starts, block.ends, strict=True):
        block.open_before.append(total)
        total += end - start
        block.open_through.append(total)
    return block


def _locate(at: datetime) -> tuple[int, int]:
    """Microseconds since 1970 and the year whose block answers: instants out of range get an empty one."""
    since = at - _EPOCH
    at_us = since.days * _DAY_US + since.seconds * 1_000_000 + since.microseconds
    year = at.year if at.tzinfo is UTC else at.astimezone(UTC).year
    return at_us, min(max(year, FIRST_YEAR - 1), LAST_YEAR + 1)


def _instant(us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=us)


def _offset_us(wall: datetime) -> int:
    offset = wall.utcoffset() or _ZERO
    return (offset.days * 86_400 + offset.seconds) * 1_000_000


def _days_since_epoch(day: date) -> int:
    return (day - _EPOCH_DATE).days


def _new_year_us(year: int) -> int:
    return _days_since_epoch(date(year, 1, 1)) * _DAY_US


def _plain_sum(start: datetime, duration: timedelta) -> datetime:
    """``start + duration``, held at the ends of what a datetime can say: a promise may name the year 9999."""
    try:
        return start + duration
    except OverflowError:
        return LATEST if duration > _ZERO else EARLIEST


ALWAYS: Final = Calendar(always=True)
"""Open day and night: the calendar that every policy knows as ``always``."""
