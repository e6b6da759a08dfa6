"""The oracle: what a journal must say, from the contract alone, counting second by second.

It shares nothing with the engine but the policy file and the events. Where the contract is silent it follows
docs/decisions/0001; such places say so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from simulator.oracle.acts import (
    Act,
    Change,
    Seconds,
    Ticket,
    absorb,
    cancel_or_stop,
    end,
    match_again,
    stand_or_go,
    start,
)  # fmt: skip
from simulator.oracle.stretches import Clock
from simulator.oracle.terms import CREATED_DEFAULTS, DEFAULT_QUEUES, Threshold, Versions

FIELDS: Final = ("category", "priority", "channel", "queue", "region")
OPEN: Final = ("created", "assigned", "escalated", "pending", "resolved")
EVERYWHERE_OPEN: Final = ("promised", "reclassified", "absorbed", "scheduled", "returned")
LEGAL: Final[Mapping[str, tuple[str, ...]]] = {
    "created": (),
    "assigned": ("created", "assigned", "escalated"),
    "transferred": ("created", "assigned", "escalated", "pending"),
    "escalated": ("created", "assigned", "escalated", "pending"),
    "pending": ("assigned", "escalated"),
    "resumed": ("pending",),
    "resolved": ("assigned", "escalated", "pending"),
    "reopened": ("resolved", "closed"),
    "closed": OPEN,
    "contacted": (*OPEN, "closed"),
    "dropped": (*OPEN, "closed"),
    **dict.fromkeys(EVERYWHERE_OPEN, OPEN),
}
FUTURE_SECONDS: Final = 300
VOIDS: Final = ("cancelled", "duplicate", "merged")
"""Closing so "cancels before any stop"."""


@dataclass(frozen=True)
class Sent:
    """An event of a history; instants are seconds after the origin."""

    kind: str
    ticket: str
    time: int
    arrival: int
    id: str
    data: Mapping[str, Any] = field(default_factory=dict)


class Line(NamedTuple):
    """A journal record. `cause`: the event's id, or clock, cycle, threshold and due of a firing."""

    ticket: str
    seq: int
    cause: tuple[Any, ...]
    at: Seconds
    trigger: str | None
    before: str | None
    after: str | None
    level: int
    clocks: tuple[Change, ...]


