"""Why a deadline is what it is: the facts of a clock and the arithmetic, change by change."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.world import DAY, HOUR, MINUTE, START, World, at, seconds_of, world
from workflow.explain import Cycle, Explanation, Fact, explain
from workflow.history import IncompleteJournal, last_life
from workflow.reckoning import Leg, LegKind

OFFICE = """
calendars:
  office:
    timezone: Europe/Moscow
    hours: {mon: [["08:00","13:00"],["14:00","20:00"]], tue: [["08:00","20:00"]], wed: [["08:00","20:00"]],
            thu: [["08:00","20:00"]], fri: [["08:00","20:00"]]}
    holidays: ["2026-03-03"]
    exceptions: {"2026-03-04": [["10:00","26:00"]]}
region_calendars: {"77": office, "*": always}
"""
"""START is Monday noon in Moscow."""


def told(w: World) -> Explanation:
    """The explanation of the ticket as it stands."""
    return explain(last_life(w.entries()), w.policies)


def clock(w: World, name: str = "c", cycle: int = 1) -> Cycle:
    """One cycle of one clock; its arithmetic always agrees with the journal."""
    (found,) = [each for each in told(w).clocks if (each.clock, each.cycle) == (name, cycle)]
    assert found.agrees is True
    return found


def single(rule: str, head: str = "") -> World:
    """A world whose policy has one clock `c` with that rule."""
    return world(f"{head}\nclocks:\n  - {{clock: c, {rule}}}\n")


def changes(cycle: Cycle) -> list[str]:
    """The names of its changes."""
    return [str(fact.change) for fact in cycle.facts]


def fact(cycle: Cycle, change: str) -> Fact:
    """The last fact of that kind."""
    return [each for each in cycle.facts if each.change == change][-1]


def legs(cycle: Cycle) -> list[tuple[str, float | None, float | None, float]]:
    """(kind, start, end, seconds) of each leg of its arithmetic."""
    assert cycle.arithmetic is not None
    return [
        (str(leg.kind), seconds_of(leg.start), seconds_of(leg.end), leg.seconds)
        for leg in cycle.arithmetic.legs
    ]


def last_leg(cycle: Cycle) -> Leg:
    """What remained when its last deadline was set."""
    assert cycle.arithmetic is not None
    return cycle.arithmetic.legs[-1]


def test_a_start_names_event_rule_and_reason() -> None:
    """The event and when it counts, the rule with the fields that matched, and the rules that did not."""
    w = world("""
clocks:
  - {clock: c, when: {category: [complex]}, target: 1h, start: [created], stop: [resolved]}
  - {clock: d, target: 1h, start: [assigned], stop: [resolved]}
  - {clock: c, when: {priority: [high, urgent]}, target: 90s, start: [created], stop: [resolved],
     pause: [pending], cancel: [dropped], warn: [50%], on_breach: [{after: 5m, notify: [supervisor]}]}
""")
    w.send("created", 0, priority="high", source="urn:telephony", id="e-1")
    (started,) = clock(w).facts
    assert (started.cause.kind, started.trigger, started.by) == ("event", "created", "created")
    assert started.cause.model_dump()["source"] == "urn:telephony"
    assert (started.at, started.deadline) == (at(0), at(90))
    rule = started.rule
    assert rule is not None
    assert (rule.number, rule.policy, rule.passed_over, rule.target) == (3, "test@1", (1,), "90s")
    assert [(each.field, each.allowed, each.value) for each in rule.when] == [
        ("priority", ("high", "urgent"), "high")
    ]
    assert (rule.stop, rule.cancel, rule.pause) == (("resolved",), ("dropped",), ("pending",))
    assert (rule.warnings, rule.steps, rule.calendar.name) == (("50%",), ("+5m",), "always")


def test_the_stretches_are_the_open_hours() -> None:
    """Day by day: the rest of Monday around the break, no Tuesday (a holiday), Wednesday past midnight."""
    w = single("target: 12h, start: [created], stop: [resolved], calendar: region", OFFICE)
    w.send("created", 0, region="77")
    cycle = clock(w)
    leg = last_leg(cycle)
    assert [(seconds_of(each.start), each.seconds) for each in leg.stretches] == [
        (0, HOUR), (2 * HOUR, 6 * HOUR), (DAY * 2 - 2 * HOUR, 5 * HOUR)
    ]  # fmt: skip
    rule = cycle.facts[0].rule
    assert rule is not None
    assert (rule.by_region, rule.region, rule.calendar.name) == (True, "77", "office")
    assert rule.calendar.zone == "Europe/Moscow"
    assert rule.calendar.hours["mon"] == (("08:00", "13:00"), ("14:00", "20:00"))
    assert rule.calendar.hours["sun"] == ()
    assert rule.calendar.special_days == {"2026-03-03": (), "2026-03-04": (("10:00", "26:00"),)}


def test_a_long_run_is_summed_up_in_the_middle() -> None:
    """Of many shifts three are shown at each end, the rest is one sum with its working days."""
    w = single("target: 500h, start: [created], stop: [resolved], calendar: office", OFFICE)
    w.send("created", 0)
    stretches = last_leg(clock(w)).stretches
    assert len(stretches) == 7
    assert [each.shifts == 1 for each in stretches] == [True, True, True, False, True, True, True]
    assert stretches[3].days >= 30
    assert sum(each.seconds for each in stretches) == 500 * HOUR


def test_daylight_saving_is_in_the_arithmetic() -> None:
    """In the night in which an hour is skipped a shift of eight hours by the wall lasts seven."""
    head = """
