"""What channels may publish: the contract's table of events, rule by rule."""

import re
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.events import (
    EVENT_TYPES,
    CallbackWindow,
    Category,
    Client,
    Closed,
    Created,
    Dropped,
    EventData,
    Promised,
    Queue,
    Reclassified,
    Scheduled,
    default_queue,
)
from schemas.instants import parse_instant
from schemas.problems import in_words
from schemas.terms import personal_fields
from workflow.states import TRIGGERS

CREATED: dict[str, Any] = {"channel": "phone", "category": "complex", "client": {"id": "c-1"}}
FORM: dict[str, Any] = {
    "channel": "feedback_form",
    "category": "complex",
    "client": {"id": "c-1", "name": "Н", "phone": "+7"},
    "request_type": "usage_question",
    "description": "Щ" * 250,
    "callback_window": {"from": "10:00", "to": "12:00"},
    "consent": True,
}
CABINET: dict[str, Any] = {**CREATED, "channel": "cabinet", "description": "😀" * 20, "consent": True}


def _problem(model: type[EventData], data: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(data)
    return in_words(caught.value)


def _without(data: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key != name}


def test_every_type_of_the_contract_is_there():
    """The types and their triggers are those of the contract's table."""
    assert {name: model.triggers for name, model in EVENT_TYPES.items()} == {
        "ticket.created.v1": ("created",),
        "ticket.assigned.v1": ("assigned",),
        "ticket.transferred.v1": ("transferred",),
        "ticket.escalated.v1": ("escalated",),
        "ticket.promised.v1": ("promised",),
        "ticket.contacted.v1": ("contacted", "contacted.client", "contacted.operator"),
        "ticket.pending.v1": ("pending",),
        "ticket.resumed.v1": ("resumed",),
        "ticket.reclassified.v1": ("reclassified",),
        "ticket.resolved.v1": ("resolved",),
        "ticket.reopened.v1": ("reopened",),
        "ticket.closed.v1": ("closed",),
        "ticket.absorbed.v1": ("absorbed",),
        "call.dropped.v1": ("dropped",),
        "call.scheduled.v1": ("scheduled",),
        "call.returned.v1": ("returned",),
    }


def test_every_trigger_of_the_machine_has_a_type():
    """What a policy may name is what some event pulls, and nothing more."""
    assert {trigger for model in EVENT_TYPES.values() for trigger in model.triggers} == set(TRIGGERS)


def test_of_wrong_attachments_one_is_told():
    """An event may have a hundred thousand of them: to tell of each would hold up its partition."""
    with pytest.raises(ValidationError) as raised:
        Created.model_validate({**CREATED, "attachments": [7] * 100_000})
    assert raised.value.error_count() == 1


@pytest.mark.parametrize("data", [CREATED, FORM, CABINET], ids=["phone", "form", "cabinet"])
def test_registrations_at_the_limits_are_taken(data: dict[str, Any]):
    """250 characters in the form and 20 in the cabinet are taken, counted as Unicode counts."""
    assert Created.model_validate(data).channel == data["channel"]
    assert Dropped.model_validate(data).created == Created.model_validate(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (_without(CREATED, "channel"), "data.channel is required"),
        (_without(CREATED, "client"), "data.client is required"),
        ({**CREATED, "client": {}}, "data.client.id is required"),
        ({**CREATED, "client": {"id": ""}}, "data.client.id must match"),
        (
            {**CREATED, "channel": "fax"},
            "data.channel must be phone, chat, feedback_form, cabinet or mobile_app",
        ),
        ({**CREATED, "region": "7"}, "data.region must match"),
        ({**CREATED, "secret": 1}, "data has an unknown field"),
        ({**CREATED, "client": {"id": "c", "secret": 1}}, "data.client has an unknown field"),
        ({**CREATED, "attachments": ["a", 5]}, r"data.attachments\[1\] must be text"),
        ({**CREATED, "attachments": {"a": 1}}, "data.attachments must be an array"),
        ({**CREATED, "description": "x" * 20_001}, "data.description must have at most 20000 characters"),
        ({**CREATED, "consent": 1}, "data.consent must be true or false"),
        (
            {**CREATED, "callback_window": {"from": "1", "to": "2"}},
            "data.callback_window must be two different",
        ),
        ({**CREATED, "callback_window": {"from_": "10:00", "to": "12:00"}}, "data.callback_window.from is"),
        (
            {**FORM, "client": {"id": "c", "phone": "+7"}},
            "data.client.name is required when channel is feedback",
        ),
        ({**FORM, "client": {"id": "c", "name": "Н"}}, "data.client.phone is required"),
        (_without(FORM, "request_type"), "data.request_type is required"),
        (_without(FORM, "description"), "data.description is required"),
        (_without(FORM, "callback_window"), "data.callback_window is required"),
        (_without(FORM, "consent"), "data.consent must be true when channel is feedback_form"),
        ({**FORM, "consent": False}, "data.consent must be true"),
        ({**FORM, "description": "Щ" * 251}, "data.description must have at most 250 characters"),
        ({**CABINET, "description": "Щ" * 19}, "data.description must have at least 20 characters"),
        (_without(CABINET, "description"), "data.description must have at least 20 characters"),
        (_without(CABINET, "consent"), "data.consent must be true when channel is cabinet"),
        ([], "data must be an object"),
    ],
)
def test_registrations_that_break_a_rule_are_refused(data: Any, words: str):
    """A broken rule is named with its field, in a registration and in a drop that registers."""
    assert re.search(words, _problem(Created, data))


