"""The board: what people look at is what the records say, however they come."""

import pickle
from dataclasses import astuple
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.board import LATEST, Board, Promise, kept_and_broken, percentile
from consumers.log import Record
from ops import live
from schemas.envelope import Code
from schemas.records import Outcome
from schemas.state import State
from tests.support.boards import PREFIX, board, dead_letters, records, world
from tests.support.world import World, at, written

NAME = "Агафья Небывалая"


def _promises(made: Board) -> list[tuple[str, str, float]]:
    now = at(0)
    return sorted((p.ticket_id, p.clock, p.left_seconds(now)) for p in made.promises())


def test_open_promises_are_those_of_the_state() -> None:
    """Every running clock with a deadline is there, with its ticket, queue and operator; met ones are not."""
    history = world()
    history.send("created", 0, ticket="A", category="complex")
    history.send("created", 5, ticket="B", category="complex")
    history.send("assigned", 6, ticket="B", operator="op-7")
    made = board(records(history))
    assert _promises(made) == [
        ("A", "first_response", 30.0),
        ("A", "resolution", 600.0),
        ("B", "resolution", 605.0),
    ]
    (promise,) = (p for p in made.promises() if p.ticket_id == "B")
    assert (promise.queue, promise.operator) == ("reference", "op-7")
    assert dict(made.counts) == {(State.CREATED, "reference"): 1, (State.ASSIGNED, "reference"): 1}
    assert made.open_tickets == 2


def test_a_paused_clock_is_no_promise_at_risk() -> None:
    """While a ticket waits for the citizen its paused clock has no deadline, and is back when it goes on."""
    history = world()
    history.send("created", 0)
    history.send("assigned", 1)
    history.send("pending", 2)
    assert _promises(board(records(history))) == []
    history.send("resumed", 12)
    assert _promises(board(records(history))) == [("T", "resolution", 610.0)]


def test_a_tombstone_takes_the_ticket_away() -> None:
    """A ticket that has left the state is in no count any more."""
    history = world()
    history.send("created", 0)
    history.send("closed", 1, reason="cancelled")
    made = board(records(history))
    assert made.open_tickets == 0
    assert +made.counts == {(State.CLOSED, "registration"): 1}
    history.until(40 * 86_400)
    assert +board(records(history)).counts == {}


def test_a_breach_is_told_with_its_lateness() -> None:
    """A broken promise shows its deadline and how late it was found, and stays there until it is stopped."""
    history = world()
    history.send("created", 0)
    history.until(31.5)
    made = board(records(history))
    assert [(b.at, b.clock, b.lateness_seconds, b.withdrawn) for b in made.breaches] == [
        (at(30), "first_response", 1.5, False)
    ]
    assert list(made.lateness_seconds) == [16.5, 1.5]
    overdue = [p for p in made.promises() if p.left_seconds(at(31)) < 0]
    assert [(p.clock, p.used(at(31))) for p in overdue] == [("first_response", 1.0)]


def test_a_withdrawn_breach_is_told_and_deducted() -> None:
    """An event that arrives late and had kept the promise withdraws the breach, here and in the share."""
    history = world()
    history.send("created", 0, category="complex")
    history.until(31)
    history.send("assigned", 20, arrives=40)
    made = board(records(history))
    assert [(b.clock, b.withdrawn) for b in made.breaches] == [
        ("first_response", False),
        ("first_response", True),
    ]
    assert kept_and_broken(made.outcomes, "complex") == (1, 0)


def test_a_silent_citizen_breaks_no_promise() -> None:
    """The clock `confirmation` closes by its breach, which counts in no share: as in the report."""
    history = World(
        written("""
clocks:
  - {clock: resolution, target: 10m, start: [created], stop: [resolved]}
  - {clock: confirmation, target: 30s, start: [resolved], stop: [closed], cancel: [reopened],
     on_breach: [{after: 0s, do: close}]}
""")
    )
    for name in ("silent", "content"):
        history.send("created", 0, ticket=name, category="complex")
        history.send("assigned", 1, ticket=name, operator="op-7")
        history.send("resolved", 2, ticket=name)
    history.send("closed", 9, ticket="content", reason="confirmed")
    history.until(33)
    made = board(records(history))
    assert [breach.clock for breach in made.breaches] == ["confirmation"]
    assert kept_and_broken(made.outcomes, "complex") == (2, 0)
    picture = live.take(made, at(34))
    assert (picture.kept, picture.broken) == (2, 0)


def test_notifications_and_repeat_contacts_are_counted() -> None:
    """Each notification is counted by template; a ticket that follows another is a repeat contact."""
    history = world()
    history.send("created", 0, ticket="A")
    history.send("created", 1, ticket="B", follows="A")
    history.until(20)
    made = board(records(history))
    assert made.notified == {"ticket_registered": 2, "sla_warning": 2}
    assert [(n.template, n.role) for n in made.notices][-1] == ("sla_warning", "supervisor")
    assert made.repeat_contacts == 1


