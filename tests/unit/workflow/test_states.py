"""The states of a ticket. The table below is the contract's, written down again, not read from the code."""

from collections.abc import Callable

import pytest

from schemas.envelope import Code
from schemas.state import State
from tests.support.world import DAY, MINUTE, World, world
from workflow.decide import Accepted, Rejected
from workflow.states import STATES, TABLE, TRIGGERS

NO_CLOCK = "clocks: [{clock: never, target: 1h, start: [returned], stop: [resolved]}]"
CLOSES = """
clocks:
  - {clock: confirmation, target: 1h, start: [resolved], stop: [closed, reopened],
     on_breach: [{after: 0s, do: close}]}
"""

EVENTS = (
    "created", "assigned", "transferred", "escalated", "promised", "contacted", "pending", "resumed",
    "reclassified", "resolved", "reopened", "closed", "absorbed", "dropped", "scheduled", "returned",
)  # fmt: skip

UNCHANGED = ("contacted", "promised", "reclassified", "absorbed", "dropped", "scheduled", "returned")

LEGAL: dict[tuple[str, str], str] = {
    ("created", "assigned"): "assigned",
    ("assigned", "assigned"): "assigned",
    ("escalated", "assigned"): "escalated",
    **{(s, "transferred"): "created" for s in ("created", "assigned", "escalated", "pending")},
    **{(s, "escalated"): "escalated" for s in ("created", "assigned", "escalated", "pending")},
    ("assigned", "pending"): "pending",
    ("escalated", "pending"): "pending",
    ("pending", "resumed"): "assigned",
    ("pending of escalated", "resumed"): "escalated",
    **{(s, "resolved"): "resolved" for s in ("assigned", "escalated", "pending")},
    ("resolved", "reopened"): "assigned",
    ("resolved without operator", "reopened"): "created",
    ("closed", "reopened"): "assigned",
    ("closed without operator", "reopened"): "created",
    **{(s, "closed"): "closed" for s in ("created", "assigned", "escalated", "pending", "resolved")},
    ("expired", "closed"): "closed",
    **{(s, t): s for s in ("created", "assigned", "escalated", "pending", "resolved") for t in UNCHANGED},
    ("closed", "contacted"): "closed",
    ("closed", "dropped"): "closed",
}
"""(where the ticket stands, trigger) to the next state; the variants of a state inherit its rows."""

VARIANTS = {
    "pending of escalated": "pending",
    "resolved without operator": "resolved",
    "closed without operator": "closed",
    "expired": "closed",
}

PATHS: dict[str, tuple[str, ...]] = {
    "created": (),
    "assigned": ("assigned",),
    "escalated": ("assigned", "escalated"),
    "pending": ("assigned", "pending"),
    "pending of escalated": ("assigned", "escalated", "pending"),
    "resolved": ("assigned", "resolved"),
    "resolved without operator": ("escalated", "resolved"),
    "closed": ("assigned", "resolved", "closed"),
    "closed without operator": ("closed",),
    "expired": ("assigned", "resolved", "EXPIRE"),
}
"""How a ticket that was created gets there."""

DATA: dict[str, Callable[[float], dict[str, object]]] = {
    "promised": lambda time: {"deadline": time + 3600},
    "scheduled": lambda time: {"at_": time + 3600},
    "reclassified": lambda _: {"priority": "high"},
    "absorbed": lambda time: {"registered_at": time},
}


def send(w: World, trigger: str, time: float) -> object:
    """An event with whatever its type needs."""
    return w.send(trigger, time, **DATA.get(trigger, lambda _: {})(time))


def standing(where: str) -> World:
    """A world with one ticket that stands there."""
    w = world(CLOSES if where == "expired" else NO_CLOCK)
    w.send("created", 0)
    for number, step in enumerate(PATHS[where], 1):
        if step == "EXPIRE":
            w.until(2 * 60 * MINUTE)
        else:
            send(w, step, number)
    return w


def expected(where: str, trigger: str) -> str | None:
    """What the contract's table says, or None for `illegal_transition`."""
    return LEGAL.get((where, trigger), LEGAL.get((VARIANTS.get(where, where), trigger)))


