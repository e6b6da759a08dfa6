"""One life of a ticket out of its journal: the ticket before and after each record, each change of a clock.

A ticket id may be used again once the ticket has left the state. Then `seq` starts again at 1, and it is the
last life that people ask about.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from schemas.records import Change, ClockCause, ClockChange, JournalEntry
from schemas.state import Clock, Ticket
from workflow.ledger import Fields, matching_fields
from workflow.ticket import evolve, evolve_clock

ENDINGS = frozenset({Change.MET, Change.STOPPED, Change.CANCELLED})
"""The changes that end a cycle."""


class IncompleteJournal(ValueError):  # noqa: N818 - it names what is wrong
    """The records do not tell a whole life; the message says which one is missing, and what that may mean."""


@dataclass(frozen=True, slots=True)
class Step:
    """A journal record, and the ticket before and after it (None: not there yet, or gone from the state)."""

    entry: JournalEntry
    before: Ticket | None
    after: Ticket | None

    @property
    def by_engine(self) -> bool:
        """Whether a clock was due, and no event came."""
        return isinstance(self.entry.cause, ClockCause)

    @property
    def fields_before(self) -> Fields:
        """What rules matched on before the record; for the first record what they match on after it."""
        return _fields(self.before or self.after)

    @property
    def fields_after(self) -> Fields:
        """What rules match on after the record; for the last record of a life what they matched on before."""
        return _fields(self.after or self.before)


@dataclass(frozen=True, slots=True)
class Move:
    """One change of one clock, and the clock before (None: its first cycle starts) and after it."""

    step: Step
    change: ClockChange
    before: Clock | None
    after: Clock


def last_life(entries: Iterable[JournalEntry]) -> list[JournalEntry]:
    """The records of the ticket's last life: from the last one with `seq` 1, else all."""
    life: list[JournalEntry] = []
    for entry in entries:
        if entry.seq == 1:
            life.clear()
        life.append(entry)
    return life


def steps(entries: Sequence[JournalEntry]) -> tuple[Step, ...]:
    """The records of one life with the tickets around each.

    Raises IncompleteJournal where a record of that life is not among them.
    """
    ticket: Ticket | None = None
    found = []
    for expected, entry in enumerate(entries, 1):
        if entry.seq != expected:
            raise IncompleteJournal(_missing(entry, expected))
        before, ticket = ticket, evolve(ticket, entry)
        found.append(Step(entry, before, ticket))
    return tuple(found)


def moves(life: Iterable[Step]) -> Iterator[Move]:
    """Every change of every clock, in order."""
    for step in life:
        clocks = {} if step.before is None else {clock.clock: clock for clock in step.before.clocks}
        for change in step.entry.clocks:
            before = clocks.get(change.clock)
            after = evolve_clock(before, change, by_engine=step.by_engine)
            clocks[change.clock] = after
            yield Move(step, change, before, after)


def by_cycle(life: Iterable[Step]) -> dict[tuple[str, int], list[Move]]:
    """The changes of each cycle of each clock, the cycles in the order in which they started."""
    cycles: dict[tuple[str, int], list[Move]] = {}
    for move in moves(life):
        cycles.setdefault((move.change.clock, move.change.cycle), []).append(move)
    return cycles


def _fields(ticket: Ticket | None) -> Fields:
    assert ticket is not None  # noqa: S101 - only a life without records has no ticket at all
    return matching_fields(ticket)


def _missing(entry: JournalEntry, expected: int) -> str:
    if expected == 1:
        return (
            f"The journal of {entry.ticket_id} is kept only from its record {entry.seq} on: "
            "what led to its deadlines is gone."
        )
    return (
        f"The journal of {entry.ticket_id} has record {entry.seq} where {expected} should be: "
        "`ticketflow verify` says what else is wrong."
    )
