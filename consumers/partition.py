"""One partition in memory: its tickets, the overlay of the open transaction, and what is due next.

All of it is derived from the log and thrown away after anything uncertain.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heapify, heappop, heappush

from pydantic import BaseModel

from consumers.log import Log, Record
from schemas.instants import EARLIEST, from_epoch, to_epoch
from schemas.state import Ticket
from workflow.due import Due, next_due
from workflow.policy import Policies


class DueIndex:
    """What every ticket is due for first, in the order of firing: a heap with lazy deletion."""

    def __init__(self) -> None:
        self._first: dict[str, Due] = {}
        self._heap: list[Due] = []

    def __len__(self) -> int:
        return len(self._first)

    def set(self, ticket_id: str, due: Due | None) -> None:
        """Note what a ticket is due for now; None: for nothing."""
        if self._first.get(ticket_id) == due:
            return
        if due is None:
            del self._first[ticket_id]
        else:
            self._first[ticket_id] = due
            heappush(self._heap, due)
        self._compact()

    def of(self, ticket_id: str) -> Due | None:
        """What a ticket is due for first."""
        return self._first.get(ticket_id)

    def head(self) -> Due | None:
        """What is due before all else."""
        while self._heap:
            due = self._heap[0]
            if self._first.get(due.ticket_id) == due:
                return due
            heappop(self._heap)
        return None

    def _compact(self) -> None:
        # Bounded: at most as many stale entries as live ones, but for a few.
        if len(self._heap) > 2 * len(self._first) + 64:
            self._heap = list(self._first.values())
            heapify(self._heap)


@dataclass(slots=True)
class Partition:
    """What a worker knows of one partition.

    `arrival` is the running maximum of its records' timestamps; `offset` is that of the next record to
    process.
    """

    number: int
    policies: Policies
    offset: int = 0
    arrival: datetime = EARLIEST
    index: DueIndex = field(default_factory=DueIndex)
    _tickets: dict[str, Ticket] = field(default_factory=dict)
    _overlay: dict[str, Ticket | None] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._tickets)

    def get(self, ticket_id: str) -> Ticket | None:
        """The ticket as the open transaction leaves it."""
        if ticket_id in self._overlay:
            return self._overlay[ticket_id]
        return self._tickets.get(ticket_id)

    def put(self, ticket_id: str, ticket: Ticket | None) -> None:
        """Change a ticket within the open transaction; None: it left the state."""
        self._overlay[ticket_id] = ticket
        self.index.set(ticket_id, None if ticket is None else next_due(ticket, self.policies))

    def changed(self) -> Iterator[tuple[str, Ticket | None]]:
        """The tickets that the open transaction changed, in the order of their first change."""
        yield from self._overlay.items()

    def promote(self) -> None:
        """The transaction is committed: what it changed is what holds."""
        for ticket_id, ticket in self._overlay.items():
            if ticket is None:
                self._tickets.pop(ticket_id, None)
            else:
                self._tickets[ticket_id] = ticket
        self._overlay = {}

    def arrived(self, record: Record) -> datetime:
        """The record's arrival: within a partition time never goes back."""
        self.arrival = max(self.arrival, from_epoch(record.timestamp_us))
        self.offset = record.offset + 1
        return self.arrival

    @property
    def metadata(self) -> str:
        """What the committed offset carries: the running arrival in microseconds since the epoch."""
        return str(to_epoch(self.arrival))


def restore(number: int, log: Log, policies: Policies) -> Partition:
    """A partition as the log has it: committed position, tickets from the changelog, what is due.

    Leaves the log sought to the position and delivering. Raises Unavailable, UnknownPolicyVersion.
    """
    position = log.committed(number)
    partition = Partition(number, policies, offset=position.offset)
    if position.metadata:
        partition.arrival = from_epoch(int(position.metadata))
    for ticket_id, value in _latest_states(log, number).items():
        ticket = read_state(value)
        partition._tickets[ticket_id] = ticket
        partition.index.set(ticket_id, next_due(ticket, policies))
    log.seek(number, position.offset)
    log.resume(number)
    return partition


class _StateEvent(BaseModel):
    data: Ticket


def read_state(value: bytes) -> Ticket:
    """The ticket of a state record's value, which the engine wrote itself."""
    return _StateEvent.model_validate_json(value).data


def _latest_states(log: Log, number: int) -> dict[str, bytes]:
    states: dict[str, bytes] = {}
    for record in log.changelog(number):
        if record.key is None:
            continue
        ticket_id = record.key.decode()
        if record.value is None:
            states.pop(ticket_id, None)
        else:
            states[ticket_id] = record.value
    return states
