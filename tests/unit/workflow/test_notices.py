"""Who is told what (contract, "Notification"). The table below is the contract's, written down again."""

from typing import Any

import pytest

from schemas.instants import format_instant
from tests.support.world import DAY, HOUR, World, at, world
from workflow.notices import notifications

NO_CLOCK = "clocks: [{clock: never, target: 1h, start: [returned], stop: [resolved]}]"
NIGHT = """
calendars:
  day: {timezone: Europe/Moscow, hours: {mon: [["08:00","20:00"]], tue: [["08:00","20:00"]]}}
"""
"""Open until 8 hours after START, and again from 20 hours after it."""

HISTORY = ("assigned", "escalated", "resolved", "reopened", "closed")

TABLE: dict[str, tuple[tuple[str, str, str], ...]] = {
    "created": (("ticket_registered", "client", "c-1"),),
    "assigned": (("ticket_assigned", "operator", "op-1"),),
    "promised": (("deadline_announced", "client", "c-1"),),
    "dropped": (("callback_offered", "client", "c-1"),),
    "scheduled": (("call_scheduled", "client", "c-1"),),
    "escalated": (("ticket_escalated", "supervisor", "registration"),),
    "resolved": (("ticket_resolved", "client", "c-1"),),
    "reopened": (("ticket_reopened", "operator", "op-1"),),
    "closed": (("ticket_closed", "client", "c-1"),),
    "transferred": (),
    "contacted": (),
    "pending": (),
    "reclassified": (),
    "returned": (),
}
BEFORE = {
    "escalated": ("assigned",),
    "resolved": ("assigned",),
    "pending": ("assigned",),
    "reopened": ("assigned", "resolved"),
}
DATA: dict[str, dict[str, Any]] = {
    "promised": {"deadline": HOUR},
    "scheduled": {"at_": HOUR},
    "reclassified": {"priority": "high"},
}


@pytest.mark.parametrize("trigger", TABLE)
def test_an_event_tells_whom_the_contract_says(trigger: str) -> None:
    """Each event's notifications: template, role and ref; nobody else is told."""
    w = world(NO_CLOCK)
    if trigger != "created":
        w.send("created", 0)
    for step in BEFORE.get(trigger, ()):
        w.send(step, 1)
    count = len(w.told())
    w.send(trigger, 2, **DATA.get(trigger, {}))
    assert tuple(told[:3] for told in w.told()[count:]) == TABLE[trigger]


def test_resumed_and_absorbed_tell_nobody() -> None:
    """What has no row in the contract's table tells nobody."""
    w = world(NO_CLOCK)
    w.send("created", 0)
    w.send("assigned", 1)
    w.send("pending", 2)
    count = len(w.told())
    w.send("resumed", 3)
    w.send("absorbed", 4, registered_at=-5)
    assert len(w.told()) == count


@pytest.mark.parametrize(
    ("time", "template"), [(0, "ticket_registered"), (9 * HOUR, "ticket_registered_out_of_hours")]
)
def test_out_of_hours_a_registration_gets_the_message_that_says_so(time: float, template: str) -> None:
    """By the service hours of the ticket's channel, at the instant at which the registration counts."""
    w = world(NIGHT + "service_hours: {phone: day, '*': always}\n" + NO_CLOCK)
    w.send("created", time)
    w.send("created", time, ticket="CHAT", channel="chat")
    assert w.told()[0][0] == template
    assert w.told(ticket="CHAT")[0][0] == "ticket_registered"


