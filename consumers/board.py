"""What people look at, folded from the topics: promises at risk, counts, breaches, notifications, refusals.

Pure: records go in, in the order in which they were read, and nothing else. What is open is kept whole; of
what has happened only counts and the latest are kept. No person is in it: tickets, operators and queues are.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import BaseModel

from consumers.dead_letters import refusal
from consumers.log import Record
from consumers.partition import read_state
from schemas.instants import Instant
from schemas.records import Change, ClockCause, Metric, MetricName, Notification, Outcome, read_journal
from schemas.state import Clock, State, Ticket
from schemas.topics import Topic, topic_name
from workflow.report_figures import is_promise

LATEST: Final = 1_000
"""So many breaches, firings, notifications and dead letters are kept, the latest."""


@dataclass(frozen=True, slots=True)
class Promise:
    """An open clock that does not stand still. `elapsed_seconds` of business time were counted at `since`."""

    ticket_id: str
    clock: str
    cycle: int
    queue: str
    operator: str | None
    deadline: datetime
    target_seconds: float
    elapsed_seconds: float
    since: datetime

    def left_seconds(self, now: datetime) -> float:
        """Wall time until the deadline; negative once it has passed."""
        return (self.deadline - now).total_seconds()

    def used(self, now: datetime) -> float:
        """The share of the target that is used up, 1.0 from the deadline on.

        Exact at both ends and while the clock's calendar is open; where it closes in between, what is left is
        taken to pass evenly.
        """
        whole_seconds = (self.deadline - self.since).total_seconds()
        if self.target_seconds <= 0 or whole_seconds <= 0 or now >= self.deadline:
            return 1.0
        begun = min(self.elapsed_seconds / self.target_seconds, 1.0)
        passed = max((now - self.since).total_seconds(), 0.0) / whole_seconds
        return begun + (1.0 - begun) * passed


@dataclass(frozen=True, slots=True)
class Breach:
    """A promise that was broken, or (`withdrawn`) was not after all: an event came late that had kept it.

    `at` is the deadline, of a withdrawal when it counts. `lateness_seconds`: how late it was found.
    """

    at: datetime
    ticket_id: str
    clock: str
    lateness_seconds: float | None
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """Somebody is to be told something; the role says whom, and no more."""

    at: datetime
    ticket_id: str
    template: str
    role: str
    channel: str
    waits: bool
    """For the citizen's hours."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter: why it is one, and where the record lies in `topic`."""

    at: datetime
    code: str
    topic: str
    partition: int
    offset: int


class _Notified(BaseModel):
    time: Instant
    data: Notification


class _Measured(BaseModel):
    subject: str
    time: Instant
    data: Metric


@dataclass(frozen=True, slots=True)
class _Standing:
    state: State
    queue: str
    promises: tuple[Promise, ...]
    policies: frozenset[str]


