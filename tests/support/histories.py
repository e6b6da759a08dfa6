"""Random histories of tickets, for properties that must hold whatever happens."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

from hypothesis import strategies as st

from schemas.events import Category, Channel, CloseReason, ContactedBy, Priority, Queue
from tests.support.world import HOUR, MINUTE, TYPES

POLICY = """
reopening_window: 1d
calendars:
  office: {timezone: Europe/Moscow, hours: {mon: [["08:00","13:00"]], tue: [["08:00","13:00"]],
           thu: [["20:00","26:00"]]}}
region_calendars: {"77": office, "*": always}
citizen_hours: office
clocks:
  - {clock: first, target: 10m, start: [created, transferred], stop: [assigned, resolved], cancel: [dropped],
     warn: [50%, -1m], on_breach: [{after: 0s, do: escalate, notify: [operator, supervisor]},
                                   {after: 10m, do: escalate, notify: [supervisor]}]}
  - {clock: whole, when: {priority: [urgent]}, target: 15m, start: [created], stop: [resolved, closed],
     pause: [pending], reopen: continue, warn: [80%], on_breach: [{after: 1h, notify: [client]}]}
  - {clock: whole, when: {category: [complex, technical_fault]}, target: 2h, start: [created],
     stop: [resolved, closed], pause: [pending, escalated], reopen: restart, calendar: region, warn: [50%],
     on_breach: [{after: 0s, do: escalate, notify: [supervisor]}]}
  - {clock: next, when: {priority: [high, urgent]}, target: 30m, start: [contacted.client],
     stop: [contacted.operator, closed], pause: [pending], warn: [-10m]}
  - {clock: promise, target: promised, start: [promised], stop: [resolved, closed], warn: [50%],
     on_breach: [{after: 0s, notify: [supervisor, client]}]}
  - {clock: call, target: scheduled, start: [scheduled], stop: [returned], cancel: [closed]}
  - {clock: confirmation, target: 1h, start: [resolved], stop: [closed, reopened], reopen: none,
     on_breach: [{after: 0s, do: close}]}
"""
"""Something of everything; short targets, so that random histories meet and miss them."""

TICKETS = ("A", "B", "C")


@dataclass(frozen=True)
class Sent:
    """An event: it happens at `time` and arrives at `arrives`, both in seconds."""

    trigger: str
    time: float
    arrives: float
    ticket: str
    data: dict[str, Any]
    id: str


_one_of = cache(st.sampled_from)
"""Of a tuple. Making a strategy costs more than drawing from it, so that each is made once."""

_OPTIONAL_REGION = st.sampled_from([{}, {"region": "77"}, {"region": "25"}])
_RECLASSIFIED: Mapping[str, st.SearchStrategy[str]] = {
    "priority": st.sampled_from([str(each) for each in Priority]),
    "category": st.sampled_from([str(each) for each in Category]),
    "region": st.sampled_from(["77", "25"]),
    "queue": st.sampled_from([str(each) for each in Queue]),
}


def _data(draw: st.DrawFn, trigger: str, time: float) -> dict[str, Any]:
    if trigger == "created":
        base = {"channel": str(draw(_one_of((Channel.PHONE, Channel.CHAT))))}
        base |= {name: draw(_RECLASSIFIED[name]) for name in ("category", "priority")}
        return {**base, **draw(_OPTIONAL_REGION), "client": {"id": "c-1"}}
    if trigger == "reclassified":
        name = draw(_one_of(("priority", "category", "region", "queue")))
        return {name: draw(_RECLASSIFIED[name])}
    if trigger == "contacted":
        return {"by": str(draw(_one_of(tuple(ContactedBy))))}
    if trigger == "closed":
        return {"reason": str(draw(_one_of(tuple(CloseReason))))}
    if trigger == "assigned":
        return {"operator": draw(_one_of(("op-1", "op-2")))}
    if trigger in ("promised", "scheduled"):
        name = "deadline" if trigger == "promised" else "at_"
        return {name: time + draw(_one_of((60, 20 * MINUTE, 3 * HOUR)))}
    if trigger == "absorbed":
        return {"registered_at": time - draw(_one_of((0, 600, 2 * HOUR)))}
    return {}


_ANY = tuple(TYPES)
_ALWAYS = ("contacted", "reclassified", "promised", "scheduled", "returned", "absorbed", "dropped")
_LIKELY: Mapping[str, tuple[str, ...]] = {
    "created": ("assigned", "assigned", "assigned", "escalated", "transferred", *_ALWAYS),
    "assigned": ("resolved", "resolved", "resolved", "pending", "pending", "escalated", *_ALWAYS),
    "pending": ("resumed", "resumed", "resumed", "resolved", "escalated", *_ALWAYS),
    "resolved": ("reopened", "reopened", "reopened", "closed", *_ALWAYS),
    "closed": ("reopened", "reopened", "contacted", "dropped", "closed", "created"),
}
_LEADS: Mapping[str, str] = {
    "created": "created", "assigned": "assigned", "transferred": "created", "escalated": "assigned",
    "pending": "pending", "resumed": "assigned", "resolved": "resolved", "reopened": "assigned",
    "closed": "closed",
}  # fmt: skip
"""Where a trigger probably leads: a guess, so that most events of a history are legal, and not all."""

_GAPS = (0, 0, 1, 1, 30, 60, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 40 * MINUTE, 3 * HOUR, 30 * HOUR)
_DELAYS = (0, 0, 0, 0, 0, 5, MINUTE, 10 * MINUTE, 2 * HOUR, -60)

_STEPS = st.sampled_from(tuple(product(_GAPS, _DELAYS, range(20))))
"""The time since the last arrival, how late the event is, and a die: one draw costs less than three."""


@st.composite
def histories(draw: st.DrawFn, tickets: int = 1, most: int = 25) -> list[Sent]:
    """Events in the order of their arrival; every ticket is created first; some are late, some are double."""
    names = TICKETS[:tickets]
    guess = dict.fromkeys(names, "created")
    arrives = 0.0
    sent = [
        Sent("created", 0, 0, ticket, _data(draw, "created", 0), f"c{number}")
        for number, ticket in enumerate(names)
    ]
    for number in range(draw(st.integers(1, most))):
        gap, delay, chance = draw(_STEPS)
        arrives += gap
        time = max(arrives - delay, 0)
        ticket = names[0] if tickets == 1 else draw(_one_of(names))
        trigger = draw(_one_of(_ANY if chance == 0 else _LIKELY[guess[ticket]]))
        guess[ticket] = _LEADS.get(trigger, guess[ticket])
        name = sent[-1].id if chance == 1 else f"e{number}"
        sent.append(Sent(trigger, time, arrives, ticket, _data(draw, trigger, time), name))
    return sent
