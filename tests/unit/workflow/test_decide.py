"""What an event does besides clocks and states: duplicates, rejections, fields, the fold."""

from schemas.envelope import Code
from schemas.records import JournalEntry
from schemas.state import REMEMBERED_EVENTS, Ticket
from tests.support.world import DAY, HOUR, World, at, world
from workflow.decide import Accepted, Duplicate, Rejected
from workflow.ticket import evolve, public

CLOCKS = """
clocks:
  - {clock: c, target: 1h, start: [created], stop: [resolved], pause: [pending], warn: [50%],
     reopen: continue, on_breach: [{after: 0s, do: escalate, notify: [operator, supervisor, client]}]}
"""


def test_the_same_source_and_id_is_a_duplicate_whatever_its_content() -> None:
    """A second event of that source and id changes nothing, though its type and data differ."""
    w = world(CLOCKS)
    w.send("created", 0, id="1")
    before = w.ticket()
    assert isinstance(w.send("closed", 5, id="1", reason="cancelled"), Duplicate)
    assert w.ticket() == before


def test_source_and_id_identify_together() -> None:
    """The same id of another source is another event, and so is one whose texts only run together."""
    w = world(CLOCKS)
    w.send("created", 0, id="1", source="/a")
    assert isinstance(w.send("contacted", 1, id="1", source="/b"), Accepted)
    assert isinstance(w.send("contacted", 2, id="b1", source="/"), Accepted)


def test_events_are_remembered_per_ticket() -> None:
    """The same source and id about another ticket is no duplicate."""
    w = world(CLOCKS)
    w.send("created", 0, id="1")
    assert isinstance(w.send("created", 0, id="1", ticket="U"), Accepted)


def test_a_duplicate_of_what_would_be_illegal_now_is_a_duplicate() -> None:
    """The duplicate is told before the state is looked at."""
    w = world(CLOCKS)
    w.send("created", 0, id="1")
    w.send("closed", 1)
    assert isinstance(w.send("created", 2, id="1"), Duplicate)


def test_rejected_ids_are_not_remembered() -> None:
    """A dead letter can be replayed: what was refused once is decided anew."""
    w = world(CLOCKS)
    assert isinstance(w.send("assigned", 0, id="1"), Rejected)
    w.send("created", 1)
    assert isinstance(w.send("resumed", 2, id="2"), Rejected)
    assert isinstance(w.send("assigned", 3, id="1"), Accepted)
    w.send("pending", 4)
    assert isinstance(w.send("resumed", 5, id="2"), Accepted)


def test_the_last_256_applied_events_are_remembered() -> None:
    """The 256th last is a duplicate still, the 257th is forgotten; duplicates and firings do not count."""
    w = world(CLOCKS)
    w.send("created", 0, id="0")
    for number in range(1, 257):
        w.send("contacted", number, id=str(number))
    assert len(w.ticket().seen) == REMEMBERED_EVENTS == 256
    assert isinstance(w.send("contacted", 300, id="1"), Duplicate)
    assert isinstance(w.send("contacted", 301, id="1"), Duplicate)
    w.until(DAY)
    assert isinstance(w.send("contacted", DAY, id="1"), Duplicate)
    assert isinstance(w.send("contacted", DAY, id="0"), Accepted)


def test_remembered_ids_are_digests() -> None:
    """The state carries no id of a channel, only digests."""
    w = world(CLOCKS)
    w.send("created", 0, id="8-800-555-35-35")
    assert "8-800" not in "".join(w.ticket().seen)


def test_a_gap_in_the_sequence_never_appears() -> None:
    """`seq` counts from 1 without gaps over events and firings; refusals and duplicates take no number."""
    w = world(CLOCKS)
    w.send("created", 0, id="1")
    w.send("created", 1, id="1")
    w.send("resumed", 2)
    w.send("assigned", 3)
    w.until(DAY)
    assert [entry.seq for entry in w.entries()] == [1, 2, 3, 4]


