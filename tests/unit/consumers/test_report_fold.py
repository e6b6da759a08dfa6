"""What a report makes of a journal: corrections, business time, chains, lives, the worst."""

import pytest

from schemas.records import JournalEntry
from tests.support.reporting import POLICY, figures, figures_of, frame
from tests.support.world import DAY, HOUR, MINUTE, World, written
from workflow.report_figures import Promises

POLICIES = written(POLICY)
AGAIN = """
clocks:
  - {clock: ownership, target: 10m, start: [transferred], stop: [assigned, transferred, closed]}
  - {clock: promise, target: promised, start: [promised], stop: [resolved, closed]}
"""
"""Clocks whose next cycle starts with what ends the one before."""
SHORTENED = """
clocks:
  - {clock: resolution, when: {priority: [urgent]}, target: 5m, start: [created],
     stop: [resolved], pause: [pending]}
  - {clock: resolution, target: 1h, start: [created], stop: [resolved], pause: [pending]}
"""
"""A clock that may find itself late while it stands still."""
OPENS = 20 * HOUR
"""START is Monday 12:00 in Moscow. The office closes an hour later, and opens on Tuesday at that time."""


@pytest.fixture
def w() -> World:
    """A world under the policy of these tests."""
    return World(POLICIES)


def promises(w: World, clock: str, start: float = -HOUR, end: float = 30 * DAY) -> Promises:
    """The verdicts on a clock in a period."""
    return next(each for each in figures_of(w, frame(start, end)).total.promises if each.clock == clock)


def test_a_breach_that_is_withdrawn_is_a_promise_kept(w: World) -> None:
    """A late event retracts the breach: met 1, breached 1, retracted 1, kept 1 of 1."""
    w.send("created", 0)
    w.send("assigned", 9 * MINUTE, arrives=15 * MINUTE)
    of = promises(w, "first_response")
    assert (of.met, of.breached, of.retracted, of.kept, of.broken) == (1, 1, 1, 1, 0)
    assert of.kept_share == 1.0
    assert figures_of(w, frame()).worst == ()


def test_a_correction_belongs_to_the_period_it_counts_in(w: World) -> None:
    """A met verdict that a reopening takes back counts where the ticket was reopened; it makes no share."""
    w.send("created", 0)
    w.send("assigned", 10)
    w.send("resolved", MINUTE)
    w.send("reopened", OPENS)
    before, after = promises(w, "resolution", end=HOUR), promises(w, "resolution", start=HOUR)
    assert (before.met, before.unmet, before.kept_share) == (1, 0, 1.0)
    assert (after.met, after.unmet, after.kept_share) == (0, 1, None)


def test_business_time_is_what_the_clock_counted(w: World) -> None:
    """Over a night, with a pause: wall time has them, business time does not."""
    w.send("created", 55 * MINUTE)
    w.send("assigned", OPENS + MINUTE)
    w.send("pending", OPENS + 2 * MINUTE)
    w.send("resumed", OPENS + 32 * MINUTE)
    w.send("resolved", OPENS + 40 * MINUTE)
    times = figures_of(w, frame()).total.times
    assert times["wait_seconds"].max == OPENS + MINUTE - 55 * MINUTE
    assert times["wait_business_seconds"].max == 6 * MINUTE
    assert times["resolution_seconds"].max == OPENS + 40 * MINUTE - 55 * MINUTE
    assert times["resolution_business_seconds"].max == 15 * MINUTE
    used = {each.clock: each.at_most_percent for each in figures_of(w, frame()).used if each.count}
    assert used == {"first_response": 75, "resolution": 25}


def test_the_total_leaves_the_citizens_silence_out(w: World) -> None:
    """A breach of `confirmation` is shown with its clock, and breaks no promise of the service."""
    w.send("created", 0)
    w.send("assigned", 10)
    w.send("resolved", MINUTE)
    w.until(3 * HOUR)
    total = figures_of(w, frame()).total
    assert promises(w, "confirmation").broken == 1
    assert (total.all_promises.kept, total.all_promises.broken) == (2, 0)
    assert figures_of(w, frame()).worst == ()
    assert figures_of(w, frame()).hours == ()


def test_an_issue_is_as_old_as_the_first_contact_of_its_chain(w: World) -> None:
    """C follows B follows A: at C's registration the issue is as old as A, whatever partition A is in."""
    w.send("created", 0, ticket="A")
    w.send("created", HOUR, ticket="B", follows="A")
    w.send("created", 3 * HOUR, ticket="C", follows="B")
    apart = [w.entries(ticket) for ticket in ("C", "B", "A")]
    total = figures(apart, frame()).total
    assert total.counts["repeat_contacts"] == total.counts["follow_ups"] == 2
    assert (total.times["issue_age_seconds"].p50, total.times["issue_age_seconds"].max) == (
        2 * HOUR,
        3 * HOUR,
    )
    assert total.rates["repeat_contacts"] == pytest.approx(2 / 3)


