"""A world in memory: histories run through `decide` and `decide_due` as the contract's section "Time" has it.

Instants are numbers of seconds after START, a Monday morning; the journal is read back in the same numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from schemas.envelope import Code, Event
from schemas.events import EVENT_TYPES
from schemas.instants import EARLIEST, format_instant
from schemas.records import ClockCause, ClockChange, JournalEntry
from schemas.state import Clock, Ticket
from workflow.decide import Accepted, Arrived, Duplicate, Rejected, decide, decide_due
from workflow.due import next_due
from workflow.measures import metrics
from workflow.notices import notifications
from workflow.policy import Policies
from workflow.policy_file import policies

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
MINUTE, HOUR, DAY = 60, 3600, 86_400

TYPES: Mapping[str, str] = {
    **{model.triggers[0]: name for name, model in EVENT_TYPES.items()},
}
"""The event type of each trigger."""

DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "created": {"channel": "phone", "category": "access_recovery", "client": {"id": "c-1"}},
    "assigned": {"operator": "op-1"},
    "transferred": {"queue": "technical"},
    "promised": {"by": "op-1"},
    "contacted": {"by": "client"},
    "closed": {"reason": "confirmed"},
    "absorbed": {"ticket": "OLD"},
}
"""What an event's data has where a test says nothing."""


def at(seconds: float) -> datetime:
    """The instant so many seconds after START."""
    return START + timedelta(seconds=seconds)


def seconds_of(instant: datetime | None) -> float | None:
    """The number that `at` takes; None stays None."""
    if instant is None:
        return None
    seconds = (instant - START).total_seconds()
    return int(seconds) if seconds.is_integer() else seconds


def written(*texts: str) -> Policies:
    """Versions of a policy from short texts; `policy` and `version` (1, 2, …) are added where missing."""
    files = []
    for number, text in enumerate(texts, 1):
        head = "" if "policy:" in text else "policy: test\n"
        version = "" if "version:" in text else f'version: "{number}"\n'
        files.append((f"{number}.yaml", head + version + text))
    return policies(files)