@pytest.mark.parametrize("trigger", EVENTS)
@pytest.mark.parametrize("where", PATHS)
def test_a_trigger_leads_where_the_contract_says_and_anything_else_is_illegal(
    where: str, trigger: str
) -> None:
    """Every state with every trigger: the contract's next state, or `illegal_transition`."""
    w = standing(where)
    before = w.ticket()
    outcome = send(w, trigger, 3 * 60 * MINUTE)
    to = expected(where, trigger)
    if to is None:
        assert isinstance(outcome, Rejected)
        assert outcome.code is Code.ILLEGAL_TRANSITION
        assert w.ticket() == before
    else:
        assert isinstance(outcome, Accepted), outcome
        assert outcome.entry.from_ == before.state
        assert (outcome.entry.to, w.ticket().state) == (to, State(to))


@pytest.mark.parametrize("trigger", EVENTS)
def test_without_a_ticket_only_a_creation_counts(trigger: str) -> None:
    """An event about a ticket that is not there is `unknown_ticket`, unless it creates the ticket."""
    w = world(NO_CLOCK)
    outcome = send(w, trigger, 0)
    if trigger == "created":
        assert isinstance(outcome, Accepted)
        assert w.last()[:3] == ("created", None, "created")
    else:
        assert isinstance(outcome, Rejected)
        assert outcome.code is Code.UNKNOWN_TICKET


def test_a_refusal_names_no_value() -> None:
    """The sentence of a refusal has neither the ticket's id nor anything of the event's data."""
    w = standing("closed")
    w.send("assigned", 50, operator="op-secret")
    w.send("assigned", 51, ticket="T-secret", operator="op-secret")
    assert w.codes() == ["illegal_transition", "unknown_ticket"]
    assert not any("secret" in rejected.message for rejected in w.refused)


def test_the_table_holds_nothing_but_the_contract() -> None:
    """Apart from the engine's two triggers the code's table allows exactly what the contract's allows."""
    allowed = {(row.source, row.trigger) for row in TABLE if row.trigger not in ("escalate", "close")}
    of_contract = {(VARIANTS.get(where, where), trigger) for where, trigger in LEGAL}
    assert allowed == of_contract | {("nothing", "created"), ("nothing", "dropped")}


def test_a_policy_may_name_every_trigger_of_the_contract() -> None:
    """The triggers are those of the contract's table of events; the states the six of its section States."""
    assert set(TRIGGERS) == {*EVENTS, "contacted.client", "contacted.operator"}
    assert set(STATES) == {"created", "assigned", "escalated", "pending", "resolved", "closed"}


def test_a_second_reason_after_the_late_one_is_refused() -> None:
    """On a ticket that the engine closed one late `closed` is applied; then it is closed by a person."""
    w = standing("expired")
    assert w.ticket().close_reason == "expired"
    w.send("closed", 9_000, reason="confirmed")
    assert w.ticket().close_reason == "confirmed"
    w.send("closed", 9_001, reason="cancelled")
    assert w.codes() == ["illegal_transition"]


def test_an_escalation_raises_the_level_each_time() -> None:
    """`level` counts the escalations."""
    w = standing("assigned")
    w.send("escalated", 5)
    w.send("escalated", 6)
    assert [entry.level for entry in w.entries()] == [0, 0, 1, 2]


def test_a_transfer_clears_the_operator() -> None:
    """After a transfer nobody is in charge, and the queue is the new one."""
    w = standing("assigned")
    w.send("transferred", 5, queue="security")
    assert (w.ticket().operator, w.ticket().queue) == (None, "security")
    assert w.entries()[-1].changed == {"queue": "security", "operator": None}


def test_a_ticket_leaves_the_state_when_its_reopening_window_is_over() -> None:
    """The last journal record has cause.clock `reopening_window`, and trigger and to are null."""
    w = world("reopening_window: 2d\n" + NO_CLOCK)
    w.send("created", 0)
    w.send("closed", 60)
    w.until(2 * DAY + 59)
    assert w.ticket().state is State.CLOSED
    w.until(3 * DAY)
    entry = w.entries()[-1]
    assert (entry.cause.kind, getattr(entry.cause, "clock", None)) == ("clock", "reopening_window")
    assert (entry.trigger, entry.from_, entry.to) == (None, "closed", None)
    assert w.firings() == [("T", "reopening_window", 1, "over", 2 * DAY + 60, None)]
    assert w.tickets == {}


def test_at_the_end_of_the_window_a_reopening_still_comes_first() -> None:
    """At equality the record comes first: a reopening that arrives with the end of the window counts."""
    w = world("reopening_window: 2d\n" + NO_CLOCK)
    w.send("created", 0)
    w.send("closed", 60)
    w.send("reopened", 2 * DAY + 60)
    w.until(9 * DAY)
    assert w.ticket().state is State.CREATED


