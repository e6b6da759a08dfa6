"""When something is due, in which order it fires, and that each threshold fires once (contract, "Time")."""

import pytest

from schemas.state import Ticket
from tests.support.world import DAY, HOUR, MINUTE, World, at, seconds_of, world, written
from workflow.decide import decide_due
from workflow.due import Due, next_due
from workflow.policy import Policies, UnknownPolicyVersion

STEPS = """
clocks:
  - {clock: c, target: 1h, start: [created], stop: [resolved], warn: [50%, 80%, -5m],
     on_breach: [{after: 0s, do: escalate, notify: [supervisor]}, {after: 15m, do: escalate}, {after: 1h}]}
"""


def test_thresholds_fire_in_their_order_each_in_a_record_of_its_own() -> None:
    """After an outage every threshold still fires once, with its own due instant and its true lateness."""
    w = world(STEPS)
    w.send("created", 0)
    w.until(DAY)
    assert w.firings() == [
        ("T", "c", 1, name, due, float(DAY - due))
        for name, due in [
            ("50%", 1800),
            ("80%", 2880),
            ("-5m", 3300),
            ("breach", 3600),
            ("+15m", 4500),
            ("+1h", 7200),
        ]
    ]
    assert [len(entry.clocks) for entry in w.entries()] == [1] * 7
    assert w.ticket().level == 2


def test_a_zero_step_acts_with_the_breach() -> None:
    """A `0s` step is no threshold of its own: it acts in the record of `breach`."""
    w = world(STEPS)
    w.send("created", 0)
    w.until(3600)
    assert (w.last().trigger, w.last().clocks) == ("escalated", (("c", "breached", 3600, 3600),))
    assert w.told("sla_breached") == [("sla_breached", "supervisor", "registration", "inbox")]


def test_a_breach_without_a_zero_step_is_declared_all_the_same() -> None:
    """Without steps the breach is a fact that tells nobody and does nothing."""
    w = world("clocks: [{clock: c, target: 1h, start: [created], stop: [resolved]}]")
    w.send("created", 0)
    w.until(3600)
    assert w.last() == (None, "created", "created", (("c", "breached", 3600, 3600),))
    assert w.told("sla_breached") == []


def test_a_threshold_before_the_start_never_fires() -> None:
    """A warning ten minutes before a deadline that is five minutes away lies before the start."""
    w = world("clocks: [{clock: c, target: 5m, start: [created], stop: [resolved], warn: [-10m, -5m, 50%]}]")
    w.send("created", 0)
    w.until(DAY)
    assert w.names("c") == ["started", "warned -5m", "warned 50%", "breached"]


def test_thresholds_of_one_instant_fire_in_the_order_of_the_policy() -> None:
    """Ties of one clock go by their order in the policy."""
    w = world("clocks: [{clock: c, target: 1h, start: [created], stop: [resolved], warn: [-30m, 50%, 100%]}]")
    w.send("created", 0)
    w.until(DAY)
    assert w.names("c") == ["started", "warned -30m", "warned 50%", "warned 100%", "breached"]


def test_firings_of_several_tickets_go_by_due_then_ticket_then_clock() -> None:
    """Due order; ties by ticket, then clock id."""
    w = world("""
clocks:
  - {clock: b, target: 10m, start: [created], stop: [resolved]}
  - {clock: a, target: 10m, start: [created], stop: [resolved], on_breach: [{after: 1m}]}
""")
    w.send("created", 0, ticket="T2")
    w.send("created", 0, ticket="T1")
    w.send("created", 60, ticket="T0")
    w.until(DAY)
    assert [(due, ticket, clock, name) for ticket, clock, _, name, due, _ in w.firings()] == [
        (600, "T1", "a", "breach"),
        (600, "T1", "b", "breach"),
        (600, "T2", "a", "breach"),
        (600, "T2", "b", "breach"),
        (660, "T0", "a", "breach"),
        (660, "T0", "b", "breach"),
        (660, "T1", "a", "+1m"),
        (660, "T2", "a", "+1m"),
        (720, "T0", "a", "+1m"),
    ]


def test_what_is_due_before_an_arrival_is_decided_before_the_record() -> None:
    """A record that arrives after the deadline finds the breach declared, whatever its own time."""
    w = world("clocks: [{clock: c, target: 10m, start: [created], stop: [closed]}]")
    w.send("created", 0)
    w.send("contacted", 601)
    assert [line.trigger for line in w.lines()] == ["created", None, "contacted"]


def test_at_equality_the_record_comes_first() -> None:
    """A record that arrives at the due instant is decided before the firing."""
    w = world("clocks: [{clock: c, target: 10m, start: [created], stop: [closed], pause: [pending]}]")
    w.send("created", 0)
    w.send("contacted", 600)
    w.until(600)
    assert [line.trigger for line in w.lines()] == ["created", "contacted", None]


def test_a_refused_record_of_the_ticket_comes_after_what_was_due_too() -> None:
    """An illegal event still moves the arrival, so that what was due before it fires."""
    w = world("clocks: [{clock: c, target: 10m, start: [created], stop: [closed]}]")
    w.send("created", 0)
    w.send("resumed", 700)
    assert w.codes() == ["illegal_transition"]
    assert w.names("c") == ["started", "breached"]