@pytest.mark.parametrize(
    ("client", "channel"),
    [
        ({"id": "c-1", "notify": "email"}, "email"),
        ({"id": "c-1", "notify": "sms", "email": "a@b.example"}, "sms"),
        ({"id": "c-1", "email": "a@b.example", "phone": "+79990001122"}, "email"),
        ({"id": "c-1", "phone": "+79990001122"}, "sms"),
        ({"id": "c-1"}, "inbox"),
        ({"id": "c-1", "notify": "none", "email": "a@b.example"}, None),
    ],
)
def test_the_client_is_told_as_the_client_wants(client: dict[str, str], channel: str | None) -> None:
    """`notify` first; without it email if known, else sms if known, else inbox; `none` gets none."""
    w = world(NO_CLOCK)
    w.send("created", 0, client=client)
    assert [told[3] for told in w.told()] == ([] if channel is None else [channel])


def test_no_address_leaves_with_a_notification() -> None:
    """Name, phone, email and free texts stand in no notification."""
    w = world(NO_CLOCK)
    person = {"id": "c-1", "name": "Anna", "phone": "+79990001122", "email": "anna@example.org"}
    w.send("created", 0, client=person, description="Anna's words")
    for step in HISTORY:
        w.send(step, 1, **({"reason": "Anna"} if step in ("escalated", "reopened") else {}))
    texts = [n.model_dump_json() for fact in w.facts for _, n in notifications(fact)]
    assert len(texts) == 6
    assert not any(word in text for text in texts for word in ("Anna", "7999", "example.org"))


def test_outside_their_hours_citizens_are_told_later() -> None:
    """A notification to a citizen carries `not_before`, the next opening; to others it does not."""
    w = world(NIGHT + "citizen_hours: day\n" + NO_CLOCK)
    w.send("created", 9 * HOUR)
    w.send("assigned", 9 * HOUR)
    (registered,), (assigned,) = (notifications(fact) for fact in w.facts)
    assert registered[1].not_before == at(20 * HOUR)
    assert "not_before" not in assigned[1].model_dump_json(exclude_unset=True)
    w.send("created", 20 * HOUR, ticket="DAY")
    assert "not_before" not in notifications(w.facts[-1])[0][1].model_dump_json(exclude_unset=True)


def test_what_happened_by_day_and_comes_at_night_is_told_in_the_morning() -> None:
    """Hours are looked up when the citizen would be told, not when the thing happened."""
    w = world(NIGHT + "citizen_hours: day\n" + NO_CLOCK)
    w.send("created", 0)
    w.send("assigned", HOUR)
    w.send("resolved", 2 * HOUR, arrives=9 * HOUR)
    ((_, told),) = notifications(w.facts[-1])
    assert told.not_before == at(20 * HOUR)


def test_a_breach_of_the_day_that_is_found_at_night_is_told_in_the_morning() -> None:
    """After an outage that lasted into the night nobody is woken; colleagues' inboxes do not sleep."""
    w = world(NIGHT + "citizen_hours: day\n" + CLOCK)
    w.send("created", 0)
    w.until(9 * HOUR)
    breach = next(fact for fact in w.facts if "breach" in fact.entry.to_json().decode())
    waiting = {str(told.recipient.role): told.not_before for _, told in notifications(breach)}
    assert waiting == {"supervisor": None, "client": at(20 * HOUR)}
    on_time = notifications(breach, breach.entry.at)
    assert [told.not_before for _, told in on_time] == [None, None]


def test_citizens_hours_may_be_those_of_their_region() -> None:
    """`citizen_hours: region` takes the calendar of the ticket's region."""
    w = world(NIGHT + "citizen_hours: region\nregion_calendars: {'77': day, '*': always}\n" + NO_CLOCK)
    w.send("created", 9 * HOUR, ticket="A", region="77")
    w.send("created", 9 * HOUR, ticket="B", region="25")
    assert [bool(notifications(fact)[0][1].not_before) for fact in w.facts] == [True, False]


CLOCK = """
clocks:
  - {clock: c, target: 1h, start: [created], stop: [resolved], warn: [50%],
     on_breach: [{after: 0s, notify: [operator, supervisor, client]},
                 {after: 15m, do: escalate, notify: [supervisor]}, {after: 30m}]}
"""


