"""Whatever happens to a ticket, its deadlines can be explained, and the arithmetic is the journal's."""

from datetime import timedelta

from hypothesis import given, settings

from schemas.records import JournalEntry
from schemas.state import Verdict
from tests.support.histories import POLICY, Sent, histories
from tests.support.world import DAY, World, written
from workflow.explain import explain
from workflow.history import last_life
from workflow.policy import Policies

POLICIES = written(POLICY)


def journal(history: list[Sent]) -> tuple[World, list[JournalEntry]]:
    """The world after a history, a while later, and the last life of its ticket."""
    world = World(POLICIES)
    for sent in history:
        world.send(sent.trigger, sent.time, ticket=sent.ticket, arrives=sent.arrives, id=sent.id, **sent.data)
    world.until(history[-1].arrives + DAY / 24)
    return world, last_life(world.entries("A"))


@settings(max_examples=300)
@given(histories())
def test_the_arithmetic_ends_at_the_journals_deadline(history: list[Sent]) -> None:
    """Every deadline that was ever set, and every sum of elapsed time, is what the arithmetic gives."""
    world, entries = journal(history)
    told = explain(entries, POLICIES)
    assert all(cycle.agrees for cycle in told.clocks)
    ticket = world.tickets.get("A")
    running = () if ticket is None else [each for each in ticket.clocks if each.running and not each.paused]
    for clock in running:
        (cycle,) = [each for each in told.clocks if (each.clock, each.cycle) == (clock.clock, clock.cycle)]
        assert cycle.arithmetic is not None
        assert cycle.deadline == clock.deadline
        if clock.verdict is not Verdict.BREACHED:
            assert cycle.arithmetic.deadline == clock.deadline


@settings(max_examples=300)
@given(histories())
def test_what_counts_adds_up_to_the_target(history: list[Sent]) -> None:
    """The legs that count are the target together, and the stretches of a leg are the leg."""
    for cycle in explain(journal(history)[1], POLICIES).clocks:
        assert cycle.arithmetic is not None
        legs = cycle.arithmetic.legs
        counted = sum((timedelta(seconds=leg.seconds) for leg in legs if leg.counts), timedelta())
        assert counted == timedelta(seconds=cycle.arithmetic.target_seconds)
        for leg in legs:
            if leg.stretches and leg.seconds >= 0:
                parts = sum((timedelta(seconds=each.seconds) for each in leg.stretches), timedelta())
                assert parts == timedelta(seconds=leg.seconds)


@given(histories())
def test_without_the_policy_the_facts_are_left(history: list[Sent]) -> None:
    """Under another policy every fact is told all the same, and what is missing is named."""
    _, entries = journal(history)
    other = Policies(written(POLICY.replace("\n", '\nversion: "other"\n', 1)).versions)
    known, unknown = explain(entries, POLICIES), explain(entries, other)
    assert unknown.missing_policies == (("test@1",) if known.clocks else ())
    assert [[fact.change for fact in each.facts] for each in unknown.clocks] == [
        [fact.change for fact in each.facts] for each in known.clocks
    ]
    assert all(each.arithmetic is None and each.agrees is None for each in unknown.clocks)