def test_a_contact_about_a_closed_ticket_is_a_repeat(w: World) -> None:
    """It makes the issue as old as the ticket; the share is of registrations and such contacts."""
    w.send("created", 0)
    w.send("closed", MINUTE)
    w.send("contacted", 5 * MINUTE, by="client")
    total = figures_of(w, frame()).total
    assert (total.counts["repeat_contacts"], total.counts["follow_ups"]) == (1, 0)
    assert total.rates["repeat_contacts"] == 0.5
    assert total.times["issue_age_seconds"].max == 5 * MINUTE


def test_tickets_that_follow_each_other_in_a_circle_have_an_age(w: World) -> None:
    """A chain that bites its tail ends there."""
    w.send("created", 0, ticket="A", follows="B")
    w.send("created", 0, ticket="B", follows="A")
    w.send("created", HOUR, ticket="C", follows="B")
    assert figures_of(w, frame()).total.times["issue_age_seconds"].max == HOUR


def test_a_follow_up_of_an_unknown_ticket_counts_without_an_age(w: World) -> None:
    """Whose first contact the journal does not have is a repeat contact all the same."""
    w.send("created", 0, follows="GONE")
    total = figures_of(w, frame()).total
    assert (total.counts["repeat_contacts"], total.times["issue_age_seconds"].count) == (1, 0)


def test_a_ticket_whose_first_records_are_gone_is_left_out_and_said_so(w: World) -> None:
    """The others are reported; a ticket without records in the period is not even mentioned."""
    w.send("created", 0, ticket="A")
    w.send("assigned", MINUTE, ticket="A")
    w.send("created", HOUR, ticket="B")
    entries: list[JournalEntry] = [*w.entries("A")[1:], *w.entries("B")]
    found = figures([entries], frame())
    assert (found.left_out, found.total.counts["registered"], found.total.counts["assigned"]) == (1, 1, 0)
    assert figures([entries], frame(HOUR, 2 * HOUR)).left_out == 0


def test_an_id_that_is_used_again_is_another_ticket(w: World) -> None:
    """After a ticket has left the state its id may register anew: both lives are counted."""
    w.send("created", 0)
    w.send("closed", MINUTE)
    w.until(40 * DAY)
    w.send("created", 50 * DAY)
    found = figures_of(w, frame())
    assert (found.total.counts["registered"], found.left_out) == (2, 0)


def test_the_worst_are_named_with_how_long_they_went_on(w: World) -> None:
    """One was ended, one is still open at the end of the period; the longest stands first."""
    w.send("created", 0, ticket="A")
    w.send("created", 0, ticket="B")
    w.send("assigned", 30 * MINUTE, ticket="A")
    found = figures_of(w, frame(end=40 * MINUTE)).worst
    assert [(each.ticket_id, each.clock, each.overdue_seconds, each.open) for each in found] == [
        ("B", "first_response", 30 * MINUTE, True),
        ("A", "first_response", 20 * MINUTE, False),
    ]
    assert figures_of(w, frame(start=15 * MINUTE)).worst == ()


def test_a_broken_cycle_is_among_the_worst_when_its_record_starts_the_next() -> None:
    """A transfer, or another promise, ends one cycle and starts the next: each is over up to its own end."""
    w = World(written(AGAIN))
    w.send("created", 0)
    w.send("transferred", MINUTE)
    w.send("promised", MINUTE, deadline=30 * MINUTE)
    w.send("transferred", HOUR + 5 * MINUTE, queue="reference")
    w.send("promised", 2 * HOUR, deadline=5 * HOUR)
    w.until(3 * HOUR)
    found = figures_of(w, frame(end=3 * HOUR)).worst
    assert [(each.clock, each.cycle, each.overdue_seconds, each.open) for each in found] == [
        ("ownership", 2, 105 * MINUTE, True),
        ("promise", 1, 90 * MINUTE, False),
        ("ownership", 1, 54 * MINUTE, False),
    ]


def test_a_promise_broken_in_a_pause_is_among_the_worst() -> None:
    """It has no deadline while it is paused: what it counted beyond its target is how far over it was."""
    w = World(written(SHORTENED))
    w.send("created", 0, priority="normal")
    w.send("assigned", MINUTE)
    w.send("pending", 30 * MINUTE)
    w.send("reclassified", 31 * MINUTE, priority="urgent")
    w.send("resolved", 40 * MINUTE)
    (found,) = figures_of(w, frame()).worst
    assert (found.clock, found.overdue_seconds, found.open) == ("resolution", 25 * MINUTE, False)


def test_days_and_hours_are_those_of_the_zone(w: World) -> None:
    """A breach at 09:10 UTC is one of 12 o'clock on a Monday in Moscow."""
    w.send("created", 0)
    w.until(11 * MINUTE)
    found = figures_of(w, frame(by=["day", "region"]))
    assert [(each.weekday, each.hour, each.breached) for each in found.hours] == [(0, 12, 1)]
    assert [dict(each.group) for each in found.groups] == [{"day": "2026-03-02", "region": "none"}]
