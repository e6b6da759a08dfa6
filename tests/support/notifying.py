"""A notifier on the in-memory log, a virtual clock, and routes that do as they are told, in one thread."""

import json
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from consumers.checkpoint import Checkpoint
from consumers.clock import VirtualClock
from consumers.memory import MemoryBroker, MemoryPublisher
from consumers.memory_feed import MemoryFeed
from consumers.notifier import EMAIL_ROUTE, FORMAT, WEBHOOK_ROUTE
from consumers.notifier_dispatch import Happened, Lane
from consumers.notifier_request import Request
from consumers.notifier_routes import Attempted, Delivered, Message
from consumers.notifier_texts import Texts
from ops.notifier import Notifier
from ops.notifier_metrics import NotifierMetrics
from ops.settings import Settings
from schemas.instants import format_instant, to_epoch
from schemas.topics import partition_for

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
TOPICS = ("tickets.notifications", "tickets.state", "tickets.dead-letter")
PARTITIONS = 2
NAME, EMAIL, PHONE = "Анна Петрова", "anna@example.org", "+7 (999) 000-11-22"


class FakeRoute:
    """Takes everything, in order, until `says` has another idea."""

    def __init__(self) -> None:
        self.says: Callable[[Message], Attempted] = lambda message: Delivered()  # noqa: ARG005 (each of them)
        self.tried: list[Message] = []
        self.taken: list[Message] = []

    def deliver(self, message: Message) -> Attempted:
        """See `Route.deliver`."""
        self.tried.append(message)
        attempted = self.says(message)
        if isinstance(attempted, Delivered):
            self.taken.append(message)
        return attempted

    def close(self) -> None:
        """There is nothing to close."""


class Inline(Executor):
    """Does what is submitted at once."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """See `Executor.submit`."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as problem:  # noqa: BLE001 (what a thread pool does)
            future.set_exception(problem)
        return future


class Recorder(NotifierMetrics):
    """The metrics, and a list of what happened."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[str, Happened, str]] = []

    def happened(
        self,
        request: Request | None,
        happened: Happened,
        *,
        reason: str = "",
        delay_seconds: float | None = None,
    ) -> None:
        """See `Watcher.happened`."""
        super().happened(request, happened, reason=reason, delay_seconds=delay_seconds)
        self.heard.append(("" if request is None else request.id, happened, reason))


class World:
    """Topics and two routes that outlive the notifier, which can be started and killed."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        self.clock = VirtualClock(NOW)
        self.broker = MemoryBroker(dict.fromkeys(TOPICS, PARTITIONS), lambda: to_epoch(self.clock.time))
        self.email, self.webhook = FakeRoute(), FakeRoute()
        self.recorder = Recorder()
        self.settings = Settings(data_dir=directory, **settings)
        self.publisher = MemoryPublisher(self.broker)
        self.texts = Texts("ru")
        self.checkpoint: Checkpoint | None = None
        self.width = 4
        self.set_back_seconds = 0.0
        self.opens: Callable[[Path], Checkpoint] = lambda path: Checkpoint(path, FORMAT)

    def start(self, executor: Executor | None = None) -> "World":
        """Start the notifier from what its checkpoint has."""
        self.checkpoint = self.opens(self.settings.data_dir / "notifier.sqlite")
        threads = executor or Inline()
        lanes = {
            EMAIL_ROUTE: Lane(self.email, threads, self.width),
            WEBHOOK_ROUTE: Lane(self.webhook, threads, self.width),
        }
        self.feed = MemoryFeed(self.broker)
        self.notifier = Notifier(
            self.settings,
            self.feed,
            lambda _: {},
            self.publisher,
            self.checkpoint,
            lanes,
            self.texts,
            self.recorder,
            self.clock,
            lambda: self.clock.time.timestamp() + self.set_back_seconds,
        )
        return self

    def kill(self) -> None:
        """End it as kill -9 does: what was not committed is gone."""
        assert self.checkpoint is not None
        self.checkpoint.close()

    def turn(self, turns: int = 4) -> None:
        """Let the loop turn."""
        for _ in range(turns):
            self.notifier.turn()

    def set_back(self, seconds: float) -> None:
        """Let somebody set the clock back; no time passes."""
        self.clock.time -= timedelta(seconds=seconds)
        self.set_back_seconds += seconds

    def pass_time(self, seconds: float, step_seconds: float | None = None) -> None:
        """Let time pass, in steps, with turns after each."""
        step = timedelta(seconds=step_seconds or seconds)
        end = self.clock.time + timedelta(seconds=seconds)
        while self.clock.time < end:
            self.clock.time = min(self.clock.time + step, end)
            self.turn()

    def state(self, ticket: str, data: Mapping[str, Any] | None = None, **client: str | None) -> None:
        """Write a ticket's state record with its client, and what else it has; without one a tombstone."""
        value = json.dumps({"data": {**(data or {}), "client": client}}).encode() if client else None
        self.append("tickets.state", ticket, value)

    def person(self, ticket: str, client: str = "c-1") -> None:
        """Write a state record of a client who has everything."""
        self.state(ticket, id=client, name=NAME, email=EMAIL, phone=PHONE)

    def resolved(self, ticket: str, seq: int, summary: str | None) -> None:
        """Write such a state record after an answer in the ticket's journal record `seq`."""
        data = {
            "summary": summary,
            "triggers": {"resolved": {"at": format_instant(self.clock.time), "seq": seq}},
        }
        self.state(ticket, data, id="c-1", name=NAME, email=EMAIL, phone=PHONE)

    def ask(self, ticket: str, number: int = 1, **changes: Any) -> str:
        """Ask for a notification; returns its id."""
        event = notification(ticket, number, self.clock.time, **changes)
        self.append("tickets.notifications", ticket, json.dumps(event).encode())
        return str(event["id"])

    def append(self, topic: str, ticket: str, value: bytes | None) -> None:
        headers = (("content-type", b"application/cloudevents+json"),)
        key = ticket.encode()
        self.broker.append(topic, key, value, headers, partition=partition_for(key, PARTITIONS))

    def dead(self) -> list[dict[str, str]]:
        """The `dlq.errors.*` headers of the dead letters, without the prefix."""
        return [
            {name[11:]: (content or b"").decode() for name, content in record.headers if "dlq" in name}
            for partition in self.broker.topic("tickets.dead-letter")
            for record in partition.slots
            if record is not None
        ]


def notification(
    ticket: str,
    number: int,
    at: datetime,
    *,
    channel: str = "email",
    template: str = "ticket_closed",
    role: str = "client",
    ref: str = "c-1",
    params: dict[str, str | int | None] | None = None,
    not_before: datetime | None = None,
) -> dict[str, Any]:
    """A notification's event."""
    data = {
        "ticket_id": ticket,
        "recipient": {"role": role, "ref": ref},
        "channel": channel,
        "template": template,
        "params": {"reason": "confirmed"} if params is None else params,
    }
    if not_before is not None:
        data["not_before"] = format_instant(not_before)
    return {
        "specversion": "1.0",
        "id": f"{ticket}/{number}/{template}/{role}",
        "source": "ticketflow",
        "type": "notification.requested.v1",
        "subject": ticket,
        "time": format_instant(at),
        "data": data,
    }
