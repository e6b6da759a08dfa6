"""What the engine does by itself is no event: what arrives later may count before it.

The engine's own escalation, or its closing, lets clocks stand still or go on. An event counts "for a clock
not before the last event that changed that clock" (contract, "Time"), and finds what was counted by then.
"""

from tests.support.world import DAY, HOUR, World, world
from workflow.explain import explain

ESCALATES = """
clocks:
  - {clock: fast, target: 10m, start: [created], stop: [closed], on_breach: [{after: 30s, do: escalate}]}
  - {clock: c, when: {priority: [urgent]}, target: 30m, start: [created], stop: [resolved, closed],
     pause: [escalated]}
  - {clock: c, target: 1h, start: [created], stop: [resolved, closed], pause: [%s]}
"""
"""`fast` breaks at 600 and escalates at 630."""


def escalated(pause: str) -> World:
    """A ticket that the engine escalated at 630; `c` stands still in these states."""
    w = world(ESCALATES % pause)
    w.send("created", 0)
    w.send("assigned", 10)
    w.until(700)
    assert w.lines()[-1][:3] == ("escalated", "assigned", "escalated")
    return w


def elapsed(w: World) -> list[float]:
    """What `c` had counted at each of its changes; the explanation adds up to the same."""
    assert [cycle.agrees for cycle in explain(w.entries(), w.policies).clocks] == [True] * 2
    return [c.elapsed_seconds for entry in w.entries() for c in entry.clocks if c.clock == "c"]


def test_what_was_counted_before_the_engines_pause_stays_counted() -> None:
    """An event at 601 moves the start by 400 s; the 29 s up to the engine's pause at 630 still count."""
    w = escalated("escalated")
    w.send("absorbed", 601, arrives=800, registered_at=-400)
    assert w.changes("c")[-1] == ("retargeted", 601, None)
    w.send("resolved", 2000)
    assert (w.names("c"), elapsed(w)) == (
        ["started", "paused", "retargeted", "met"],
        [0, 630, 1001, 1030],
    )


def test_another_rule_counts_until_the_engines_pause_too() -> None:
    """A reclassification at 601 changes the target; the clock still ran until 630, and goes on from there."""
    w = escalated("escalated")
    w.send("reclassified", 601, arrives=800, priority="urgent")
    w.send("transferred", 1000)
    assert w.changes("c")[-2:] == [("retargeted", 601, None), ("resumed", 1000, 1000 + 1170)]
    assert elapsed(w) == [0, 630, 601, 630]


def test_what_counts_before_the_engine_let_a_clock_go_on_finds_it_paused() -> None:
    """The engine's escalation at 630 ended a pause that began at 10: an event at 601 must not count 29 s."""
    w = escalated("assigned")
    assert w.changes("c") == [("started", 0, HOUR), ("paused", 10, None), ("resumed", 630, HOUR + 620)]
    w.send("absorbed", 601, arrives=800, registered_at=-400)
    assert w.changes("c")[-1] == ("retargeted", 601, HOUR + 620 - 400)
    assert elapsed(w) == [0, 10, 10, 410]


def test_nothing_fires_while_the_clock_stood_still() -> None:
    """At 601, in a pause, more is counted than the target has: it breaks when the engine ended that pause."""
    w = escalated("assigned")
    w.send("absorbed", 601, arrives=800, registered_at=-HOUR)
    w.send("contacted", 900)
    assert [change[:2] for change in w.changes("c")[-2:]] == [("retargeted", 601), ("breached", 630)]


def test_a_deadline_between_two_turns_of_the_engine_is_found() -> None:
    """The clock ran from 601 to 630, and that was enough for the target: it broke at 620."""
    w = world("""
clocks:
  - {clock: fast, target: 10m, start: [created], stop: [returned],
     on_breach: [{after: 30s, do: escalate}, {after: 100s, do: close}]}
  - {clock: c, target: 1h, start: [created], stop: [resolved], pause: [escalated]}
""")
    w.send("created", 0)
    w.until(710)
    assert w.changes("c")[1:] == [("paused", 630, None), ("resumed", 700, HOUR + 70)]
    w.send("reopened", 705)
    w.send("absorbed", 601, arrives=710, registered_at=620 - HOUR)
    assert w.changes("c")[-1] == ("retargeted", 601, 620)
    w.send("contacted", 720)
    assert w.changes("c")[-1] == ("breached", 620, 620)


