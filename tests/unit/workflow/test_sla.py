"""What one trigger does to a clock (contract, "Clock rules" and "Journal record")."""

import pytest

from tests.support.world import DAY, HOUR, MINUTE, START, World, world

MOSCOW = """
calendars:
  office:
    timezone: Europe/Moscow
    hours: {mon: [["08:00","13:00"]], tue: [["08:00","13:00"]], wed: [["08:00","13:00"]]}
"""
"""Open from 4 hours before START to 1 hour after it, and the same on the next two days."""


def single(rule: str, head: str = "") -> World:
    """A world whose policy has one clock `c` with that rule."""
    return world(f"{head}\nclocks:\n  - {{clock: c, {rule}}}\n")


def test_a_clock_starts_with_its_trigger_and_a_deadline() -> None:
    """`started` says when, until when, how long, by which rule and by which version of the policy."""
    w = single("target: 10m, start: [created], stop: [resolved]")
    w.send("created", 0)
    (change,) = w.entries()[0].clocks
    assert (change.cycle, change.elapsed_seconds, change.target_seconds) == (1, 0.0, 600.0)
    assert (change.rule, change.policy) == (1, "test@1")
    assert w.changes("c") == [("started", 0, 600)]


def test_only_the_first_rule_that_matches_counts() -> None:
    """For a clock id the first rule whose `when` matches counts, and only its triggers."""
    w = world("""
clocks:
  - {clock: c, when: {category: [complex]}, target: 1h, start: [assigned], stop: [resolved]}
  - {clock: c, target: 10m, start: [created], stop: [resolved]}
""")
    w.send("created", 0, category="complex")
    assert w.names("c") == []
    w.send("assigned", 5)
    assert w.changes("c") == [("started", 5, HOUR + 5)]
    w.send("created", 10, ticket="U", category="status_check")
    assert w.changes("c", "U") == [("started", 10, 610)]
    assert w.clock("c", "U").rule == 2


def test_all_fields_of_a_when_must_match() -> None:
    """A rule with two fields in `when` needs both; a ticket without a region matches no region."""
    w = single(
        "when: {priority: [high, urgent], region: ['77']}, target: 10m, start: [created], stop: [resolved]"
    )
    w.send("created", 0, ticket="A", priority="high", region="77")
    w.send("created", 0, ticket="B", priority="normal", region="77")
    w.send("created", 0, ticket="C", priority="high")
    assert [bool(w.names("c", t)) for t in "ABC"] == [True, False, False]


def test_one_trigger_acts_in_the_order_cancel_stop_start() -> None:
    """A trigger that stops or cancels and also starts ends the cycle and begins the next."""
    w = world("""
clocks:
  - {clock: a, target: 10m, start: [created, contacted], stop: [contacted]}
  - {clock: b, target: 10m, start: [created, contacted], stop: [resolved], cancel: [contacted]}
""")
    w.send("created", 0)
    w.send("contacted", 60)
    assert w.last().clocks == (
        ("a", "met", 60, 600),
        ("b", "cancelled", 60, 600),
        ("a", "started", 60, 660),
        ("b", "started", 60, 660),
    )
    assert (w.clock("a").cycle, w.clock("b").cycle) == (2, 2)


def test_a_start_while_running_is_ignored() -> None:
    """An ordinary clock that runs goes on, and so does one that is paused or whose promise is broken."""
    w = single("target: 10m, start: [created, contacted], stop: [resolved], pause: [pending]")
    w.send("created", 0)
    w.send("contacted", 60)
    w.send("assigned", 70)
    w.send("pending", 80)
    w.send("contacted", 90)
    w.send("resumed", 100)
    w.send("contacted", 2 * HOUR)
    assert w.names("c") == ["started", "paused", "resumed", "breached"]


