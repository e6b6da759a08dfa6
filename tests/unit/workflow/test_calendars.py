"""The contract's rules of business time, a table for each sentence."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import pytest

from workflow.calendars import (
    ALWAYS,
    CLOSED,
    EARLIEST,
    LATEST,
    WHOLE_DAY,
    Calendar,
    NeverOpenError,
    Shift,
    Shifts,
)

MON, TUE, WED, THU, FRI, SAT, SUN = range(7)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
MICROSECOND = timedelta(microseconds=1)


def utc(text: str) -> datetime:
    """`2026-03-02 09:00` (or with seconds) in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def shift(opens: str, closes: str) -> Shift:
    def minutes(text: str) -> int:
        hours, _, rest = text.partition(":")
        return int(hours) * 60 + int(rest)

    return Shift(minutes(opens), minutes(closes))


def weekly(zone: str, by_day: Mapping[int, Shifts], **more: object) -> Calendar:
    return Calendar(zone, tuple(by_day.get(day, CLOSED) for day in range(7)), **more)  # type: ignore[arg-type]


def daily(zone: str, *shifts: tuple[str, str], **more: object) -> Calendar:
    return weekly(zone, dict.fromkeys(range(7), tuple(shift(*each) for each in shifts)), **more)


NINE_TO_SIX = daily("UTC", ("09:00", "18:00"))
SPLIT = daily("UTC", ("08:00", "12:00"), ("13:00", "17:00"))
WORKDAYS = weekly("UTC", dict.fromkeys(range(5), (shift("09:00", "18:00"),)))


@pytest.mark.parametrize(
    ("calendar", "start", "business", "expected"),
    [
        (NINE_TO_SIX, "2026-03-02 10:00", 30 * MINUTE, "2026-03-02 10:30"),
        (NINE_TO_SIX, "2026-03-02 17:30", 30 * MINUTE, "2026-03-02 18:00"),  # closing time, not the opening
        (NINE_TO_SIX, "2026-03-02 17:30", 30 * MINUTE + MICROSECOND, "2026-03-03 09:00:00.000001"),
        (NINE_TO_SIX, "2026-03-02 09:00", 9 * HOUR, "2026-03-02 18:00"),
        (NINE_TO_SIX, "2026-03-02 18:00", 9 * HOUR, "2026-03-03 18:00"),
        (NINE_TO_SIX, "2026-03-02 20:00", MINUTE, "2026-03-03 09:01"),
        (NINE_TO_SIX, "2026-03-02 03:00", MINUTE, "2026-03-02 09:01"),
        (SPLIT, "2026-03-02 11:30", HOUR, "2026-03-02 13:30"),
        (SPLIT, "2026-03-02 12:30", HOUR, "2026-03-02 14:00"),
        (SPLIT, "2026-03-02 08:00", 4 * HOUR, "2026-03-02 12:00"),
        (WORKDAYS, "2026-03-06 17:00", 2 * HOUR, "2026-03-09 10:00"),  # a Friday
        (WORKDAYS, "2026-03-07 12:00", HOUR, "2026-03-09 10:00"),
        (NINE_TO_SIX, "2025-12-31 17:00", 2 * HOUR, "2026-01-01 10:00"),
        (NINE_TO_SIX, "2026-01-01 00:00", 9 * HOUR * 365 * 2, "2027-12-31 18:00"),
    ],
)
def test_a_deadline_is_the_earliest_instant_at_which_the_time_has_elapsed(
    calendar: Calendar, start: str, business: timedelta, expected: str
) -> None:
    """Adding business time skips closed hours, and a deadline on closing time is that closing time."""
    assert calendar.add(utc(start), business) == utc(expected)
    assert calendar.elapsed(utc(start), utc(expected)) == business


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("2026-03-02 10:00", "2026-03-02 10:00"),
        ("2026-03-02 09:00", "2026-03-02 09:00"),
        ("2026-03-02 08:59:59.999999", "2026-03-02 09:00"),
        ("2026-03-02 18:00", "2026-03-03 09:00"),
        ("2026-03-02 23:00", "2026-03-03 09:00"),
        ("2026-03-02 17:59:59.999999", "2026-03-02 17:59:59.999999"),
        ("2025-12-31 18:00", "2026-01-01 09:00"),
    ],
)
def test_zero_inside_hours_is_now_and_outside_them_the_next_opening(start: str, expected: str) -> None:
    """A target of zero is due at once while open, and at the next opening while closed."""
    assert NINE_TO_SIX.add(utc(start), timedelta()) == utc(expected)
    assert NINE_TO_SIX.next_opening(utc(start)) == utc(expected)


