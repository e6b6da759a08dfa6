"""Random histories of whole seconds within two hours; the oracle says what is due, so that events meet it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any, Final

from simulator.oracle.acts import Ticket
from simulator.oracle.seconds import LEGAL, Oracle, Sent
from simulator.oracle.terms import Versions
from tests.oracle.engine import accepted
from tests.oracle.policies import origin, policy

LAST: Final = 7200
END: Final = 9000
"""What is due before this fires after the last event."""

GAPS: Final = (0, 0, 1, 10, 30, 60, 60, 120, 300, 300, 600, 1200)
DELAYS: Final = (1, 10, 60, 120, 300, 600, 1800)
ANYWHERE: Final = ("contacted", "contacted", "reclassified", "reclassified", "reclassified", "promised",
                   "scheduled", "returned", "dropped", "absorbed")  # fmt: skip
LIKELY: Final[Mapping[str, tuple[str, ...]]] = {
    "created": ("assigned", "assigned", "escalated", "transferred", "closed", *ANYWHERE),
    "assigned": ("resolved", "resolved", "pending", "pending", "pending", "escalated", "transferred",
                 "closed", *ANYWHERE),
    "escalated": ("resolved", "pending", "pending", "assigned", "transferred", *ANYWHERE),
    "pending": ("resumed", "resumed", "resumed", "resumed", "resolved", "escalated", "transferred",
                *ANYWHERE),
    "resolved": ("reopened", "reopened", "reopened", "closed", *ANYWHERE),
    "closed": ("reopened", "reopened", "contacted", "dropped", "closed", "created", "promised"),
}  # fmt: skip


@dataclass(frozen=True)
class History:
    """A policy and what arrives under it."""

    start: datetime
    documents: tuple[dict[str, Any], ...]
    events: tuple[Sent, ...]


def history(seed: int) -> History:
    """The history of a number: always the same."""
    chance = Random(seed)
    start, zone = origin(chance)
    documents = policy(chance, start, zone)
    while accepted(documents) is None:
        documents = policy(chance, start, zone)
    oracle = Oracle(Versions(documents, start))
    names = ("A", "B")[: chance.choice((1, 1, 1, 2))]
    events: list[Sent] = []
    arrival = chance.choice((0, 0, 300, 1800))
    for number in range(chance.randint(3, 20)):
        arrival = _next(chance, oracle, arrival) if number else arrival
        if arrival > LAST:
            break
        name = chance.choice(names)
        event = _event(chance, oracle, name, arrival, f"e{number}")
        if events and chance.random() < 0.02:
            event = Sent(event.kind, name, event.time, arrival, events[-1].id, event.data)
        events.append(event)
        oracle.send(event)
    return History(start, tuple(documents), tuple(events))


def _next(chance: Random, oracle: Oracle, arrival: int) -> int:
    """When the next event arrives: often when something is due, to the second."""
    due = [int(each[0]) for each in oracle.waiting() if arrival <= each[0] <= LAST]
    if due and chance.random() < 0.45:
        return max(chance.choice(due) + chance.choice((-1, 0, 0, 0, 1, 30)), arrival)
    return arrival + chance.choice(GAPS)


def _event(chance: Random, oracle: Oracle, name: str, arrival: int, id: str) -> Sent:
    oracle.fire_before(arrival, arrival)
    ticket = oracle.tickets.get(name)
    time = _time(chance, ticket, arrival)
    kind = _kind(chance, ticket)
    return Sent(kind, name, time, arrival, id, _data(chance, oracle, kind, name, time, ticket is None))


def _kind(chance: Random, ticket: Ticket | None) -> str:
    if ticket is None:
        return chance.choice(("created", "created", "created", "created", "dropped"))
    if chance.random() < 0.03:
        return chance.choice(sorted({kind for kinds in LIKELY.values() for kind in kinds}))
    if chance.random() < 0.4 and (wanted := _wanted(ticket)):
        return chance.choice(wanted)
    return chance.choice(LIKELY[ticket.state])


def _wanted(ticket: Ticket) -> list[str]:
    """What would end one of the ticket's clocks or make it stand still."""
    clocks = [clock for clock in ticket.clocks.values() if clock.running or clock.by_engine]
    triggers = [
        name for c in clocks for name in sorted(c.rule.stop) + sorted(c.rule.cancel) + sorted(c.rule.pause)
    ]
    kinds = [trigger.split(".")[0] for trigger in triggers if trigger != "created"]
    return [kind for kind in kinds if ticket.state in LEGAL[kind]]


