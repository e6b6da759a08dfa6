"""What is measured (contract, "Metric event")."""

import pytest

from tests.support.world import DAY, HOUR, World, world
from workflow.measures import metrics

NO_CLOCK = "clocks: [{clock: never, target: 1h, start: [returned], stop: [resolved]}]"
CLOCK = """
clocks:
  - {clock: c, target: 1h, start: [created], stop: [resolved, closed], reopen: continue,
     on_breach: [{after: 0s, do: escalate}]}
"""


def test_the_wait_is_from_the_registration_to_the_first_assignment() -> None:
    """`wait_seconds`, created → assigned, by when they happened; once."""
    w = world(NO_CLOCK)
    w.send("created", 0)
    w.send("assigned", 25, arrives=90)
    w.send("assigned", 100)
    assert w.measured("wait_seconds") == [25.0]


def test_the_time_to_resolution_is_from_the_registration() -> None:
    """`resolution_seconds` with each resolution."""
    w = world(NO_CLOCK)
    w.send("created", 0)
    w.send("assigned", 5)
    w.send("resolved", 500)
    w.send("reopened", 600)
    w.send("resolved", 700)
    assert w.measured("resolution_seconds") == [500.0, 700.0]


def test_a_measurement_is_never_negative() -> None:
    """An assignment that counts before the registration waited for nothing."""
    w = world(NO_CLOCK)
    w.send("created", 100)
    w.send("assigned", 50, arrives=100)
    assert w.measured("wait_seconds") == [0.0]


def test_each_verdict_is_an_outcome() -> None:
    """met, breached and cancelled; a clock that only stops after its breach has none more."""
    w = world("""
clocks:
  - {clock: m, target: 3h, start: [created], stop: [resolved]}
  - {clock: b, target: 1h, start: [created], stop: [resolved]}
  - {clock: x, target: 3h, start: [created], stop: [closed], cancel: [resolved]}
""")
    w.send("created", 0)
    w.send("assigned", 0)
    w.send("resolved", 2 * HOUR)
    assert sorted(w.measured("clock_outcome")) == [("b", "breached"), ("m", "met"), ("x", "cancelled")]


def test_withdrawn_verdicts_are_outcomes_that_subtract() -> None:
    """`unmet` withdraws a met, `retracted` a breach: kept promises come out right."""
    w = world(CLOCK)
    w.send("created", 0)
    w.send("assigned", 0)
    w.send("resolved", 60)
    w.send("reopened", 100)
    w.until(2 * HOUR)
    w.send("resolved", 3000, arrives=2 * HOUR)
    outcomes = [o for _, o in w.measured("clock_outcome")]
    assert outcomes == ["met", "unmet", "breached", "retracted", "met"]


@pytest.mark.parametrize("reason", ["event", "engine"])
def test_an_escalation_is_counted_whoever_did_it(reason: str) -> None:
    """`escalation` for one by event and for one by the engine."""
    w = world(CLOCK)
    w.send("created", 0)
    if reason == "event":
        w.send("escalated", 5)
    else:
        w.until(HOUR)
    assert w.measured("escalation") == [1]


def test_an_escalation_that_only_notifies_is_none() -> None:
    """On a resolved ticket the engine escalates nothing."""
    w = world(
        "clocks: [{clock: c, target: 1h, start: [created], stop: [closed],"
        " on_breach: [{after: 0s, do: escalate}]}]"
    )
    w.send("created", 0)
    w.send("assigned", 0)
    w.send("resolved", 0)
    w.until(HOUR)
    assert w.measured("escalation") == []


def test_a_call_that_drops_on_a_closed_ticket_is_a_repeat_contact() -> None:
    """The citizen turned to us again, though the line broke."""
    w = world("clocks: [{clock: c, target: 1h, start: [created], stop: [resolved]}]")
    w.send("created", 0)
    w.send("dropped", 1)
    w.send("closed", 2)
    w.send("dropped", 3)
    assert w.measured("repeat_contact") == [1]


def test_reopenings_and_repeat_contacts_are_counted() -> None:
    """`reopening` for each; `repeat_contact` for a citizen's contact on a closed ticket."""
    w = world(NO_CLOCK)
    w.send("created", 0)
    w.send("contacted", 1)
    w.send("closed", 2)
    w.send("contacted", 3)
    w.send("reopened", 4)
    assert (w.measured("repeat_contact"), w.measured("reopening")) == ([1], [1])


def test_a_retraction_is_a_correction() -> None:
    """A breach that proved wrong counts as one correction."""
    w = world(CLOCK)
    w.send("created", 0)
    w.until(DAY)
    w.send("closed", 60, arrives=DAY)
    assert w.measured("correction") == [1]


def test_labels_are_always_the_tickets_and_name_no_person() -> None:
    """category, queue, channel, priority and region, as they are after the fact; no ids."""
    w = world(CLOCK)
    w.send("created", 0, region="77")
    w.send("assigned", 1)
    w.send("reclassified", 2, priority="high")
    w.send("resolved", 3)
    found = [metric for fact in w.facts for _, metric in metrics(fact)]
    assert {str(metric.metric): metric.unit for metric in found} == {
        "wait_seconds": "s",
        "clock_outcome": "1",
        "resolution_seconds": "s",
    }
    base = {"category": "access_recovery", "queue": "registration", "channel": "phone", "region": "77"}
    for metric in found:
        assert base.items() <= metric.labels.items()
        assert metric.labels.keys() - base.keys() <= {"priority", "clock", "outcome"}
    assert found[-1].labels["priority"] == "high"


def test_a_metrics_id_says_what_caused_it() -> None:
    """`<ticket>/<seq>/<metric>/<n>`, n from 1."""
    w = world("""
clocks:
  - {clock: a, target: 1h, start: [created], stop: [resolved]}
  - {clock: b, target: 1h, start: [created], stop: [resolved]}
""")
    w.send("created", 0)
    w.send("assigned", 0)
    w.send("resolved", 1)
    names = [name for name, _ in metrics(w.facts[-1])]
    assert sorted(names) == ["T/3/clock_outcome/1", "T/3/clock_outcome/2", "T/3/resolution_seconds/1"]


def kept(w: World) -> float:
    """Kept promises as the contract computes them."""
    count = {
        name: [o for _, o in w.measured("clock_outcome")].count(name)
        for name in ("met", "unmet", "breached", "retracted")
    }
    met, broken = count["met"] - count["unmet"], count["breached"] - count["retracted"]
    return met / (met + broken)


def test_kept_promises_are_right_after_a_retraction() -> None:
    """A promise that was kept after all counts as kept, wholly."""
    w = world(CLOCK)
    w.send("created", 0)
    w.until(DAY)
    assert kept(w) == 0.0
    w.send("closed", 60, arrives=DAY)
    assert kept(w) == 1.0
