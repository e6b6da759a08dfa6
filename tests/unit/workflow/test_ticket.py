"""Evolving a ticket: facts make tickets, and nothing else does."""

import pytest
from pydantic import ValidationError

from tests.support.world import at, world
from workflow.ticket import evolve

POLICY = "clocks: [{clock: c, target: 1h, start: [created], stop: [resolved]}]"


def test_a_ticket_is_frozen() -> None:
    """A ticket cannot be changed in place."""
    w = world(POLICY)
    w.send("created", 0)
    with pytest.raises(ValidationError, match="frozen"):
        w.ticket().level = 3  # type: ignore[misc]


def test_evolve_leaves_the_ticket_before_as_it_was() -> None:
    """The next ticket is a new one."""
    w = world(POLICY)
    w.send("created", 0)
    before = w.ticket()
    copy = before.model_copy(deep=True)
    w.send("assigned", 1)
    w.send("resolved", 2)
    assert before == copy


def test_a_record_that_leads_nowhere_ends_the_ticket() -> None:
    """`to` null: the ticket leaves the state."""
    w = world("reopening_window: 1d\n" + POLICY)
    w.send("created", 0)
    w.send("closed", 1)
    before = w.ticket()
    w.until(90_000)
    assert evolve(before, w.entries()[-1]) is None


def test_the_first_assignment_is_kept() -> None:
    """When somebody took the ticket first does not move with later assignments."""
    w = world(POLICY)
    w.send("created", 0)
    w.send("assigned", 10)
    w.send("transferred", 20)
    w.send("assigned", 30)
    assert w.ticket().assigned_at == at(10)


def test_the_date_of_the_closing_is_fixed() -> None:
    """What happens to a closed ticket does not move the date of its closing."""
    w = world(POLICY)
    w.send("created", 0)
    w.send("closed", 10)
    w.send("contacted", 20)
    assert w.ticket().closed_at == at(10)


def test_where_a_pending_ticket_resumes_is_part_of_its_state() -> None:
    """It is remembered while pending, and forgotten after."""
    w = world(POLICY)
    w.send("created", 0)
    w.send("escalated", 1)
    w.send("pending", 2)
    assert w.ticket().resumes_to == "escalated"
    w.send("resumed", 3)
    assert w.ticket().resumes_to is None
