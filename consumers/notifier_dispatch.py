"""Attempts: which deliveries are tried now, by whom, and what follows from each outcome.

One thread, the caller's, does all that is done to the database. A bounded pool of threads per route only
hands messages over and reports back. So a route that hangs holds up nobody but its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from consumers.checkpoint import Checkpoint
from consumers.clock import Clock
from consumers.notifier_people import People, Person, email_address, form_of_address, phone_number
from consumers.notifier_queue import Delivery, Queue
from consumers.notifier_request import Request, read_request
from consumers.notifier_routes import Attempted, Delivered, Later, Message, Never, Route
from consumers.notifier_texts import Texts, Unrenderable
from schemas.envelope import Undeliverable
from schemas.records import NotificationChannel, Role, Template

FIRST_WAIT_SECONDS: Final = 1.0
LONGEST_WAIT_SECONDS: Final = 900.0
"""Between two attempts of one delivery: 1 s, then twice as long each time, up to 15 minutes."""
STATE_WAITS: Final = timedelta(seconds=30)
"""A notification and its ticket's state come by two topics, so either may be the first to be read: only when
all that was written so long after the notification was seen is read, too, the state says no more about it."""
_LONGEST_DOUBLING: Final = 30


class Happened(StrEnum):
    """What became of a notification.

    `REPEATED`: it is attempted although it may have arrived already. `EXPIRED`: it was too old before there
    was a notifier; one that becomes so later is `DEAD`.
    """

    SENT = "sent"
    RETRIED = "retried"
    DEAD = "dead"
    REPEATED = "repeated"
    EXPIRED = "expired"


class Watcher(Protocol):
    """Who counts and logs."""

    def happened(
        self,
        request: Request | None,
        happened: Happened,
        *,
        reason: str = "",
        delay_seconds: float | None = None,
    ) -> None:
        """Take note. No request: the record was none. `reason` names nobody; the delay is from when due."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A route, the threads that work on it, and how many there are."""

    route: Route
    threads: Executor
    width: int


class Dead(NamedTuple):
    """Why a notification cannot be delivered."""

    code: Undeliverable
    message: str


@dataclass(frozen=True, slots=True)
class _NotYet:
    """The ticket's state as of the notification is not read yet.

    `never`: what becomes of the notification if the state turns out to say no more.
    """

    never: Message | Dead


@dataclass(frozen=True, slots=True)
class _Told:
    """For the watcher, once it is committed."""

    request: Request | None
    happened: Happened
    reason: str = ""
    delay_seconds: float | None = None


