"""What holds for every history: the journal gives the state, and no promise is judged or told twice."""

from collections import Counter
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Change, JournalEntry
from schemas.state import Ticket
from tests.support.histories import POLICY, Sent, histories
from tests.support.laws import law
from tests.support.world import DAY, World, written
from workflow.measures import metrics
from workflow.notices import notifications
from workflow.ticket import evolve, public

POLICIES = written(POLICY)
COUNTS = {"met": 1, "unmet": -1, "breached": 1, "retracted": -1, "cancelled": 0}
"""What an outcome adds to the verdicts of a cycle that stand; a cancelled one has none."""


def played(history: list[Sent], *, idle: bool, found: float | None = None) -> World:
    """The world after a history; `idle`: the engine then waits until nothing is due for two days more."""
    w = World(POLICIES)
    for event in history:
        w.send(
            event.trigger,
            event.time,
            arrives=event.arrives,
            ticket=event.ticket,
            id=event.id,
            found=found,
            **event.data,
        )
    if idle:
        w.until(history[-1].arrives + 2 * DAY)
    return w


def as_written(w: World, ticket: str = "A") -> list[bytes]:
    """The bytes of the journal without the three engine-time fields."""
    return [
        entry.model_dump_json(
            by_alias=True,
            exclude_unset=True,
            exclude={"recorded_at": True, "clocks": {"__all__": {"found_at", "lateness_seconds"}}},
        ).encode()
        for entry in w.entries(ticket)
    ]


def changes(w: World) -> list[tuple[int, str, int, str, str | None]]:
    """(life, clock, cycle, change, threshold) of every change; a reused id is another life."""
    life, found = 0, []
    for entry in w.entries("A"):
        found += [(life, c.clock, c.cycle, str(c.change), c.threshold) for c in entry.clocks]
        life += entry.to is None
    return found


@law
@given(histories(), st.booleans())
def test_the_fold_of_the_journal_is_the_state(history: list[Sent], idle: bool) -> None:
    """Folding the bytes of a ticket's journal gives its state but for client, free texts and digests."""
    w = played(history, idle=idle)
    ticket: Ticket | None = None
    for entry in w.entries("A"):
        text = entry.model_dump_json(by_alias=True, exclude_unset=True)
        ticket = evolve(ticket, JournalEntry.model_validate_json(text))
    stands = w.tickets.get("A")
    assert ticket == (None if stands is None else public(stands))


@law
@given(histories())
def test_the_state_survives_being_written_and_read(history: list[Sent]) -> None:
    """A ticket read back from its own bytes is the same ticket."""
    for ticket in played(history, idle=False).tickets.values():
        assert Ticket.model_validate_json(ticket.model_dump_json(by_alias=True)) == ticket


@law
@given(histories())
def test_no_threshold_fires_twice_in_a_cycle_but_after_a_retraction(history: list[Sent]) -> None:
    """A warning fires once a cycle, the breach and its steps once and again after each retraction."""
    fired: set[tuple[int, str, int, str]] = set()
    for life, clock, cycle, change, threshold in changes(played(history, idle=True)):
        if change == "retracted":
            fired = {
                f for f in fired if f[:3] != (life, clock, cycle) or not (f[3] == "breach" or f[3][0] == "+")
            }
        elif threshold is not None:
            assert (life, clock, cycle, threshold) not in fired
            fired.add((life, clock, cycle, threshold))


LEADS: dict[str | None, set[str]] = {
    None: {"started"},
    "running": {"paused", "retargeted", "warned", "breached", "met", "cancelled"},
    "paused": {"resumed", "retargeted", "met", "cancelled"},
    "breached": {"paused", "retargeted", "stepped", "warned", "stopped", "retracted"},
    "breached paused": {"resumed", "retargeted", "stopped", "retracted"},
    "met": {"started", "retracted"},
    "stopped": {"started", "resumed", "retracted"},
    "cancelled": {"started", "resumed"},
    "retracted": {"met", "cancelled", "paused"},
    "unmet": {"resumed", "cancelled"},
}
AGAIN = {"running": "resumed", "breached": "resumed", "paused": "paused", "breached paused": "paused"}
"""What may come twice when the second one arrives late."""


def after(state: str | None, change: str) -> str:
    """The state of a clock after a change, written down from the contract's words."""
    if change == "retracted":
        return "unmet" if state == "met" else "retracted"
    if change in ("paused", "resumed"):
        broken = state is not None and (state.startswith("breached") or state == "stopped")
        running = "breached" if broken else "running"
        return (
            {"running": "paused", "breached": "breached paused"}[running] if change == "paused" else running
        )
    return {"started": "running", "breached": "breached", "met": "met", "stopped": "stopped"}.get(
        change, "cancelled" if change == "cancelled" else str(state)
    )


ENDED = {"met": 1, "stopped": 1, "cancelled": 0}
RUNS = {"running": 0, "paused": 0, "breached": 1, "breached paused": 1}
"""How many verdicts stand for a cycle in each state that it may be left in."""