def test_after_an_end_a_start_begins_the_next_cycle() -> None:
    """Cycles count from 1, and each has its own verdict."""
    w = single("target: 10m, start: [contacted.client], stop: [contacted.operator]")
    w.send("created", 0)
    for cycle in (1, 2, 3):
        w.send("contacted", cycle * HOUR, by="client")
        w.send("contacted", cycle * HOUR + 5, by="operator")
        assert w.clock("c").cycle == cycle
    assert w.names("c") == ["started", "met"] * 3


def test_contacted_acts_with_the_trigger_that_says_who() -> None:
    """`contacted` and `contacted.client` or `contacted.operator` both act."""
    w = world("""
clocks:
  - {clock: any, target: 10m, start: [contacted], stop: [resolved]}
  - {clock: client, target: 10m, start: [contacted.client], stop: [resolved]}
  - {clock: operator, target: 10m, start: [contacted.operator], stop: [resolved]}
""")
    w.send("created", 0)
    w.send("contacted", 1, by="operator")
    assert {name for name, *_ in w.last().clocks} == {"any", "operator"}
    w.send("contacted", 2, by="client")
    assert {name for name, *_ in w.last().clocks} == {"client"}


def test_starting_in_a_pausing_state_is_started_then_paused() -> None:
    """Both changes stand in the one record."""
    w = single("target: 10m, start: [contacted], stop: [resolved], pause: [pending]")
    w.send("created", 0)
    w.send("assigned", 1)
    w.send("pending", 2)
    w.send("contacted", 60)
    assert w.last().clocks == (("c", "started", 60, 660), ("c", "paused", 60, None))
    w.send("resumed", 120)
    assert w.last().clocks == (("c", "resumed", 120, 720),)


@pytest.mark.parametrize(("time", "names"), [(600, ["met"]), (600.000001, ["breached", "stopped"])])
def test_a_stop_at_the_deadline_itself_meets_it(time: float, names: list[str]) -> None:
    """A stop at the deadline meets it; one microsecond later it is broken."""
    w = single("target: 10m, start: [created], stop: [closed]")
    w.send("created", 0)
    w.send("closed", time)
    assert w.names("c") == ["started", *names]


@pytest.mark.parametrize("reason", ["cancelled", "duplicate", "merged"])
def test_closing_without_work_cancels_before_any_stop(reason: str) -> None:
    """Closing as cancelled, duplicate or merged ends every running clock without a verdict."""
    w = world("""
clocks:
  - {clock: a, target: 10m, start: [created], stop: [closed]}
  - {clock: b, target: 10m, start: [created], stop: [resolved]}
""")
    w.send("created", 0)
    w.send("closed", 60, reason=reason)
    assert (w.names("a"), w.names("b")) == (["started", "cancelled"], ["started", "cancelled"])


def test_closing_as_confirmed_stops() -> None:
    """With the reason confirmed only the clocks that stop at `closed` end, and they are met."""
    w = world("""
clocks:
  - {clock: a, target: 10m, start: [created], stop: [closed]}
  - {clock: b, target: 10m, start: [created], stop: [resolved]}
""")
    w.send("created", 0)
    w.send("closed", 60)
    assert (w.names("a"), w.names("b")) == (["started", "met"], ["started"])


def test_a_cancel_after_the_breach_only_stops_the_clock() -> None:
    """`stopped` after a breach; the verdict stays."""
    w = single("target: 10m, start: [created], stop: [resolved], cancel: [returned]")
    w.send("created", 0)
    w.send("returned", HOUR)
    assert w.changes("c") == [("started", 0, 600), ("breached", 600, 600), ("stopped", HOUR, 600)]
    assert w.clock("c").status == "stopped"
    assert w.measured("clock_outcome") == [("c", "breached")]


