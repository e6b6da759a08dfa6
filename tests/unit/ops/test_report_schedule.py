"""`report --schedule`: which periods, under which names, and what is done when one cannot be written."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from pathlib import Path
from signal import SIGTERM
from zoneinfo import ZoneInfo

import pytest

from consumers.log import Unavailable
from ops.report import Format, Usage
from ops.report_schedule import RETRY_SECONDS, SETTLE_SECONDS, Period, Schedule, file_name, keep_writing
from ops.service import Stop, Stopped

MOSCOW = ZoneInfo("Europe/Moscow")
BERLIN = ZoneInfo("Europe/Berlin")


def periods(expression: str, zone: ZoneInfo, now: datetime, count: int) -> list[Period]:
    """The first periods that end after `now`."""
    return list(islice(Schedule(expression, zone).periods(now), count))


def shown(found: list[Period], zone: ZoneInfo) -> list[str]:
    """Their ends in the zone."""
    return [
        f"{start.astimezone(zone):%a %d %H:%M}–{end.astimezone(zone):%a %d %H:%M}" for start, end in found
    ]


def test_a_period_is_from_the_firing_before_to_this_one() -> None:
    """On Monday morning the weekend is reported; the first period was begun before the start."""
    now = datetime(2026, 3, 5, 12, tzinfo=UTC)
    found = periods("0 8 * * mon-fri", MOSCOW, now, 3)
    assert shown(found, MOSCOW) == [
        "Thu 05 08:00–Fri 06 08:00", "Fri 06 08:00–Mon 09 08:00", "Mon 09 08:00–Tue 10 08:00",
    ]  # fmt: skip


def test_a_start_at_the_firing_itself_begins_with_the_next_one() -> None:
    """What ended at the start is not reported: it may have been before."""
    now = datetime(2026, 3, 6, 5, tzinfo=UTC)
    assert shown(periods("0 8 * * *", MOSCOW, now, 1), MOSCOW) == ["Fri 06 08:00–Sat 07 08:00"]


@pytest.mark.parametrize(
    "expression", ["0 8 * * *", "30 2 * * *", "0 * * * *", "*/15 1-3 * * *", "0 0 1 * *"]
)
def test_periods_leave_nothing_out_when_the_clocks_change(expression: str) -> None:
    """Each begins where the one before ends, is not empty, and the day of 23 hours is a day."""
    now = datetime(2026, 3, 28, 12, tzinfo=UTC)
    found = periods(expression, BERLIN, now, 60)
    assert all(start < end for start, end in found)
    assert all(one.end == next_.start for one, next_ in pairwise(found))


def test_a_leap_day_finds_the_one_before() -> None:
    """A firing every four years has a period of four years."""
    found = periods("0 0 29 feb *", MOSCOW, datetime(2026, 3, 1, tzinfo=UTC), 1)
    assert shown(found, MOSCOW) == ["Thu 29 00:00–Tue 29 00:00"]


@pytest.mark.parametrize("expression", ["", "often", "0 8 * *", "0 25 * * *", "0 8 * * 1-5", "0 8 * * */2"])
def test_an_expression_that_is_none_is_refused(expression: str) -> None:
    """Numbers of weekdays, too: cron and the library count them from different days."""
    with pytest.raises(Usage, match="--schedule"):
        Schedule(expression, MOSCOW)


def test_a_date_that_never_comes_is_refused() -> None:
    """The 30th of February."""
    with pytest.raises(Usage, match="never"):
        periods("0 0 30 feb *", MOSCOW, datetime(2026, 3, 1, tzinfo=UTC), 1)


def test_files_are_named_by_the_periods_ends_in_the_zone() -> None:
    """So that a folder sorts by time."""
    period = Period(datetime(2026, 3, 1, 5, tzinfo=UTC), datetime(2026, 3, 2, 5, tzinfo=UTC))
    assert file_name(period, MOSCOW, Format.HTML) == "report_2026-03-01T0800_2026-03-02T0800.html"


EVENING = datetime(2026, 10, 24, 20, tzinfo=UTC)
"""Before the night in which Berlin has the hour from 2 to 3 twice."""


@pytest.mark.parametrize("expression", ["*/30 * * * *", "0 * * * *", "*/7 * * * *", "0,59 * * * *"])
def test_every_hour_is_reported_when_one_comes_twice(expression: str) -> None:
    """No period is left out, none is empty, and no file is written over another."""
    found = periods(expression, BERLIN, EVENING, 60)
    assert {end.astimezone(BERLIN).fold for _, end in found} == {0, 1}
    assert all(start < end for start, end in found)
    assert all(one.end == next_.start for one, next_ in pairwise(found))
    assert len({file_name(period, BERLIN, Format.TEXT) for period in found}) == len(found)


@pytest.mark.parametrize("expression", ["30 2 * * *", "0,30 2 * * *", "*/20 1-3 * * *", "0 */2 * * *"])
def test_an_hour_that_is_named_is_reported_once_when_it_comes_twice(expression: str) -> None:
    """Its first coming ends the period, and the second belongs to the next one: nothing is left out."""
    found = periods(expression, BERLIN, EVENING, 60)
    assert {end.astimezone(BERLIN).fold for _, end in found} == {0}
    assert all(one.end == next_.start for one, next_ in pairwise(found))
    assert len({end.astimezone(BERLIN).replace(tzinfo=None) for _, end in found}) == len(found)


def test_a_day_with_an_hour_twice_is_one_period() -> None:
    """A daily report has 25 hours then, and starts from the first 02:30 wherever it is begun."""
    expected = ["Sat 24 02:30–Sun 25 02:30", "Sun 25 02:30–Mon 26 02:30"]
    found = periods("30 2 * * *", BERLIN, EVENING, 2)
    assert shown(found, BERLIN) == expected
    assert found[1].end - found[1].start == timedelta(hours=25)
    assert periods("30 2 * * *", BERLIN, found[0].end + timedelta(minutes=5), 1) == found[1:]
    assert periods("30 2 * * *", BERLIN, found[0].end + timedelta(minutes=65), 1) == found[1:]


def test_an_end_that_comes_twice_is_named_with_its_offset() -> None:
    """Only such an end: all other names stay short."""
    night = periods("0 * * * *", BERLIN, datetime(2026, 10, 24, 23, 30, tzinfo=UTC), 3)
    assert [file_name(period, BERLIN, Format.CSV) for period in night] == [
        "report_2026-10-25T0100_2026-10-25T0200+0200.csv",
        "report_2026-10-25T0200+0200_2026-10-25T0200+0100.csv",
        "report_2026-10-25T0200+0100_2026-10-25T0300.csv",
    ]


class FakeStop(Stop):
    """A clock that sleeping moves on, until an end."""

    def __init__(self, now: datetime, end: datetime) -> None:
        super().__init__()
        self.now, self.end = now, end

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=max(seconds, 0.0))
        if self.now > self.end:
            raise Stopped


def kept(hours: int, trouble: int) -> tuple[list[tuple[Period, datetime]], FakeStop]:
    """Hourly reports for some hours, of which the first attempts fail: what was written, and when."""
    now = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
    stop = FakeStop(now, now + timedelta(hours=hours))
    written: list[tuple[Period, datetime]] = []
    failures: Iterator[None] = iter([None] * trouble)

    def write(period: Period) -> Path:
        for _ in failures:
            raise Unavailable("nobody answers")
        written.append((period, stop.now))
        return Path("report.txt")

    keep_writing(Schedule("0 * * * *", MOSCOW).periods(now), write, stop, lambda: stop.now)
    return written, stop


def test_each_period_is_written_once_it_has_settled() -> None:
    """A minute after its end, one after another, until the end is asked for."""
    written, _ = kept(hours=4, trouble=0)
    assert [period.end.hour for period, _ in written] == [10, 11, 12, 13]
    assert {(at - period.end).total_seconds() for period, at in written} == {SETTLE_SECONDS}


def test_a_report_that_is_being_made_is_broken_off_by_a_signal() -> None:
    """A journal is read for minutes, and whoever ends the process does not wait for so long."""
    now = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
    stop = FakeStop(now, now + timedelta(days=1))
    begun: list[Period] = []

    def write(period: Period) -> Path:
        begun.append(period)
        stop.signalled(SIGTERM, None)
        raise AssertionError("it goes on after a signal")

    keep_writing(Schedule("0 * * * *", MOSCOW).periods(now), write, stop, lambda: stop.now)
    assert len(begun) == 1


def test_a_report_that_cannot_be_written_is_tried_again_and_none_is_left_out() -> None:
    """A cluster that is away for two and a half hours: the periods that ended meanwhile come after it."""
    written, _ = kept(hours=4, trouble=150)
    assert [period.end.hour for period, _ in written] == [10, 11, 12, 13]
    late = (written[0][1] - written[0][0].end).total_seconds()
    assert late == SETTLE_SECONDS + 150 * RETRY_SECONDS
