"""What another policy changes: verdicts folded from facts, and two replays held against each other."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings

from tests.support.histories import POLICY, Sent, histories
from tests.support.world import DAY, MINUTE, World, at, world
from workflow.compare import Book, Comparison, Moved, Word, compare

ONE = """clocks: [{{clock: answer, target: {target}, start: [created], stop: [assigned], cancel: [dropped],
  reopen: {reopen}, pause: [pending], warn: [50%],
  on_breach: [{{after: 0s, do: escalate, notify: [supervisor]}}]}}{more}]"""
PROMISE = ", {clock: promise, target: promised, start: [promised], stop: [resolved]}"


def policy(target: str, more: str = "", reopen: str = "none") -> str:
    """A policy whose one clock runs from the registration to an operator, and what else it has."""
    return ONE.format(target=target, more=more, reopen=reopen)


def book(played: World) -> Book:
    """What the facts of a world come to."""
    noted = Book()
    for fact in played.facts:
        noted.add(fact)
    return noted


def day(text: str) -> Book:
    """Three tickets that are answered after four, seven and twelve minutes, and one that never is."""
    played = world(text)
    for number, name in enumerate("ABCD"):
        played.send("created", number, ticket=name, category="complex" if name == "B" else "access_recovery")
    for name, minutes in (("A", 4), ("B", 7), ("C", 12)):
        played.send("assigned", minutes * MINUTE, ticket=name)
    played.until(20 * MINUTE)
    return book(played)


def words(noted: Book, clock: str = "answer") -> Counter[Word]:
    """How many cycles of a clock come to what."""
    return Counter(noted.verdicts().get(clock, {}))


def changes(comparison: Comparison) -> dict[str, tuple[str | None, str | None, str | None]]:
    """What changes by ticket, where each has one change at most."""
    return {each.ticket_id: each.kind[3:] for each in comparison.differences}


def test_a_shorter_target_breaks_the_promises_that_it_passes():
    """Of ten minutes made five: the answer after seven is late, and breaches come five minutes earlier."""
    before, after = day(policy("10m")), day(policy("5m"))
    assert words(before) == {Word.MET: 2, Word.BREACHED: 2}
    assert words(after) == {Word.MET: 1, Word.BREACHED: 3}
    found = compare(before, after)
    assert changes(found) == {
        "B": ("met", "breached", None),
        "C": ("breached", "breached", "earlier"),
        "D": ("breached", "breached", "earlier"),
    }
    assert [(k.clock, k.category, k.queue, count) for k, count in sorted(found.groups.items(), key=str)] == [
        ("answer", "access_recovery", "registration", 2),
        ("answer", "complex", "reference", 1),
    ]
    assert found.tickets == 3
    assert found.breaches == Moved(earlier=2, earlier_seconds=10 * MINUTE)
    assert found.deadlines == Moved(earlier=4, earlier_seconds=20 * MINUTE)


def test_by_how_much_is_told():
    """A difference has both deadlines and what had elapsed against the target."""
    found = compare(day(policy("10m")), day(policy("5m")))
    late = next(each for each in found.differences if each.ticket_id == "B")
    assert late.before == (Word.MET, at(10 * MINUTE + 1), 7 * MINUTE - 1, 10 * MINUTE)
    assert late.after == (Word.BREACHED, at(5 * MINUTE + 1), 7 * MINUTE - 1, 5 * MINUTE)


def test_a_longer_target_is_the_same_the_other_way_round():
    """What one direction loses the other wins, and breaches come later."""
    found = compare(day(policy("5m")), day(policy("10m")))
    assert changes(found)["B"] == ("breached", "met", None)
    assert found.breaches == Moved(later=2, later_seconds=10 * MINUTE)


def test_a_clock_may_be_there_under_one_policy_only():
    """Such a cycle has no verdict on the other side."""
    played = []
    for more in ("", PROMISE):
        each = world(policy("10m", more))
        each.send("created", 0)
        each.send("promised", 1, deadline=3600)
        each.send("assigned", 60)
        each.send("resolved", 120)
        played.append(book(each))
    found = compare(*played)
    (only,) = found.differences
    assert (only.kind.clock, only.before, only.kind.after) == ("promise", None, "met")
    (gone,) = compare(*reversed(played)).differences
    assert (gone.kind.before, gone.after) == ("met", None)
    assert found.deadlines == Moved()


def test_escalations_and_notifications_are_counted():
    """Every breach escalates and tells a supervisor, every half of a target warns one."""
    before, after = day(policy("10m")), day(policy("5m"))
    assert (before.escalations, after.escalations) == (2, 3)
    assert (before.notifications["sla_breached"], after.notifications["sla_breached"]) == (2, 3)
    assert (before.notifications["sla_warning"], after.notifications["sla_warning"]) == (3, 4)


def test_a_withdrawn_breach_counts_for_nothing():
    """An answer that arrives after the breach but counts before the deadline makes it met."""
    played = world(policy("10m"))
    played.send("created", 0)
    played.until(11 * MINUTE)
    assert words(book(played)) == {Word.BREACHED: 1}
    played.send("assigned", 9 * MINUTE, arrives=12 * MINUTE)
    assert words(book(played)) == {Word.MET: 1}


def test_a_breach_keeps_its_deadline_through_pause_and_stop():
    """Pausing takes the deadline of a clock that runs, not that of one that is breached already."""
    played = world(policy("10m"))
    played.send("created", 0)
    played.send("contacted", 1)
    played.until(11 * MINUTE)
    played.send("pending", 12 * MINUTE)
    (verdict,) = book(played).lives["T"][0].cycles.values()
    assert (verdict.word, verdict.deadline) == (Word.BREACHED, at(10 * MINUTE))


def test_a_paused_clock_runs_and_has_no_deadline():
    """Standing still is no verdict."""
    played = world(
        "clocks: [{clock: answer, target: 10m, start: [created], stop: [resolved], pause: [pending]}]"
    )
    played.send("created", 0)
    played.send("assigned", 60)
    played.send("pending", 120)
    (verdict,) = book(played).lives["T"][0].cycles.values()
    assert verdict == (Word.RUNNING, None, 120, 600)


@pytest.mark.parametrize(("reopen", "cycles"), [("none", 1), ("restart", 2), ("continue", 1)])
def test_reopening_is_followed(reopen: str, cycles: int):
    """A restart is another cycle; to go on withdraws the verdict; none leaves it."""
    played = world(policy("10m", reopen=reopen))
    played.send("created", 0)
    played.send("assigned", 60)
    played.send("resolved", 120)
    played.send("reopened", 180)
    found = [verdict.word for verdict in book(played).lives["T"][0].cycles.values()]
    running = [Word.RUNNING] if reopen != "none" else []
    assert found == ([Word.MET, *running] if cycles == 2 else running or [Word.MET])


def test_the_lives_of_an_id_are_held_apart():
    """An id that is used again after its ticket left the state begins another life, with its own cycles."""
    played = []
    for target in ("10m", "5m"):
        each = world("reopening_window: 1d\n" + policy(target))
        each.send("created", 0)
        each.send("closed", 60, reason="cancelled")
        each.until(2 * DAY)
        each.send("created", 2 * DAY)
        each.send("assigned", 2 * DAY + 7 * MINUTE)
        played.append(book(each))
    (difference,) = compare(*played).differences
    assert (difference.life, difference.cycle, difference.kind.after) == (2, 1, "breached")


def _played(history: Sequence[Sent], text: str) -> Book:
    played = world(text)
    for sent in history:
        played.send(
            sent.trigger, sent.time, ticket=sent.ticket, arrives=sent.arrives, id=sent.id, **sent.data
        )
    played.until(history[-1].arrives + DAY)
    return book(played)


@settings(max_examples=40)
@given(histories(tickets=3))
def test_a_policy_changes_nothing_against_itself(history: list[Sent]):
    """The same events under the same policy differ in nothing."""
    found = compare(_played(history, POLICY), _played(history, POLICY))
    assert (found.differences, dict(found.groups), found.tickets) == ((), {}, 0)
    assert found.deadlines == found.breaches == Moved()


@settings(max_examples=40)
@given(histories(tickets=3))
def test_the_groups_add_up_to_the_totals(history: list[Sent]):
    """What a clock's verdicts are after is what they were before, less and more what the groups say."""
    other = POLICY.replace("target: 10m", "target: 2m").replace("target: 2h", "target: 30m")
    before, after = _played(history, POLICY), _played(history, other)
    found = compare(before, after)
    expected = {clock: Counter(counts) for clock, counts in before.verdicts().items()}
    for kind, count in found.groups.items():
        if kind.before is not None:
            expected.setdefault(kind.clock, Counter())[kind.before] -= count
        if kind.after is not None:
            expected.setdefault(kind.clock, Counter())[kind.after] += count
    have = after.verdicts()
    assert {clock: +counts for clock, counts in expected.items() if +counts} == have
    assert sum(found.groups.values()) == len(found.differences)
