"""What a change of a ticket's fields does to its clocks (contract, "Re-matching")."""

from datetime import UTC, datetime

import pytest

from tests.support.world import DAY, HOUR, MINUTE, START, World, world

RULES = """
clocks:
  - {clock: c, when: {priority: [urgent]}, target: 10m, start: [created], stop: [resolved], warn: [50%],
     on_breach: [{after: 30m, notify: [supervisor]}]}
  - {clock: c, when: {priority: [low]}, target: 4h, start: [created], stop: [closed], pause: [pending],
     warn: [50%]}
  - {clock: c, when: {priority: [normal]}, target: 1h, start: [created], stop: [resolved], warn: [50%],
     on_breach: [{after: 10m, notify: [supervisor]}]}
"""


def started(**data: object) -> World:
    """A ticket of priority normal."""
    w = world(RULES)
    w.send("created", 0, **data)
    return w


def test_elapsed_stays_and_the_remainder_runs_under_the_new_rule() -> None:
    """`retargeted` names the new rule and target; what was counted stays counted."""
    w = started()
    w.send("reclassified", 300, priority="low")
    (change,) = w.entries()[-1].clocks
    assert (change.change, change.rule, change.elapsed_seconds, change.target_seconds) == (
        "retargeted",
        2,
        300.0,
        14400.0,
    )
    assert w.changes("c") == [("started", 0, HOUR), ("retargeted", 300, 4 * HOUR)]


def test_no_rule_matches_any_more_cancels() -> None:
    """No match: cancelled; and ended clocks are untouched, so that it does not come back."""
    w = started()
    w.send("reclassified", 300, priority="high")
    assert w.last().clocks == (("c", "cancelled", 300, HOUR),)
    w.send("reclassified", 400, priority="normal")
    assert w.names("c") == ["started", "cancelled"]


def test_a_field_that_no_rule_uses_changes_nothing() -> None:
    """Only fields that a `when` uses make clocks match again."""
    w = started()
    w.send("reclassified", 300, queue="security", region="77")
    assert w.last().clocks == ()


def test_the_same_rule_again_changes_nothing() -> None:
    """A change that leads to the same rule leaves the clock as it is."""
    w = world(
        "clocks: [{clock: c, when: {priority: [high, urgent]}, target: 1h,"
        " start: [created], stop: [resolved]}]"
    )
    w.send("created", 0, priority="high")
    w.send("reclassified", 300, priority="urgent")
    assert w.last().clocks == ()


def test_passed_thresholds_fire_at_once() -> None:
    """Under a shorter target warning and breach are due when it was set."""
    w = started()
    w.send("reclassified", 20 * MINUTE, priority="urgent")
    w.until(DAY)
    assert w.changes("c")[1:] == [
        ("retargeted", 1200, 600),
        ("warned 50%", 1200, 600),
        ("breached", 1200, 600),
        ("stepped +30m", 600 + 1800, 600),
    ]


def test_fired_thresholds_stay_fired() -> None:
    """A warning that has fired does not fire again under the new rule."""
    w = started()
    w.send("reclassified", 40 * MINUTE, priority="low")
    w.until(DAY)
    assert w.names("c") == ["started", "warned 50%", "retargeted", "breached"]


def test_a_broken_promise_stays_broken_and_keeps_its_deadline() -> None:
    """A breach is kept for ever; under the new rule only the steps move."""
    w = started()
    w.until(HOUR)
    w.send("reclassified", HOUR + 60, priority="urgent")
    assert w.last().clocks == (("c", "retargeted", HOUR + 60, HOUR),)
    w.until(DAY)
    assert w.names("c").count("breached") == 1
    assert w.measured("clock_outcome") == [("c", "breached")]


def test_the_stop_counts_under_the_running_rule_before_fields_change() -> None:
    """Cancel and stop under the running rule; then fields change: a transfer that stops does not retarget."""
    w = world("""
clocks:
  - {clock: c, when: {queue: [technical]}, target: 10m, start: [created], stop: [resolved]}
  - {clock: c, target: 1h, start: [created], stop: [transferred]}
""")
    w.send("created", 0)
    w.send("transferred", 60, queue="technical")
    assert w.last().clocks == (("c", "met", 60, HOUR),)