calendars:
  night: {timezone: Europe/Berlin, hours: {sat: [["22:00","30:00"]], sun: [["22:00","30:00"]]}}
"""
    w = single("target: 8h, start: [created], stop: [resolved], calendar: night", head)
    w.send("created", (datetime(2026, 3, 28, 20, tzinfo=UTC) - START).total_seconds())
    first, second = last_leg(clock(w)).stretches
    assert (first.seconds, second.seconds) == (7 * HOUR, HOUR)


def test_pauses_are_told_one_by_one() -> None:
    """Each pause with the state, what had been counted, and the business time that did not count."""
    w = single("target: 2h, start: [created], stop: [resolved], pause: [pending], calendar: office", OFFICE)
    w.send("created", 0)
    w.send("assigned", 0)
    w.send("pending", 30 * MINUTE)
    assert clock(w).status == "paused"
    assert legs(clock(w))[-1] == ("remaining", 30 * MINUTE, None, 90 * MINUTE)
    w.send("resumed", 3 * HOUR)
    cycle = clock(w)
    assert changes(cycle) == ["started", "paused", "resumed"]
    assert (fact(cycle, "paused").state, fact(cycle, "paused").elapsed_seconds) == ("pending", 30 * MINUTE)
    assert fact(cycle, "resumed").not_counted_seconds == 90 * MINUTE
    assert legs(cycle) == [
        ("counted", 0, 30 * MINUTE, 30 * MINUTE),
        ("paused", 30 * MINUTE, 3 * HOUR, 90 * MINUTE),
        ("remaining", 3 * HOUR, 4.5 * HOUR, 90 * MINUTE),
    ]


def test_a_warning_a_breach_a_step_and_a_late_stop() -> None:
    """Each firing says when it was due and found, how late, and who was told; the deadline stays."""
    w = single(
        "target: 10m, start: [created], stop: [resolved], warn: [50%], on_breach: "
        "[{after: 0s, do: escalate, notify: [supervisor]}, {after: 5m, notify: [supervisor]}]"
    )
    w.send("created", 0)
    w.send("assigned", 5)
    w.until(12 * MINUTE)
    w.send("resolved", 20 * MINUTE)
    cycle = clock(w)
    assert changes(cycle) == ["started", "warned", "breached", "stepped", "stopped"]
    breached = fact(cycle, "breached")
    assert (breached.threshold, breached.at, breached.found_at) == ("breach", at(600), at(720))
    assert (breached.lateness_seconds, breached.level) == (120, 1)
    assert [(each.role, each.ref) for each in breached.told] == [("supervisor", "registration")]
    assert fact(cycle, "warned").threshold == "50%"
    assert fact(cycle, "stepped").threshold == "+5m"
    assert (cycle.status, cycle.deadline) == ("stopped", at(600))
    assert legs(cycle) == [("remaining", 0, 600, 600)]


def test_a_breach_that_was_wrong() -> None:
    """A stop that counts before the deadline and comes late: breached, retracted, met."""
    w = single("target: 10m, start: [created], stop: [resolved]")
    w.send("created", 0)
    w.send("assigned", 5)
    w.send("resolved", 550, arrives=900)
    cycle = clock(w)
    assert changes(cycle) == ["started", "breached", "retracted", "met"]
    assert (cycle.status, fact(cycle, "met").at, fact(cycle, "met").recorded_at) == ("met", at(550), at(900))


def test_another_priority_gives_another_deadline() -> None:
    """A retarget says which field changed, which rule matches now, and what was before."""
    w = world("""
