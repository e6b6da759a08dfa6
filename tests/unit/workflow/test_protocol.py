"""The protocol of a contact: all that happened, and what a follow-up ticket can be made of."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from ops.plain_data import as_data
from schemas.envelope import Event, decode
from schemas.events import Created
from tests.support.world import DAY, HOUR, World, at, world, written
from workflow.history import last_life
from workflow.protocol import Protocol, protocol

POLICY = """
reopening_window: 30d
clocks:
  - {clock: resolution, target: 10m, start: [created], stop: [resolved], warn: [50%], reopen: restart,
     on_breach: [{after: 0s, do: escalate, notify: [operator, supervisor]}]}
  - {clock: promise, target: promised, start: [promised], stop: [resolved]}
  - {clock: callback, target: 5m, start: [dropped], stop: [returned], cancel: [resolved]}
"""

CLIENT = {"id": "c-104", "name": "Vera Primerova", "phone": "+70000000104", "notify": "sms"}
FORM = {
    "channel": "feedback_form", "category": "technical_fault", "region": "77", "client": CLIENT,
    "request_type": "data_error", "description": "My date of birth is wrong.", "consent": True,
    "callback_window": {"from": "09:00", "to": "12:00"}, "attachments": ["ref:1"], "follows": "T-0",
}  # fmt: skip
CABINET = {
    "channel": "cabinet", "category": "complex", "client": {"id": "c-1"}, "consent": True,
    "description": "Twenty characters and a few more.", "priority": "high",
}  # fmt: skip
CHAT = {"channel": "chat", "category": "status_check", "client": {"id": "c-1", "email": "a@example.org"}}


def lived(**registration: Any) -> World:
    """A contact with something of everything."""
    w = world(POLICY)
    w.send("created", 0, **(registration or FORM))
    w.send("assigned", 20, operator="op-7")
    w.send("contacted", 30, by="client")
    w.send("promised", 40, deadline=DAY)
    w.send("transferred", 60, queue="security", unit="unit-1")
    w.send("assigned", 70, operator="op-8")
    w.send("pending", 80)
    w.send("resumed", 90)
    w.send("dropped", 100)
    w.send("escalated", 700)
    w.send("resolved", HOUR)
    w.send("reopened", 2 * HOUR)
    w.send("resolved", 2 * HOUR + 60, summary="The date is right now.")
    w.send("closed", 3 * HOUR, reason="confirmed")
    return w


def told(w: World, *, personal: bool = False) -> Protocol:
    """The protocol of the ticket as it stands."""
    return protocol(last_life(w.entries()), w.policies, w.tickets.get("T"), personal=personal)


def test_every_event_and_every_move_of_the_engine_is_in_it() -> None:
    """Who did what and when, in order; firings that only tell somebody are no happenings."""
    found = told(lived())
    assert [each.what for each in found.happenings] == [
        "created", "assigned", "contacted", "promised", "transferred", "assigned", "pending", "resumed",
        "dropped", "escalated", "escalated", "resolved", "reopened", "resolved", "closed",
    ]  # fmt: skip
    by_engine = found.happenings[9]
    assert (by_engine.source, by_engine.event, by_engine.clock, by_engine.level) == (
        None,
        None,
        "resolution",
        1,
    )
    assert (found.happenings[10].source, found.happenings[10].level) == ("/test", 2)
    assert found.happenings[4].changed == {"queue": "security", "unit": "unit-1", "operator": None}


def test_it_says_what_the_ticket_is() -> None:
    """Number, registration, channel, queue, operator, closing and what it follows."""
    found = told(lived())
    assert (found.ticket_id, found.registered_at, found.registered_by) == ("T", at(0), "feedback_form")
    assert (found.queue, found.unit, found.operator) == ("security", "unit-1", "op-8")
    assert (found.state, found.close_reason, found.closed_at) == ("closed", "confirmed", at(3 * HOUR))
    assert (found.follows, found.client, found.promised_deadline) == ("T-0", "c-104", at(DAY))


def test_promises_are_kept_broken_cancelled_or_open() -> None:
    """Each cycle of each clock has its outcome, its deadline and its end."""
    w = lived()
    w.send("reopened", 4 * HOUR)
    assert [(each.clock, each.cycle, each.outcome, each.ended_at) for each in told(w).promises] == [
        ("resolution", 1, "broken", at(HOUR)),
        ("promise", 1, "kept", at(HOUR)),
        ("callback", 1, "broken", at(HOUR)),
        ("resolution", 2, "kept", at(2 * HOUR + 60)),
        ("resolution", 3, "open", None),
    ]


def test_it_says_who_was_told_what() -> None:
    """The same notifications as the engine asked for, with recipient, channel and instant."""
    w = lived()
    announced = [
        (str(each.template), str(each.role), each.ref, each.channel) for each in told(w).announcements
    ]
    assert announced == w.told()
    assert ("ticket_registered", "client", "c-104", "sms") in announced
    assert ("sla_breached", "operator", "op-8", "inbox") in announced


def test_personal_data_only_where_it_is_asked_for() -> None:
    """Without `personal` nobody's name, address or words are in it."""
    w = lived()
    text = json.dumps(as_data(told(w)))
    assert told(w).personal is None
    words = ["Primerova", "+7000", "date of birth", "right now", '09:00"', "ref:1"]
    assert [word for word in words if word in text] == []
    asked = json.dumps(as_data(told(w, personal=True)))
    assert [word for word in words if word not in asked] == []