def test_the_start_counts_under_the_new_rule() -> None:
    """After the fields changed the start is that of the rule that matches now."""
    w = world("""
clocks:
  - {clock: own, when: {queue: [technical]}, target: 10m, start: [transferred], stop: [assigned]}
  - {clock: own, target: 1h, start: [created, transferred], stop: [assigned, transferred]}
""")
    w.send("created", 0)
    w.send("transferred", 60, queue="technical")
    assert w.last().clocks == (("own", "met", 60, HOUR), ("own", "started", 60, 660))


def test_the_new_rules_pause_counts_by_the_new_state() -> None:
    """Re-matching comes before pausing: a rule that pauses in the ticket's state pauses at once."""
    w = started()
    w.send("assigned", 1)
    w.send("pending", 60)
    w.send("reclassified", 300, priority="low")
    assert w.last().clocks == (("c", "retargeted", 300, 4 * HOUR), ("c", "paused", 300, None))
    w.send("reclassified", 900, priority="normal")
    assert w.last().clocks == (("c", "retargeted", 900, None), ("c", "resumed", 900, HOUR + 600))


LATE = """
clocks:
  - {clock: c, when: {priority: [urgent]}, target: 1h, start: [created, contacted.client],
     stop: [contacted.operator], cancel: [returned], pause: [pending, resolved], warn: [50%]}
"""


def test_a_clock_that_matches_for_the_first_time_counts_from_its_last_start() -> None:
    """It starts at its last start trigger, so that its deadline is what it would have been."""
    w = world(LATE)
    w.send("created", 0)
    w.send("reclassified", 20 * MINUTE, priority="urgent")
    assert w.names("c") == ["started"]
    assert w.changes("c")[0][2] == HOUR
    assert w.entries()[-1].clocks[0].elapsed_seconds == 1200.0
    w.until(DAY)
    assert w.changes("c")[1:] == [("warned 50%", 1800, HOUR), ("breached", HOUR, HOUR)]


def test_it_counts_from_the_last_of_several_starts() -> None:
    """Not from the first one."""
    w = world(LATE)
    w.send("created", 0)
    w.send("contacted", 600)
    w.send("reclassified", 1200, priority="urgent")
    assert w.changes("c")[0][2] == HOUR + 600


@pytest.mark.parametrize(("trigger", "data"), [("contacted", {"by": "operator"}), ("returned", {})])
def test_it_does_not_start_when_a_stop_or_cancel_came_since(trigger: str, data: dict[str, str]) -> None:
    """If a stop or cancel trigger came since the last start, there is nothing to count."""
    w = world(LATE)
    w.send("created", 0)
    w.send(trigger, 600, **data)
    w.send("reclassified", 1200, priority="urgent")
    assert w.last().clocks == ()
    w.send("contacted", 1300)
    assert w.changes("c") == [("started", 1300, HOUR + 1300)]


def test_the_pauses_since_are_deducted() -> None:
    """The time since the start in which the ticket was in a pausing state does not count."""
    w = world(LATE)
    w.send("created", 0)
    w.send("assigned", 100)
    w.send("pending", 600)
    w.send("resumed", 900)
    w.send("pending", 1000)
    w.send("resumed", 1100)
    w.send("reclassified", 1200, priority="urgent")
    (change,) = w.entries()[-1].clocks
    assert change.elapsed_seconds == 1200.0 - 400.0
    assert w.changes("c")[0][2] == HOUR + 400


def test_matching_for_the_first_time_in_a_pausing_state_starts_and_pauses() -> None:
    """Up to the pause it counts, and it stands still until the state changes."""
    w = world(LATE)
    w.send("created", 0)
    w.send("assigned", 100)
    w.send("pending", 600)
    w.send("reclassified", 1200, priority="urgent")
    assert [c[1] for c in w.last().clocks] == ["started", "paused"]
    w.send("resumed", 2000)
    assert w.changes("c")[-1] == ("resumed", 2000, 2000 + 3000)


