"""Messages for routes to deliver."""

import json
from datetime import UTC, datetime

from consumers.notifier_request import Request, read_request
from consumers.notifier_routes import Message
from consumers.notifier_texts import Text

NOW = datetime.now(UTC)
TEXT = Text("Обращение T-1 закрыто", "Здравствуйте!\n.\n.точка\nВсё.")


def a_request(channel: str = "email", role: str = "client") -> Request:
    """The closing of a ticket, as somebody is told it."""
    data = {
        "ticket_id": "T-1",
        "recipient": {"role": role, "ref": "c-1"},
        "channel": channel,
        "template": "ticket_closed",
        "params": {"reason": "confirmed"},
    }
    event = {"id": "T-1/3/ticket_closed/client", "type": "notification.requested.v1", "data": data}
    request = read_request(json.dumps({**event, "time": "2026-03-02T08:15:30Z"}).encode())
    assert request is not None
    return request


def a_message(
    channel: str = "email",
    role: str = "client",
    *,
    address: str = "anna@example.org",
    text: Text = TEXT,
    name: str | None = None,
) -> Message:
    """That, on its way."""
    request = a_request(channel, role)
    return Message(request.digest, request, "ru", NOW, text, address, name)