@pytest.mark.parametrize("registration", [FORM, CABINET, CHAT], ids=["feedback_form", "cabinet", "chat"])
def test_a_follow_up_can_be_published(registration: dict[str, Any]) -> None:
    """With the personal data, and consent where the channel needs it, our decoder takes `follow_up`."""
    w = lived(**registration)
    found = told(w, personal=True)
    assert found.follow_up_complete
    assert found.follow_up_needs_consent == ("consent" in registration)
    consent = {"consent": True} if found.follow_up_needs_consent else {}
    envelope = {
        "specversion": "1.0", "id": "1", "source": "/portal", "type": "ticket.created.v1", "subject": "T-2",
        "time": "2026-03-03T09:00:00Z", "data": as_data(found)["follow_up"] | consent,
    }  # fmt: skip
    decoded = decode(
        b"T-2", json.dumps(envelope).encode(), (("content-type", b"application/cloudevents+json"),),
        arrival=datetime(2026, 3, 3, 9, 0, 1, tzinfo=UTC), partition=0, partitions=1,
    )  # fmt: skip
    assert isinstance(decoded, Event)
    created = decoded.data.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert (created["follows"], created["queue"]) == ("T", "security")
    assert created["client"] == registration["client"]
    assert created.get("description") == registration.get("description")


def test_a_follow_up_without_personal_data_is_a_beginning() -> None:
    """What is public is there, and it is said that the rest is missing."""
    found = told(lived())
    assert found.follow_up == {
        "channel": "feedback_form", "category": "technical_fault", "queue": "security", "priority": "normal",
        "region": "77", "request_type": "data_error", "client": {"id": "c-104"}, "follows": "T",
    }  # fmt: skip
    assert not found.follow_up_complete


@pytest.mark.parametrize("registration", [FORM, CABINET], ids=["feedback_form", "cabinet"])
def test_consent_is_not_taken_over(registration: dict[str, Any]) -> None:
    """The citizen gave it for this contact and not for the next: without it nothing is registered."""
    found = told(lived(**registration), personal=True)
    assert "consent" not in found.follow_up
    with pytest.raises(ValidationError):
        Created.model_validate(as_data(found)["follow_up"])


def test_a_policy_version_that_is_not_here_is_named() -> None:
    """Who was told is worked out under another one then, and that is said."""
    w = lived()
    assert told(w).missing_policies == ()
    w.policies = written(f'version: "2"\n{POLICY}')
    assert told(w).missing_policies == ("test@1",)


def test_a_reclassified_channel_does_not_make_up_consent() -> None:
    """A follow-up comes by the channel that registered this contact: only that asked for consent or not."""
    w = world(POLICY)
    w.send("created", 0, **CHAT)
    w.send("reclassified", 5, channel="cabinet")
    found = told(w, personal=True)
    assert (found.follow_up["channel"], found.follow_up_needs_consent) == ("chat", False)
    assert found.follow_up_complete


def test_after_the_reopening_window_the_public_part_is_left() -> None:
    """Without the state there is no citizen: the journal's part stays as it was."""
    w = lived()
    w.until(40 * DAY)
    found = told(w, personal=True)
    assert (found.state, found.client, found.personal) == (None, None, None)
    assert found.happenings[-1].what == "left"
    assert "client" not in found.follow_up
    assert "client" not in {each.role for each in found.announcements}
    assert len(found.promises) == 4


def test_the_state_of_another_life_is_left_aside() -> None:
    """A state that is behind the journal is that of another ticket, with another citizen."""
    w = lived()
    other = w.ticket().model_copy(update={"seq": 1})
    found = protocol(last_life(w.entries()), w.policies, other, personal=True)
    assert (found.client, found.personal) == (None, None)


def test_a_drop_that_creates_is_one_happening() -> None:
    """It registers the ticket, and says by which channel."""
    w = world(POLICY)
    w.send("dropped", 0, channel="phone", category="complex", client={"id": "c-1"})
    found = told(w)
    assert [each.what for each in found.happenings] == ["dropped"]
    assert found.registered_by == "phone"