class Dispatcher:
    """Brings deliveries and threads together; used in one thread."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        queue: Queue,
        people: People,
        texts: Texts,
        lanes: Mapping[str, Lane],
        clock: Clock,
        watcher: Watcher,
        max_age: timedelta,
        read_to: Callable[[], datetime | None],
    ) -> None:
        """`lanes`: by the name of the route, as the queue has it. `read_to`: see `Subscriber`."""
        self._checkpoint, self._queue, self._people, self._texts = checkpoint, queue, people, texts
        self._lanes, self._clock, self._watcher, self._max_age = lanes, clock, watcher, max_age
        self._read_to = read_to
        self._under_way: dict[Future[Attempted], tuple[Delivery, Request]] = {}

    def recover(self) -> int:
        """After a start: what was being attempted when the process died may have arrived, and waits.

        It may also be what the process died of, and then must not be the first again, before all others.
        Returns how many. Raises CheckpointError.
        """
        now = self._clock.now()
        with self._checkpoint.transaction():
            deliveries = self._queue.attempted()
            for each in deliveries:
                until = now + timedelta(seconds=wait_seconds(each.attempts, Later("")))
                self._queue.postpone(each, until, now, uncertain=True)
        return len(deliveries)

    def step(self, wait_seconds: float = 0.0) -> bool:
        """Settle the attempts that ended, waiting so long for the first, and begin others.

        Returns whether anything is under way. Raises CheckpointError; and what a route raises, a bug, once
        the other attempts that ended are settled: see `recover`.
        """
        ended = self._ended(wait_seconds)
        if ended or any(self._choose(name) for name in self._lanes):
            self._settle_and_begin(ended, self._lanes)
        return bool(self._under_way)

    def close(self, wait_seconds: float) -> None:
        """Wait so long for attempts under way, settle them, and begin no others.

        What takes longer stays `attempted`: after the next start it counts as a possible repeat.
        """
        wait(self._under_way, wait_seconds)
        try:
            self._settle_and_begin(self._ended(0.0), ())
        finally:
            for lane in self._lanes.values():
                lane.threads.shutdown(wait=False, cancel_futures=True)
                lane.route.close()

    def _ended(self, wait_seconds: float) -> list[Future[Attempted]]:
        if not self._under_way:
            return []
        return list(wait(self._under_way, wait_seconds, FIRST_COMPLETED).done)

    def _choose(self, name: str) -> list[Delivery]:
        """As many as the route has threads free, of lines that have no attempt under way."""
        busy = {delivery.line for delivery, _ in self._under_way.values() if delivery.route == name}
        free = self._lanes[name].width - len(busy)
        return self._queue.due(name, self._clock.now(), free, busy) if free > 0 else []

    def _settle_and_begin(self, ended: Sequence[Future[Attempted]], routes: Iterable[str]) -> None:
        told: list[_Told] = []
        ready: list[tuple[Delivery, Message]] = []
        mistake = next((found for future in ended if (found := future.exception()) is not None), None)
        results = [(*self._under_way.pop(future), future) for future in ended]
        with self._checkpoint.transaction():
            for delivery, request, future in results:
                if future.exception() is None:
                    told.append(self._settle(delivery, request, future.result()))
            for delivery in (each for name in routes if mistake is None for each in self._choose(name)):
                message = self._prepare(delivery, told)
                if message is not None:
                    self._queue.attempt(delivery)
                    ready.append((delivery, message))
        for each in told:
            self._watcher.happened(
                each.request, each.happened, reason=each.reason, delay_seconds=each.delay_seconds
            )
        if mistake is not None:
            raise mistake
        for delivery, message in ready:
            self._begin(delivery, message)

    def _begin(self, delivery: Delivery, message: Message) -> None:
        if delivery.uncertain:
            self._watcher.happened(message.request, Happened.REPEATED)
        lane = self._lanes[delivery.route]
        self._under_way[lane.threads.submit(lane.route.deliver, message)] = (delivery, message.request)

    def _settle(self, delivery: Delivery, request: Request, attempted: Attempted) -> _Told:
        now = self._clock.now()
        if isinstance(attempted, Delivered):
            self._queue.done(delivery)
            return _Told(request, Happened.SENT, "", max((now - request.due_at).total_seconds(), 0.0))
        if isinstance(attempted, Never):
            self._queue.give_up(delivery, Undeliverable.REFUSED, attempted.reason)
            return _Told(request, Happened.DEAD, attempted.reason)
        again_at = now + timedelta(seconds=wait_seconds(delivery.attempts + 1, attempted))
        until = max(min(again_at, request.expires_at(self._max_age)), now)
        self._queue.postpone(delivery, until, now, uncertain=attempted.uncertain)
        return _Told(request, Happened.RETRIED, attempted.reason)

    def _prepare(self, delivery: Delivery, told: list[_Told]) -> Message | None:
        """The message, or None where there is none now; then the queue knows what comes of the delivery."""
        request = read_request(delivery.record.value)
        assert request is not None  # noqa: S101 - it was one when it was added
        now = self._clock.now()
        outcome = self._message(delivery, request)
        if isinstance(outcome, _NotYet):
            read_to = self._read_to()
            if read_to is None or read_to - delivery.seen_at < STATE_WAITS:
                self._queue.put_off(delivery, now + timedelta(seconds=FIRST_WAIT_SECONDS))
                return None
            outcome = outcome.never
        if isinstance(outcome, Message):
            return outcome
        self._queue.give_up(delivery, *outcome)
        told.append(_Told(request, Happened.DEAD, outcome.message))
        return None

    def _message(self, delivery: Delivery, request: Request) -> Message | Dead | _NotYet:
        now = self._clock.now()
        if now >= request.expires_at(self._max_age):
            return expired()
        notification, person = request.data, None
        if notification.recipient.role is Role.CLIENT:
            person = self._people.find(notification.ticket_id, notification.recipient.ref)
            if person is None:
                return _NotYet(_stranger())
        address = _address(notification.channel, person)
        if address is None:
            return Dead(
                Undeliverable.NO_ADDRESS, f"the recipient has no address that {notification.channel} can use"
            )
        name = None if person is None else form_of_address(person.name)
        answered = _answered(person, request)
        try:
            text = self._texts.render(notification, name, answered.summary if answered else None)
        except Unrenderable as problem:
            return Dead(Undeliverable.UNRENDERABLE, str(problem))
        message = Message(delivery.digest, request, self._texts.language, now, text, address, name)
        return message if answered or not _tells_the_answer(request) else _NotYet(message)


def _stranger() -> Dead:
    return Dead(
        Undeliverable.UNKNOWN_PERSON,
        "the state topic has no such client of this ticket: it is gone, or belongs to another one",
    )


def _tells_the_answer(request: Request) -> bool:
    """Whether the citizen is to read a summary, which only the state has: it is a person's own words."""
    notification = request.data
    return (
        notification.template is Template.TICKET_RESOLVED
        and notification.recipient.role is Role.CLIENT
        and notification.channel is not NotificationChannel.SMS  # it is too short for that
    )


def _answered(person: Person | None, request: Request) -> Person | None:
    """The client, where that answer, or a later one, is known; an earlier one's summary would be wrong."""
    known = person is not None and _tells_the_answer(request) and person.resolved_seq >= request.seq
    return person if known else None


def expired() -> Dead:
    """Why nothing is sent that nobody wants to hear any more."""
    return Dead(
        Undeliverable.EXPIRED,
        "it could not be delivered within TICKETFLOW_NOTIFIER_MAX_AGE_SECONDS after it was due",
    )


def wait_seconds(attempts: int, later: Later) -> float:
    """How long to wait after that many attempts: bounded, and the same for the same."""
    doubled = FIRST_WAIT_SECONDS * float(2 ** min(attempts - 1, _LONGEST_DOUBLING))
    return min(max(doubled, later.after_seconds), LONGEST_WAIT_SECONDS)


def _address(channel: NotificationChannel, person: Person | None) -> str | None:
    """Where to: an inbox is found by the recipient's id alone; only citizens have anything else."""
    match channel:
        case NotificationChannel.INBOX:
            return ""
        case NotificationChannel.EMAIL:
            return None if person is None else email_address(person.email)
        case NotificationChannel.SMS:
            return None if person is None else phone_number(person.phone)