def test_passed_thresholds_of_a_clock_that_matches_late_fire_at_once() -> None:
    """Warning and breach are due at the reclassification."""
    w = world(LATE)
    w.send("created", 0)
    w.send("reclassified", 2 * HOUR, priority="urgent")
    w.until(2 * HOUR)
    assert [f[3:] for f in w.firings()] == [("50%", 2 * HOUR, 0.0), ("breach", 2 * HOUR, 0.0)]


def test_a_late_start_runs_under_the_version_in_force() -> None:
    """Not under the version at its start trigger."""
    w = world(LATE, 'effective_from: "2026-03-02T09:10:00Z"\n' + LATE)
    w.send("created", 0)
    w.send("reclassified", 20 * MINUTE, priority="urgent")
    assert w.clock("c").policy == "test@2"


def test_re_matching_stays_within_the_version_of_the_clock() -> None:
    """A running clock finds its rule in the version that it started under."""
    w = world(RULES, 'effective_from: "2026-03-02T09:10:00Z"\n' + RULES.replace("10m", "99m"))
    w.send("created", 0)
    w.send("reclassified", 20 * MINUTE, priority="urgent")
    assert (w.clock("c").policy, w.clock("c").target_seconds) == ("test@1", 600.0)


def test_a_new_version_alone_starts_nothing_late() -> None:
    """A clock without `when` always matched: a change of a field is no reason to start it."""
    w = world(
        "clocks: [{clock: old, when: {priority: [low]}, target: 1h, start: [created], stop: [resolved]}]",
        """
effective_from: "2026-03-02T09:10:00Z"
clocks:
  - {clock: old, when: {priority: [low]}, target: 1h, start: [created], stop: [resolved]}
  - {clock: new, target: 1h, start: [created], stop: [resolved]}
""",
    )
    w.send("created", 0)
    w.send("reclassified", 20 * MINUTE, queue="security")
    assert w.names("new") == []


REGIONS = """
calendars:
  moscow: {timezone: Europe/Moscow, hours: {mon: [["08:00","20:00"]], tue: [["08:00","20:00"]]}}
  early: {timezone: Europe/Moscow, hours: {mon: [["08:00","13:00"]], tue: [["08:00","13:00"]]}}
region_calendars: {"77": moscow, "25": early, "*": always}
clocks:
  - {clock: c, target: 4h, start: [created], stop: [resolved], calendar: region}
"""


def test_a_change_of_region_counts_the_remainder_in_the_new_regions_hours() -> None:
    """Under `calendar: region` the clock is retargeted though its rule stays."""
    w = world(REGIONS)
    w.send("created", 0, region="77")
    w.send("reclassified", 1800, region="25")
    # Half an hour was counted, half an hour is left until 13:00 in Moscow, and three hours are due tomorrow.
    assert w.changes("c") == [("started", 0, 4 * HOUR), ("retargeted", 1800, 23 * HOUR)]


def test_what_was_counted_in_the_old_regions_hours_stays_counted() -> None:
    """Elapsed stays as counted: hours closed in the old region do not count afterwards."""
    w = world(REGIONS)
    w.send("created", 0, region="25")
    w.send("reclassified", 5 * HOUR, region="77")
    assert w.entries()[-1].clocks[0].elapsed_seconds == 3600.0
    assert w.changes("c")[-1] == ("retargeted", 5 * HOUR, 8 * HOUR)


def test_no_region_means_the_star() -> None:
    """A ticket without a region counts in the calendar of `*`."""
    w = world(REGIONS)
    w.send("created", 10 * HOUR)
    assert w.changes("c") == [("started", 10 * HOUR, 14 * HOUR)]


def test_a_change_between_regions_of_one_calendar_changes_nothing() -> None:
    """The same hours, the same deadline: no change."""
    w = world(REGIONS)
    w.send("created", 0, region="50")
    w.send("reclassified", 60, region="51")
    assert w.last().clocks == ()