def test_pauses_are_not_counted() -> None:
    """The deadline moves by the pause; while paused it is null, and nothing fires."""
    w = single("target: 10m, start: [created], stop: [resolved], pause: [pending], warn: [50%]")
    w.send("created", 0)
    w.send("assigned", 10)
    w.send("pending", 60)
    w.until(HOUR)
    w.send("resumed", DAY)
    w.until(DAY + HOUR)
    assert w.changes("c") == [
        ("started", 0, 600),
        ("paused", 60, None),
        ("resumed", DAY, DAY + 540),
        ("warned 50%", DAY + 240, DAY + 540),
        ("breached", DAY + 540, DAY + 540),
    ]


def test_a_paused_clock_is_ended_without_resumed() -> None:
    """Resolving while pending ends the clock where it stands."""
    w = single("target: 10m, start: [created], stop: [resolved], pause: [pending]")
    w.send("created", 0)
    w.send("assigned", 10)
    w.send("pending", 60)
    w.send("resolved", HOUR)
    assert w.last().clocks == (("c", "met", HOUR, None),)
    assert w.entries()[-1].clocks[0].elapsed_seconds == 60.0


def test_a_paused_clock_resumes_when_another_trigger_leaves_the_state() -> None:
    """Not only `resumed` ends a pause: any change to a state that does not pause does."""
    w = single("target: 10m, start: [created], stop: [closed], pause: [pending]")
    w.send("created", 0)
    w.send("assigned", 0)
    w.send("pending", 60)
    w.send("transferred", 100)
    assert w.last().clocks == (("c", "resumed", 100, 640),)


def test_a_breached_clock_still_pauses_and_resumes() -> None:
    """Its steps move with the pause, its deadline does not."""
    w = single(
        "target: 10m, start: [created], stop: [resolved], pause: [pending],"
        " on_breach: [{after: 30m, notify: [supervisor]}]"
    )
    w.send("created", 0)
    w.send("assigned", 0)
    w.send("pending", 20 * MINUTE)
    assert w.last().clocks == (("c", "paused", 20 * MINUTE, None),)
    w.until(5 * HOUR)
    w.send("resumed", 6 * HOUR)
    assert w.last().clocks == (("c", "resumed", 6 * HOUR, 600),)
    w.until(9 * HOUR)
    assert w.last().clocks == (("c", "stepped +30m", 6 * HOUR + 20 * MINUTE, 600),)


def test_a_ticket_moving_between_two_pausing_states_stays_paused() -> None:
    """A pause is not ended and begun anew by a change between states that both pause."""
    w = single("target: 10m, start: [created], stop: [closed], pause: [pending, resolved]")
    w.send("created", 0)
    w.send("assigned", 0)
    w.send("pending", 60)
    w.send("resolved", 90)
    assert w.names("c") == ["started", "paused"]


def test_contacted_on_a_closed_ticket_starts_no_clock() -> None:
    """A contact on a closed ticket is recorded, and no clock begins."""
    w = single("target: 10m, start: [contacted], stop: [resolved]")
    w.send("created", 0)
    w.send("closed", 1)
    w.send("contacted", 2)
    assert w.last() == ("contacted", "closed", "closed", ())


def test_a_contact_on_a_closed_ticket_is_no_start_later_either() -> None:
    """A clock that matches for the first time after the reopening does not count from that contact."""
    w = single("when: {priority: [urgent]}, target: 10m, start: [contacted], stop: [resolved]")
    w.send("created", 0)
    w.send("closed", 1)
    w.send("contacted", 2)
    w.send("reopened", 3)
    w.send("reclassified", 4, priority="urgent")
    assert w.last().clocks == ()


def test_a_target_of_zero_is_due_at_its_start() -> None:
    """Business time of zero has elapsed at once while open."""
    w = single(
        "target: 0s, start: [created], stop: [assigned], on_breach: [{after: 0s, notify: [supervisor]}]"
    )
    w.send("created", 0)
    w.send("assigned", 0)
    assert w.names("c") == ["started", "met"]
    w.send("created", 0, ticket="U")
    w.until(1)
    assert w.changes("c", "U") == [("started", 0, 0), ("breached", 0, 0)]