clocks:
  - {clock: c, when: {priority: [urgent]}, target: 15m, start: [created], stop: [resolved]}
  - {clock: c, target: 2h, start: [created], stop: [resolved]}
""")
    w.send("created", 0)
    w.send("reclassified", 5 * MINUTE, priority="urgent")
    cycle = clock(w)
    retargeted = fact(cycle, "retargeted")
    assert retargeted.changed == {"priority": "urgent"}
    assert retargeted.rule is not None
    assert retargeted.rule.number == 1
    assert (retargeted.target_before_seconds, retargeted.target_seconds) == (2 * HOUR, 15 * MINUTE)
    assert (retargeted.deadline_before, retargeted.deadline) == (at(2 * HOUR), at(15 * MINUTE))
    assert legs(cycle) == [
        ("counted", 0, 5 * MINUTE, 5 * MINUTE), ("remaining", 5 * MINUTE, 15 * MINUTE, 10 * MINUTE)
    ]  # fmt: skip


def test_a_target_that_is_passed_already() -> None:
    """More was counted than the new target has: what remains is negative and leads back to the deadline."""
    w = world("""
clocks:
  - {clock: c, when: {priority: [urgent]}, target: 15m, start: [created], stop: [resolved]}
  - {clock: c, target: 2h, start: [created], stop: [resolved]}
""")
    w.send("created", 0)
    w.send("reclassified", HOUR, priority="urgent")
    assert legs(clock(w))[-1] == ("remaining", HOUR, 15 * MINUTE, -45 * MINUTE)


def test_another_region_counts_in_other_hours() -> None:
    """Before the change it was counted in the hours of the old region, after it in those of the new one."""
    w = single("target: 4h, start: [created], stop: [resolved], calendar: region", OFFICE)
    w.send("created", 0, region="77")
    w.send("reclassified", 2 * HOUR, region="25")
    cycle = clock(w)
    assert cycle.arithmetic is not None
    assert [leg.calendar.name for leg in cycle.arithmetic.legs] == ["office", "always"]
    assert legs(cycle) == [("counted", 0, 2 * HOUR, HOUR), ("remaining", 2 * HOUR, 5 * HOUR, 3 * HOUR)]


def test_an_earlier_registration_counts() -> None:
    """A merged ticket's earlier registration adds the business time between the two."""
    w = single("target: 4h, start: [created], stop: [resolved]")
    w.send("created", HOUR)
    w.send("absorbed", 2 * HOUR, registered_at=0)
    assert legs(clock(w)) == [
        ("counted", HOUR, 2 * HOUR, HOUR),
        ("registered_earlier", 0, HOUR, HOUR),
        ("remaining", 2 * HOUR, 4 * HOUR, 2 * HOUR),
    ]


def test_a_clock_that_matches_late_counts_from_its_trigger() -> None:
    """What was counted before the rule matched is a leg of its own, from the trigger on."""
    w = world(
        "clocks:\n  - {clock: c, when: {priority: [urgent]}, target: 2h, start: [created], stop: [resolved]}"
    )
    w.send("created", 0)
    w.send("reclassified", HOUR, priority="urgent")
    cycle = clock(w)
    assert cycle.facts[0].by == "created"
    assert legs(cycle) == [("carried", 0, HOUR, HOUR), ("remaining", HOUR, 2 * HOUR, HOUR)]


@pytest.mark.parametrize(
    ("target", "trigger", "name"), [("promised", "promised", "deadline"), ("scheduled", "scheduled", "at_")]
)
def test_an_announced_instant_is_the_deadline(target: str, trigger: str, name: str) -> None:
    """The target is what was announced; announcing again retargets."""
    w = single(f"target: {target}, start: [{trigger}], stop: [resolved]")
    w.send("created", 0)
    w.send(trigger, 60, **{name: HOUR})
    w.send(trigger, 120, **{name: 2 * HOUR})
    cycle = clock(w)
    assert [seconds_of(each.deadline) for each in cycle.facts] == [HOUR, 2 * HOUR]
    assert cycle.facts[0].rule is not None
    assert cycle.facts[0].rule.target == target
    assert legs(cycle)[-1] == ("remaining", 120, 2 * HOUR, 2 * HOUR - 120)


def test_reopening_may_restart_a_clock() -> None:
    """With `restart` the next cycle stands beside the first one."""
    w = single("target: 1h, start: [created], stop: [resolved], reopen: restart")
    w.send("created", 0)
    w.send("assigned", 1)
    w.send("resolved", 600)
    w.send("reopened", 1200)
    assert (clock(w).status, clock(w).deadline) == ("met", at(HOUR))
    again = clock(w, cycle=2)
    assert (again.facts[0].by, again.deadline) == ("reopened", at(1200 + HOUR))