def test_the_default_queue_follows_the_category() -> None:
    """A registration without a queue gets that of its category; one with a queue keeps it."""
    queues = {
        "status_check": "status",
        "contact_change": "registration",
        "access_recovery": "registration",
        "technical_fault": "technical",
        "complex": "reference",
    }
    w = world(CLOCKS)
    for category, queue in queues.items():
        w.send("created", 0, ticket=category, category=category)
        assert w.ticket(category).queue == queue
    w.send("created", 0, ticket="own", category="complex", queue="security")
    assert w.ticket("own").queue == "security"


def test_changed_has_the_new_values_of_the_fields_that_changed() -> None:
    """Values that stay are left out; personal fields and free texts never stand there."""
    w = world(CLOCKS)
    w.send(
        "created",
        0,
        region="77",
        client={"id": "c-1", "name": "Anna Secret", "phone": "+79990001122", "email": "anna@secret.example"},
        description="my secret",
        error_code="secret-1",
        attachments=["secret.pdf"],
    )
    assert w.entries()[-1].changed == {
        "channel": "phone",
        "category": "access_recovery",
        "queue": "registration",
        "priority": "normal",
        "region": "77",
    }
    w.send("assigned", 1, operator="op-7")
    assert w.entries()[-1].changed == {"operator": "op-7"}
    w.send("assigned", 2, operator="op-7")
    assert w.entries()[-1].changed == {}
    w.send("reclassified", 3, priority="normal", category="complex")
    assert w.entries()[-1].changed == {"category": "complex"}
    w.send("resolved", 4, summary="secret words")
    assert w.ticket().summary == "secret words"
    for entry in w.entries():
        text = entry.model_dump_json()
        assert not any(word in text.lower() for word in ("secret", "anna", "7999", "c-1"))


def test_personal_fields_stay_in_the_state_only() -> None:
    """The state has the client and the free texts; `public` takes them out."""
    w = world(CLOCKS)
    w.send("created", 0, client={"id": "c-1", "phone": "+79990001122"}, description="help")
    ticket = w.ticket()
    assert ticket.client is not None
    assert (ticket.client.phone, ticket.description) == ("+79990001122", "help")
    assert (public(ticket).client, public(ticket).description, public(ticket).seen) == (None, None, ())


def refolded(w: World) -> Ticket | None:
    """The ticket that the journal gives, read back from its own bytes."""
    ticket: Ticket | None = None
    for entry in w.entries():
        text = entry.model_dump_json(by_alias=True, exclude_unset=True)
        ticket = evolve(ticket, JournalEntry.model_validate_json(text))
    return ticket


def test_folding_the_journal_gives_the_state() -> None:
    """The fold of a long journal's bytes is the ticket but for client, free texts and digests."""
    w = world(CLOCKS)
    w.send("created", 0, region="77")
    w.send("assigned", 60)
    w.send("contacted", 90, by="operator")
    w.send("pending", 100)
    w.send("promised", 150, deadline=9000)
    w.send("resumed", 200)
    w.until(2 * HOUR)
    w.send("resolved", 1000, arrives=2 * HOUR, summary="done")
    w.send("scheduled", 3 * HOUR, at_=9 * HOUR)
    w.send("reopened", 3 * HOUR)
    w.send("reclassified", 3 * HOUR, priority="urgent")
    w.send("transferred", 3 * HOUR, queue="security", unit="u-1")
    w.send("absorbed", 3 * HOUR, registered_at=-500)
    w.send("closed", 4 * HOUR)
    assert w.codes() == []
    assert refolded(w) == public(w.ticket())


def test_a_closed_ticket_knows_until_when_it_may_be_reopened() -> None:
    """The date is part of the state and of the journal."""
    w = world(CLOCKS)
    w.send("created", 0)
    w.send("closed", 60)
    assert w.ticket().reopenable_until == at(60 + 30 * DAY)
    assert w.entries()[-1].changed["reopenable_until"] == "2026-04-01T09:01:00.000000Z"


def test_an_event_for_no_ticket_is_unknown_even_if_it_is_illegal_too() -> None:
    """`unknown_ticket` is tested before `illegal_transition`."""
    outcome = world(CLOCKS).send("resumed", 0)
    assert isinstance(outcome, Rejected)
    assert outcome.code is Code.UNKNOWN_TICKET
