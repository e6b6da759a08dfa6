"""What happens to a record and to something due: decode, decide, evolve into the overlay, send."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from consumers.clock import Clock
from consumers.log import Outgoing, Record
from consumers.partition import Partition
from schemas.envelope import BadRecord, Code, Event, decode
from schemas.state import Ticket
from workflow.decide import Accepted, Arrived, Duplicate, Rejected, decide, decide_due
from workflow.due import Due
from workflow.policy import Policies


class Renderer(Protocol):
    """Makes records of what was decided."""

    def fact(self, fact: Accepted, partition: int) -> Iterator[Outgoing]:
        """The records of a fact but for the state."""

    def state(self, ticket_id: str, ticket: Ticket | None, partition: int) -> Outgoing:
        """The state record of a ticket."""

    def dead_letter(self, record: Record, code: Code, message: str) -> Outgoing:
        """A refused record."""


@dataclass(slots=True)
class Tally:
    """What one transaction did, to be counted once it is committed.

    `events` by type and outcome (applied, duplicate, or the dead letter's code); `lateness_seconds` one a
    firing.
    """

    events: dict[tuple[str, str], int] = field(default_factory=dict)
    lateness_seconds: list[float] = field(default_factory=list)

    def event(self, kind: str, outcome: str) -> None:
        """Count one record."""
        self.events[kind, outcome] = self.events.get((kind, outcome), 0) + 1


@dataclass(slots=True)
class Processor:
    """Decides records and firings of partitions within the open transaction.

    `partitions` is the topic's number of partitions; `send` adds a record to the transaction.
    """

    policies: Policies
    clock: Clock
    outbox: Renderer
    partitions: int
    send: Callable[[Outgoing], None]
    tally: Tally = field(default_factory=Tally)

    def record(self, partition: Partition, record: Record, budget: int) -> int:
        """Decide one record, after what is due before its arrival; returns how many firings there were.

        Of other tickets at most `budget` firings go first, in due order; of its own ticket all (contract,
        "Time").
        """
        try:
            return self._record(partition, record, budget)
        except Exception as bug:
            # Neither key nor value: what stopped the partition can be looked up by its place.
            bug.add_note(f"at partition {record.partition}, offset {record.offset} of {record.topic}")
            raise

    def _record(self, partition: Partition, record: Record, budget: int) -> int:
        arrival = partition.arrived(record)
        decoded = decode(
            record.key,
            record.value,
            record.headers,
            arrival=arrival,
            partition=partition.number,
            partitions=self.partitions,
        )
        fired = self.fire(partition, arrival, budget)
        if isinstance(decoded, BadRecord):
            self._refuse(record, "unknown", decoded.code, decoded.message)
            return fired
        fired += self._fire_ticket(partition, decoded.subject, arrival)
        self._decide(partition, record, decoded, arrival)
        return fired

    def fire(self, partition: Partition, before: datetime, budget: int) -> int:
        """Fire what is due before an instant, in due order, at most `budget` times; returns how often."""
        fired = 0
        while fired < budget:
            due = partition.index.head()
            if due is None or due.at >= before:
                break
            self._fire(partition, due)
            fired += 1
        return fired

    def states(self, partition: Partition) -> None:
        """Send the state of every ticket that the transaction changed, once each."""
        for ticket_id, ticket in partition.changed():
            self.send(self.outbox.state(ticket_id, ticket, partition.number))

    def _fire_ticket(self, partition: Partition, ticket_id: str, before: datetime) -> int:
        fired = 0
        while (due := partition.index.of(ticket_id)) is not None and due.at < before:
            self._fire(partition, due)
            fired += 1
        return fired

    def _fire(self, partition: Partition, due: Due) -> None:
        ticket = partition.get(due.ticket_id)
        now = self._now(partition)
        fact = None if ticket is None else decide_due(ticket, due, now, self.policies)
        if fact is None:
            # The index is derived at every change of a ticket: this is a bug, and silence would hide it.
            raise RuntimeError(
                f"the deadline index of partition {partition.number} disagrees with its tickets"
            )
        self._apply(partition, fact)
        self.tally.lateness_seconds.append((now - due.at).total_seconds())

    def _decide(self, partition: Partition, record: Record, event: Event, arrival: datetime) -> None:
        command = Arrived(event, arrival, record.partition, record.offset)
        ticket = partition.get(event.subject)
        match decide(ticket, command, self._now(partition), self.policies):
            case Accepted() as fact:
                self._apply(partition, fact)
                self.tally.event(event.type, "applied")
            case Rejected(code, message):
                self._refuse(record, event.type, code, message)
            case Duplicate():
                self.tally.event(event.type, "duplicate")

    def _now(self, partition: Partition) -> datetime:
        """The engine's time: never before what has arrived, so that lateness is never negative."""
        return max(self.clock.now(), partition.arrival)

    def _apply(self, partition: Partition, fact: Accepted) -> None:
        for outgoing in self.outbox.fact(fact, partition.number):
            self.send(outgoing)
        partition.put(fact.entry.ticket_id, fact.after)

    def _refuse(self, record: Record, kind: str, code: Code, message: str) -> None:
        self.send(self.outbox.dead_letter(record, code, message))
        self.tally.event(kind, code)
