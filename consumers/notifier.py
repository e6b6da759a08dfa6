"""The reference notifier: reads who is to be told what, and keeps it until they are told.

It subscribes to notifications and to the state, from which it knows people. What it took in and how far it
has read change in one transaction (`consumers.subscriber`), so each notification enters its queue once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from consumers import notifier_people, notifier_queue
from consumers.checkpoint import Checkpoint, Format
from consumers.client_mistakes import outlived
from consumers.clock import Clock
from consumers.log import Outgoing, Publisher, Record, Restart, Unavailable
from consumers.notifier_dispatch import Happened, Watcher, expired
from consumers.notifier_people import People
from consumers.notifier_queue import DeadLetter, Queue
from consumers.notifier_request import Request, read_request
from schemas.envelope import Undeliverable
from schemas.records import NotificationChannel

_logger = logging.getLogger(__name__)

FORMAT: Final = Format(2, notifier_people.TABLES + notifier_queue.TABLES)

EMAIL_ROUTE, WEBHOOK_ROUTE = "email", "webhook"

_LETTERS_AT_ONCE: Final = 500
_PAUSE_SECONDS: Final = 30.0
"""After a dead letter could not be written. Each try may block, and deliveries must go on meanwhile."""


class Intake:
    """What becomes of records: people, and deliveries that wait. See `consumers.subscriber.Projection`."""

    def __init__(
        self,
        people: People,
        queue: Queue,
        clock: Clock,
        watcher: Watcher,
        *,
        state_topic: str,
        max_age: timedelta,
        begun_at: datetime,
    ) -> None:
        """`begun_at`: when there was a notifier first; it answers for nothing that was too old before."""
        self._people, self._queue, self._clock, self._watcher = people, queue, clock, watcher
        self._state_topic, self._max_age, self._begun_at = state_topic, max_age, begun_at
        self._passed_over = 0
        self.complete = False
        """Whether everybody is known; set by who sees that all is read. Nobody is told anything before."""

    def apply(self, records: Sequence[Record]) -> None:
        """See `Projection.apply`."""
        now = self._clock.now()
        for record in records:
            if record.topic != self._state_topic:
                self._take(record, now)
            elif not self._people.learn(record.key or b"", record.value):
                _logger.warning(
                    "partition %d of %s: the record at offset %d cannot be read and is passed over",
                    record.partition,
                    record.topic,
                    record.offset,
                )

    def _take(self, record: Record, now: datetime) -> None:
        request = read_request(record.value)
        if request is None:
            message = "the record is no notification as the contract has it"
            self._bury(record, None, Undeliverable.MALFORMED, message)
        elif (expires_at := request.expires_at(self._max_age)) <= self._begun_at:
            self._passed_over += 1
            self._watcher.happened(request, Happened.EXPIRED)
        elif now >= expires_at:
            self._bury(record, request, *expired())
        else:
            self._queue.add(record, request, route_of(request.data.channel), now)

    def _bury(self, record: Record, request: Request | None, code: Undeliverable, message: str) -> None:
        self._queue.bury(record, code, message)
        self._watcher.happened(request, Happened.DEAD, reason=message)

    def passed_over(self) -> int:
        """Return how many were too old before there was a notifier, since this was asked last."""
        count, self._passed_over = self._passed_over, 0
        return count

    def forget(self) -> None:
        """See `Projection.forget`: people come of the compacted topic."""
        self.complete = False
        self._people.forget()


class DeadLetters:
    """Writes dead letters to their topic, and takes them out of the queue once they are there.

    A kill in between writes some of them again: a dead letter may be repeated, but none is lost. After a
    failure they are tried alone, and more at a time again while that succeeds: so one that cannot be written
    at all is found, and waits behind the others.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        queue: Queue,
        publisher: Publisher,
        render: Callable[[Record, Undeliverable, str], Outgoing],
        monotonic: Callable[[], float],
    ) -> None:
        """`render` makes a dead letter of a record, a code and a message; `monotonic` tells seconds."""
        self._checkpoint, self._queue, self._publisher = checkpoint, queue, publisher
        self._render, self._monotonic = render, monotonic
        self._waits_until = monotonic()
        self._at_once = _LETTERS_AT_ONCE

    def write(self) -> None:
        """Write what waits; what cannot be written now goes on waiting. Raises LogError."""
        if self._monotonic() < self._waits_until:
            return
        letters = self._queue.dead(self._at_once)
        if not letters:
            return
        try:
            self._publish(letters)
        except Restart as problem:
            self._wait(letters, problem)
            return
        self._at_once = min(2 * self._at_once, _LETTERS_AT_ONCE)
        with self._checkpoint.transaction():
            self._queue.written(letters)

    def _publish(self, letters: Sequence[DeadLetter]) -> None:
        outgoing = [self._render(letter.record, letter.code, letter.message) for letter in letters]
        with outlived():
            for out in outgoing:
                self._publisher.send(out.topic, out.key, out.value, out.headers, out.partition)
            self._publisher.flush()

    def _wait(self, letters: Sequence[DeadLetter], problem: Restart) -> None:
        first = letters[0].record
        _logger.warning(
            "dead letters wait, the first of them for partition %d of %s, offset %d: %s",
            first.partition,
            first.topic,
            first.offset,
            problem,
        )
        alone, silent = len(letters) == 1, isinstance(problem, Unavailable)
        self._at_once = 1
        if alone or silent:
            self._waits_until = self._monotonic() + _PAUSE_SECONDS
        if alone and not silent:
            with self._checkpoint.transaction():
                self._queue.put_last(letters[0])


def route_of(channel: NotificationChannel) -> str:
    """The route by which a channel's notifications leave."""
    return EMAIL_ROUTE if channel is NotificationChannel.EMAIL else WEBHOOK_ROUTE