def test_after_the_window_the_ticket_is_unknown_and_its_id_may_start_again() -> None:
    """A reopening after the window is `unknown_ticket`; a reused id starts at seq 1."""
    w = world("reopening_window: 2d\n" + NO_CLOCK)
    w.send("created", 0, id="first")
    w.send("closed", 60)
    w.send("reopened", 2 * DAY + 61)
    assert w.codes() == ["unknown_ticket"]
    w.send("created", 2 * DAY + 62, id="first")
    assert [entry.seq for entry in w.entries()] == [1, 2, 3, 1]


def test_the_end_of_the_window_cancels_running_clocks() -> None:
    """What still runs when the ticket leaves the state is cancelled; a broken promise stays broken."""
    w = world("""
reopening_window: 1d
clocks:
  - {clock: long, target: 5d, start: [closed], stop: [resolved]}
  - {clock: short, target: 1h, start: [closed], stop: [resolved]}
""")
    w.send("created", 0)
    w.send("closed", 0)
    w.until(9 * DAY)
    assert w.last().clocks == (("long", "cancelled", DAY, 5 * DAY), ("short", "stopped", DAY, 3600))
    assert w.measured("clock_outcome") == [("short", "breached"), ("long", "cancelled")]


def test_the_window_is_that_of_the_version_in_force_at_the_last_close() -> None:
    """A ticket that is closed again under a newer version waits that version's window."""
    w = world(
        "reopening_window: 1d\n" + NO_CLOCK,
        'effective_from: "2026-03-02T10:00:00Z"\nreopening_window: 3d\n' + NO_CLOCK,
    )
    w.send("created", 0)
    w.send("closed", 0)
    w.send("reopened", 3600)
    w.send("closed", 3601)
    w.until(9 * DAY)
    assert w.firings()[-1][4] == 3 * DAY + 3601


def test_the_window_of_what_the_engine_closed_counts_from_when_it_was_due() -> None:
    """The engine's own closing opens the reopening window too, from the instant at which it was due."""
    w = world("reopening_window: 1d\n" + CLOSES)
    w.send("created", 0)
    w.send("assigned", 1)
    w.send("resolved", 2)
    w.until(9 * DAY)
    assert w.firings()[-1][3:5] == ("over", DAY + 3602)


@pytest.mark.parametrize(
    ("where", "to", "level", "trigger"),
    [
        ("created", "escalated", 1, "escalated"),
        ("assigned", "escalated", 1, "escalated"),
        ("escalated", "escalated", 2, "escalated"),
        ("pending", "pending", 1, "escalated"),
        ("resolved", "resolved", 0, None),
        ("closed", "closed", 0, None),
    ],
)
def test_the_engines_escalation_depends_on_the_state(
    where: str, to: str, level: int, trigger: str | None
) -> None:
    """It leads to escalated, one level up; pending stays pending; resolved and closed only notify."""
    w = world("""
clocks:
  - {clock: c, target: 1h, start: [created], stop: [returned],
     on_breach: [{after: 0s, do: escalate, notify: [supervisor]}]}
""")
    w.send("created", 0)
    for number, step in enumerate(PATHS[where], 1):
        send(w, step, number)
    w.until(3600)
    entry = w.entries()[-1]
    assert (entry.trigger, entry.to, entry.level) == (trigger, to, level)
    assert len(w.told("sla_breached")) == 1


def test_what_the_engine_escalated_while_pending_resumes_escalated() -> None:
    """In pending it stays pending, and `resumed` then leads to escalated."""
    w = world("""
clocks:
  - {clock: c, target: 1h, start: [created], stop: [returned], on_breach: [{after: 0s, do: escalate}]}
""")
    w.send("created", 0)
    w.send("assigned", 1)
    w.send("pending", 2)
    w.until(3600)
    w.send("resumed", 3700)
    assert w.last()[:3] == ("resumed", "pending", "escalated")


def test_the_engines_closing_is_in_the_record_of_the_firing() -> None:
    """`close` closes as `expired` in the same record after `breached`, and acts on clocks as `closed`."""
    w = world("""
clocks:
  - {clock: a, target: 2h, start: [created], stop: [closed]}
  - {clock: b, target: 1h, start: [resolved], stop: [closed, reopened], on_breach: [{after: 0s, do: close}]}
  - {clock: c, target: 9h, start: [created], stop: [returned], cancel: [closed]}
""")
    w.send("created", 0)
    w.send("assigned", 1)
    w.send("resolved", 2)
    w.until(DAY)
    assert w.last() == (
        "closed",
        "resolved",
        "closed",
        (
            ("b", "breached", 3602, 3602),
            ("a", "met", 3602, 7200),
            ("b", "stopped", 3602, 3602),
            ("c", "cancelled", 3602, 9 * 3600),
        ),
    )
    assert w.entries()[-1].changed["close_reason"] == "expired"


