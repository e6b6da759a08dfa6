"""Late and out-of-order events: what counts is when it happened (contract, "Time" and "Event time")."""

import pytest

from tests.support.world import DAY, HOUR, World, at, world

BASIC = """
clocks:
  - {clock: c, target: 10m, start: [created], stop: [resolved, closed], cancel: [returned], pause: [pending],
     warn: [50%],
     on_breach: [{after: 0s, do: escalate, notify: [operator, supervisor]}, {after: 5m, notify: [supervisor]},
                 {after: 1h, notify: [supervisor]}]}
"""

CONFIRMATION = """
clocks:
  - {clock: confirmation, target: 1h, start: [resolved], stop: [closed, reopened],
     on_breach: [{after: 0s, do: close}]}
"""


def breached(found: float = 1000) -> World:
    """A ticket of an operator whose clock broke at 600; warning, breach and the step at 900 have fired."""
    w = world(BASIC)
    w.send("created", 0)
    w.send("assigned", 10)
    w.until(found)
    assert w.names("c") == ["started", "warned 50%", "breached", "stepped +5m"]
    return w


def test_an_event_counts_at_the_earlier_of_its_time_and_its_arrival() -> None:
    """A time ahead of the arrival is cut to it; a time before it stands."""
    w = world(BASIC)
    w.send("created", 100, arrives=0)
    w.send("assigned", 5, arrives=50)
    assert [entry.at for entry in w.entries()] == [at(0), at(5)]


def test_arrival_never_goes_back() -> None:
    """Within a partition arrival is the running maximum."""
    w = world(BASIC)
    w.send("created", 0, ticket="OTHER", arrives=500)
    w.send("created", 400, arrives=300)
    assert w.entries()[0].at == at(400)


def test_for_a_clock_an_event_counts_not_before_the_last_one_that_changed_it() -> None:
    """Events out of order cannot make a clock run backwards."""
    w = world(BASIC)
    w.send("created", 0)
    w.send("assigned", 0)
    w.send("pending", 100)
    w.send("resumed", 60, arrives=110)
    assert w.changes("c") == [("started", 0, 600), ("paused", 100, None), ("resumed", 100, 600)]
    assert [entry.at for entry in w.entries()][-1] == at(60)


def test_a_late_stop_that_counts_before_the_deadline_retracts_the_breach() -> None:
    """`retracted`, then what it really is: met."""
    w = breached()
    w.send("resolved", 500, arrives=1000)
    assert w.last().clocks == (("c", "retracted", 500, 600), ("c", "met", 500, 600))
    assert w.measured("clock_outcome") == [("c", "breached"), ("c", "retracted"), ("c", "met")]


def test_a_late_stop_at_the_deadline_itself_retracts_the_breach() -> None:
    """At or before the deadline."""
    w = breached()
    w.send("resolved", 600, arrives=1000)
    assert w.names("c")[-2:] == ["retracted", "met"]


def test_a_late_stop_that_counts_after_the_deadline_retracts_nothing() -> None:
    """It only stops the clock."""
    w = breached()
    w.send("resolved", 600.5, arrives=1000)
    assert w.last().clocks == (("c", "stopped", 600.5, 600),)


def test_a_late_cancel_retracts_the_breach() -> None:
    """`retracted`, then cancelled."""
    w = breached()
    w.send("returned", 500, arrives=1000)
    assert w.names("c")[-2:] == ["retracted", "cancelled"]
    assert w.measured("clock_outcome") == [("c", "breached"), ("c", "retracted"), ("c", "cancelled")]


def test_a_late_closing_without_work_retracts_the_breach() -> None:
    """Closing as a duplicate is a cancel."""
    w = breached()
    w.send("closed", 500, arrives=1000, reason="duplicate")
    assert w.names("c")[-2:] == ["retracted", "cancelled"]