@pytest.mark.parametrize(
    ("start", "business", "expected"),
    [
        ("2026-03-02 10:00", -30 * MINUTE, "2026-03-02 09:30"),
        ("2026-03-02 10:00", -2 * HOUR, "2026-03-01 17:00"),
        ("2026-03-02 10:00", -HOUR, "2026-03-01 18:00"),  # reached on closing time, held through the night
        ("2026-03-02 03:00", -HOUR, "2026-03-01 17:00"),
        ("2026-01-01 10:00", -2 * HOUR, "2025-12-31 17:00"),
    ],
)
def test_going_back_finds_the_instant_at_which_a_counter_first_stood_there(
    start: str, business: timedelta, expected: str
) -> None:
    """Negative business time leads to the earliest instant from which that much elapses until the start."""
    assert NINE_TO_SIX.add(utc(start), business) == utc(expected)
    assert NINE_TO_SIX.elapsed(utc(expected), utc(start)) == -business


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2026-03-02 10:00", "2026-03-02 10:00", timedelta()),
        ("2026-03-02 11:00", "2026-03-02 10:00", timedelta()),
        ("2026-03-02 08:00", "2026-03-02 20:00", 9 * HOUR),
        ("2026-03-02 18:00", "2026-03-03 09:00", timedelta()),
        ("2026-03-02 17:59:59.999999", "2026-03-03 09:00:00.000001", 2 * MICROSECOND),
        ("2025-12-31 17:00", "2026-01-01 10:00", 2 * HOUR),
        ("2024-01-01 00:00", "2027-01-01 00:00", 9 * HOUR * (366 + 365 + 365)),
    ],
)
def test_elapsed_counts_open_time_only_and_never_runs_backwards(
    start: str, end: str, expected: timedelta
) -> None:
    """Elapsed business time leaves out closed hours and is zero when the end is not after the start."""
    assert NINE_TO_SIX.elapsed(utc(start), utc(end)) == expected


def test_a_shift_contains_its_opening_and_not_its_closing() -> None:
    """At opening time the calendar is open, at closing time it is closed."""
    assert NINE_TO_SIX.is_open(utc("2026-03-02 09:00"))
    assert NINE_TO_SIX.is_open(utc("2026-03-02 17:59:59.999999"))
    assert not NINE_TO_SIX.is_open(utc("2026-03-02 18:00"))
    assert not NINE_TO_SIX.is_open(utc("2026-03-02 08:59:59.999999"))


def test_a_missing_day_is_closed() -> None:
    """A weekday without hours has no open time."""
    calendar = weekly("UTC", {MON: (shift("09:00", "10:00"),)})
    assert calendar.elapsed(utc("2026-03-03 00:00"), utc("2026-03-09 00:00")) == timedelta()
    assert calendar.next_opening(utc("2026-03-03 00:00")) == utc("2026-03-09 09:00")


def test_overlapping_and_touching_shifts_count_once() -> None:
    """Time that two shifts share is counted once, whatever their order."""
    calendar = daily("UTC", ("12:00", "14:00"), ("08:00", "13:00"), ("14:00", "15:00"), ("09:00", "10:00"))
    assert calendar.elapsed(utc("2026-03-02 00:00"), utc("2026-03-03 00:00")) == 7 * HOUR
    assert calendar.add(utc("2026-03-02 08:00"), 6 * HOUR) == utc("2026-03-02 14:00")


def test_a_shift_past_midnight_runs_into_the_next_day() -> None:
    """Closing at 26:00 means two o'clock at night of the next day."""
    calendar = weekly("UTC", {MON: (shift("20:00", "26:00"),)})
    assert calendar.elapsed(utc("2026-03-02 00:00"), utc("2026-03-04 00:00")) == 6 * HOUR
    assert calendar.is_open(utc("2026-03-03 01:59"))
    assert not calendar.is_open(utc("2026-03-03 02:00"))