def test_a_target_of_zero_outside_hours_is_the_next_opening() -> None:
    """The earliest instant is the opening."""
    w = single("target: 0s, start: [created], stop: [assigned], calendar: office", MOSCOW)
    w.send("created", 5 * HOUR)
    assert w.changes("c") == [("started", 5 * HOUR, 20 * HOUR)]


def test_a_deadline_that_falls_on_closing_time_is_that_closing_time() -> None:
    """The earliest instant at which the business time has elapsed."""
    w = single("target: 1h, start: [created], stop: [assigned], calendar: office", MOSCOW)
    w.send("created", 0)
    assert w.changes("c") == [("started", 0, HOUR)]


def test_warnings_and_steps_count_in_the_clocks_calendar() -> None:
    """A share of the target, a time before the deadline and a time after it are all business time."""
    w = single(
        "target: 2h, start: [created], stop: [resolved], calendar: office,"
        " warn: [75%, -90m], on_breach: [{after: 270m}]",
        MOSCOW,
    )
    w.send("created", 0)
    w.until(9 * DAY)
    assert w.changes("c") == [
        ("started", 0, 21 * HOUR),
        ("warned -90m", 30 * MINUTE, 21 * HOUR),
        ("warned 75%", 20 * HOUR + 30 * MINUTE, 21 * HOUR),
        ("breached", 21 * HOUR, 21 * HOUR),
        ("stepped +270m", 44 * HOUR + 30 * MINUTE, 21 * HOUR),
    ]


def test_a_pause_counts_in_business_time() -> None:
    """A pause out of hours costs nothing and moves nothing."""
    w = single("target: 2h, start: [created], stop: [resolved], calendar: office, pause: [pending]", MOSCOW)
    w.send("created", 0)
    w.send("assigned", 0)
    w.send("pending", 2 * HOUR)
    w.send("resumed", 3 * HOUR)
    assert w.changes("c") == [
        ("started", 0, 21 * HOUR),
        ("paused", 2 * HOUR, None),
        ("resumed", 3 * HOUR, 21 * HOUR),
    ]


def test_the_journal_names_every_field_of_a_change() -> None:
    """A change has the contract's fields; a firing has threshold, found_at and lateness_seconds besides."""
    w = single("target: 10m, start: [created], stop: [resolved]")
    w.send("created", 0)
    w.until(700)
    w.send("resolved", 800)
    breached = w.entries()[1].clocks[0].model_dump(mode="json", exclude_unset=True)
    assert breached == {
        "clock": "c",
        "cycle": 1,
        "change": "breached",
        "at": "2026-03-02T09:10:00.000000Z",
        "deadline": "2026-03-02T09:10:00.000000Z",
        "elapsed_seconds": 600.0,
        "target_seconds": 600.0,
        "rule": 1,
        "policy": "test@1",
        "threshold": "breach",
        "found_at": "2026-03-02T09:11:40.000000Z",
        "lateness_seconds": 100.0,
    }


def test_a_firing_has_a_cause_of_kind_clock() -> None:
    """`cause` names clock, cycle, threshold and when it was due; `at` is when it was due."""
    w = single("target: 10m, start: [created], stop: [resolved], warn: [50%]")
    w.send("created", 0)
    w.until(400)
    data = w.entries()[-1].model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert data["cause"] == {
        "kind": "clock",
        "clock": "c",
        "cycle": 1,
        "threshold": "50%",
        "due": "2026-03-02T09:05:00.000000Z",
    }
    assert (data["at"], data["recorded_at"]) == ("2026-03-02T09:05:00.000000Z", "2026-03-02T09:06:40.000000Z")
    assert (data["trigger"], data["from"], data["to"]) == (None, "created", "created")