class Oracle:
    """All tickets of a history. `lines`, `refused` (event id or "absorbed", code) and `duplicates` grow."""

    def __init__(self, versions: Versions) -> None:
        self.versions = versions
        self.tickets: dict[str, Ticket] = {}
        self.lines: list[Line] = []
        self.refused: list[tuple[str, str]] = []
        self.duplicates = 0
        self.arrival: Seconds = 0

    # --- what arrives

    def send(self, event: Sent) -> None:
        """An event arrives: all that is due before is decided first, at equality the record comes first."""
        self.arrival = max(self.arrival, event.arrival)
        self.fire_before(self.arrival, self.arrival)
        self._take(event)

    def until(self, end: int) -> None:
        """Nothing arrives any more: all that is due before `end` fires when it is due."""
        self.fire_before(end, None)

    def _take(self, event: Sent) -> None:
        ticket = self.tickets.get(event.ticket)
        code = self._refusal(event, ticket)
        if code == "duplicate":
            self.duplicates += 1
        elif code is not None:
            self.refused.append((event.id, code))
        else:
            self._apply(event, ticket)

    def _refusal(self, event: Sent, ticket: Ticket | None) -> str | None:
        for name in ("deadline", "at"):
            if event.data.get(name, event.time + 1) <= event.time:
                return "invalid_data"
        if event.time > self.arrival + FUTURE_SECONDS:
            return "future_event"
        if ticket is not None and event.id in ticket.seen:
            return "duplicate"
        creates = event.kind == "created" or (event.kind == "dropped" and "category" in event.data)
        if ticket is None:
            return None if creates else "unknown_ticket"
        if event.kind == "closed" and ticket.state == "closed" and ticket.reason == "expired":
            return None
        return None if ticket.state in LEGAL[event.kind] else "illegal_transition"

    def _apply(self, event: Sent, ticket: Ticket | None) -> None:
        at = min(event.time, self.arrival)  # "counts at the earlier of its `time` and its arrival"
        version = self.versions.in_force(self.arrival)
        before = None if ticket is None else ticket.state
        changes: list[Change] = []
        if ticket is None:
            ticket = self.tickets[event.ticket] = _registered(event, at)
            first = Act(ticket, frozenset({"created"}), at, version, self.arrival)
            ticket.seq += 1
            self._act(first, {}, event)
            changes += first.changes
            ticket.seq -= 1
        ticket.seq += 1
        if event.id != "absorbed":  # each of the engine's own has an id of its own
            ticket.seen.add(event.id)
        if event.kind != "created":
            act = Act(ticket, _triggers(event), at, version, self.arrival, order=1)
            self._act(act, _moved(event, ticket, at), event)
            changes += act.changes
        if ticket.state == "closed" and event.kind == "closed" and before != "closed":
            ticket.leaves_at = at + version.window
        self._write(ticket, (event.id,), at, event.kind, before, changes)
        if event.kind == "closed" and event.data["reason"] == "merged":
            self._absorb(event, ticket, at)

    def _absorb(self, event: Sent, ticket: Ticket, at: Seconds) -> None:
        survivor = event.data.get("merged_into")
        if survivor is not None:
            data = {"ticket": ticket.id, "registered_at": ticket.registered_at}
            self.fire_before(self.arrival, self.arrival)
            self._take(Sent("absorbed", survivor, int(at), int(self.arrival), "absorbed", data))

    # --- what is due

    def waiting(self) -> list[tuple[Seconds, str, str, int, int, Threshold]]:
        """Everything that some ticket has to fire: due, ticket, clock, cycle, order in the policy, what."""
        found: list[tuple[Seconds, str, str, int, int, Threshold]] = []
        for ticket in self.tickets.values():
            if ticket.leaves_at is not None:
                found.append((ticket.leaves_at, ticket.id, "reopening_window", 1, 0, Threshold("over")))
            for clock in ticket.clocks.values():
                found += [
                    (at, ticket.id, clock.id, clock.cycle, order, what) for at, order, what in clock.due()
                ]
        return found

    def fire_before(self, end: Seconds, found_at: Seconds | None) -> None:
        """Fire what is due before `end`, in due order."""
        while True:
            due = min(self.waiting(), default=None, key=lambda each: each[:5])
            if due is None or due[0] >= end:
                return
            at, ticket, clock, _, _, threshold = due
            found = max(at, self.arrival) if found_at is None else found_at
            if clock == "reopening_window":
                self._leave(self.tickets[ticket], at)
            else:
                self._fire(self.tickets[ticket], self.tickets[ticket].clocks[clock], threshold, at, found)

    def _leave(self, ticket: Ticket, at: Seconds) -> None:
        act = Act(ticket, frozenset(), at, self.versions.in_force(at), at, by_engine=True)
        for clock in ticket.clocks.values():
            if clock.running:
                end(act, clock, act.when(clock), void=True)
        ticket.seq += 1
        ticket.state = ""
        self._write(ticket, ("reopening_window", 1, "over", at), at, None, "closed", act.changes)
        del self.tickets[ticket.id]

    def _fire(self, ticket: Ticket, clock: Clock, threshold: Threshold, at: Seconds, found: Seconds) -> None:
        act = Act(ticket, frozenset(), at, self.versions.in_force(at), found, by_engine=True)
        clock.fired.add(threshold.name)
        kind = "stepped" if threshold.name.startswith("+") else "warned"
        if threshold.name == "breach":
            kind, clock.broken_deadline, clock.breached = "breached", clock.deadline, True
        act.note(clock, kind, at, clock.deadline, threshold=threshold.name, found_at=found)
        ticket.seq += 1
        before, trigger = ticket.state, None
        if threshold.do == "escalate" and before not in ("resolved", "closed"):
            trigger = "escalated"
            self._escalate(act)
        elif threshold.do == "close" and before != "closed":
            trigger = "closed"
            act.triggers = frozenset({"closed"})
            self._act(act, {"state": "closed", "reason": "expired"}, None)
            ticket.leaves_at = at + act.now.window
        self._write(ticket, (clock.id, clock.cycle, threshold.name, at), at, trigger, before, act.changes)

    def _escalate(self, act: Act) -> None:
        """The engine's own: raises the level; in pending the ticket stays, and `resumed` leads further."""
        ticket = act.ticket
        ticket.level += 1
        if ticket.state == "pending":
            ticket.returns_to = "escalated"
        else:
            _enter(ticket, "escalated", act)
            stand_or_go(act)

    def _write(
        self,
        ticket: Ticket,
        cause: tuple[Any, ...],
        at: Seconds,
        trigger: str | None,
        before: str | None,
        changes: list[Change],
    ) -> None:
        self.lines.append(
            Line(
                ticket.id, ticket.seq, cause, at, trigger, before, ticket.state or None, ticket.level,
                tuple(changes),
            )
        )  # fmt: skip

    # --- one act: cancel and stop; fields; match again; start; pause or resume

    def _act(self, act: Act, moved: Mapping[str, Any], event: Sent | None) -> None:
        ticket = act.ticket
        was_closed, state = ticket.state == "closed", ticket.state
        reason = moved.get("reason") if "closed" in act.triggers else None
        for clock in list(ticket.clocks.values()):
            cancel_or_stop(act, clock, void=reason in VOIDS)
        old = dict(ticket.fields)
        _change(ticket, moved, act)
        silent = was_closed and "contacted" in act.triggers  # it "starts no clock"
        for trigger in act.triggers:
            ticket.marks[trigger] = (act.at, ticket.seq, act.order)
            if not silent:
                ticket.starts[trigger] = ticket.marks[trigger]
        if event is not None:
            _hear(ticket, event)
        if ticket.fields != old:
            match_again(act, old)
        if event is not None and event.kind == "absorbed":
            absorb(act, event.data["registered_at"])
        if not silent:
            start(act)
        act.enters = ticket.state != state or "escalated" in act.triggers
        stand_or_go(act)