class Board:
    """The fold. What it holds is as of the records that were applied."""

    def __init__(self, prefix: str) -> None:
        """Look at the topics with that prefix; records of other topics, and events, are passed over."""
        self._folds = {
            topic_name(prefix, Topic.STATE): self._state,
            topic_name(prefix, Topic.JOURNAL): self._journal,
            topic_name(prefix, Topic.NOTIFICATIONS): self._notification,
            topic_name(prefix, Topic.METRICS): self._metric,
            topic_name(prefix, Topic.DEAD_LETTER): self._dead_letter,
        }
        self._tickets: dict[bytes, _Standing] = {}
        self.counts: Counter[tuple[State, str]] = Counter()
        """Tickets by state and queue; closed ones until they leave the state topic."""
        self.breaches: deque[Breach] = deque(maxlen=LATEST)
        self.lateness_seconds: deque[float] = deque(maxlen=LATEST)
        """Of every firing, from when it was due until it was found."""
        self.notices: deque[Notice] = deque(maxlen=LATEST)
        self.letters: deque[Letter] = deque(maxlen=LATEST)
        self.notified: Counter[str] = Counter()
        """Notifications by template."""
        self.outcomes: Counter[tuple[str, Outcome]] = Counter()
        """Promises that ended, or whose verdict was withdrawn, by category. As in the report."""
        self.repeat_contacts = 0
        self.unreadable = 0
        """Records that are none of ours, or of a newer version's."""

    def apply(self, records: Iterable[Record]) -> None:
        """Take in records; those of one partition in their order."""
        for record in records:
            fold = self._folds.get(record.topic)
            if fold is None:
                continue
            try:
                fold(record)
            except ValueError:
                self.unreadable += 1

    @property
    def open_tickets(self) -> int:
        """How many are not closed."""
        return sum(count for (state, _), count in self.counts.items() if state is not State.CLOSED)

    def promises(self) -> Iterator[Promise]:
        """Every open promise that has a deadline, in no order; an overdue one stays until it is stopped."""
        for standing in self._tickets.values():
            yield from standing.promises

    @property
    def policies(self) -> frozenset[str]:
        """The versions of policies under which open clocks run."""
        return frozenset().union(*(standing.policies for standing in self._tickets.values()))

    def _state(self, record: Record) -> None:
        key = record.key or b""
        after = None if record.value is None else _standing(read_state(record.value))
        before = self._tickets.pop(key, None)
        if before is not None:
            self.counts[before.state, before.queue] -= 1
        if after is not None:
            self._tickets[key] = after
            self.counts[after.state, after.queue] += 1

    def _journal(self, record: Record) -> None:
        entry = read_journal(record.value).data
        found = [change for change in entry.clocks if change.lateness_seconds is not None]
        if isinstance(entry.cause, ClockCause) and found:
            self.lateness_seconds.append(found[0].lateness_seconds or 0.0)
        for change in found:
            if change.change is Change.BREACHED:
                self.breaches.append(
                    Breach(change.at, entry.ticket_id, change.clock, change.lateness_seconds)
                )

    def _notification(self, record: Record) -> None:
        event = _Notified.model_validate_json(record.value or b"")
        told = event.data
        self.notified[str(told.template)] += 1
        self.notices.append(
            Notice(
                event.time,
                told.ticket_id,
                str(told.template),
                str(told.recipient.role),
                str(told.channel),
                waits=told.not_before is not None,
            )
        )

    def _metric(self, record: Record) -> None:
        event = _Measured.model_validate_json(record.value or b"")
        metric = event.data
        if metric.metric is MetricName.REPEAT_CONTACT:
            self.repeat_contacts += 1
        if metric.metric is MetricName.CLOCK_OUTCOME:
            outcome, clock = Outcome(metric.labels.get("outcome", "")), metric.labels.get("clock", "")
            if is_promise(clock):
                self.outcomes[metric.labels.get("category", ""), outcome] += 1
            if outcome is Outcome.RETRACTED:
                self.breaches.append(Breach(event.time, event.subject, clock, None, withdrawn=True))

    def _dead_letter(self, record: Record) -> None:
        why = refusal(record)
        if why is None:
            self.unreadable += 1
        else:
            self.letters.append(Letter(why.arrival, why.code, why.topic, why.partition, why.offset))


def _standing(ticket: Ticket) -> _Standing:
    promises = tuple(
        _promise(ticket, clock, clock.deadline)
        for clock in ticket.clocks
        if clock.running and clock.deadline is not None
    )
    policies = frozenset(clock.policy for clock in ticket.clocks if clock.running)
    return _Standing(ticket.state, str(ticket.queue), promises, policies)


def _promise(ticket: Ticket, clock: Clock, deadline: datetime) -> Promise:
    return Promise(
        ticket_id=ticket.ticket_id,
        clock=clock.clock,
        cycle=clock.cycle,
        queue=str(ticket.queue),
        operator=ticket.operator,
        deadline=deadline,
        target_seconds=clock.target_seconds,
        elapsed_seconds=clock.elapsed_seconds,
        since=clock.since,
    )


def kept_and_broken(outcomes: Counter[tuple[str, Outcome]], category: str) -> tuple[int, int]:
    """How many promises of a category were kept and broken, withdrawn verdicts deducted (contract)."""
    kept = outcomes[category, Outcome.MET] - outcomes[category, Outcome.UNMET]
    broken = outcomes[category, Outcome.BREACHED] - outcomes[category, Outcome.RETRACTED]
    return kept, broken


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least that share of all do not exceed; None without any."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1] if ordered else None