def test_an_event_has_a_cause_of_kind_event() -> None:
    """`cause` names id, source, type, partition and offset."""
    w = single("target: 10m, start: [created], stop: [resolved]")
    w.send("created", 0, id="x-1", source="/phone")
    data = w.entries()[0].model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert data["cause"] == {
        "kind": "event",
        "id": "x-1",
        "source": "/phone",
        "type": "ticket.created.v1",
        "partition": 0,
        "offset": 0,
    }
    assert (data["seq"], data["level"], data["from"], data["to"]) == (1, 0, None, "created")
    assert START.isoformat().startswith(data["at"][:19])


# Announced instants.

PROMISE = """
clocks:
  - {clock: promise, target: promised, start: [promised], stop: [resolved], warn: [50%, -10m],
     on_breach: [{after: 0s, notify: [supervisor, client]}, {after: 1h, notify: [supervisor]}]}
"""


def test_a_promise_is_due_at_the_instant_that_was_promised() -> None:
    """The target is what the operator announced, by the clock on the wall."""
    w = world(PROMISE)
    w.send("created", 0)
    w.send("promised", 100, deadline=100 + HOUR)
    w.until(DAY)
    assert w.changes("promise") == [
        ("started", 100, 3700),
        ("warned 50%", 1900, 3700),
        ("warned -10m", 3100, 3700),
        ("breached", 3700, 3700),
        ("stepped +1h", 7300, 3700),
    ]


def test_another_promise_retargets() -> None:
    """While the clock runs another announcement moves its deadline; what has fired stays fired."""
    w = world(PROMISE)
    w.send("created", 0)
    w.send("promised", 0, deadline=1000)
    w.send("promised", 600, deadline=8600)
    assert w.last().clocks == (("promise", "retargeted", 600, 8600),)
    w.until(8600)
    assert w.names("promise") == ["started", "warned -10m", "warned 50%", "retargeted", "breached"]
    assert w.clock("promise").cycle == 1


def test_another_promise_after_the_breach_begins_the_next_cycle() -> None:
    """After a breach it is `stopped`, and the next cycle starts; the breach stays."""
    w = world(PROMISE)
    w.send("created", 0)
    w.send("promised", 0, deadline=1000)
    w.send("promised", 2000, deadline=8000)
    assert w.last().clocks == (("promise", "stopped", 2000, 1000), ("promise", "started", 2000, 8000))
    assert w.clock("promise").cycle == 2
    assert w.measured("clock_outcome") == [("promise", "breached")]


def test_a_scheduled_call_is_due_at_its_instant() -> None:
    """`scheduled` is like `promised`, with the event's `at`."""
    w = world("clocks: [{clock: call, target: scheduled, start: [scheduled], stop: [returned]}]")
    w.send("created", 0)
    w.send("scheduled", 100, at_=5000)
    w.send("scheduled", 200, at_=900)
    assert w.changes("call") == [("started", 100, 5000), ("retargeted", 200, 900)]
    w.send("returned", 900)
    assert w.names("call")[-1] == "met"


def test_a_promise_kept_and_then_another_one_are_two_cycles() -> None:
    """After an end an announcement begins the next cycle."""
    w = world("clocks: [{clock: call, target: scheduled, start: [scheduled], stop: [returned]}]")
    w.send("created", 0)
    w.send("scheduled", 100, at_=5000)
    w.send("returned", 200)
    w.send("scheduled", 300, at_=6000)
    assert w.changes("call")[-1] == ("started", 300, 6000)
    assert w.clock("call").cycle == 2


def test_an_announcement_in_the_past_of_its_clock_is_due_at_once() -> None:
    """A late announcement of an instant before the last change of the clock is due when that was set."""
    w = world(PROMISE)
    w.send("created", 0)
    w.send("promised", 3000, deadline=9000)
    w.send("promised", 100, arrives=3100, deadline=2500)
    assert w.last().clocks == (("promise", "retargeted", 3000, 2500),)
    w.until(DAY)
    assert w.changes("promise")[-2][:2] == ("breached", 3000)