@law
@given(histories())
def test_a_cycle_ends_in_exactly_one_verdict_or_runs(history: list[Sent]) -> None:
    """Never do two verdicts stand; an ended cycle has one, or is cancelled; only a life's last may run."""
    w = played(history, idle=True)
    standing: Counter[tuple[int, str, int]] = Counter()
    states: dict[tuple[int, str, int], str] = {}
    life = 0
    for fact in w.facts:
        for change in fact.entry.clocks:
            cycle = life, change.clock, change.cycle
            states[cycle] = after(states.get(cycle), change.change)
        for _, metric in metrics(fact):
            if metric.metric == "clock_outcome":
                clock = metric.labels["clock"]
                last = max(cycle for cycle in states if cycle[:2] == (life, clock))
                standing[last] += COUNTS[metric.labels["outcome"]]
                assert standing[last] in (0, 1)
        life += fact.entry.to is None
    for (life_of, clock, number), state in states.items():
        is_last = life_of == life and (life_of, clock, number + 1) not in states
        assert standing[life_of, clock, number] == ({**ENDED, **RUNS} if is_last else ENDED)[state]


@law
@given(histories())
def test_the_changes_of_a_clock_follow_each_other_as_the_contract_has_it(history: list[Sent]) -> None:
    """After an end only a start or reopening comes; what is paused fires nothing; cycles count from 1."""
    states: dict[str, str | None] = {}
    cycles: Counter[str] = Counter()
    by_engine: dict[str, datetime] = {}
    for entry in played(history, idle=True).entries("A"):
        for each in entry.clocks:
            clock, change, state = each.clock, str(each.change), states.get(each.clock)
            if change == AGAIN.get(state):
                # A late event paused it, or let it go on, and only the engine itself had done so since.
                assert each.at < by_engine[clock], f"{clock}: {change} again"
            elif change == "breached" and state in ("paused", "retracted"):
                # Ended with more counted than promised: an earlier registration or a shorter target came in
                # while it was paused, or broken by a later deadline.
                assert entry.cause.kind == "event", f"{clock}: fired while {state}"
            else:
                assert change in LEADS[state], f"{clock}: {change} while {state}"
            if entry.cause.kind == "event" and change != "retargeted":
                by_engine.pop(clock, None)
            elif change in ("paused", "resumed"):
                by_engine[clock] = each.at
            cycles[clock] += change == "started"
            assert each.cycle == cycles[clock]
            states[clock] = after(state, change)
        if entry.to is None:  # a reused id is another life
            states, cycles, by_engine = {}, Counter(), {}


@law
@given(histories())
def test_seq_counts_from_one_without_gaps(history: list[Sent]) -> None:
    """Also for an id that is used again."""
    expected = 1
    for entry in played(history, idle=True).entries("A"):
        assert entry.seq == expected
        expected = 1 if entry.to is None else expected + 1


@law
@given(histories())
def test_nothing_is_early_and_lateness_is_what_was_found_minus_what_was_due(history: list[Sent]) -> None:
    """No threshold fires before its business time has elapsed, and no firing is found before it is due."""
    for entry in played(history, idle=True).entries("A"):
        for change in entry.clocks:
            if entry.cause.kind == "clock" and change.lateness_seconds is not None:
                assert change.found_at is not None
                assert change.found_at >= entry.cause.due
                assert change.lateness_seconds == (change.found_at - entry.cause.due).total_seconds()
                rule = POLICIES.get(change.policy).rule(change.rule)
                (threshold,) = [each for each in rule.thresholds if each.name == change.threshold]
                point = threshold.point(timedelta(seconds=change.target_seconds))
                assert timedelta(seconds=change.elapsed_seconds) >= point


@law
@given(histories(), st.integers(0, 10**6))
def test_the_engines_clock_decides_nothing(history: list[Sent], found: int) -> None:
    """Whatever the worker's clock says, the journal's bytes are the same but for the engine-time fields."""
    assert as_written(played(history, idle=False)) == as_written(played(history, idle=False, found=found))


@law
@given(histories())
def test_ids_of_outputs_are_never_shared(history: list[Sent]) -> None:
    """Every notification and metric of a life has an id of its own, and names a role that somebody fills."""
    w = played(history, idle=True)
    life, seen = 0, set()
    for fact in w.facts:
        for name in [n for n, _ in notifications(fact)] + [m for m, _ in metrics(fact)]:
            assert (life, name) not in seen
            seen.add((life, name))
        life += fact.entry.to is None


@law
@given(histories())
def test_elapsed_never_goes_back_within_a_cycle_and_is_never_negative(history: list[Sent]) -> None:
    """What an event has counted stays counted, and deadlines are null exactly while paused."""
    paused: dict[str, bool] = {}
    for entry in played(history, idle=True).entries("A"):
        for change in entry.clocks:
            assert change.elapsed_seconds >= 0
            if change.change is Change.PAUSED:
                paused[change.clock] = True
            elif change.change in (Change.STARTED, Change.RESUMED):
                paused[change.clock] = False
            assert (change.deadline is None) == paused.get(change.clock, False), change.change