def test_an_announced_instant_has_no_calendar_of_a_region() -> None:
    """A promise does not move with the region."""
    w = world("clocks: [{clock: p, target: promised, start: [promised], stop: [resolved]}]")
    w.send("created", 0)
    w.send("promised", 0, deadline=5000)
    w.send("reclassified", 60, region="77")
    assert w.last().clocks == ()


# Absorbed.


def test_absorbed_moves_the_start_of_clocks_that_started_at_created() -> None:
    """With an earlier registration they count from it; other clocks stay."""
    w = world("""
clocks:
  - {clock: a, target: 1h, start: [created], stop: [resolved]}
  - {clock: b, target: 1h, start: [contacted], stop: [resolved]}
""")
    w.send("created", 1000)
    w.send("contacted", 1100)
    w.send("absorbed", 1200, registered_at=400)
    assert w.last().clocks == (("a", "retargeted", 1200, 400 + HOUR),)
    assert w.entries()[-1].changed["registered_at"] == "2026-03-02T09:06:40.000000Z"
    w.until(DAY)
    assert w.changes("a")[-1] == ("breached", 400 + HOUR, 400 + HOUR)


def test_absorbed_with_a_later_registration_changes_nothing() -> None:
    """The survivor was there first."""
    w = world("clocks: [{clock: a, target: 1h, start: [created], stop: [resolved]}]")
    w.send("created", 1000)
    w.send("absorbed", 1200, registered_at=1100)
    assert w.last() == ("absorbed", "created", "created", ())
    assert w.entries()[-1].changed == {}


def test_absorbed_leaves_ended_clocks_and_later_cycles_alone() -> None:
    """Only running clocks that started at `created` move."""
    w = world("clocks: [{clock: a, target: 1h, start: [created], stop: [resolved], reopen: restart}]")
    w.send("created", 1000)
    w.send("assigned", 1000)
    w.send("resolved", 1001)
    w.send("absorbed", 1002, registered_at=0)
    assert w.last().clocks == ()
    w.send("reopened", 1003)
    w.send("absorbed", 1004, registered_at=-1000)
    assert w.last().clocks == ()


def test_absorbed_keeps_the_pauses() -> None:
    """A paused clock gets the time before its old start and keeps its pauses."""
    w = world("clocks: [{clock: a, target: 1h, start: [created], stop: [closed], pause: [pending]}]")
    w.send("created", 1000)
    w.send("assigned", 1000)
    w.send("pending", 1100)
    w.send("absorbed", 1200, registered_at=400)
    assert w.entries()[-1].clocks[0].elapsed_seconds == 700.0
    w.send("resumed", 2000)
    assert w.changes("a")[-1] == ("resumed", 2000, 2000 + 2900)


def test_a_stop_on_the_closed_ticket_ends_what_a_late_start_would_count() -> None:
    """A contact on a closed ticket starts nothing, but as a stop trigger it came since the last start."""
    w = world(LATE)
    w.send("created", 0)
    w.send("closed", 100)
    w.send("contacted", 200, by="operator")
    w.send("reopened", 300)
    w.send("reclassified", 400, priority="urgent")
    assert w.last().clocks == ()


def test_a_promise_that_matches_late_is_due_when_it_was_promised() -> None:
    """A clock with an announced target that matches for the first time takes the announcement made before."""
    w = world("""
clocks:
  - {clock: p, when: {priority: [urgent]}, target: promised, start: [promised], stop: [resolved], warn: [50%]}
""")
    w.send("created", 0)
    w.send("promised", 100, deadline=4100)
    w.send("reclassified", 500, priority="urgent")
    assert w.changes("p")[0][2] == 4100
    assert w.clock("p").target_seconds == 4000.0
    w.until(DAY)
    assert [c[:2] for c in w.changes("p")[1:]] == [("warned 50%", 2100), ("breached", 4100)]


def test_a_transfer_re_matches_by_its_queue() -> None:
    """A transfer changes the queue, and with it the rule of a clock that runs on."""
    w = world("""
clocks:
  - {clock: c, when: {queue: [technical]}, target: 2h, start: [created], stop: [resolved]}
  - {clock: c, target: 1h, start: [created], stop: [resolved]}
""")
    w.send("created", 0)
    w.send("transferred", 600, queue="technical")
    assert w.last().clocks == (("c", "retargeted", 600, 2 * HOUR),)