@pytest.mark.parametrize("data", [FORM, CABINET], ids=["form", "cabinet"])
def test_a_drop_that_registers_obeys_its_channel(data: dict[str, Any]):
    """A drop registers a ticket only where `ticket.created.v1` with its fields would."""
    assert Dropped.model_validate(data).created is not None
    assert Dropped.model_validate(_without(data, "consent")).created is None


@pytest.mark.parametrize("name", ["channel", "category", "client"])
def test_a_drop_may_carry_less_than_registers_a_ticket(name: str):
    """A drop with some of what registers a ticket is taken, and registers none."""
    assert Dropped.model_validate(_without(CREATED, name)).created is None
    assert Dropped.model_validate({}).created is None
    assert Dropped.model_validate({"channel": None}).created is None


@pytest.mark.parametrize(("model", "field"), [(Promised, "deadline"), (Scheduled, "at")])
def test_what_is_announced_lies_after_the_event(model: type[EventData], field: str):
    """A promised deadline and a scheduled call must be after the event's own time, be it by a microsecond."""
    time = parse_instant("2026-03-02T08:15:30Z")
    others = {"by": "op-7"} if model is Promised else {}
    at_once = model.model_validate({field: "2026-03-02T11:15:30+03:00", **others})
    later = model.model_validate({field: "2026-03-02T08:15:30.000001Z", **others})
    assert at_once.check_against(time, "T") == f"data.{field} must be after time"
    assert later.check_against(time, "T") is None


def test_no_ticket_is_merged_into_itself():
    """A ticket that closes as merged names another one; with another reason nobody looks at `merged_into`."""
    time = parse_instant("2026-03-02T08:15:30Z")
    merged = Closed.model_validate({"reason": "merged", "merged_into": "T"})
    assert merged.check_against(time, "T") == "data.merged_into must be another ticket"
    assert merged.check_against(time, "T2") is None
    assert Closed.model_validate({"reason": "duplicate", "merged_into": "T"}).check_against(time, "T") is None


def test_a_reclassification_says_something():
    """A reclassification without any new value is refused."""
    assert "at least one of" in _problem(Reclassified, {})
    assert "at least one of" in _problem(Reclassified, {"queue": None})


def test_default_queues():
    """Each category has the queue that the contract names."""
    assert {category: default_queue(category) for category in Category} == {
        Category.STATUS_CHECK: Queue.STATUS,
        Category.CONTACT_CHANGE: Queue.REGISTRATION,
        Category.ACCESS_RECOVERY: Queue.REGISTRATION,
        Category.TECHNICAL_FAULT: Queue.TECHNICAL,
        Category.COMPLEX: Queue.REFERENCE,
    }


@pytest.mark.parametrize(
    ("start", "end"),
    [("09:00", "12:00"), ("22:00", "02:00"), ("2026-01-01T09:00:00Z", "2026-01-01T12:00:00+01:00")],
)
def test_callback_windows(start: str, end: str):
    """A window is two times of day, also over midnight, or two instants."""
    assert CallbackWindow.between(start, end).to == end


@pytest.mark.parametrize(
    ("start", "end"),
    [("09:00", "09:00"), ("24:00", "25:00"), ("09:00", "2026-01-01T09:00:00Z"), ("", "12:00")],
)
def test_what_is_no_callback_window(start: str, end: str):
    """A window of no length, of mixed kinds or of times that do not exist is refused."""
    with pytest.raises(ValidationError):
        CallbackWindow.between(start, end)


def test_people_do_not_show():
    """The repr of an event and the text of an error show nothing of the personal fields."""
    secret = "Вымышленная"
    person = Client.model_validate({"id": "c-1", "name": secret, "phone": secret, "email": secret})
    texts = dict.fromkeys(("description", "error_code"), secret)
    window = {"from": "10:01", "to": "12:01"}
    event = Created.model_validate(
        {**CREATED, "client": person, **texts, "attachments": [secret], "callback_window": window}
    )
    assert secret not in repr(event) + str(event)
    assert "10:01" not in repr(event)
    with pytest.raises(ValidationError) as caught:
        Created.model_validate(
            {**CREATED, "client": {"id": 5, "name": secret, secret: secret}, secret: secret}
        )
    assert secret not in in_words(caught.value)


def test_which_fields_are_personal():
    """Names, contacts, free texts, references and wishes are marked; ids and lists of values are not."""
    marked = {name: sorted(personal_fields(model)) for name, model in EVENT_TYPES.items()}
    registration = [
        "attachments", "callback_window", "callback_window.from", "callback_window.to",
        "client.email", "client.name", "client.phone", "description", "error_code",
    ]  # fmt: skip
    assert marked.pop("ticket.created.v1") == marked.pop("call.dropped.v1") == registration
    assert {name for name, fields in marked.items() if fields == ["reason"]} == {
        "ticket.transferred.v1",
        "ticket.escalated.v1",
        "ticket.promised.v1",
        "ticket.pending.v1",
        "ticket.resumed.v1",
        "ticket.reopened.v1",
    }
    assert marked["ticket.resolved.v1"] == ["summary"]


def test_only_the_first_problems_are_named():
    """Of many broken rules three are named and the rest is counted."""
    words = _problem(Created, {"client": {"id": "c"}, "priority": 1, "queue": 1, "region": 1, "consent": 1})
    assert words.endswith("; and 3 more")