def test_reopening_may_continue_a_clock() -> None:
    """With `continue` the verdict is withdrawn, and the time until the reopening does not count."""
    w = single("target: 1h, start: [created], stop: [resolved], reopen: continue")
    w.send("created", 0)
    w.send("assigned", 1)
    w.send("resolved", 600)
    w.send("reopened", 1200)
    cycle = clock(w)
    assert changes(cycle) == ["started", "met", "retracted", "resumed"]
    assert fact(cycle, "resumed").not_counted_seconds == 600
    assert legs(cycle) == [
        ("counted", 0, 600, 600), ("ended", 600, 1200, 600), ("remaining", 1200, 1200 + 3000, 3000)
    ]  # fmt: skip


def test_a_clock_is_cancelled() -> None:
    """A cancel trigger, and the closing as cancelled, end a clock without a verdict; the reason is told."""
    w = single("target: 1h, start: [created], stop: [resolved]")
    w.send("created", 0)
    w.send("closed", 60, reason="duplicate")
    cycle = clock(w)
    assert (changes(cycle), cycle.status) == (["started", "cancelled"], "cancelled")
    assert fact(cycle, "cancelled").changed == {"close_reason": "duplicate"}


def test_the_end_of_the_reopening_window_is_told() -> None:
    """A ticket that has left the state is explained like any other, and has no state."""
    w = single("target: 60d, start: [resolved], stop: [reopened]", "reopening_window: 1d")
    w.send("created", 0)
    w.send("assigned", 1)
    w.send("resolved", 2)
    w.send("closed", 3)
    w.until(2 * DAY)
    assert told(w).state is None
    cancelled = fact(clock(w), "cancelled")
    assert (cancelled.cause.kind, cancelled.state) == ("clock", None)


def test_only_the_last_life_of_an_id_is_explained() -> None:
    """An id that is used again starts again at seq 1; what was before is another ticket."""
    w = single("target: 1h, start: [created], stop: [resolved, closed]", "reopening_window: 1d")
    w.send("created", 0)
    w.send("closed", 3)
    w.send("created", 5 * DAY)
    assert told(w).records == 1
    assert clock(w).deadline == at(5 * DAY + HOUR)


def test_a_journal_with_a_gap_is_not_explained() -> None:
    """Where the beginning was deleted, or a record is missing, a sentence says so."""
    w = single("target: 1h, start: [created], stop: [resolved]")
    w.send("created", 0)
    w.send("assigned", 1)
    w.send("pending", 2)
    entries = w.entries()
    with pytest.raises(IncompleteJournal, match="only from its record 2 on"):
        explain(last_life(entries[1:]), w.policies)
    with pytest.raises(IncompleteJournal, match="has record 3 where 2 should be"):
        explain([entries[0], entries[2]], w.policies)


def test_a_policy_that_was_changed_behind_its_version_is_noticed() -> None:
    """Where the hours are others by now the arithmetic ends elsewhere, and the explanation says so."""
    w = single("target: 4h, start: [created], stop: [resolved], calendar: office", OFFICE)
    w.send("created", 0)
    changed = single(
        "target: 4h, start: [created], stop: [resolved], calendar: office", OFFICE.replace("14:00", "15:00")
    )
    (cycle,) = explain(w.entries(), changed.policies).clocks
    assert cycle.agrees is False
    assert cycle.arithmetic is not None
    assert cycle.arithmetic.deadline == at(6 * HOUR)
    fewer = world("clocks:\n  - {clock: other, target: 1h, start: [created], stop: [resolved]}")
    (unknown,) = explain(w.entries(), fewer.policies).clocks
    assert (unknown.policy_known, unknown.arithmetic) == (False, None)


def test_the_kinds_of_legs_that_count_are_marked() -> None:
    """Whoever adds up the legs with `counts` gets the target."""
    w = single("target: 2h, start: [created], stop: [resolved], pause: [pending]")
    w.send("created", 0)
    w.send("assigned", 0)
    w.send("pending", 600)
    w.send("resumed", 900)
    cycle = clock(w)
    assert cycle.arithmetic is not None
    counting = {leg.kind: leg.counts for leg in cycle.arithmetic.legs}
    assert counting == {LegKind.COUNTED: True, LegKind.PAUSED: False, LegKind.REMAINING: True}
    total = sum((timedelta(seconds=leg.seconds) for leg in cycle.arithmetic.legs if leg.counts), timedelta())
    assert total == timedelta(hours=2)