def test_a_later_step_may_close_too() -> None:
    """`close` stands in the same record after `stepped`."""
    w = world("""
clocks:
  - {clock: b, target: 1h, start: [resolved], stop: [closed, reopened],
     on_breach: [{after: 0s, notify: [supervisor]}, {after: 30m, do: close}]}
""")
    w.send("created", 0)
    w.send("assigned", 0)
    w.send("resolved", 0)
    w.until(DAY)
    assert w.last() == (
        "closed",
        "resolved",
        "closed",
        (("b", "stepped +30m", 5400, 3600), ("b", "stopped", 5400, 3600)),
    )


def test_the_engines_escalation_is_no_trigger_for_clocks() -> None:
    """A clock that stops at `escalated` goes on when the engine escalates."""
    w = world("""
clocks:
  - {clock: a, target: 1h, start: [created], stop: [returned], on_breach: [{after: 0s, do: escalate}]}
  - {clock: b, target: 2h, start: [created], stop: [escalated]}
""")
    w.send("created", 0)
    w.until(3600)
    assert w.names("b") == ["started"]
    w.send("escalated", 3700)
    assert w.names("b") == ["started", "met"]


def test_a_drop_that_creates_counts_as_created_and_then_dropped() -> None:
    """One journal record of the trigger `dropped`, in which created acts on the clocks before dropped."""
    w = world("""
clocks:
  - {clock: first_response, target: 30s, start: [created], stop: [assigned], cancel: [dropped]}
  - {clock: callback, target: 5m, start: [dropped], stop: [returned]}
""")
    w.send("dropped", 0, channel="phone", category="complex", client={"id": "c-1"})
    assert w.lines() == [
        (
            "dropped",
            None,
            "created",
            (
                ("first_response", "started", 0, 30),
                ("first_response", "cancelled", 0, 30),
                ("callback", "started", 0, 300),
            ),
        )
    ]
    assert [t[0] for t in w.told()] == ["ticket_registered", "callback_offered"]


def test_a_drop_without_the_fields_of_a_creation_needs_a_ticket() -> None:
    """Without them it is `unknown_ticket` where there is none, and a plain drop where there is one."""
    w = world(NO_CLOCK)
    w.send("dropped", 0)
    assert w.codes() == ["unknown_ticket"]
    w.send("created", 1, category="complex")
    w.send("dropped", 2, channel="chat", category="status_check", client={"id": "c-2"})
    assert w.last()[:3] == ("dropped", "created", "created")
    assert w.ticket().category == "complex"
    assert w.entries()[-1].changed == {}


def test_a_drop_on_a_closed_ticket_starts_the_callback() -> None:
    """On a closed ticket a drop is recorded and starts `callback`."""
    w = world("clocks: [{clock: callback, target: 5m, start: [dropped], stop: [returned]}]")
    w.send("created", 0)
    w.send("closed", 1)
    w.send("dropped", 2)
    assert w.last() == ("dropped", "closed", "closed", (("callback", "started", 2, 302),))


def test_merging_tells_the_survivor() -> None:
    """A ticket that closes as merged makes an `absorbed` event for the survivor."""
    w = world(NO_CLOCK)
    w.send("created", 7, ticket="OLD")
    outcome = w.send("closed", 60, ticket="OLD", reason="merged", merged_into="T")
    assert isinstance(outcome, Accepted)
    assert outcome.absorbed is not None
    survivor, learnt = outcome.absorbed
    assert (survivor, learnt.ticket) == ("T", "OLD")
    assert learnt.to_json() == b'{"ticket":"OLD","registered_at":"2026-03-02T09:00:07.000000Z"}'


@pytest.mark.parametrize("reason", ["confirmed", "cancelled", "duplicate"])
def test_only_a_merge_tells_a_survivor(reason: str) -> None:
    """Another reason makes no event, whatever stands in merged_into."""
    w = world(NO_CLOCK)
    w.send("created", 0)
    outcome = w.send("closed", 60, reason=reason, merged_into="T2")
    assert isinstance(outcome, Accepted)
    assert outcome.absorbed is None