def test_a_late_pause_retracts_the_breach_and_arms_it_again() -> None:
    """After the pause `breach` and all later steps are due again, each of them; the warning stays fired."""
    w = breached()
    w.send("pending", 500, arrives=1000)
    assert w.last().clocks == (("c", "retracted", 500, 600), ("c", "paused", 500, None))
    w.send("resumed", 2000)
    w.until(DAY)
    assert w.changes("c")[-4:] == [
        ("resumed", 2000, 2100),
        ("breached", 2100, 2100),
        ("stepped +5m", 2400, 2100),
        ("stepped +1h", 5700, 2100),
    ]
    assert w.names("c").count("warned 50%") == 1
    assert w.measured("clock_outcome") == [("c", "breached"), ("c", "retracted"), ("c", "breached")]


def test_a_late_pause_after_the_deadline_moves_only_the_steps() -> None:
    """The breach stays, and so does its deadline."""
    w = breached()
    w.send("pending", 700, arrives=1000)
    assert w.last().clocks == (("c", "paused", 700, None),)
    w.send("resumed", 2000)
    w.until(DAY)
    assert w.changes("c")[-2:] == [("resumed", 2000, 600), ("stepped +1h", 2000 + 3500, 600)]


def test_escalations_that_happened_stay() -> None:
    """A retraction does not lower the level nor take the state back."""
    w = breached()
    w.send("returned", 500, arrives=1000)
    assert (w.ticket().state, w.ticket().level) == ("escalated", 1)


def test_whoever_was_told_of_the_breach_is_told_of_the_retraction() -> None:
    """Once per clock to each recipient told, at the `ref` then told."""
    w = breached()
    w.send("assigned", 1001, operator="op-2")
    w.send("transferred", 1002, queue="security")
    w.send("assigned", 1003, operator="op-3")
    w.send("resolved", 500, arrives=1004)
    assert sorted(w.told("sla_retracted")) == [
        ("sla_retracted", "operator", "op-1", "inbox"),
        ("sla_retracted", "supervisor", "registration", "inbox"),
    ]


def test_those_who_were_told_at_different_refs_are_all_told_again() -> None:
    """Supervisors of two queues were told, so both learn of the retraction."""
    w = world(BASIC)
    w.send("created", 0)
    w.until(600)
    w.send("transferred", 700, queue="security")
    w.until(900)
    w.send("closed", 500, arrives=1000)
    assert sorted(t[2] for t in w.told("sla_retracted")) == ["registration", "security"]


def test_who_was_told_before_an_earlier_retraction_is_not_told_again() -> None:
    """Each retraction is about the breach that it withdraws."""
    w = breached()
    w.send("pending", 500, arrives=1000)
    count = len(w.told("sla_retracted"))
    w.send("resumed", 2000)
    w.send("transferred", 2001, queue="security")
    w.until(2100)
    w.send("closed", 2050, arrives=2200)
    assert w.names("c")[-2:] == ["retracted", "met"]
    assert [t[1:3] for t in w.told("sla_retracted")[count:]] == [("supervisor", "security")]


def test_nobody_is_told_of_a_retraction_when_nobody_was_told_of_the_breach() -> None:
    """A retraction of a silent breach is silent."""
    w = world("clocks: [{clock: c, target: 10m, start: [created], stop: [closed]}]")
    w.send("created", 0)
    w.until(1000)
    w.send("closed", 500, arrives=1000)
    assert w.names("c")[-2:] == ["retracted", "met"]
    assert w.told("sla_retracted") == []


def test_a_clock_that_was_stopped_after_its_deadline_is_not_reconsidered() -> None:
    """An event counts, for a clock, not before the last event that changed it: here its stop."""
    w = breached()
    w.send("resolved", 950)
    w.send("closed", 500, arrives=1000)
    assert w.names("c")[-1] == "stopped"


def test_an_escalation_of_the_engine_that_pauses_does_not_hide_a_late_stop() -> None:
    """Only events keep a late event from counting at its time; what the engine did itself does not."""
    w = world("""
clocks:
  - {clock: c, target: 10m, start: [created], stop: [resolved, closed], pause: [escalated],
     on_breach: [{after: 5m, do: escalate}]}
""")
    w.send("created", 0)
    w.until(1000)
    assert w.names("c") == ["started", "breached", "stepped +5m", "paused"]
    w.send("closed", 500, arrives=1000)
    assert w.names("c")[-2:] == ["retracted", "met"]