def test_a_warning_goes_to_the_operator_if_any_and_to_the_supervisor() -> None:
    """Without an operator only the supervisor is warned."""
    w = world(CLOCK)
    w.send("created", 0, ticket="A")
    w.send("created", 0, ticket="B")
    w.send("assigned", 1, ticket="B")
    w.until(1800)
    supervisor = ("sla_warning", "supervisor", "registration", "inbox")
    assert w.told("sla_warning", ticket="A") == [supervisor]
    assert w.told("sla_warning", ticket="B") == [("sla_warning", "operator", "op-1", "inbox"), supervisor]


def test_a_step_tells_whom_it_names() -> None:
    """`sla_breached` goes to the roles of the step's `notify`; a role nobody fills gets none."""
    w = world(CLOCK)
    w.send("created", 0)
    w.until(DAY)
    assert [told[1] for told in w.told("sla_breached")] == ["supervisor", "client", "supervisor"]
    assert w.told("ticket_escalated") == []


def test_a_client_who_wants_nothing_is_told_neither_of_the_breach_nor_of_its_retraction() -> None:
    """`notify: none` gets none, ever."""
    w = world(CLOCK.replace("stop: [resolved]", "stop: [closed]"))
    w.send("created", 0, client={"id": "c-1", "notify": "none"})
    w.until(2 * HOUR)
    w.send("closed", 60, arrives=2 * HOUR)
    assert {told[1] for told in w.told()} == {"supervisor"}
    assert len(w.told("sla_retracted")) == 1


def test_a_closing_by_the_engine_tells_the_client() -> None:
    """A ticket that expired was closed: the client learns it."""
    w = world(
        "clocks: [{clock: c, target: 1h, start: [created], stop: [closed],"
        " on_breach: [{after: 0s, do: close}]}]"
    )
    w.send("created", 0)
    w.until(DAY)
    assert w.told("ticket_closed") == [("ticket_closed", "client", "c-1", "inbox")]


def test_leaving_the_state_tells_nobody() -> None:
    """The end of the reopening window is no news."""
    w = world("reopening_window: 1d\n" + NO_CLOCK)
    w.send("created", 0)
    w.send("closed", 1)
    count = len(w.told())
    w.until(2 * DAY)
    assert len(w.told()) == count


def ids(w: World) -> list[str]:
    """The record ids of all notifications."""
    return [name for fact in w.facts for name, _ in notifications(fact)]


def test_a_notifications_id_says_what_caused_it() -> None:
    """`<ticket>/<seq>/<template>/<role>`, for `sla_*` also the clock; the same cause gives the same id."""
    w = world(CLOCK)
    w.send("created", 0)
    w.until(3600)
    assert ids(w) == [
        "T/1/ticket_registered/client",
        "T/2/sla_warning/supervisor/c",
        "T/3/sla_breached/supervisor/c",
        "T/3/sla_breached/client/c",
    ]
    assert ids(w) == ids(w)


def test_ids_are_never_shared() -> None:
    """Two recipients of one role in one record have ids of their own."""
    w = world(CLOCK.replace("stop: [resolved]", "stop: [closed]"))
    w.send("created", 0)
    w.until(3600)
    w.send("transferred", 3700, queue="security")
    w.until(DAY)
    w.send("closed", 60, arrives=DAY)
    assert len(w.told("sla_retracted")) == 3
    assert len(set(ids(w))) == len(ids(w))


def test_params_tell_the_announced_instant() -> None:
    """A client learns the deadline that was promised and the time of the call."""
    w = world(NO_CLOCK)
    w.send("created", 0)
    w.send("promised", 1, deadline=HOUR)
    w.send("scheduled", 2, at_=2 * HOUR)
    params = [n.params for fact in w.facts for _, n in notifications(fact)]
    assert params[1]["deadline"] == format_instant(at(HOUR))
    assert params[2]["at"] == format_instant(at(2 * HOUR))
