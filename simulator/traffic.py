"""What channels publish: the lives of tickets over some days, with everything that goes wrong on the way.

A life is a walk along the table of states. Events happen at whole seconds, often just before or after a
target; most arrive at once, some late, some twice, some out of order, and some are not events at all. The
same seed gives the same lives, and each ticket's depends on its own number only.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any, Final

from consumers.log import Headers
from schemas.instants import format_instant
from simulator.policies import START

STRUCTURED: Final[Headers] = (("content-type", b"application/cloudevents+json"),)
PERSON: Final = "Небывалая Агафья"
HOUR: Final = 3600

TYPES: Final[Mapping[str, str]] = {
    "dropped": "call.dropped.v1", "scheduled": "call.scheduled.v1", "returned": "call.returned.v1",
}  # fmt: skip
_NEXT: Final[Mapping[str, tuple[str, ...]]] = {
    "created": ("assigned",) * 6 + ("escalated", "transferred", "contacted", "dropped", "promised"),
    "assigned": ("resolved",) * 4 + ("pending",) * 2 + (
        "escalated", "transferred", "contacted", "contacted", "promised", "scheduled", "reclassified"),
    "escalated": ("resolved", "resolved", "pending", "assigned", "transferred", "promised", "contacted"),
    "pending": ("resumed",) * 4 + ("resolved", "contacted", "escalated"),
    "resolved": ("closed",) * 3 + ("reopened",) * 2 + ("contacted",),
    "closed": ("reopened", "contacted", "dropped", "created"),
}  # fmt: skip
_LEADS_TO: Final[Mapping[str, str]] = {
    "created": "created", "assigned": "assigned", "transferred": "created", "escalated": "escalated",
    "pending": "pending", "resumed": "assigned", "resolved": "resolved", "reopened": "assigned",
    "closed": "closed",
}  # fmt: skip
_GAPS: Final = (0, 1, 5, 20, 29, 30, 31, 60, 299, 300, 301, 600, 900, 1200, 1799, 1800, 1801, 3600, 3600,
                7200, 10800, 14400, 14401, 21600, 21601, 36000)  # fmt: skip
_HELD: Final = 1800
"""Some channels deliver what they have in bulk, so often (in seconds)."""
_LATE: Final = (1, 10, 60, 300, 1800, 7200, 30000)
_CHANNELS: Final = ("phone", "phone", "chat", "mobile_app", "cabinet", "feedback_form")
_CATEGORIES: Final = ("status_check", "contact_change", "access_recovery", "technical_fault",
                      "technical_fault", "complex")  # fmt: skip
_QUEUES: Final = ("registration", "security", "applications", "status", "technical", "reference")


@dataclass(frozen=True, slots=True)
class Arriving:
    """A record that a channel publishes `at_seconds` after START, or as soon as the cluster answers again.

    `event`: id, kind, seconds and data (instants as seconds) for the oracle; None where it is no event.
    `code`: the dead letter that it must become whatever happens; None where that depends.
    """

    at_seconds: int
    ticket: str
    key: bytes | None
    value: bytes | None
    headers: Headers = STRUCTURED
    event: tuple[str, str, int, Mapping[str, Any]] | None = None
    code: str | None = None
    misplaced: bool = False

    @property
    def said(self) -> str:
        """The record in words, without its content."""
        if self.event is None:
            return f"{self.ticket}: a record that is no event ({self.code})"
        name, kind, happened, _ = self.event
        return f"{self.ticket}: {kind} (id {name}), happened at {happened} s"


def life(seed: int, number: int, hours: int) -> Iterator[Arriving]:
    """All records of one ticket, in no order."""
    chance = Random(f"{seed}/ticket/{number}")  # noqa: S311 (seeded on purpose)
    ticket = f"T-{number}"
    time, state, kind = _begin(chance, hours), "", "created"
    held = chance.random() < 0.3
    for step in range(chance.choice((2, 3, 3, 4, 4, 5, 6, 7, 10))):
        if time >= (hours - 1) * HOUR:
            return
        record = _event(chance, ticket, step, kind if state else "created", time, state)
        yield from _on_its_way(chance, _moved(record, -record.at_seconds % _HELD) if held else record)
        state = _LEADS_TO.get(kind, state)
        kind = chance.choice(_NEXT[state])
        time += chance.choice(_GAPS)
    if chance.random() < 0.25:
        yield _bad(chance, ticket, time)


def _begin(chance: Random, hours: int) -> int:
    """A third of the tickets come in waves, as after a failure of a service."""
    if chance.random() < 0.35:
        return chance.choice((2, 11, 26, 33, 50)) * HOUR * hours // 72 + chance.randrange(180)
    return chance.randrange(max(hours - 6, 1) * HOUR)


def _on_its_way(chance: Random, record: Arriving) -> Iterator[Arriving]:
    """Channels deliver late, twice, and not in the order in which things happened."""
    yield record
    if chance.random() < 0.06:
        yield _moved(record, chance.choice((0, 1, 60, 4000)))


def _moved(record: Arriving, later_seconds: int) -> Arriving:
    return Arriving(
        record.at_seconds + later_seconds,
        record.ticket,
        record.key,
        record.value,
        record.headers,
        record.event,
    )


def _event(chance: Random, ticket: str, step: int, kind: str, time: int, state: str) -> Arriving:
    name = f"{ticket}.{step}"
    data = _data(chance, kind, ticket, time)
    if kind == "dropped" and not state:
        data |= _registration(chance)
    roll = chance.random()
    late = 0 if roll < 0.8 else chance.choice(_LATE)
    happened = time + chance.choice((1, 240)) if roll > 0.97 and not late else time
    attributes = {
        "specversion": "1.0", "id": name, "source": f"/channels/{step % 2}",
        "type": TYPES.get(kind, f"ticket.{kind}.v1"), "subject": ticket, "time": _instant(happened),
    }  # fmt: skip
    wire = {field: _instant(v) if field in ("deadline", "at") else v for field, v in data.items()}
    key, heard = ticket.encode(), (name, kind, happened, data)
    if chance.random() < 0.2:
        carried = tuple((f"ce_{field}", text.encode()) for field, text in attributes.items())
        headers: Headers = (("content-type", b"application/json"), *carried)
        return Arriving(time + late, ticket, key, json.dumps(wire).encode(), headers, heard)
    value = json.dumps({**attributes, "data": wire}, ensure_ascii=False).encode()
    return Arriving(time + late, ticket, key, value, event=heard)


def _instant(seconds: int) -> str:
    return format_instant(START + timedelta(seconds=seconds))


def _data(chance: Random, kind: str, ticket: str, time: int) -> dict[str, Any]:
    match kind:
        case "created":
            return _registration(chance)
        case "assigned":
            return {"operator": chance.choice(("op-1", "op-2", "op-3"))}
        case "transferred":
            return {"queue": chance.choice(_QUEUES)}
        case "contacted":
            return {"by": chance.choice(("client", "client", "operator"))}
        case "promised":
            return {"deadline": time + chance.choice((60, 1800, 7200, 40000)), "by": "op-1"}
        case "scheduled":
            return {"at": time + chance.choice((300, 3600, 20000))}
        case "reclassified":
            return chance.choice((
                {"category": chance.choice(_CATEGORIES)}, {"priority": chance.choice(("low", "urgent"))},
                {"region": chance.choice(("77", "39", "25"))},
                {"category": "technical_fault", "priority": "high"},
            ))  # fmt: skip
        case "closed":
            return _closing(chance, ticket)
        case "resolved":
            return {"summary": f"{PERSON} получила ответ"}
    return {}


def _closing(chance: Random, ticket: str) -> dict[str, Any]:
    reason = chance.choice(("confirmed",) * 5 + ("cancelled", "duplicate", "merged"))
    if reason != "merged":
        return {"reason": reason}
    number = int(ticket.removeprefix("T-"))
    return {"reason": reason, "merged_into": f"T-{(number + chance.choice((1, 2, 7))) % 200}"}


def _registration(chance: Random) -> dict[str, Any]:
    channel = chance.choice(_CHANNELS)
    client = {"id": f"c-{chance.randrange(10**6)}", "name": PERSON, "phone": "+79995550123"}
    client |= chance.choice(({}, {"notify": "none"}, {"notify": "sms"}))
    data: dict[str, Any] = {"channel": channel, "category": chance.choice(_CATEGORIES), "client": client}
    data |= chance.choice(({}, {"priority": "high"}, {"priority": "urgent"}))
    data |= chance.choice(({}, {"region": "77"}, {"region": "39"}, {"region": "25"}, {"region": "abroad"}))
    if channel in ("cabinet", "feedback_form"):
        data |= {"consent": True, "description": f"{PERSON} не может войти в личный кабинет"}
    if channel == "feedback_form":
        data |= {"request_type": "usage_question", "callback_window": {"from": "10:00", "to": "12:00"}}
    return data


def _bad(chance: Random, ticket: str, time: int) -> Arriving:
    """Something that is refused whatever the ticket is like by then."""
    whole = _event(chance, ticket, 0, "assigned", time, "created")
    document = {
        "specversion": "1.0", "id": f"{ticket}.bad", "source": "/channels/simulated",
        "type": "ticket.assigned.v1", "subject": ticket, "time": _instant(time), "data": {"operator": "op-1"},
    }  # fmt: skip
    code, key, changed, misplaced = chance.choice((
        ("tombstone", ticket, None, False),
        ("malformed", ticket, {}, False),
        ("invalid_envelope", ticket, {"specversion": "0.3"}, False),
        ("key_mismatch", PERSON, {"subject": ticket}, False),
        ("key_mismatch", ticket, {"subject": ticket}, True),
        ("unknown_type", ticket, {"type": "ticket.assigned.v9"}, False),
        ("invalid_data", ticket, {"data": {"operator": "op-1", PERSON: "+79995550123"}}, False),
        ("future_event", ticket, {"time": _instant(time + 200 * HOUR)}, False),
    ))  # fmt: skip
    value = None if changed is None else json.dumps({**document, **changed}, ensure_ascii=False).encode()
    if code == "malformed" and value is not None:
        value = value[:-3]
    return Arriving(whole.at_seconds, ticket, key.encode(), value, code=code, misplaced=misplaced)