def test_dead_letters_show_code_and_place() -> None:
    """Of a dead letter the code and the place are shown; one without our headers is only counted."""
    made = board(list(dead_letters([Code.MALFORMED, Code.TOO_LARGE])))
    shown = [(letter.code, letter.topic, letter.partition, letter.offset) for letter in made.letters]
    assert shown == [("malformed", "tickets.events", 0, 0), ("too_large", "tickets.events", 0, 1)]
    made.apply([Record(f"{PREFIX}.dead-letter", 0, 9, 0, b"T", b"{}")])
    assert (len(made.letters), made.unreadable) == (2, 1)


@pytest.mark.parametrize("suffix", ["state", "journal", "notifications", "metrics"])
def test_what_is_not_ours_is_counted_and_passed_over(suffix: str) -> None:
    """A record that cannot be read does not stop the screen: it is counted."""
    made = board([Record(f"{PREFIX}.{suffix}", 0, 0, 0, b"T", b'{"data": {"what": 1}}')])
    assert made.unreadable == 1


def test_other_topics_are_passed_over() -> None:
    """Events, and topics with another prefix, are none of the board's business."""
    made = board([Record("tickets.events", 0, 0, 0, b"T", b"x"), Record("other.state", 0, 0, 0, b"T", b"x")])
    assert made.unreadable == 0


def test_what_has_happened_is_bounded() -> None:
    """Only the latest are kept."""
    made = board(list(dead_letters([Code.MALFORMED] * (LATEST + 5))))
    assert len(made.letters) == LATEST
    assert made.letters[-1].offset == LATEST + 4


def test_no_person_is_on_the_board() -> None:
    """Nothing that the board holds has a client's id, name or address."""
    history = world()
    client = {"id": "citizen-4711", "name": NAME, "email": "agafya@example.ru"}
    history.send("created", 0, client=client, description=NAME)
    history.until(31)
    held = pickle.dumps(astuple_all(board(records(history))))
    for personal in (NAME, "citizen-4711", "agafya"):
        assert personal.encode() not in held


def astuple_all(made: Board) -> list[Any]:
    """Everything that is on a board, as plain data."""
    happened = (made.breaches, made.notices, made.letters)
    return [
        sorted(map(astuple, made.promises())),
        *([astuple(each) for each in found] for found in happened),
        sorted((str(state), queue, count) for (state, queue), count in (+made.counts).items()),
        list(made.lateness_seconds),
        sorted(made.notified.items()),
        sorted((category, str(outcome), count) for (category, outcome), count in made.outcomes.items()),
        made.repeat_contacts,
        made.unreadable,
    ]


def _eventful() -> list[Record]:
    history = world()
    for number in range(6):
        history.send("created", number, ticket=f"T-{number}", category="complex")
    history.send("assigned", 8, ticket="T-1")
    history.send("pending", 9, ticket="T-1")
    history.until(33)
    history.send("assigned", 20, ticket="T-2", arrives=40)
    history.send("resolved", 50, ticket="T-2")
    history.send("closed", 60, ticket="T-3", reason="cancelled")
    return [*records(history), *dead_letters([Code.MALFORMED, Code.UNKNOWN_TICKET])]


_EVENTFUL = _eventful()


@given(st.lists(st.integers(0, len(_EVENTFUL)), max_size=12))
def test_any_batches_give_the_same_board(cuts: list[int]) -> None:
    """It does not matter how the records are split into batches."""
    made = Board(PREFIX)
    edges = [0, *sorted(cuts), len(_EVENTFUL)]
    for begin, end in pairwise(edges):
        made.apply(_EVENTFUL[begin:end])
    assert astuple_all(made) == astuple_all(board(_EVENTFUL))


@given(
    target_seconds=st.floats(0, 1e6),
    counted=st.floats(0, 1),
    lasts_seconds=st.integers(0, 10**6),
    moments=st.lists(st.integers(-100, 2 * 10**6), min_size=2),
)
def test_the_used_share_only_grows(
    target_seconds: float, counted: float, lasts_seconds: int, moments: list[int]
) -> None:
    """The share of a target that is used up never falls, lies between 0 and 1, and is 1 at the deadline."""
    since = at(0)
    deadline = since + timedelta(seconds=lasts_seconds)
    elapsed = target_seconds * counted
    promise = Promise("T", "c", 1, "status", None, deadline, target_seconds, elapsed, since)
    shares = [promise.used(at(moment)) for moment in sorted(moments)]
    assert shares == sorted(shares)
    assert all(0 <= share <= 1 for share in shares)
    assert promise.used(deadline) == 1


@given(st.lists(st.floats(0, 1e9), max_size=50), st.floats(0.01, 1))
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(values: list[float], share: float) -> None:
    """At least that share of the values is at most the percentile, which is one of them; nothing has none."""
    found = percentile(values, share)
    if not values:
        assert found is None
    else:
        assert found in values
        assert sum(value <= found for value in values) >= share * len(values) - 1e-9


def test_a_share_deducts_what_was_withdrawn() -> None:
    """Kept is met less unmet, broken is breached less retracted (contract)."""
    made = Board(PREFIX)
    for outcome, count in {"met": 5, "unmet": 2, "breached": 4, "retracted": 1, "cancelled": 9}.items():
        made.outcomes["complex", Outcome(outcome)] = count
    assert kept_and_broken(made.outcomes, "complex") == (3, 3)