def test_a_shift_past_midnight_and_the_next_days_shift_overlap_once() -> None:
    """What runs into the next day and that day's own shift are counted once."""
    calendar = daily("UTC", ("00:00", "26:00"))
    assert calendar.elapsed(utc("2026-03-02 00:00"), utc("2026-03-04 00:00")) == 48 * HOUR


def test_a_holiday_closes_the_shifts_that_begin_on_it_and_not_the_one_that_runs_into_it() -> None:
    """The night shift of the eve goes on into the holiday; the holiday's own does not take place."""
    calendar = daily("UTC", ("20:00", "26:00"), holidays=frozenset({date(2026, 1, 1)}))
    assert calendar.is_open(utc("2026-01-01 01:00"))
    assert not calendar.is_open(utc("2026-01-01 21:00"))
    assert not calendar.is_open(utc("2026-01-02 01:00"))
    assert calendar.is_open(utc("2026-01-02 21:00"))


def test_an_exception_replaces_the_hours_of_its_date_and_beats_a_holiday() -> None:
    """On the date of an exception only its shifts take place, be the date a weekday, a holiday or closed."""
    calendar = daily(
        "UTC",
        ("09:00", "18:00"),
        holidays=frozenset({date(2026, 1, 1), date(2026, 1, 2)}),
        exceptions={
            date(2025, 12, 31): (shift("08:00", "16:00"),),
            date(2026, 1, 1): (shift("10:00", "11:00"),),
            date(2026, 1, 3): (),
        },
    )
    expected = {"2025-12-31": 8, "2026-01-01": 1, "2026-01-02": 0, "2026-01-03": 0, "2026-01-04": 9}
    for day, hours in expected.items():
        start = utc(f"{day} 00:00")
        assert calendar.elapsed(start, start + 24 * HOUR) == hours * HOUR


def test_a_holiday_is_a_date_in_the_calendars_zone() -> None:
    """Moscow's first of January begins at 21:00 UTC of the day before."""
    calendar = Calendar("Europe/Moscow", (WHOLE_DAY,) * 7, frozenset({date(2026, 1, 1)}))
    assert calendar.next_opening(utc("2025-12-31 21:00")) == utc("2026-01-01 21:00")
    assert calendar.is_open(utc("2025-12-31 20:59:59.999999"))


# In Berlin 02:00-03:00 is skipped on 2026-03-29 and comes twice on 2026-10-25; on Lord Howe 02:00-02:30 is
# skipped on 2026-10-04 and 01:30-02:00 comes twice on 2026-04-05; in Sao Paulo 00:00-01:00 is skipped on
# 2018-11-04; Samoa skipped the whole of 2011-12-30.
@pytest.mark.parametrize(
    ("zone", "day", "hours", "opens", "closes"),
    [
        ("Europe/Berlin", date(2026, 3, 29), ("02:30", "06:00"), "2026-03-29 01:30", "2026-03-29 04:00"),
        ("Europe/Berlin", date(2026, 3, 29), ("00:00", "02:30"), "2026-03-28 23:00", "2026-03-29 01:30"),
        ("Europe/Berlin", date(2026, 3, 29), ("02:10", "02:50"), "2026-03-29 01:10", "2026-03-29 01:50"),
        ("Europe/Berlin", date(2026, 3, 29), ("02:00", "03:00"), "2026-03-29 01:00", "2026-03-29 01:00"),
        ("Europe/Berlin", date(2026, 3, 29), ("02:30", "03:15"), "2026-03-29 01:30", "2026-03-29 01:15"),
        ("Europe/Berlin", date(2026, 3, 28), ("22:00", "26:30"), "2026-03-28 21:00", "2026-03-29 01:30"),
        ("Europe/Berlin", date(2026, 10, 25), ("02:30", "06:00"), "2026-10-25 00:30", "2026-10-25 05:00"),
        ("Europe/Berlin", date(2026, 10, 25), ("00:00", "02:30"), "2026-10-24 22:00", "2026-10-25 01:30"),
        ("Europe/Berlin", date(2026, 10, 25), ("02:10", "02:20"), "2026-10-25 00:10", "2026-10-25 01:20"),
        ("Europe/Berlin", date(2026, 10, 25), ("00:00", "24:00"), "2026-10-24 22:00", "2026-10-25 23:00"),
        ("Europe/Berlin", date(2026, 3, 29), ("00:00", "24:00"), "2026-03-28 23:00", "2026-03-29 22:00"),
        (
            "Australia/Lord_Howe",
            date(2026, 10, 4),
            ("02:10", "08:00"),
            "2026-10-03 15:40",
            "2026-10-03 21:00",
        ),
        ("Australia/Lord_Howe", date(2026, 4, 5), ("01:45", "08:00"), "2026-04-04 14:45", "2026-04-04 21:30"),
        ("Australia/Lord_Howe", date(2026, 4, 5), ("00:00", "01:45"), "2026-04-04 13:00", "2026-04-04 15:15"),
        ("America/Sao_Paulo", date(2018, 11, 4), ("00:30", "08:00"), "2018-11-04 03:30", "2018-11-04 10:00"),
        ("America/Sao_Paulo", date(2018, 11, 3), ("20:00", "24:00"), "2018-11-03 23:00", "2018-11-04 03:00"),
        ("Pacific/Apia", date(2011, 12, 30), ("09:00", "18:00"), "2011-12-30 19:00", "2011-12-31 04:00"),
        ("Asia/Kolkata", date(2026, 3, 29), ("09:00", "18:00"), "2026-03-29 03:30", "2026-03-29 12:30"),
    ],
)
def test_wall_times_across_a_change_of_the_clock(
    zone: str, day: date, hours: tuple[str, str], opens: str, closes: str
) -> None:
    """Skipped times move forward by the gap; of a repeated hour opening takes the first, closing the last."""
    calendar = Calendar(zone, (CLOSED,) * 7, exceptions={day: (shift(*hours),)})
    start, length = utc(f"{day} 00:00") - 48 * HOUR, max(utc(closes) - utc(opens), timedelta())
    assert calendar.elapsed(start, start + 120 * HOUR) == length
    if length:
        assert calendar.next_opening(start) == utc(opens)
        assert calendar.add(start, length) == utc(closes)