def event_data(trigger: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The data of an event as its channel writes it: numbers stand for instants."""
    data = {**DEFAULTS.get(trigger, {}), **given}
    for name in ("deadline", "at_", "registered_at"):
        if isinstance(data.get(name), (int, float)):
            data[name] = format_instant(at(data[name]))
    if "at_" in data:
        data["at"] = data.pop("at_")
    return data


class Line(NamedTuple):
    """A journal record as a test reads it."""

    trigger: str | None
    from_: str | None
    to: str | None
    clocks: tuple[tuple[Any, ...], ...]
    """(clock, change, at, deadline) of each change."""


@dataclass(slots=True)
class World:
    """Tickets of one partition, and all that was decided about them."""

    policies: Policies
    tickets: dict[str, Ticket] = field(default_factory=dict)
    facts: list[Accepted] = field(default_factory=list)
    refused: list[Rejected] = field(default_factory=list)
    arrival: datetime = EARLIEST
    offset: int = 0

    def send(
        self,
        trigger: str,
        time: float,
        *,
        ticket: str = "T",
        arrives: float | None = None,
        id: str | None = None,
        source: str = "/test",
        found: float | None = None,
        **data: Any,
    ) -> Accepted | Rejected | Duplicate:
        """Let an event of `time` arrive (at that time where `arrives` is not said), and decide it.

        All that is due before is decided first; `found` is the worker's clock.
        """
        self.arrival = max(self.arrival, at(time if arrives is None else arrives))
        now = self.arrival if found is None else max(at(found), self.arrival)
        self._fire(self.arrival, now, inclusive=False)
        name = f"e{self.offset}" if id is None else id
        model = EVENT_TYPES[TYPES[trigger]].model_validate(event_data(trigger, data))
        event = Event(name, source, TYPES[trigger], ticket, at(time), model)
        verdict = decide(
            self.tickets.get(ticket), Arrived(event, self.arrival, 0, self.offset), now, self.policies
        )
        self.offset += 1
        if isinstance(verdict, Accepted):
            self._take(verdict)
        elif isinstance(verdict, Rejected):
            self.refused.append(verdict)
        return verdict

    def until(self, time: float) -> None:
        """Nothing arrives any more: fire what is due by the worker's clock, found at `time`."""
        self._fire(at(time), max(at(time), self.arrival), inclusive=True)

    def _fire(self, before: datetime, now: datetime, *, inclusive: bool) -> None:
        while True:
            due = min(
                (d for t in self.tickets.values() if (d := next_due(t, self.policies)) is not None),
                default=None,
            )
            if due is None or due.at > before or (due.at == before and not inclusive):
                return
            fact = decide_due(self.tickets[due.ticket_id], due, now, self.policies)
            assert fact is not None, "what is due next must fire"
            self._take(fact)

    def _take(self, fact: Accepted) -> None:
        self.facts.append(fact)
        if fact.after is None:
            del self.tickets[fact.entry.ticket_id]
        else:
            self.tickets[fact.entry.ticket_id] = fact.after

    def entries(self, ticket: str = "T") -> list[JournalEntry]:
        """The journal of a ticket."""
        return [fact.entry for fact in self.facts if fact.entry.ticket_id == ticket]

    def lines(self, ticket: str = "T") -> list[Line]:
        """The journal of a ticket, readable."""
        return [_line(entry) for entry in self.entries(ticket)]

    def changes(self, clock: str, ticket: str = "T") -> list[tuple[Any, ...]]:
        """The changes of one clock: (change, at, deadline), with the threshold where there is one."""
        return [
            (_name(change), seconds_of(change.at), seconds_of(change.deadline))
            for entry in self.entries(ticket)
            for change in entry.clocks
            if change.clock == clock
        ]

    def names(self, clock: str, ticket: str = "T") -> list[str]:
        """The names of the changes of one clock."""
        return [change[0] for change in self.changes(clock, ticket)]

    def last(self, ticket: str = "T") -> Line:
        """The last line of a ticket's journal."""
        return self.lines(ticket)[-1]

    def firings(self) -> list[tuple[Any, ...]]:
        """Every firing in order: (ticket, clock, cycle, threshold, due, lateness)."""
        return [
            (
                fact.entry.ticket_id,
                cause.clock,
                cause.cycle,
                cause.threshold,
                seconds_of(cause.due),
                next((c.lateness_seconds for c in fact.entry.clocks if c.lateness_seconds is not None), None),
            )
            for fact in self.facts
            if isinstance(cause := fact.entry.cause, ClockCause)
        ]

    def ticket(self, ticket: str = "T") -> Ticket:
        """The ticket as it stands."""
        return self.tickets[ticket]

    def clock(self, clock: str, ticket: str = "T") -> Clock:
        """A clock of the ticket as it stands."""
        found = self.tickets[ticket].clock(clock)
        assert found is not None, f"{clock} never started"
        return found

    def told(self, *templates: str, ticket: str = "T") -> list[tuple[str, str, str, str]]:
        """Notifications, of these templates if any are named: (template, role, ref, channel)."""
        return [
            (str(n.template), str(n.recipient.role), n.recipient.ref, str(n.channel))
            for fact in self.facts
            if fact.entry.ticket_id == ticket
            for _, n in notifications(fact)
            if not templates or n.template in templates
        ]

    def measured(self, name: str, ticket: str = "T") -> list[Any]:
        """Values of a metric; of `clock_outcome` (clock, outcome)."""
        found: list[Any] = []
        for fact in self.facts:
            if fact.entry.ticket_id != ticket:
                continue
            for _, metric in metrics(fact):
                if metric.metric == name:
                    pair = (metric.labels.get("clock"), metric.labels.get("outcome"))
                    found.append(pair if name == "clock_outcome" else metric.value)
        return found

    def codes(self) -> list[Code]:
        """The codes of what was refused."""
        return [rejected.code for rejected in self.refused]


def _name(change: ClockChange) -> str:
    if change.threshold in (None, "breach"):
        return str(change.change)
    return f"{change.change} {change.threshold}"


def _line(entry: JournalEntry) -> Line:
    clocks = tuple((c.clock, _name(c), seconds_of(c.at), seconds_of(c.deadline)) for c in entry.clocks)
    return Line(entry.trigger, entry.from_, entry.to, clocks)


def world(*texts: str) -> World:
    """A world under a policy given as the text of its `clocks` and what else it needs."""
    return World(written(*texts))