def _time(chance: Random, ticket: Ticket | None, arrival: int) -> int:
    """When an event happened: mostly as it arrives; sometimes late, on a broken deadline, or ahead."""
    roll = chance.random()
    if roll < 0.55:
        return arrival
    broken = [
        clock.broken_deadline
        for clock in (ticket.clocks.values() if ticket else ())
        if clock.broken_deadline is not None and clock.broken_deadline <= arrival
    ]
    if broken and roll < 0.85:
        return max(int(chance.choice(broken)) + chance.choice((-30, -1, 0, 0, 1)), 0)
    if roll < 0.95:
        return max(arrival - chance.choice(DELAYS), 0)
    return arrival + chance.choice((1, 30, 300, 301))


def _data(chance: Random, oracle: Oracle, kind: str, name: str, time: int, new: bool) -> dict[str, Any]:
    if kind == "created" or (kind == "dropped" and new):
        return _registration(chance)
    if kind == "assigned":
        return {"operator": chance.choice(("op-1", "op-2"))}
    if kind == "transferred":
        return {"queue": chance.choice(("status", "technical", "reference"))}
    if kind == "contacted":
        return {"by": chance.choice(("client", "operator"))}
    if kind == "reclassified":
        return _reclassified(chance, oracle.tickets.get(name))
    if kind == "promised":
        return {"deadline": time + chance.choice((1, 60, 300, 600, 2400)), "by": "op-1"}
    if kind == "scheduled":
        return {"at": time + chance.choice((1, 60, 300, 600, 2400))}
    if kind == "absorbed":
        return {"ticket": "OLD", "registered_at": max(time - chance.choice((0, 60, 600, 1800)), -1800)}
    if kind == "closed":
        reason = chance.choice(("confirmed", "confirmed", "cancelled", "duplicate", "merged"))
        others = sorted({"A", "B", *oracle.tickets} - {name})
        return {"reason": reason, **({"merged_into": chance.choice(others)} if reason == "merged" else {})}
    return {}


def _registration(chance: Random) -> dict[str, Any]:
    data = {
        "channel": chance.choice(("phone", "chat")),
        "category": chance.choice(("status_check", "technical_fault", "complex")),
        "client": {"id": "c-1"},
    }
    if chance.random() < 0.5:
        data["priority"] = chance.choice(("normal", "high", "urgent"))
    if chance.random() < 0.6:
        data["region"] = chance.choice(("77", "25", "abroad"))
    if chance.random() < 0.2:
        data["queue"] = chance.choice(("status", "technical", "reference"))
    return data


def _reclassified(chance: Random, ticket: Ticket | None) -> dict[str, Any]:
    """Any fields; often what another rule of a running clock asks for."""
    rules = [
        rule
        for clock in (ticket.clocks.values() if ticket else ())
        for rule in clock.version.rules
        if clock.running and rule.clock == clock.id and rule.when
    ]
    if rules and chance.random() < 0.6:
        return {name: chance.choice(of) for name, of in chance.choice(rules).when.items()}
    values = {
        "category": ("status_check", "technical_fault", "complex"),
        "priority": ("normal", "high", "urgent"),
        "channel": ("phone", "chat"),
        "queue": ("status", "technical", "reference"),
        "region": ("77", "25", "abroad"),
    }
    names = chance.sample(sorted(values), chance.choice((1, 1, 2)))
    return {name: chance.choice(values[name]) for name in names}