def test_a_late_reclassification_counts_when_it_happened() -> None:
    """The elapsed time is what had been counted then, so that the deadline is the same as in time."""
    w = started()
    w.send("reclassified", 300, arrives=2000, priority="low")
    assert w.changes("c")[-1] == ("retargeted", 300, 4 * HOUR)


def test_a_clock_that_was_cancelled_by_a_field_may_start_again_at_its_trigger() -> None:
    """An ended clock is untouched by re-matching; its next start trigger begins the next cycle."""
    w = world("""
clocks:
  - {clock: c, when: {priority: [normal]}, target: 1h, start: [created, contacted], stop: [resolved]}
""")
    w.send("created", 0)
    w.send("reclassified", 10, priority="low")
    w.send("reclassified", 20, priority="normal")
    w.send("contacted", 30)
    assert w.names("c") == ["started", "cancelled", "started"]
    assert w.clock("c").cycle == 2


@pytest.mark.parametrize("year", [1970, 1990, 2000])
def test_an_event_of_a_device_without_a_clock_stops_nothing(year: int) -> None:
    """More has elapsed round the clock than a calendar was ever open: the deadline is long past."""
    w = world("""
calendars:
  office: {timezone: Europe/Moscow, hours: {mon: [["09:00","10:00"]]}}
clocks:
  - {clock: c, when: {channel: [cabinet]}, target: 15m, start: [created], stop: [assigned], calendar: office}
  - {clock: c, target: 15m, start: [created], stop: [assigned]}
""")
    w.send("created", (datetime(year, 1, 1, tzinfo=UTC) - START).total_seconds(), arrives=0)
    w.send("reclassified", 1, channel="cabinet")
    assert w.names("c") == ["started", "breached", "retargeted"]
    w.send("absorbed", 2, registered_at=(datetime(year, 1, 1, tzinfo=UTC) - START).total_seconds())
    w.send("assigned", 3)
    assert w.names("c")[-1] == "stopped"


def test_a_clock_that_matches_late_never_begins_before_its_start_trigger() -> None:
    """What brings the clock about counts before the trigger: it begins at the trigger all the same."""
    w = world("""
clocks:
  - {clock: c, when: {queue: [status]}, target: 10m, start: [contacted], stop: [closed]}
""")
    w.send("created", 0, queue="technical")
    w.send("contacted", 100)
    w.send("reclassified", 10, arrives=200, queue="status")
    assert w.changes("c") == [("started", 100, 700)]


def test_a_late_start_in_a_pausing_state_counts_nothing_although_states_came_out_of_order() -> None:
    """The trigger that paused came late, after another state: the clock would have stood still from it on."""
    w = world("""
clocks:
  - {clock: c, when: {queue: [reference]}, target: 10m, start: [pending], pause: [pending], stop: [resolved]}
""")
    w.send("created", 0, queue="status")
    w.send("assigned", 1200)
    w.send("pending", 600, arrives=1200)
    w.send("transferred", 1700, queue="reference")
    assert w.changes("c") == [("started", 1700, 2300)]


STANDS = """
clocks:
  - {clock: c, when: {priority: [urgent]}, target: 1h, start: [created], stop: [resolved], pause: [%s]}
  - {clock: fast, target: 10m, start: [created], stop: [closed], on_breach: [{after: 0s, do: escalate}]}
"""


def test_a_late_match_counts_up_to_the_pause_that_an_event_began_after_it() -> None:
    """As if it had run: the pause changed the clock at 500, so the reclassification at 300 counts then."""
    w = world(STANDS % "pending")
    w.send("created", 0)
    w.send("assigned", 10)
    w.send("pending", 500)
    w.send("reclassified", 300, arrives=550, priority="urgent")
    assert [change[:2] for change in w.changes("c")] == [("started", 500), ("paused", 500)]
    assert [c.elapsed_seconds for c in w.entries()[-1].clocks] == [500, 500]