def test_what_is_used_up_when_the_engine_pauses_is_due_when_the_engine_lets_it_go_on() -> None:
    """At 630 the whole target was counted, and not a second more until 700: that is the deadline."""
    w = world("""
clocks:
  - {clock: fast, target: 10m, start: [created], stop: [returned],
     on_breach: [{after: 30s, do: escalate}, {after: 100s, do: close}]}
  - {clock: c, target: 1h, start: [created], stop: [resolved], pause: [escalated]}
""")
    w.send("created", 0)
    w.until(710)
    w.send("reopened", 705)
    w.send("absorbed", 601, arrives=710, registered_at=630 - HOUR)
    w.send("contacted", 720)
    assert w.changes("c")[-2:] == [("retargeted", 601, 700), ("breached", 700, 700)]
    assert elapsed(w)[-1] == HOUR


def test_what_had_passed_in_a_pause_that_the_engine_ended_was_broken_before_that_pause() -> None:
    """With the earlier registration 3,700 s were counted by 20, and no more until 630: a stop is too late."""
    w = world((ESCALATES % "assigned").replace("start: [created]", "start: [contacted]", 1))
    w.send("created", 0)
    w.send("contacted", 0)
    w.send("assigned", 10)
    w.send("absorbed", 20, registered_at=-3690)
    w.until(700)
    w.send("resolved", 300, arrives=800)
    assert w.changes("c")[2:] == [
        ("retargeted", 20, None),
        ("resumed", 630, -80),
        ("breached", 630, -80),
        ("stopped", 300, -80),
    ]
    assert elapsed(w) == [0, 10, 3700, 3700, 3700, 3700]


def test_a_late_transfer_out_of_a_pausing_state_lets_the_clock_go_on_when_it_counts() -> None:
    """The engine's escalation had ended the pause already, but at 630: the event ended it at 300."""
    w = escalated("assigned")
    w.send("transferred", 300, arrives=800)
    assert w.changes("c")[-1] == ("resumed", 300, HOUR + 290)
    assert elapsed(w) == [0, 10, 10, 10]


def test_a_late_event_before_several_turns_of_the_engine_never_counts_back_below_zero() -> None:
    """Escalated, closed and escalated by the engine since: at its start a clock has counted nothing."""
    w = world("""
clocks:
  - {clock: fast, target: 10m, start: [created], stop: [returned],
     on_breach: [{after: 30s, do: escalate}, {after: 100s, do: close}, {after: 1h, do: escalate}]}
  - {clock: c, target: 10h, start: [created], stop: [resolved], pause: [escalated]}
""")
    w.send("created", 0)
    w.until(701)
    w.send("reopened", 800)
    w.send("assigned", 900)
    w.until(2 * HOUR)
    assert [change[0] for change in w.changes("c")] == ["started", "paused", "resumed", "paused"]
    w.send("pending", 0, arrives=2 * HOUR)
    assert w.changes("c")[-1] == ("resumed", 0, 10 * HOUR)
    assert elapsed(w) == [0, 630, 630, 630 + 4200 - 700, 0]


def test_a_breach_withdrawn_after_the_engines_closing_counts_until_that_closing() -> None:
    """A late event brought the engine's closing forward: the clock ended there, whatever had fired later."""
    w = world("""
clocks:
  - {clock: c, target: 90m, start: [assigned], stop: [closed], cancel: [dropped]}
  - {clock: fix, target: 2m, start: [created], stop: [returned], pause: [escalated],
     on_breach: [{after: 1m, do: escalate}, {after: 15m, do: close}]}
""")
    w.send("created", 0)
    w.send("assigned", 30, arrives=5400)
    w.send("resolved", 29, arrives=5700)
    w.send("dropped", 5430, arrives=5800)
    assert [change[:2] for change in w.changes("c")] == [
        ("started", 30),
        ("breached", 5430),
        ("stopped", 1020),
        ("retracted", 5430),
        ("cancelled", 5430),
    ]
    assert elapsed(w) == [0, 5400, 990, 990, 990]


def test_an_event_leaves_no_turn_of_the_engine_behind() -> None:
    """What the engine did is kept until an event changes the clock: the state does not grow."""
    w = escalated("escalated")
    assert len(w.clock("c").turns) == 1
    w.send("transferred", 900)
    assert w.clock("c").turns == ()
    w.until(DAY)
    assert w.clock("c").breached
