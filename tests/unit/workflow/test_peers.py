"""The numbers of other systems' published tests: where we agree, and where we differ and why."""

import pytest

from tests.support.peers import DIFFERENCES, SPANS, SUMS, Row, calendar, duration, instant, rows
from tests.support.world import START, World, world
from workflow.calendars import Calendar


def _names(row: Row) -> str:
    return " ".join(row.cells)


@pytest.mark.parametrize("row", rows(SUMS), ids=_names)
def test_a_deadline_is_where_the_peer_has_it(row: Row):
    """Business time added to a start gives the instant that the peer's own test expects."""
    name, zone, start, business, expected = row.cells
    assert calendar(name).add(instant(start, zone), duration(business)) == instant(expected, zone)


@pytest.mark.parametrize("row", rows(SPANS), ids=_names)
def test_as_much_business_time_has_elapsed_as_the_peer_counts(row: Row):
    """The business time between two instants is what the peer's own test expects."""
    name, zone, start, end, expected = row.cells
    assert calendar(name).elapsed(instant(start, zone), instant(end, zone)) == duration(expected)


def test_the_segments_of_a_documented_week_are_the_same():
    """The open stretches that the README of zendesk/biz prints for its calendar are ours."""
    printed = [
        ("2015-01-10 18:00", "2015-01-10 22:00"),
        ("2015-01-12 17:00", "2015-01-13 01:00"),
        ("2015-01-13 08:00", "2015-01-14 08:00"),
        ("2015-01-14 17:00", "2015-01-15 01:00"),
        ("2015-01-15 17:00", "2015-01-15 20:00"),
        ("2015-01-15 21:00", "2015-01-16 01:00"),
    ]
    found = calendar("biz-readme").stretches(instant("2015-01-10 10:00"), instant("2015-01-17 10:00"))
    assert list(found) == [(instant(opens), instant(closes)) for opens, closes in printed]


@pytest.mark.parametrize("row", rows(DIFFERENCES), ids=_names)
def test_where_we_differ_from_a_peer_we_mean_it(row: Row):
    """Each number that is not the peer's is the one that the contract gives, and a sentence says why."""
    kind, name, start, other, theirs, ours = row.cells
    assert row.about.endswith(".")
    assert theirs != ours
    if kind == "sum":
        assert calendar(name).add(instant(start), duration(other)) == instant(ours)
    else:
        assert calendar(name).elapsed(instant(start), instant(other)) == duration(ours)


# Tickets that wait, close and reopen: zammad/zammad, test/unit/ticket_sla_test.rb, "escalation suspend"

ZAMMAD = """
calendars:
  eu: {timezone: Europe/Berlin, hours: {mon: [["09:00","18:00"]], tue: [["09:00","18:00"]],
       wed: [["09:00","18:00"]], thu: [["09:00","18:00"]], fri: [["09:00","18:00"]], sat: [["09:00","18:00"]],
       sun: [["09:00","18:00"]]}}
clocks:
  - {clock: first, target: 120m, start: [created], stop: [contacted.operator, closed], pause: [pending],
     reopen: continue, calendar: eu}
  - {clock: close, target: SOLUTION, start: [created], stop: [closed], pause: [pending], reopen: continue,
     calendar: eu}
"""


def _played(solution: str, *history: tuple[str, str]) -> World:
    """A ticket of 4 June 2013: (time of day in UTC, trigger). It is assigned when it is created."""
    played = world(ZAMMAD.replace("SOLUTION", solution))
    for time, trigger in (("09:00", "created"), ("09:00", "assigned"), *history):
        seconds = (instant(f"2013-06-04 {time}") - START).total_seconds()
        by = {"by": "operator"} if trigger == "contacted" else {}
        played.send(trigger, seconds, **by)
    return played


def _deadline(played: World, clock: str) -> str:
    deadline = played.clock(clock).deadline
    assert deadline is not None
    return f"{deadline:%H:%M}"


def _minutes(played: World, clock: str) -> float:
    return played.clock(clock).elapsed_seconds / 60


def test_a_ticket_that_waits_closes_and_reopens_is_due_when_zammad_says():
    """15 minutes of waiting and 30 of being closed put the first response off from 11:00 to 11:45."""
    played = _played(
        "250m", ("09:30", "pending"), ("09:45", "resumed"), ("10:00", "closed"), ("10:30", "reopened")
    )
    assert _deadline(played, "first") == "11:45"


def test_five_hours_of_waiting_end_on_closing_time_as_in_zammad():
    """An hour counted, five of waiting, an hour left: due at 16:00 UTC, which is closing time."""
    played = _played("250m", ("10:00", "pending"), ("15:00", "resumed"))
    assert _deadline(played, "first") == "16:00"


def test_what_a_response_and_a_closing_took_is_what_zammad_counts():
    """30 minutes of waiting are no part of 75 minutes to the response and 150 to the closing."""
    played = _played(
        "250m", ("10:00", "pending"), ("10:30", "resumed"), ("10:45", "contacted"), ("12:00", "closed")
    )
    assert (_deadline(played, "first"), _minutes(played, "first")) == ("11:30", 75)
    assert (_deadline(played, "close"), _minutes(played, "close")) == ("13:40", 150)


def test_a_ticket_that_waits_all_its_life_took_no_time_as_in_zammad():
    """Zammad shows 16:00 as the deadline of such a ticket; here a clock that stands still has none."""
    played = _played("240m", ("09:00", "pending"), ("12:00", "closed"))
    assert (played.clock("close").deadline, _minutes(played, "close")) == (None, 0)


def test_a_ticket_that_waits_again_before_it_closes_took_what_zammad_counts():
    """Half an hour between two waits is all that counts."""
    played = _played(
        "240m", ("09:00", "pending"), ("10:30", "resumed"), ("11:00", "pending"), ("12:00", "closed")
    )
    assert _minutes(played, "close") == 30


def test_a_ticket_that_waits_twice_is_due_when_zammad_says():
    """Two waits of 90 and 30 minutes: first response at 13:00, closing at 15:00, 60 minutes taken."""
    played = _played(
        "240m", ("09:00", "pending"), ("10:30", "resumed"), ("11:00", "pending"), ("11:30", "resumed")
    )
    assert (_deadline(played, "first"), _deadline(played, "close")) == ("13:00", "15:00")
    played.send("closed", (instant("2013-06-04 12:00") - START).total_seconds())
    assert _minutes(played, "close") == 60


def test_waiting_outside_hours_costs_nothing_where_frappe_adds_it():
    """From 04:15 to 05:00 nobody works: due at 16:00, where Frappe adds 45 minutes and says 16:45."""
    played = world(
        "calendars: {c: {timezone: UTC, hours: {wed: [['10:00','18:00']]}}}\n"
        "clocks: [{clock: c, target: 6h, start: [created], stop: [closed], pause: [pending], calendar: c}]\n"
    )
    for time, trigger in (
        ("04:00", "created"),
        ("04:10", "assigned"),
        ("04:15", "pending"),
        ("05:00", "resumed"),
    ):
        played.send(trigger, (instant(f"2020-03-04 {time}") - START).total_seconds())
    assert _deadline(played, "c") == "16:00"


def test_at_least_forty_numbers_of_three_peers_stand_here():
    """The tables name their sources, and keep their size."""
    agreed = rows(SUMS) + rows(SPANS)
    assert len(agreed) >= 40
    assert len({row.about.partition(":")[0] for row in agreed}) >= 3
    assert all("/" in row.about for row in agreed)
    assert all(isinstance(calendar(row.cells[0]), Calendar) for row in agreed)
