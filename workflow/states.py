"""The state machine of a ticket: one table of data, run by a `transitions` Machine.

Laws of the table (contract, "States"):

* A trigger that has no row for the ticket's state is illegal: the event goes to the dead letter.
* Of several rows for one trigger and state the first whose guard holds is taken.
* What the engine does by itself has rows of its own, `escalate` and `close`; they are no triggers for clocks.
* Nothing else in the project knows where a trigger leads. Diagrams, documents and error messages are drawn
  from this table.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from transitions import Machine

from schemas.state import EXPIRED, State, Ticket

__all__ = ["ESCALATE", "EXPIRED", "NOTHING", "STATES", "TABLE", "TRIGGERS", "Row", "State", "next_state"]

NOTHING: Final = "nothing"
"""Where a ticket stands before its first event."""

ESCALATE: Final = "escalate"
CLOSE: Final = "close"


@dataclass(frozen=True, slots=True)
class Row:
    """One transition: in `source`, `trigger` leads to `target` where `guard` holds (a name in Cursor)."""

    trigger: str
    source: str
    target: str
    guard: str | None = None


OPEN: Final = (State.CREATED, State.ASSIGNED, State.ESCALATED, State.PENDING, State.RESOLVED)
UNRESOLVED: Final = (State.CREATED, State.ASSIGNED, State.ESCALATED, State.PENDING)
_UNCHANGING: Final = (
    "contacted",
    "promised",
    "reclassified",
    "absorbed",
    "dropped",
    "scheduled",
    "returned",
)


def _rows() -> Iterator[Row]:
    yield Row("created", NOTHING, State.CREATED)
    yield Row("dropped", NOTHING, State.CREATED)  # a drop that creates
    yield Row("assigned", State.CREATED, State.ASSIGNED)
    yield Row("assigned", State.ASSIGNED, State.ASSIGNED)
    yield Row("assigned", State.ESCALATED, State.ESCALATED)
    for source in UNRESOLVED:
        yield Row("transferred", source, State.CREATED)
    for source in UNRESOLVED:
        yield Row("escalated", source, State.ESCALATED)
    yield Row("pending", State.ASSIGNED, State.PENDING)
    yield Row("pending", State.ESCALATED, State.PENDING)
    yield Row("resumed", State.PENDING, State.ESCALATED, "resumes_escalated")
    yield Row("resumed", State.PENDING, State.ASSIGNED)
    for source in (State.ASSIGNED, State.ESCALATED, State.PENDING):
        yield Row("resolved", source, State.RESOLVED)
    for source in (State.RESOLVED, State.CLOSED):
        yield Row("reopened", source, State.ASSIGNED, "has_operator")
        yield Row("reopened", source, State.CREATED)
    for source in OPEN:
        yield Row("closed", source, State.CLOSED)
    yield Row("closed", State.CLOSED, State.CLOSED, "expired")
    for trigger in _UNCHANGING:
        for source in OPEN:
            yield Row(trigger, source, source)
    for trigger in ("contacted", "dropped"):
        yield Row(trigger, State.CLOSED, State.CLOSED)
    for source in (State.CREATED, State.ASSIGNED, State.ESCALATED):
        yield Row(ESCALATE, source, State.ESCALATED)
    yield Row(ESCALATE, State.PENDING, State.PENDING)
    for source in OPEN:
        yield Row(CLOSE, source, State.CLOSED)


TABLE: Final[tuple[Row, ...]] = tuple(_rows())
STATES: Final[tuple[str, ...]] = tuple(State)
TRIGGERS: Final[tuple[str, ...]] = (
    *dict.fromkeys(row.trigger for row in TABLE if row.trigger not in (ESCALATE, CLOSE)),
    "contacted.client",
    "contacted.operator",
)
"""What a policy may name in `start`, `stop` and `cancel`."""


@dataclass(slots=True)
class Cursor:
    """The model of the Machine: where one ticket stands, and what the guards ask of it."""

    state: str
    operator: bool
    escalated: bool
    closed_by_engine: bool

    def has_operator(self) -> bool:
        """Somebody is in charge of the ticket."""
        return self.operator

    def resumes_escalated(self) -> bool:
        """The ticket waited for the citizen on a higher level."""
        return self.escalated

    def expired(self) -> bool:
        """The engine closed the ticket, so that a person may still say why."""
        return self.closed_by_engine


MACHINE: Final = Machine(
    model=None,
    states=[NOTHING, *STATES],
    initial=NOTHING,
    transitions=[
        {"trigger": row.trigger, "source": row.source, "dest": row.target, "conditions": row.guard}
        for row in TABLE
    ],
    auto_transitions=False,
    ignore_invalid_triggers=True,
)


@lru_cache(maxsize=1024)
def _run(trigger: str, state: str, operator: bool, escalated: bool, expired: bool) -> str | None:
    """The Machine's answer. There are few different questions, so that each is asked of it once."""
    cursor = Cursor(state, operator, escalated, expired)
    return cursor.state if MACHINE.events[trigger].trigger(cursor) else None


def next_state(ticket: Ticket | None, trigger: str) -> State | None:
    """Where the trigger leads, or None where it is illegal.

    `ticket` is None where there is none yet; `trigger` is one of the table's.
    """
    if ticket is None:
        state = _run(trigger, NOTHING, operator=False, escalated=False, expired=False)
    else:
        state = _run(
            trigger,
            ticket.state,
            operator=ticket.operator is not None,
            escalated=ticket.resumes_to is State.ESCALATED,
            expired=ticket.close_reason == EXPIRED,
        )
    return None if state is None else State(state)