def test_a_late_start_puts_the_deadline_where_it_belongs() -> None:
    """An event that arrives late starts its clock when it happened, and what is passed is due at once."""
    w = world("clocks: [{clock: c, target: 10m, start: [contacted], stop: [resolved]}]")
    w.send("created", 0)
    w.send("contacted", 100, arrives=5000)
    w.until(5000)
    assert w.changes("c") == [("started", 100, 700), ("breached", 700, 700)]
    assert w.firings()[-1][-1] == 4300.0


# Verdicts of a ticket that the engine closed.


def expired() -> World:
    """A ticket resolved at 0 that the engine closed at 3600."""
    w = world(CONFIRMATION)
    w.send("created", 0)
    w.send("assigned", 0)
    w.send("resolved", 0)
    w.until(2 * HOUR)
    assert w.names("confirmation") == ["started", "breached", "stopped"]
    return w


def test_a_late_closing_of_an_expired_ticket_replaces_reason_and_verdict() -> None:
    """It was confirmed in time: the breach is retracted and the promise met, and a correction is counted."""
    w = expired()
    w.send("closed", 3000, arrives=2 * HOUR)
    assert w.last().clocks == (("confirmation", "retracted", 3000, 3600), ("confirmation", "met", 3000, 3600))
    assert w.ticket().close_reason == "confirmed"
    assert w.entries()[-1].changed["close_reason"] == "confirmed"
    assert w.measured("correction") == [1]


def test_a_closing_of_an_expired_ticket_after_the_deadline_replaces_only_the_reason() -> None:
    """The promise stays broken."""
    w = expired()
    w.send("closed", 2 * HOUR)
    assert w.last() == ("closed", "closed", "closed", ())
    assert w.ticket().close_reason == "confirmed"
    assert w.measured("clock_outcome") == [("confirmation", "breached")]


def test_a_late_closing_without_work_withdraws_what_the_engines_closing_met() -> None:
    """A closing without work cancels: what the engine's closing met is `retracted`, then cancelled."""
    w = world("""
clocks:
  - {clock: a, target: 9h, start: [created], stop: [closed]}
  - {clock: b, target: 1h, start: [created], stop: [closed], on_breach: [{after: 0s, do: close}]}
""")
    w.send("created", 0)
    w.until(2 * HOUR)
    assert w.names("a") == ["started", "met"]
    w.send("closed", 3000, arrives=2 * HOUR, reason="duplicate")
    assert w.names("a") == ["started", "met", "retracted", "cancelled"]
    assert w.names("b") == ["started", "breached", "stopped", "retracted", "cancelled"]
    outcomes = w.measured("clock_outcome")
    assert [o for c, o in outcomes if c == "a"] == ["met", "unmet", "cancelled"]
    assert [o for c, o in outcomes if c == "b"] == ["breached", "retracted", "cancelled"]


def test_a_late_reopening_of_an_expired_ticket_retracts_the_breach() -> None:
    """`reopened` stops `confirmation` too: arriving late but counting in time, it retracts."""
    w = expired()
    w.send("reopened", 3000, arrives=2 * HOUR)
    assert w.ticket().state == "assigned"
    assert w.names("confirmation")[-2:] == ["retracted", "met"]


@pytest.mark.parametrize(("trigger", "kind"), [("contacted", "stop"), ("dropped", "cancel")])
def test_a_late_stop_or_cancel_on_an_expired_ticket_retracts_the_breach(trigger: str, kind: str) -> None:
    """What is recorded on a closed ticket may be a late stop or cancel of what only the engine ended."""
    other = "" if kind == "stop" else f", cancel: [{trigger}]"
    stop = f"closed, {trigger}" if kind == "stop" else "closed"
    w = world(f"""
clocks:
  - {{clock: c, target: 1h, start: [created], stop: [{stop}]{other}, on_breach: [{{after: 0s, do: close}}]}}
""")
    w.send("created", 0)
    w.until(2 * HOUR)
    w.send(trigger, 3000, arrives=2 * HOUR)
    assert w.names("c")[-2:] == ["retracted", "met" if kind == "stop" else "cancelled"]