def test_a_late_match_starts_where_the_pause_before_it_was_over() -> None:
    """The pause from 10 to 500 does not count, although the reclassification happened in the middle of it."""
    w = world(STANDS % "assigned")
    w.send("created", 0)
    w.send("assigned", 10)
    w.send("pending", 500)
    w.send("reclassified", 300, arrives=550, priority="urgent")
    assert w.changes("c") == [("started", 500, HOUR + 490)]
    assert w.entries()[-1].clocks[0].elapsed_seconds == 10


def test_a_late_match_counts_up_to_the_engines_own_escalation() -> None:
    """Only pauses are deducted: until the engine escalated at 600 the ticket stood in no pausing state."""
    w = world(STANDS % "escalated")
    w.send("created", 0)
    w.until(600)
    w.send("reclassified", 300, arrives=700, priority="urgent")
    assert [change[:2] for change in w.changes("c")] == [("started", 600), ("paused", 600)]
    assert [c.elapsed_seconds for c in w.entries()[-1].clocks] == [600, 600]


def test_a_late_match_knows_a_late_pause_before_the_engines_escalation() -> None:
    """The pause at 200 arrived after the engine's escalation at 600: the clock stood still from 200 on."""
    w = world(STANDS % "escalated, pending")
    w.send("created", 0)
    w.send("assigned", 10)
    w.until(600)
    w.send("pending", 200, arrives=650)
    w.send("reclassified", 300, arrives=700, priority="urgent")
    assert [c.elapsed_seconds for c in w.entries()[-1].clocks] == [200, 200]


def test_a_late_match_knows_a_late_escalation_before_the_engines() -> None:
    """The operator's escalation at 200 led into the state that the engine's led into at 600."""
    w = world(STANDS % "escalated")
    w.send("created", 0)
    w.until(600)
    w.send("escalated", 200, arrives=650)
    w.send("reclassified", 300, arrives=700, priority="urgent")
    assert [c.elapsed_seconds for c in w.entries()[-1].clocks] == [200, 200]


def test_a_match_is_no_announcement() -> None:
    """A promise that was continued keeps its target under another rule: the gap is still not counted."""
    w = world("""
clocks:
  - {clock: p, when: {priority: [urgent]}, target: promised, start: [promised], stop: [returned]}
  - {clock: p, target: promised, start: [promised], stop: [closed], reopen: continue}
""")
    w.send("created", 0)
    w.send("promised", 0, deadline=1000)
    w.send("closed", 600)
    w.send("reopened", 5000)
    w.send("reclassified", 5100, priority="urgent")
    assert w.changes("p")[-2:] == [("resumed", 5000, 5400), ("retargeted", 5100, 5400)]
    assert w.clock("p").target_seconds == 1000


def test_a_continued_promise_keeps_its_target_when_its_rule_changed_while_it_had_ended() -> None:
    """Whether the ticket is reclassified before or after its reopening gives the same deadline."""
    w = world("""
clocks:
  - {clock: p, when: {priority: [urgent]}, target: promised, start: [promised], stop: [returned]}
  - {clock: p, target: promised, start: [promised], stop: [resolved], reopen: continue}
""")
    w.send("created", 0)
    w.send("assigned", 0)
    w.send("promised", 0, deadline=1000)
    w.send("resolved", 600)
    w.send("reclassified", 700, priority="urgent")
    w.send("reopened", 5000)
    assert w.changes("p")[-2:] == [("resumed", 5000, 5400), ("retargeted", 5000, 5400)]


def test_a_rule_with_another_target_takes_the_instant_that_was_announced() -> None:
    """From a duration to a promise: the deadline becomes what the citizen was told."""
    w = world("""
clocks:
  - {clock: c, when: {priority: [urgent]}, target: promised, start: [promised], stop: [resolved]}
  - {clock: c, target: 1h, start: [created], stop: [resolved]}
""")
    w.send("created", 0)
    w.send("promised", 100, deadline=9000)
    w.send("reclassified", 200, priority="urgent")
    assert w.changes("c") == [("started", 0, HOUR), ("retargeted", 200, 9000)]
