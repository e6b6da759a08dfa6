"""Seeded traffic: records as channels publish them, and what the engine must make of them.

The same seed and instant give the same records. What is expected is counted while they are made.
"""

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.support.traffic_paths import CREATED, MERGED, PATHS, SURVIVOR, Path

Headers = tuple[tuple[str, bytes | None], ...]

STRUCTURED: Headers = (("content-type", b"application/cloudevents+json; charset=utf-8"),)
NAME, PHONE, EMAIL = "Агафья Небывалая", "+79995550123", "agafya@nebyvalaya.example"

CODES = (
    "tombstone", "too_large", "malformed", "invalid_envelope", "key_mismatch", "unknown_type",
    "invalid_data", "future_event", "unknown_ticket", "illegal_transition",
)  # fmt: skip
"""The contract's dead-letter codes."""

_SURVIVORS = 3
_GOOD_FIRST = 20  # there must be something to repeat
_MOST_TOO_LARGE = 10  # each is a quarter of a mebibyte
_PRIORITIES = ("low", "normal", "high", "urgent")
_REGIONS = ("77", "39", "25", "abroad", None)


@dataclass(frozen=True, slots=True)
class Sent:
    """A record to publish. `misplaced`: not into the partition that its key hashes to, but into the next."""

    key: bytes | None
    value: bytes | None
    headers: Headers = STRUCTURED
    misplaced: bool = False


@dataclass(slots=True)
class Expected:
    """What the engine must make of the records.

    `absorbed`: how many events it publishes itself, each applied too. `verdicts` by (ticket, clock, cycle),
    `states` by ticket, None where it left the state.
    """

    applied: int = 0
    duplicate: int = 0
    absorbed: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    verdicts: dict[tuple[str, str, int], str] = field(default_factory=dict)
    states: dict[str, str | None] = field(default_factory=dict)

    @property
    def published(self) -> int:
        """How many records there are."""
        return self.applied + self.duplicate + self.rejected.total()