def test_a_stop_at_the_instant_at_which_the_deadline_was_set_into_the_past_is_late() -> None:
    """Nothing fired in between, so the breach is declared with the stop: it is not met."""
    w = world("""
clocks:
  - {clock: c, when: {priority: [urgent]}, target: 10m, start: [created], stop: [closed]}
  - {clock: c, target: 10h, start: [created], stop: [closed]}
""")
    w.send("created", 0)
    w.send("reclassified", HOUR, priority="urgent")
    w.send("closed", HOUR)
    assert w.names("c") == ["started", "retargeted", "breached", "stopped"]


def test_a_late_new_promise_is_no_stop() -> None:
    """Only a stop, cancel or pause retracts: an announcement after the breach ends the cycle as broken."""
    w = world("clocks: [{clock: p, target: promised, start: [promised], stop: [resolved]}]")
    w.send("created", 0)
    w.send("promised", 0, deadline=1000)
    w.until(1500)
    w.send("promised", 900, arrives=1500, deadline=5000)
    assert w.names("p") == ["started", "breached", "stopped", "started"]


def test_a_late_pause_retracts_though_the_engine_has_paused_the_clock_since() -> None:
    """The breach escalated into a state that pauses; a late pause that counts in time still retracts."""
    w = world("""
clocks:
  - {clock: c, target: 10m, start: [created], stop: [resolved], pause: [pending, escalated],
     on_breach: [{after: 0s, do: escalate}]}
""")
    w.send("created", 0)
    w.send("assigned", 10)
    w.until(1000)
    assert w.names("c") == ["started", "breached", "paused"]
    w.send("pending", 500, arrives=1000)
    assert "retracted" in w.names("c")


@pytest.mark.parametrize("between", ["closed", "reopened"])
def test_a_person_who_came_too_late_does_not_hide_a_late_stop(between: str) -> None:
    """Only an event that changed the clock keeps a later one from counting at its time."""
    w = world("""
clocks:
  - {clock: c, target: 1h, start: [created], stop: [closed, contacted], on_breach: [{after: 0s, do: close}]}
""")
    w.send("created", 0)
    w.until(2 * HOUR)
    w.send(between, 2 * HOUR)
    w.send("contacted", 3000, arrives=2 * HOUR + 1)
    assert w.names("c") == ["started", "breached", "stopped", "retracted", "met"]


def test_a_closing_without_work_after_the_deadline_keeps_the_breach() -> None:
    """On a ticket that the engine closed: a broken promise is not undone by a reason that comes too late."""
    w = expired()
    w.send("closed", 2 * HOUR, reason="duplicate")
    assert w.last().clocks == ()
    assert w.measured("clock_outcome") == [("confirmation", "breached")]


def test_a_clock_that_broke_while_another_closed_the_ticket_is_judged_by_the_late_closing() -> None:
    """Every clock that the engine's closing ended is reconsidered, not only the one that closed."""
    w = world("""
clocks:
  - {clock: a, target: 30m, start: [created], stop: [closed]}
  - {clock: b, target: 1h, start: [created], stop: [closed], on_breach: [{after: 0s, do: close}]}
""")
    w.send("created", 0)
    w.until(2 * HOUR)
    w.send("closed", 2000, arrives=2 * HOUR)
    assert w.names("a") == ["started", "breached", "stopped"]
    assert w.names("b") == ["started", "breached", "stopped", "retracted", "met"]
    w.send("created", 0, ticket="U", arrives=2 * HOUR)
    w.send("closed", 1000, ticket="U", arrives=2 * HOUR)
    assert w.names("a", "U") == ["started", "breached", "stopped", "retracted", "met"]


def test_a_retracted_breach_that_is_right_after_all_is_declared_again() -> None:
    """Pause and resumption arrive late but count in time: the rest of the target is over, so it breaks."""
    w = breached()
    w.send("pending", 500, arrives=1000)
    w.send("resumed", 550, arrives=1000)
    w.send("contacted", 1001)
    assert w.changes("c")[-3:] == [("resumed", 550, 650), ("breached", 650, 650), ("stepped +5m", 950, 650)]


