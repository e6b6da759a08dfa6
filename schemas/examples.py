"""One example of every message, of invented people and one ticket: what the AsyncAPI document shows."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from schemas import events
from schemas.cloudevents import STRUCTURED
from schemas.envelope import BadRecord, decode, encode
from schemas.events import EventData
from schemas.instants import format_instant
from schemas.records import (
    SOURCE,
    Change,
    ClockChange,
    EventCause,
    JournalEntry,
    Metric,
    MetricName,
    Notification,
    NotificationChannel,
    Recipient,
    Role,
    Template,
)
from schemas.state import Clock, State, Ticket
from schemas.topics import Topic, topic_name

TICKET_ID = "CALL-812"
CHANNEL = "urn:example:telephony"
AT = datetime(2026, 3, 2, 8, 15, 30, tzinfo=UTC)
_DEADLINE = AT + timedelta(minutes=30)

_CREATED = events.Created(
    channel=events.Channel.PHONE,
    category=events.Category.TECHNICAL_FAULT,
    region="77",
    client=events.Client(id="C-3", name="Вера Примерова", notify=events.Notify.SMS),
    description="The payment went through, but the bank does not see it.",
)

_EVENTS: tuple[EventData, ...] = (
    _CREATED,
    events.Assigned(operator="op-7"),
    events.Transferred(queue=events.Queue.SECURITY, reason="a question about signing in"),
    events.Escalated(unit="technical-group", reason="a failure at the bank", by="op-7"),
    events.Promised(deadline=AT + timedelta(days=1), by="op-7"),
    events.Contacted(by=events.ContactedBy.CLIENT, channel=events.Channel.CHAT),
    events.Pending(reason="waits for a screenshot"),
    events.Resumed(reason="the screenshot came"),
    events.Reclassified(category=events.Category.COMPLEX, priority=events.Priority.HIGH),
    events.Resolved(summary="The payment was sent to the bank again.", by="op-7"),
    events.Reopened(reason="the bank still does not see it"),
    events.Closed(reason=events.CloseReason.CONFIRMED),
    events.Absorbed(ticket="CALL-811", registered_at=AT - timedelta(minutes=3)),
    events.Dropped(),
    events.Scheduled(at=AT + timedelta(hours=2)),
    events.Returned(operator="op-7"),
)

_STARTED = ClockChange(
    clock="resolution",
    cycle=1,
    change=Change.STARTED,
    at=AT,
    deadline=_DEADLINE,
    elapsed_seconds=0.0,
    target_seconds=1800.0,
    rule=3,
    policy="gosuslugi@2026.1",
    by="created",
)

_JOURNAL = JournalEntry(
    ticket_id=TICKET_ID,
    seq=1,
    at=AT,
    recorded_at=AT + timedelta(milliseconds=12),
    cause=EventCause(
        kind="event", id="call-812/created", source=CHANNEL, type=_CREATED.type, partition=3, offset=812
    ),
    trigger="created",
    from_=None,
    to="created",
    level=0,
    changed={
        "channel": "phone",
        "category": "technical_fault",
        "queue": "technical",
        "priority": "normal",
        "region": "77",
    },
    clocks=(_STARTED,),
)

_NOTIFICATION = Notification(
    ticket_id=TICKET_ID,
    recipient=Recipient(role=Role.CLIENT, ref="C-3"),
    channel=NotificationChannel.SMS,
    template=Template.TICKET_REGISTERED,
    params={"queue": "technical"},
)

_METRIC = Metric(
    metric=MetricName.WAIT_SECONDS,
    value=12.5,
    unit="s",
    labels={
        "category": "technical_fault",
        "queue": "technical",
        "channel": "phone",
        "priority": "normal",
        "region": "77",
    },
)

_STATE = Ticket(
    ticket_id=TICKET_ID,
    seq=1,
    state=State.CREATED,
    level=0,
    channel=events.Channel.PHONE,
    category=events.Category.TECHNICAL_FAULT,
    queue=events.Queue.TECHNICAL,
    priority=events.Priority.NORMAL,
    region="77",
    registered_at=AT,
    updated_at=AT,
    client=_CREATED.client,
    description=_CREATED.description,
    clocks=(
        Clock(
            clock="resolution",
            cycle=1,
            rule=3,
            policy="gosuslugi@2026.1",
            by="created",
            target_seconds=1800.0,
            elapsed_seconds=0.0,
            since=AT,
            changed_at=AT,
            deadline=_DEADLINE,
        ),
    ),
)


def _parsed(value: bytes) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(value)
    return document


def _event(data: EventData) -> dict[str, Any]:
    source = SOURCE if isinstance(data, events.Absorbed) else CHANNEL
    happened = data.type.split(".")[1]
    return _parsed(
        encode(data.type, f"{TICKET_ID.lower()}/{happened}", source, TICKET_ID, AT, data.to_json())
    )


def _record(kind: str, record_id: str, data: bytes) -> dict[str, Any]:
    return _parsed(encode(kind, f"{TICKET_ID}/1{record_id}", SOURCE, TICKET_ID, AT, data))


EXAMPLES: Mapping[str, dict[str, Any]] = MappingProxyType(
    {data.type: _event(data) for data in _EVENTS}
    | {
        _JOURNAL.record_type: _record(_JOURNAL.record_type, "", _JOURNAL.to_json()),
        _NOTIFICATION.record_type: _record(
            _NOTIFICATION.record_type, "/ticket_registered/client", _NOTIFICATION.to_json()
        ),
        _METRIC.record_type: _record(_METRIC.record_type, "/wait_seconds/1", _METRIC.to_json()),
        _STATE.record_type: _record(_STATE.record_type, "/state", _STATE.to_json()),
    }
)
"""By type: a whole CloudEvent in structured mode, as parsed JSON."""


_REFUSED_DATA = {name: value for name, value in EXAMPLES[_CREATED.type]["data"].items() if name != "client"}
REFUSED: Mapping[str, Any] = MappingProxyType({**EXAMPLES[_CREATED.type], "data": _REFUSED_DATA})
"""An event that becomes a dead letter: it does not say who the client is."""


def dead_letter_headers(prefix: str) -> dict[str, str]:
    """The headers with which REFUSED stands on the topic of dead letters (contract, "Topics")."""
    value = json.dumps(dict(REFUSED)).encode()
    refused = decode(TICKET_ID.encode(), value, (), arrival=AT, partition=0, partitions=1)
    assert isinstance(refused, BadRecord)  # noqa: S101 - what makes it an example
    said = {
        "code": refused.code,
        "message": refused.message,
        "topic": topic_name(prefix, Topic.EVENTS),
        "partition": "3",
        "offset": "813",
        "group": "ticketflow",
        "timestamp": format_instant(AT),
    }
    return {"content-type": STRUCTURED} | {f"dlq.errors.{name}": text for name, text in said.items()}


def binary(event: Mapping[str, Any]) -> tuple[dict[str, str], Any]:
    """The same event in binary mode: headers and value."""
    attributes = {
        f"ce_{name}": value for name, value in event.items() if name not in ("data", "datacontenttype")
    }
    return {"content-type": "application/json", **attributes}, event["data"]