def _registered(event: Sent, at: Seconds) -> Ticket:
    fields = {name: event.data.get(name, CREATED_DEFAULTS.get(name)) for name in FIELDS}
    fields["queue"] = fields["queue"] or DEFAULT_QUEUES[fields["category"]]
    ticket = Ticket(event.ticket, fields, at)
    ticket.entered.append((at, "created", 1, False))
    return ticket


def _triggers(event: Sent) -> frozenset[str]:
    if event.kind == "contacted":
        return frozenset({"contacted", f"contacted.{event.data['by']}"})
    return frozenset({event.kind})


def _moved(event: Sent, ticket: Ticket, at: Seconds) -> dict[str, Any]:
    """What an event changes of the ticket: its state and its fields."""
    del at
    kind, data = event.kind, event.data
    if kind == "assigned":
        state = "escalated" if ticket.state == "escalated" else "assigned"
        return {"state": state, "operator": data["operator"]}
    if kind == "transferred":
        return {"state": "created", "operator": None, "queue": data["queue"]}
    if kind == "escalated":
        return {"state": "escalated", "level": ticket.level + 1}
    if kind == "pending":
        return {"state": "pending", "returns_to": ticket.state}
    if kind == "resumed":
        return {"state": ticket.returns_to}
    if kind == "resolved":
        return {"state": "resolved"}
    if kind == "reopened":
        return {"state": "assigned" if ticket.operator else "created", "leaves_at": None, "reason": None}
    if kind == "closed":
        return {"state": "closed", "reason": data["reason"]}
    if kind == "reclassified":
        return {name: data[name] for name in FIELDS if name in data}
    return {}


def _change(ticket: Ticket, moved: Mapping[str, Any], act: Act) -> None:
    for name, value in moved.items():
        if name == "state":
            _enter(ticket, value, act)
        elif name in FIELDS:
            ticket.fields[name] = value
        else:
            setattr(ticket, name, value)


def _enter(ticket: Ticket, state: str, act: Act) -> None:
    # An event that escalates leads there, although the engine may have escalated since.
    if state != ticket.state or (not act.by_engine and "escalated" in act.triggers):
        ticket.state = state
        ticket.entered.append((act.at, state, ticket.seq, act.by_engine))


def _hear(ticket: Ticket, event: Sent) -> None:
    if event.kind == "promised":
        ticket.announced["promised"] = event.data["deadline"]
    if event.kind == "scheduled":
        ticket.announced["scheduled"] = event.data["at"]
