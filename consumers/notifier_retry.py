"""Dead letters of the notifier's own that are to be tried again, after what was wrong was mended.

They go back into the notifier's queue and not to the notifications topic: that is the engine's, others read
it, too, and `verify` holds it against the journal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from consumers.dead_letters import received_headers, refusal
from consumers.log import Record
from consumers.notifier import route_of
from consumers.notifier_queue import Queue
from consumers.notifier_request import read_request
from schemas.envelope import Undeliverable
from schemas.instants import to_epoch


@dataclass(slots=True)
class Retried:
    """How many letters wait for delivery again, and how many are too old for that."""

    waiting: int = 0
    too_old: int = 0


class Retry:
    """Takes up dead letters that a notifier has written, each letter once."""

    def __init__(
        self, queue: Queue, codes: Collection[Undeliverable], topic: str, group: str, max_age: timedelta
    ) -> None:
        """`topic`: of the notifications. `group`: what the notifier's letters say of who wrote them."""
        self._queue, self._codes, self._topic, self._group = queue, codes, topic, group
        self._max_age = max_age
        self.retried = Retried()

    def take_up(self, letters: Iterable[Record], now: datetime) -> None:
        """Put back into the queue what is among these; called inside the checkpoint's transaction."""
        for letter in letters:
            said = refusal(letter)
            if said is None or (said.topic, said.group) != (self._topic, self._group):
                continue
            if said.code not in self._codes or (request := read_request(letter.value)) is None:
                continue
            if now >= request.expires_at(self._max_age):
                self.retried.too_old += 1
                continue
            record = Record(
                said.topic,
                said.partition,
                said.offset,
                to_epoch(said.arrival),
                letter.key,
                letter.value,
                received_headers(letter),
            )
            # Of what has expired an earlier attempt may have arrived.
            uncertain = said.code == Undeliverable.EXPIRED
            route = route_of(request.data.channel)
            if self._queue.add_again(letter, record, request, route, now, uncertain=uncertain):
                self.retried.waiting += 1
