"""Random calendars and instants around days on which something happens to a zone's clock."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import strategies as st

from workflow.calendars import Calendar, Shift, Shifts

MINUTE = timedelta(minutes=1)

# Days on which something happens to the clock of the zone, or to the year in UTC.
CHANGES = [
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("America/Sao_Paulo", date(2018, 11, 4)),
    ("America/Sao_Paulo", date(2018, 2, 18)),
    ("Africa/Casablanca", date(2026, 2, 15)),
    ("Europe/Moscow", date(2014, 10, 26)),
    ("Pacific/Apia", date(2011, 12, 30)),
    ("Asia/Kolkata", date(2026, 1, 1)),
    ("Asia/Vladivostok", date(2026, 1, 1)),
    ("Pacific/Kiritimati", date(2026, 1, 1)),
]


@st.composite
def shifts(draw: st.DrawFn) -> Shifts:
    """Up to three shifts of a day, in any order, overlapping or not."""
    found = []
    for _ in range(draw(st.integers(0, 3))):
        opens = draw(st.integers(0, 24 * 60 - 1))
        found.append(Shift(opens, draw(st.integers(opens + 1, min(opens + 30 * 60, 48 * 60)))))
    return tuple(found)


@st.composite
def calendars(draw: st.DrawFn, zone: str, around: date) -> Calendar:
    """A calendar with weekly hours, holidays and exceptions near a date."""
    near = st.integers(-6, 6).map(lambda days: around + timedelta(days=days))
    hours = draw(st.tuples(*[shifts()] * 7).filter(_opens_an_hour))
    return Calendar(
        zone, hours, draw(st.frozensets(near, max_size=3)), draw(st.dictionaries(near, shifts(), max_size=3))
    )


def _opens_an_hour(week: tuple[Shifts, ...]) -> bool:
    """Whether forty days of open time lie within the years that a calendar knows, backwards and forwards."""
    return any(closes - opens >= 60 for day in week for opens, closes in day)


@st.composite
def situations(draw: st.DrawFn) -> tuple[Calendar, datetime]:
    """A calendar and the UTC midnight of a day close to a change of its clock."""
    zone, around = draw(st.sampled_from(CHANGES))
    midnight = datetime(around.year, around.month, around.day, tzinfo=UTC)
    return draw(calendars(zone, around)), midnight


@st.composite
def moments(draw: st.DrawFn, number: int) -> tuple[Calendar, list[datetime]]:
    """A calendar and instants within some days of a change of its clock, exact to the microsecond."""
    calendar, midnight = draw(situations())
    microseconds = st.integers(-5 * 86_400_000_000, 5 * 86_400_000_000)
    minutes = st.integers(-5 * 1440, 5 * 1440).map(lambda number: number * 60_000_000)
    offsets = draw(st.lists(microseconds | minutes, min_size=number, max_size=number))
    return calendar, [midnight + timedelta(microseconds=offset) for offset in sorted(offsets)]


durations = st.integers(1, 40 * 86_400_000_000).map(lambda us: timedelta(microseconds=us)) | st.integers(
    1, 40 * 1440
).map(lambda minutes: minutes * MINUTE)
"""Business time: some to the microsecond, some in whole minutes so that it ends on closing time."""