def test_a_retraction_within_the_same_arrival_leaves_the_order_of_records() -> None:
    """Two late events of one arrival are decided in their order; each finds what the one before left."""
    w = world(BASIC)
    w.send("created", 0, arrives=5000)
    w.send("assigned", 10, arrives=5000)
    w.send("resolved", 400, arrives=5000)
    assert w.names("c")[-2:] == ["retracted", "met"]
    assert [line.trigger for line in w.lines()][-1] == "resolved"


def test_what_ends_an_engines_pause_before_it_began_counts_nothing_twice() -> None:
    """The engine's escalation paused a clock; a late transfer, and the resumption with it, counts before."""
    w = world("""
clocks:
  - {clock: a, target: 10s, start: [created], stop: [closed], on_breach: [{after: 0s, do: escalate}]}
  - {clock: b, target: 100s, start: [created], stop: [closed], pause: [escalated]}
""")
    w.send("created", 0)
    w.until(20)
    assert w.changes("b") == [("started", 0, 100), ("paused", 10, None)]
    w.send("transferred", 6, arrives=30)
    assert w.changes("b")[-1] == ("resumed", 6, 100)


def test_a_late_stop_after_a_shorter_target_is_judged_by_that_target() -> None:
    """A breach keeps its deadline when the clock is retargeted; withdrawn, the clock has what is left now."""
    w = world("""
clocks:
  - {clock: c, when: {region: ["77"]}, target: 10m, start: [created], stop: [resolved]}
  - {clock: c, target: 30s, start: [created], stop: [resolved]}
""")
    w.send("created", 0, region="77")
    w.send("assigned", 1)
    w.until(650)
    w.send("reclassified", 60, arrives=660, region="25")
    w.send("resolved", 599, arrives=700)
    assert w.changes("c")[1:] == [
        ("breached", 600, 600),
        ("retargeted", 60, 600),
        ("retracted", 599, 30),
        ("breached", 599, 30),
        ("stopped", 599, 30),
    ]


def test_a_late_pause_counts_although_the_engine_has_paused_the_clock_since() -> None:
    """A firing is no event: the clock stood still from the citizen's pause on, not from the escalation."""
    w = world("""
clocks:
  - {clock: a, target: 10m, start: [created], stop: [closed], on_breach: [{after: 0s, do: escalate}]}
  - {clock: b, target: 40m, start: [created], stop: [resolved], pause: [escalated, pending]}
""")
    w.send("created", 0)
    w.send("assigned", 10)
    w.until(800)
    w.send("pending", 300, arrives=900)
    assert w.changes("b")[-2:] == [("paused", 600, None), ("paused", 300, None)]
    w.send("resolved", 1000)
    assert (w.last().clocks[-1][:2], w.entries()[-1].clocks[-1].elapsed_seconds) == (("b", "met"), 300)


def test_what_the_engines_closing_had_ended_is_cancelled_with_what_it_had_counted() -> None:
    """A person's closing as cancelled replaces the engine's; no clock ran in between."""
    w = world("""
clocks:
  - {clock: fix, target: 40m, start: [created], stop: [closed]}
  - {clock: owner, target: 1m, start: [created], stop: [escalated], on_breach: [{after: 0s, do: close}]}
""")
    w.send("created", 0)
    w.until(100)
    w.send("closed", 480, reason="cancelled")
    ended = [(c.change, c.elapsed_seconds) for c in w.entries()[-1].clocks if c.clock == "fix"]
    assert ended == [("retracted", 60), ("cancelled", 60)]


def test_a_late_escalation_pauses_although_the_engine_has_escalated_since() -> None:
    """The state is the same, and yet the ticket stood in it earlier: the breach in between is withdrawn."""
    w = world("""
clocks:
  - {clock: c, target: 10m, start: [created], stop: [closed], pause: [escalated],
     on_breach: [{after: 1m, do: escalate}]}
""")
    w.send("created", 0)
    w.until(700)
    assert w.names("c") == ["started", "breached", "stepped +1m", "paused"]
    w.send("escalated", 570, arrives=800)
    assert w.changes("c")[-2:] == [("retracted", 570, None), ("paused", 570, None)]
