"""Text messages and inboxes by webhook, signed as Standard Webhooks 1.0 has it."""

from __future__ import annotations

import json
import ssl
import time
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx
from standardwebhooks import Webhook

from consumers.notifier_routes import Attempted, Delivered, Later, Message, Never, why_not_encrypted
from schemas.instants import format_instant
from schemas.records import NotificationChannel

TYPE: Final = "notification.requested"
"""The `type` of every body that is posted."""

_CONNECT_SECONDS: Final = 10.0
_MAX_BODY_BYTES: Final = 65_536
"""Of an answer's body, which says nothing to us: so much is read to keep the connection."""
_TRY_AGAIN: Final = frozenset({408, 409, 425, 429})
_NOT_OF_THE_MESSAGE: Final = frozenset({301, 302, 303, 307, 308, 401, 403, 404, 405})
"""A wrong URL or secret of ours: every message meets it until somebody mends that, and none is to be lost."""
_GATEWAYS: Final = frozenset({502, 504})
"""Said by somebody between us and the receiver, who may have got it (RFC 9110, section 15.6)."""


class WebhookRoute:
    """Posts each message to one URL."""

    def __init__(self, url: str, secret: str, timeout_seconds: float, max_connections: int) -> None:
        """`secret`: `whsec_` and base64. The time-out is for each: connecting, writing, waiting, reading."""
        self._url, self._timeout_seconds = url, timeout_seconds
        self._webhook = Webhook(secret)
        self._client = httpx.Client(
            timeout=httpx.Timeout(timeout_seconds, connect=min(timeout_seconds, _CONNECT_SECONDS)),
            limits=httpx.Limits(max_connections=max_connections, max_keepalive_connections=max_connections),
            follow_redirects=False,
            trust_env=False,  # no proxy and no .netrc of whoever started us
            verify=ssl.create_default_context(),
        )

    def deliver(self, message: Message) -> Attempted:
        """See `Route.deliver`."""
        content = body(message)
        headers = {
            "content-type": "application/json; charset=utf-8",
            "user-agent": "ticketflow-notifier",
            "webhook-id": message.id,
            "webhook-timestamp": str(int(message.at.timestamp())),
            "webhook-signature": self._webhook.sign(message.id, message.at, content),
        }
        attempted: Attempted | None = None
        try:
            with self._client.stream("POST", self._url, content=content.encode(), headers=headers) as answer:
                attempted = _judged(answer, message.at)
                self._read(answer, time.monotonic() + self._timeout_seconds)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as problem:
            return Later(why_not_encrypted(problem, "the webhook") or "the webhook cannot be reached")
        except (httpx.TransportError, httpx.StreamError):
            return attempted or Later("the webhook did not answer to a message", uncertain=True)
        return attempted

    @staticmethod
    def _read(answer: httpx.Response, until: float) -> None:
        """Read the body, up to a bound and an instant of the monotonic clock."""
        left = _MAX_BODY_BYTES
        for part in answer.iter_raw():
            left -= len(part)
            if left <= 0 or time.monotonic() >= until:
                return

    def close(self) -> None:
        """See `Route.close`."""
        self._client.close()


def body(message: Message) -> str:
    """What is posted: the notification, its text, and of a client what the channel needs."""
    notification = message.request.data
    recipient: dict[str, Any] = {
        "role": str(notification.recipient.role),
        "ref": notification.recipient.ref,
    }
    if notification.channel is NotificationChannel.SMS:
        recipient["phone"] = message.address
    if message.name is not None:
        recipient["name"] = message.name
    data = {
        "id": message.request.id,
        "ticket_id": notification.ticket_id,
        "recipient": recipient,
        "channel": str(notification.channel),
        "template": str(notification.template),
        "language": message.language,
        "subject": message.text.subject,
        "text": message.text.body,
        "params": notification.params,
    }
    document = {"type": TYPE, "timestamp": format_instant(message.request.time), "data": data}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _judged(answer: httpx.Response, now: datetime) -> Attempted:
    status = answer.status_code
    if 200 <= status <= 299:
        return Delivered()
    if status >= 500 or status in _TRY_AGAIN | _NOT_OF_THE_MESSAGE:
        wait_seconds = _retry_after_seconds(answer.headers.get("retry-after", ""), now)
        return Later(f"the webhook refused it for now ({status})", wait_seconds, status in _GATEWAYS)
    return Never(f"the webhook refused it for good ({status})")


def _retry_after_seconds(text: str, now: datetime) -> float:
    """RFC 9110, section 10.2.3: seconds or a date; what is neither counts as nothing."""
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
        return max((at - now).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return 0.0