def test_a_day_that_the_zone_skipped_counts_once_with_the_day_after_it() -> None:
    """Samoa's 30 December 2011 moves onto the 31st, and what overlaps is counted once."""
    calendar = daily("Pacific/Apia", ("09:00", "18:00"))
    assert calendar.elapsed(utc("2011-12-28 00:00"), utc("2012-01-03 00:00")) == 6 * 9 * HOUR


def test_a_zone_that_changed_its_offset_for_good() -> None:
    """Moscow was at UTC+4 until 26 October 2014 and has been at UTC+3 since."""
    calendar = daily("Europe/Moscow", ("08:00", "20:00"))
    assert calendar.next_opening(utc("2014-10-25 00:00")) == utc("2014-10-25 04:00")
    assert calendar.next_opening(utc("2014-10-27 00:00")) == utc("2014-10-27 05:00")


def test_the_nine_regional_calendars_are_one_and_the_same_shift() -> None:
    """Local hours from Kaliningrad to Vladivostok open and close at the same instant as Moscow's 08-20."""
    table = [
        ("Europe/Kaliningrad", "07:00", "19:00"),
        ("Europe/Samara", "09:00", "21:00"),
        ("Asia/Yekaterinburg", "10:00", "22:00"),
        ("Asia/Omsk", "11:00", "23:00"),
        ("Asia/Krasnoyarsk", "12:00", "24:00"),
        ("Asia/Irkutsk", "13:00", "25:00"),
        ("Asia/Yakutsk", "14:00", "26:00"),
        ("Asia/Vladivostok", "15:00", "27:00"),
    ]
    moscow = daily("Europe/Moscow", ("08:00", "20:00"))
    for zone, opens, closes in table:
        local = daily(zone, (opens, closes))
        for hours in range(24 * 9):
            at = utc("2026-12-28 00:00") + hours * HOUR
            assert local.next_opening(at) == moscow.next_opening(at)
            assert local.add(at, 7 * HOUR) == moscow.add(at, 7 * HOUR)