def test_lateness_is_what_was_found_minus_what_was_due() -> None:
    """`found_at` is the later of the worker's clock and the running arrival: lateness is not negative."""
    w = world("clocks: [{clock: c, target: 10m, start: [created], stop: [closed]}]")
    w.send("created", 0, found=5)
    w.send("contacted", 700, found=100)
    assert w.entries()[1].clocks[0].lateness_seconds == 100.0
    assert seconds_of(w.entries()[1].clocks[0].found_at) == 700


def test_nothing_fires_early() -> None:
    """A firing that is not due yet is refused, and one that is not the ticket's next is none."""
    policies = written(STEPS)
    w = World(policies)
    w.send("created", 0)
    due = next_due(w.ticket(), policies)
    assert due is not None
    with pytest.raises(ValueError, match="not due"):
        decide_due(w.ticket(), due, at(1799), policies)
    assert decide_due(w.ticket(), due._replace(threshold="breach", order=3), at(DAY), policies) is None
    assert decide_due(w.ticket(), due, at(1800), policies) is not None


def test_a_firing_that_was_decided_is_not_due_again() -> None:
    """The same command a second time is nothing."""
    policies = written(STEPS)
    w = World(policies)
    w.send("created", 0)
    due = next_due(w.ticket(), policies)
    assert due is not None
    fact = decide_due(w.ticket(), due, at(DAY), policies)
    assert fact is not None
    assert isinstance(fact.after, Ticket)
    assert decide_due(fact.after, due, at(DAY), policies) is None


def test_what_a_change_moves_into_the_past_is_due_when_it_was_set() -> None:
    """Due is the later of the threshold's instant and the `at` of the change that set it."""
    w = world("""
clocks:
  - {clock: c, when: {priority: [urgent]}, target: 10m, start: [created], stop: [resolved], warn: [50%]}
  - {clock: c, target: 10h, start: [created], stop: [resolved], warn: [50%]}
""")
    w.send("created", 0)
    w.send("reclassified", 2 * HOUR, priority="urgent")
    w.until(2 * HOUR + 7)
    assert w.last().clocks == (("c", "breached", 2 * HOUR, 10 * MINUTE),)
    assert w.firings() == [("T", "c", 1, "50%", 2 * HOUR, 7.0), ("T", "c", 1, "breach", 2 * HOUR, 7.0)]


def test_after_an_outage_nothing_fires_twice() -> None:
    """Looking again later finds nothing more."""
    w = world(STEPS)
    w.send("created", 0)
    w.until(DAY)
    count = len(w.facts)
    w.until(2 * DAY)
    assert len(w.facts) == count


def test_a_ticket_with_nothing_to_come_is_due_for_nothing() -> None:
    """Without clocks, with all thresholds fired, or while paused nothing is due."""
    policies = written(
        "clocks: [{clock: c, target: 1h, start: [assigned], stop: [resolved], pause: [pending]}]"
    )
    w = World(policies)
    w.send("created", 0)
    assert next_due(w.ticket(), policies) is None
    w.send("assigned", 1)
    assert next_due(w.ticket(), policies) == Due(at(3601), "T", "c", 1, 0, "breach")
    w.send("pending", 2)
    assert next_due(w.ticket(), policies) is None
    w.send("resumed", 3)
    w.until(DAY)
    assert next_due(w.ticket(), policies) is None


# Versions of the policy.

V1 = (
    "clocks: [{clock: c, target: 1h, start: [created, contacted], stop: [resolved, closed], reopen: restart}]"
)
V2 = """
effective_from: "2026-03-02T09:30:00Z"
clocks:
  - {clock: c, target: 2h, start: [created, contacted], stop: [resolved], reopen: restart}
"""


def test_a_running_clock_keeps_the_version_it_started_under() -> None:
    """A newer version changes neither target nor triggers; the next cycle runs under the newer one."""
    w = world(V1, V2)
    w.send("created", 0)
    w.send("assigned", HOUR - 60)
    w.send("resolved", HOUR - 30)
    assert (w.clock("c").policy, w.names("c")) == ("test@1", ["started", "met"])
    w.send("reopened", HOUR)
    assert (w.clock("c").policy, w.changes("c")[-1]) == ("test@2", ("started", HOUR, 3 * HOUR))


@pytest.mark.parametrize(("arrives", "version"), [(1799.999999, "test@1"), (1800, "test@2")])
def test_the_arrival_decides_the_version(arrives: float, version: str) -> None:
    """Arrivals from `effective_from` on start clocks under that version, whatever the event's own time."""
    w = world(V1, V2)
    w.send("created", 0, arrives=arrives)
    assert w.clock("c").policy == version


def test_arrivals_before_the_earliest_version_use_it() -> None:
    """Before any version is in force the earliest one counts."""
    w = world(V2)
    w.send("created", 0)
    assert w.clock("c").policy == "test@1"


def test_a_version_that_is_not_there_stops_the_worker_with_a_clear_word() -> None:
    """A clock under an unknown version cannot be decided: neither a firing nor an event."""
    w = world(V1)
    w.send("created", 0)
    newer = Policies(written(V1, V2).versions[1:])
    with pytest.raises(UnknownPolicyVersion, match="test@1"):
        next_due(w.ticket(), newer)
    w.policies = newer
    with pytest.raises(UnknownPolicyVersion, match="TICKETFLOW_POLICY"):
        w.send("contacted", 5)
