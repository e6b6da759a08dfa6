"""One partition in memory: its tickets, the overlay of the open transaction, and what is due next.

All of it is derived from the log and thrown away after anything uncertain.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heapify, heappop, heappush

from pydantic import BaseModel

from consumers.log import Log, Reason, Record, Unavailable
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

    def restored(self, ticket: Ticket) -> None:
        """Take in a ticket as the changelog has it."""
        self._tickets[ticket.ticket_id] = ticket
        self.index.set(ticket.ticket_id, next_due(ticket, self.policies))

    def arrived(self, record: Record) -> datetime:
        """The record's arrival: within a partition time never goes back."""
        self.arrival = max(self.arrival, from_epoch(record.timestamp_us))
        self.offset = record.offset + 1
        return self.arrival

    @property
    def metadata(self) -> str:
        """What the committed offset carries: the running arrival, and how many tickets the state then has.

        Microseconds since the epoch, a space, a number.
        """
        gained = sum((ticket is not None) - (name in self._tickets) for name, ticket in self._overlay.items())
        return f"{to_epoch(self.arrival)} {len(self._tickets) + gained}"


class Restoration:
    """A partition as the log has it: committed position, tickets from the changelog, what is due.

    It goes on in steps, so that whoever restores goes on polling, too: a large partition takes longer than
    the group waits for a member.
    """

    def __init__(self, number: int, log: Log, policies: Policies) -> None:
        self.partition = Partition(number, policies)
        self._log = log
        self._steps = self._run()

    def advance(self, steps: int) -> bool:
        """Go so many steps, a record of the changelog or a ticket each; True once all is done.

        Then the log is sought to the position and delivers. Raises Unavailable, UnknownPolicyVersion.
        """
        return any(next(self._steps, True) for _ in range(steps))

    def _run(self) -> Iterator[bool]:
        partition, log = self.partition, self._log
        position = log.committed(partition.number)
        arrival, _, tickets = position.metadata.partition(" ")
        partition.offset = position.offset
        if arrival:
            partition.arrival = from_epoch(int(arrival))
        states: dict[str, bytes] = {}
        for record in log.changelog(partition.number):
            if not position.found:
                raise Unavailable(_NO_POSITION.format(partition.number), Reason.TOPICS_DISAGREE)
            _note(record, states)
            yield False
        if tickets and int(tickets) != len(states):
            raise Unavailable(
                _OTHER_STATE.format(partition.number, len(states), tickets), Reason.TOPICS_DISAGREE
            )
        while states:  # one is let go of as the other is made: both at once would be twice the memory
            ticket = read_state(states.popitem()[1])
            partition.restored(ticket)
            yield False
        log.seek(partition.number, partition.offset)
        log.resume(partition.number)


# What a transaction writes to the state it commits with a position, so the one is never there without the
# other. Deciding events without their tickets would refuse every one of them.
_NO_POSITION = (
    "the group has no position in partition {} of the events, though the state has tickets of it: the events "
    "topic was made anew, or the positions were lost; restore it, set the positions, or use another topic "
    "prefix"
)
_OTHER_STATE = (
    "partition {} of the state has {} tickets where {} were written: the state topic was made anew or lost "
    "records; restore it, or use another topic prefix"
)


class _StateEvent(BaseModel):
    data: Ticket


def read_state(value: bytes) -> Ticket:
    """The ticket of a state record's value, which the engine wrote itself."""
    return _StateEvent.model_validate_json(value).data


def _note(record: Record, states: dict[str, bytes]) -> None:
    if record.key is None:
        return
    ticket_id = record.key.decode()
    if record.value is None:
        states.pop(ticket_id, None)
    else:
        states[ticket_id] = record.value
