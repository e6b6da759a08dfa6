"""What a reopening does to ended clocks (contract, "Reopening")."""

import pytest

from tests.support.world import DAY, HOUR, World, world


def resolved(mode: str, *, at: float = 600, more: str = "", head: str = "") -> World:
    """A ticket whose clock was stopped by `resolved`; until then the engine's clock followed the events."""
    w = world(f"""{head}
clocks:
  - {{clock: c, target: 1h, start: [created], stop: [resolved], reopen: {mode}{more}}}
""")
    w.send("created", 0)
    w.send("assigned", 0)
    w.send("resolved", at)
    return w


def test_restart_begins_a_new_cycle() -> None:
    """The verdict of the first cycle stays, and the second has the whole target."""
    w = resolved("restart")
    w.send("reopened", 1000)
    assert w.changes("c") == [("started", 0, HOUR), ("met", 600, HOUR), ("started", 1000, 1000 + HOUR)]
    assert w.clock("c").cycle == 2
    assert w.measured("clock_outcome") == [("c", "met")]


def test_restart_begins_a_new_cycle_after_a_breach_too() -> None:
    """An ended clock, however it ended."""
    w = resolved("restart", at=2 * HOUR)
    w.send("reopened", 3 * HOUR)
    assert w.names("c") == ["started", "breached", "stopped", "started"]
    w.until(5 * HOUR)
    assert w.measured("clock_outcome") == [("c", "breached"), ("c", "breached")]


def test_restart_runs_under_the_current_policy() -> None:
    """The new cycle is one of the version in force."""
    text = "clocks: [{clock: c, target: %s, start: [created], stop: [resolved], reopen: restart}]"
    w = world(text % "1h", 'effective_from: "2026-03-02T09:10:00Z"\n' + text % "2h")
    w.send("created", 0)
    w.send("assigned", 0)
    w.send("resolved", 60)
    w.send("reopened", 1000)
    assert (w.clock("c").policy, w.changes("c")[-1]) == ("test@2", ("started", 1000, 1000 + 2 * HOUR))


def test_restart_that_starts_at_reopened_too_starts_once() -> None:
    """A rule that names `reopened` among its starts begins one new cycle, not two."""
    w = world(
        "clocks: [{clock: c, target: 1h, start: [created, reopened], stop: [resolved], reopen: restart}]"
    )
    w.send("created", 0)
    w.send("assigned", 0)
    w.send("resolved", 60)
    w.send("reopened", 100)
    assert w.names("c") == ["started", "met", "started"]


def test_continue_withdraws_a_met_and_goes_on() -> None:
    """The verdict, if met, is retracted, and the clock resumes: the gap is not counted."""
    w = resolved("continue")
    w.send("reopened", 1000)
    assert w.last().clocks == (("c", "retracted", 1000, HOUR), ("c", "resumed", 1000, 1000 + 3000))
    assert w.clock("c").cycle == 1
    assert w.measured("clock_outcome") == [("c", "met"), ("c", "unmet")]
    w.send("resolved", 2000)
    assert w.measured("clock_outcome") == [("c", "met"), ("c", "unmet"), ("c", "met")]
    assert w.clock("c").elapsed_seconds == 1600.0


def test_continue_may_still_break_the_promise() -> None:
    """After the reopening the rest of the target runs out."""
    w = resolved("continue")
    w.send("reopened", 1000)
    w.until(DAY)
    assert w.changes("c")[-1] == ("breached", 4000, 4000)


def test_continue_keeps_a_breach() -> None:
    """A broken promise stays broken; the clock resumes, and its later steps come."""
    w = resolved("continue", at=HOUR + 600, more=", on_breach: [{after: 30m, notify: [supervisor]}]")
    w.send("reopened", 2 * HOUR)
    assert w.last().clocks == (("c", "resumed", 2 * HOUR, HOUR),)
    w.until(DAY)
    assert w.changes("c")[-1] == ("stepped +30m", 2 * HOUR + 1200, HOUR)
    assert w.measured("clock_outcome") == [("c", "breached")]


def test_continue_keeps_fired_warnings() -> None:
    """A warning fires once a cycle: the retraction of a met re-arms no warning that has fired."""
    w = resolved("continue", at=50 * 60, more=", warn: [50%]")
    w.send("reopened", HOUR)
    w.until(DAY)
    assert w.names("c") == ["started", "warned 50%", "met", "retracted", "resumed", "breached"]


def test_none_leaves_the_clock_ended() -> None:
    """Nothing happens to it."""
    w = resolved("none")
    w.send("reopened", 1000)
    assert w.last() == ("reopened", "resolved", "assigned", ())


def test_a_clock_that_still_runs_is_left_alone() -> None:
    """Only ended clocks are concerned."""
    w = world("clocks: [{clock: c, target: 9h, start: [created], stop: [closed], reopen: restart}]")
    w.send("created", 0)
    w.send("assigned", 0)
    w.send("resolved", 60)
    w.send("reopened", 100)
    assert w.last().clocks == ()


def test_a_pause_in_resolved_is_over_after_the_reopening() -> None:
    """A clock that pauses in resolved resumes, and the gap is not counted."""
    w = world("clocks: [{clock: c, target: 1h, start: [created], stop: [closed], pause: [resolved]}]")
    w.send("created", 0)
    w.send("assigned", 0)
    w.send("resolved", 60)
    w.send("reopened", 1000)
    assert w.changes("c")[-1] == ("resumed", 1000, 1000 + 3540)


@pytest.mark.parametrize("mode", ["restart", "continue"])
def test_a_cancelled_clock_is_an_ended_one(mode: str) -> None:
    """A clock that ended without a verdict goes on or begins anew, with nothing to retract."""
    w = world(f"clocks: [{{clock: c, target: 1h, start: [created], stop: [resolved], reopen: {mode}}}]")
    w.send("created", 0)
    w.send("closed", 60, reason="cancelled")
    w.send("reopened", 1000)
    expected = ("started", 1000, 4600) if mode == "restart" else ("resumed", 1000, 1000 + 3540)
    assert w.changes("c")[2:] == [expected]
    assert w.measured("clock_outcome") == [("c", "cancelled")]


def test_reopening_a_closed_ticket_makes_it_an_open_one() -> None:
    """Reason and date of the closing go, and the reopening window with them."""
    w = resolved("none")
    w.send("closed", 700)
    w.send("reopened", 1000)
    ticket = w.ticket()
    assert (ticket.close_reason, ticket.closed_at, ticket.reopenable_until) == (None, None, None)
    w.until(90 * DAY)
    assert w.ticket().state == "assigned"


def test_continue_after_the_engines_closing_counts_up_to_that_closing() -> None:
    """The gap from the closing to the reopening is not counted."""
    w = world("""
clocks:
  - {clock: a, target: 9h, start: [created], stop: [closed], reopen: continue}
  - {clock: b, target: 1h, start: [created], stop: [closed, reopened], on_breach: [{after: 0s, do: close}]}
""")
    w.send("created", 0)
    w.until(HOUR)
    w.send("reopened", 5 * HOUR)
    assert w.changes("a") == [
        ("started", 0, 9 * HOUR),
        ("met", HOUR, 9 * HOUR),
        ("retracted", 5 * HOUR, 9 * HOUR),
        ("resumed", 5 * HOUR, 13 * HOUR),
    ]
