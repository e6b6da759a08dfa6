"""Seeded hostile traffic: valid events of every type, half of them spoilt in one place or several."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from schemas.events import EVENT_TYPES
from schemas.instants import format_instant
from tests.fuzz.drafts import Draft, Sent
from tests.fuzz.marks import IDENTITY
from tests.fuzz.mutations import SIZE, WEIGHTS
from tests.fuzz.values import Scene, fitted, maker

_KINDS = tuple(EVENT_TYPES)
_CREATED = ("ticket.created.v1", "call.dropped.v1")
_MUTATIONS, _CUMULATED = tuple(WEIGHTS), tuple(WEIGHTS.values())
_ACTIVE_TICKETS = 300
_LIFE_EVENTS = 12  # after about so many events a ticket makes room for a new one
_SPOILT, _AGAIN, _HUGE, _LONG_PAUSE = 0.5, 0.06, 0.0005, 0.0005
_RECENT, _REMEMBERED = 500, 0.1


@dataclass(slots=True)
class Traffic:
    """Records with their arrivals, the same for the same seed."""

    seed: int
    now: datetime
    random: Random = field(init=False)
    _scene: Scene = field(init=False)
    _serial: int = 0
    _unborn: set[str] = field(default_factory=set)
    _recent: list[Draft] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with tickets that are not there yet."""
        self.random = Random(self.seed)
        self._scene = Scene(self.random, self.now, [])
        self._scene.tickets = [self._new_ticket() for _ in range(_ACTIVE_TICKETS)]

    def records(self, count: int) -> Iterator[tuple[Sent, datetime]]:
        """So many records, each with its arrival; arrivals never go back."""
        for _ in range(count):
            self._let_time_go_by()
            if self._recent and self.random.random() < _AGAIN:
                yield self._once_more(), self.now
                continue
            draft = self._event()
            if self.random.random() < _SPOILT:
                for mutate in self.random.choices(
                    _MUTATIONS, _CUMULATED, k=self.random.choice((1, 1, 1, 2, 3))
                ):
                    mutate(draft, self._scene)
            else:
                self._note(draft)
            if self.random.random() < _HUGE:
                SIZE(draft, self._scene)
            yield draft.sent(), self.now

    def _note(self, draft: Draft) -> None:
        """An event as it should be: its ticket is there now, and some are sent again later."""
        if draft.attributes["type"] == _CREATED[0]:
            self._unborn.discard(draft.attributes["subject"])
        if self.random.random() < _REMEMBERED:
            self._recent = [*self._recent[-_RECENT:], draft]

    def _let_time_go_by(self) -> None:
        """A few seconds; rarely so long that every reopening window is over."""
        days = 31 if self.random.random() < _LONG_PAUSE else 0
        self.now += timedelta(days=days, seconds=self.random.expovariate(0.5))

    def _once_more(self) -> Sent:
        """An event that was sent before, as it was or with other data and type under the same id."""
        draft = self.random.choice(self._recent)
        if self.random.random() < 0.5:
            return draft.sent()
        kind = self.random.choice(_KINDS)
        data = maker(kind)(self._scene)
        return Draft(
            {**draft.attributes, "type": kind}, data, draft.key, draft.binary, draft.content_type
        ).sent()

    def _event(self) -> Draft:
        number = self.random.randrange(_ACTIVE_TICKETS)
        if self.random.random() < 1 / _LIFE_EVENTS:
            self._scene.tickets[number] = self._new_ticket()
        ticket = self._scene.tickets[number]
        kind = self._kind(ticket)
        self._serial += 1
        time = self._scene.time = self.now - timedelta(seconds=self._late_seconds())
        attributes = {
            "specversion": "1.0",
            "id": f"{IDENTITY}-{self._serial}",
            "source": f"/channels/{IDENTITY}",
            "type": kind,
            "subject": ticket,
            "time": format_instant(time),
        }
        data = fitted(maker(kind)(self._scene), self._scene) if kind in _CREATED else maker(kind)(self._scene)
        binary = self.random.random() < 0.25
        content_type = b"application/json" if binary else b"application/cloudevents+json"
        return Draft(
            attributes, data, ticket.encode(), binary, content_type, ascii=self.random.random() < 0.2
        )

    def _kind(self, ticket: str) -> str:
        """What begins a ticket that is not there, and of one that is there anything."""
        if ticket in self._unborn and self.random.random() < 0.9:
            return self.random.choice(_CREATED)
        return self.random.choice(_KINDS)

    def _late_seconds(self) -> float:
        """Most events come at once, some late, few after days."""
        return self.random.choice((0, 0, 0, 0, 1, 1, 30, 600, 90_000))

    def _new_ticket(self) -> str:
        self._serial += 1
        ticket = f"{IDENTITY}.{self._serial}".ljust(self.random.choice((1, 1, 64)), "z")
        self._unborn.add(ticket)
        return ticket