@dataclass(slots=True)
class _Ticket:
    path: Path
    ticket_id: str
    begin: datetime
    waiting: list[Sent]
    settled: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of what. `merges`: how many tickets are merged into others; `shares` are of all records."""

    records: int
    tickets: int
    seed: int = 1
    duplicates: float = 0.05
    bad: float = 0.05
    merges: int = 0
    active: int = 200
    prefix: str = "T"


class Traffic:
    """Makes the records of a plan; `expected` is whole once all were taken."""

    def __init__(self, plan: Plan, now: datetime) -> None:
        """`now`: when they are published, or a little before."""
        self.plan, self.expected = plan, Expected()
        self._now, self._random = now, random.Random(plan.seed)
        self._serial = 0
        self._recent: list[Sent] = []  # good records whose tickets stay, to be published once more
        self._active: list[_Ticket] = []
        self._open: list[str] = []  # tickets that are there, and stay
        self._bad = 0
        self._coming = self._tickets()

    def records(self) -> Iterator[Sent]:
        """All records, in the order in which they are to be published."""
        plan = self.plan
        duplicates, bad = round(plan.records * plan.duplicates), round(plan.records * plan.bad)
        good = plan.records - duplicates - bad
        first = min(good, _GOOD_FIRST)
        kinds = ["good"] * (good - first) + ["duplicate"] * duplicates + ["bad"] * bad
        self._random.shuffle(kinds)
        for kind in (*["good"] * first, *kinds):
            yield {"good": self._good, "duplicate": self._again, "bad": self._refused}[kind]()

    # ---- good ones ----

    def _good(self) -> Sent:
        while len(self._active) < self.plan.active and (ticket := next(self._coming, None)) is not None:
            self._active.append(ticket)
        # The first ones are what others are merged into: they are there before anybody else.
        number = 0 if self._open_survivors() else self._random.randrange(len(self._active))
        ticket = self._active[number]
        sent = ticket.waiting.pop(0)
        self.expected.applied += 1
        if ticket.path.state is not None:
            self._recent.append(sent)
            if len(self._recent) > 5_000:
                del self._recent[:2_500]
            if not ticket.settled:
                self._open.append(ticket.ticket_id)
        ticket.settled = True
        if not ticket.waiting:
            self._active.pop(number)
        return sent

    def _open_survivors(self) -> bool:
        return self._active[0].path is SURVIVOR

    def _tickets(self) -> Iterator[_Ticket]:
        """Every ticket of the plan, with as many records as the plan wants altogether."""
        plan = self.plan
        weights = [path.weight for path in PATHS]
        survivors = [SURVIVOR] * (_SURVIVORS if plan.merges else 0)
        left = plan.tickets - len(survivors) - plan.merges
        others = [*self._random.choices(PATHS, weights, k=left), *[MERGED] * plan.merges]
        self._random.shuffle(others)
        paths = [*survivors, *others]
        good = plan.records - round(plan.records * plan.duplicates) - round(plan.records * plan.bad)
        padding = good - sum(1 + len(path.steps) for path in paths)
        if padding < 0:
            raise ValueError(f"{plan.tickets} tickets need {-padding} records more than the plan has")
        share, more = divmod(padding, len(paths))
        for number, path in enumerate(paths):
            yield self._ticket(path, number, share + (number < more))

    def _ticket(self, path: Path, number: int, padding: int) -> _Ticket:
        ticket_id = f"{self.plan.prefix}-{number}"
        begin = self._now - timedelta(seconds=path.age_seconds)
        waiting = [self.event(ticket_id, path.begins_with, begin, self._registration(path))]
        # An operator's word right after the registration changes no clock.
        spoken = (0.0, "ticket.contacted.v1", {"by": "operator"})
        for after_seconds, kind, data in (*[spoken] * padding, *path.steps):
            time = begin + timedelta(seconds=after_seconds)
            waiting.append(self.event(ticket_id, kind, time, self._data(data, begin)))
        for (clock, cycle), verdict in path.verdicts.items():
            self.expected.verdicts[ticket_id, clock, cycle] = verdict
        self.expected.states[ticket_id] = path.state
        self.expected.absorbed += path is MERGED
        return _Ticket(path, ticket_id, begin, waiting)

    def _registration(self, path: Path) -> dict[str, Any]:
        data: dict[str, Any] = {
            "channel": path.channel,
            "category": path.category,
            "client": {"id": f"c-{self._serial}", "name": NAME, "phone": PHONE, "email": EMAIL},
            "priority": self._random.choice(_PRIORITIES),
            "region": self._random.choice(_REGIONS),
            "description": f"{NAME} просит помочь со входом в кабинет",
        }
        if path.channel in ("feedback_form", "cabinet"):
            data["consent"] = True
        if path.channel == "feedback_form":
            data |= {"request_type": "usage_question", "callback_window": {"from": "10:00", "to": "12:00"}}
        return data

    def _data(self, data: Mapping[str, Any], begin: datetime) -> dict[str, Any]:
        made = {
            name: _text(begin + timedelta(seconds=value)) if name in ("deadline", "at") else value
            for name, value in data.items()
        }
        if made.get("reason") == "merged":
            made["merged_into"] = f"{self.plan.prefix}-{self._serial % _SURVIVORS}"
        return made

    def event(self, ticket_id: str, kind: str, time: datetime, data: Mapping[str, Any]) -> Sent:
        """An event with an id of its own."""
        return self._sent(self._attributes(ticket_id, kind, time), data)

    def _attributes(self, ticket_id: str, kind: str, time: datetime) -> dict[str, str]:
        self._serial += 1
        return {
            "specversion": "1.0",
            "id": f"{self.plan.prefix}.{self._serial}",
            "source": "/channels/test",
            "type": kind,
            "subject": ticket_id,
            "time": _text(time),
        }

    def _sent(self, attributes: Mapping[str, str], data: Any) -> Sent:
        """Every fifth in binary mode."""
        key = attributes["subject"].encode()
        if self._serial % 5:
            return Sent(key, _json({**attributes, "data": data}))
        carried = tuple((f"ce_{name}", value.encode()) for name, value in attributes.items())
        return Sent(key, _json(data), (("content-type", b"application/json"), *carried))

    # ---- the others ----

    def _again(self) -> Sent:
        """A record once more, every fourth time with another content under the same id."""
        self.expected.duplicate += 1
        sent = self._random.choice(self._recent)
        if self._random.randrange(4) or sent.headers is not STRUCTURED:
            return sent
        document = json.loads(sent.value or b"")
        return Sent(sent.key, _json({**document, "type": "ticket.contacted.v1", "data": {"by": "client"}}))

    def _refused(self) -> Sent:
        code = CODES[self._bad % len(CODES)]
        if code == "too_large" and self.expected.rejected[code] >= _MOST_TOO_LARGE:
            code = "malformed"
        self._bad += 1
        self.expected.rejected[code] += 1
        return self._bad_record(code)

    def _bad_record(self, code: str) -> Sent:
        ticket_id = self._random.choice(self._open)
        attributes: dict[str, Any] = self._attributes(ticket_id, "ticket.assigned.v1", self._now)
        key, data = ticket_id.encode(), {"operator": NAME}
        match code:
            case "tombstone":
                return Sent(key, None)
            case "too_large":
                return Sent(key, _json({**attributes, "data": data}).ljust(256 * 1024 + 1))
            case "malformed":
                return Sent(key, _json({**attributes, "data": data})[:-3])
            case "invalid_envelope":
                return Sent(key, _json({**attributes, "time": NAME, "data": data}))
            case "key_mismatch":
                return self._mismatched(key, _json({**attributes, "data": data}))
            case "unknown_type":
                return Sent(key, _json({**attributes, "type": "ticket.assigned.v9", "data": data}))
            case "invalid_data":
                return Sent(key, _json({**attributes, "data": {**data, PHONE: EMAIL}}))
            case "future_event":
                attributes["time"] = _text(self._now + timedelta(days=1))
            case "unknown_ticket":
                attributes["subject"] = f"nobody-{self._serial}"
            case "illegal_transition":
                attributes["type"] = CREATED
                data = self._registration(PATHS[0])
        return self._sent(attributes, data)

    def _mismatched(self, key: bytes, value: bytes) -> Sent:
        """Half of them in another partition than the key's, half under another key."""
        if self._bad % 20 < 10:
            return Sent(key, value, misplaced=True)
        return Sent(PHONE.encode(), value)


def _json(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


def _text(instant: datetime) -> str:
    return instant.isoformat()