def test_always_is_plain_arithmetic() -> None:
    """A calendar without hours counts every microsecond, in both directions."""
    at = utc("2026-03-29 00:30")
    assert ALWAYS.add(at, 48 * HOUR) == at + 48 * HOUR
    assert ALWAYS.add(at, -48 * HOUR) == at - 48 * HOUR
    assert ALWAYS.add(at, timedelta()) == at == ALWAYS.next_opening(at)
    assert ALWAYS.elapsed(at, at + MICROSECOND) == MICROSECOND
    assert ALWAYS.elapsed(at, at - MICROSECOND) == timedelta()
    assert ALWAYS.is_open(at)
    assert ALWAYS.always
    assert not NINE_TO_SIX.always


def test_always_holds_at_the_ends_of_time() -> None:
    """A step after a promise for the year 9999 is no error."""
    assert ALWAYS.add(LATEST, HOUR) == LATEST
    assert ALWAYS.add(EARLIEST, -HOUR) == EARLIEST


def test_a_calendar_is_closed_outside_the_years_it_knows() -> None:
    """Instants before 1970 and after 2100 are no error: nothing is open there."""
    assert not NINE_TO_SIX.is_open(utc("1950-06-01 12:00"))
    assert not NINE_TO_SIX.is_open(utc("2150-06-01 12:00"))
    assert NINE_TO_SIX.elapsed(utc("1950-06-01 12:00"), utc("1970-01-01 10:00")) == HOUR
    assert NINE_TO_SIX.elapsed(utc("2100-12-31 17:00"), utc("2150-01-01 00:00")) == HOUR
    assert NINE_TO_SIX.add(utc("1950-06-01 12:00"), HOUR) == utc("1970-01-01 10:00")


@pytest.mark.parametrize("business", [timedelta(), MICROSECOND, -MICROSECOND])
def test_a_calendar_that_never_opens_says_so(business: timedelta) -> None:
    """Searching for open time that does not exist ends in an error of its own, and not in a loop."""
    with pytest.raises(NeverOpenError, match="no open time"):
        Calendar("UTC", (CLOSED,) * 7).add(utc("2026-03-02 10:00"), business)


def test_a_search_may_cross_years_without_open_time() -> None:
    """The next opening is found however far away it is."""
    calendar = Calendar(
        "UTC",
        (CLOSED,) * 7,
        exceptions=dict.fromkeys([date(2030, 1, 1), date(2060, 2, 29)], (shift("09:00", "10:00"),)),
    )
    assert calendar.next_opening(utc("2030-01-01 10:00")) == utc("2060-02-29 09:00")
    assert calendar.add(utc("2059-01-01 10:00"), HOUR) == utc("2060-02-29 10:00")
    assert calendar.add(utc("2100-03-02 10:00"), -HOUR - MINUTE) == utc("2030-01-01 09:59")


def test_more_years_than_are_kept_give_the_same_answers() -> None:
    """Years that were forgotten to bound the memory are built again when they are asked for."""
    whole = NINE_TO_SIX.elapsed(utc("1970-01-01 00:00"), utc("2101-01-01 00:00"))
    days = (date(2101, 1, 1) - date(1970, 1, 1)).days
    assert whole == days * 9 * HOUR
    assert NINE_TO_SIX.add(utc("1970-01-01 00:00"), whole) == utc("2100-12-31 18:00")


@pytest.mark.parametrize(
    "name",
    ["", "Europe", "Mars/Olympus", "../etc/passwd", "Europe/Moscow\0", "/etc/localtime", "x" * 300, "Ж"],
)
def test_an_unknown_zone_is_refused_in_words_that_do_not_repeat_it(name: str) -> None:
    """A zone that the database does not have is a ValueError that says what one looks like."""
    with pytest.raises(ValueError, match="time zone of the IANA database") as caught:
        Calendar(name)
    assert len(name) < 7 or name not in str(caught.value)


def test_calendars_are_equal_and_hash_alike_if_they_say_the_same() -> None:
    """What was computed already makes no difference between two calendars."""
    used, fresh = daily("UTC", ("09:00", "18:00")), daily("UTC", ("09:00", "18:00"))
    used.is_open(utc("2026-03-02 10:00"))
    assert used == fresh
    assert hash(used) == hash(fresh)
    assert used != daily("UTC", ("09:00", "18:01"))


def test_a_calendar_needs_seven_days() -> None:
    """Hours for another number of days are refused at once."""
    with pytest.raises(ValueError, match="seven days"):
        Calendar("UTC", (CLOSED,) * 6)
