"""The ticket as the state topic keeps it: all that is known of it, people and free texts included."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from schemas.instants import Instant
from schemas.records import STATE_TYPE, Frozen, Told
from schemas.terms import (
    CallbackWindow,
    Category,
    Channel,
    Client,
    OptionalErrorCode,
    OptionalFreeText,
    OptionalReferences,
    Priority,
    Queue,
    RequestType,
)

REMEMBERED_EVENTS = 256
"""How many of a ticket's applied events are remembered, to tell a duplicate (contract, "Events")."""

REMEMBERED_STATES = 256
"""How many changes of state a ticket remembers, to deduct the pauses of a clock that matches late."""


class State(StrEnum):
    """Where a ticket stands (contract, "States")."""

    CREATED = "created"
    ASSIGNED = "assigned"
    ESCALATED = "escalated"
    PENDING = "pending"
    RESOLVED = "resolved"
    CLOSED = "closed"


class Verdict(StrEnum):
    """How the promise of a clock's cycle turned out. A clock that ended without one was cancelled."""

    MET = "met"
    BREACHED = "breached"


EXPIRED = "expired"
"""The closing reason of a ticket that the engine closed by itself."""


class Turn(Frozen):
    """Where the engine itself, and no event, let a clock stand still or go on (`counts`)."""

    at: Instant
    counts: bool


class Clock(Frozen):
    """The latest cycle of one clock.

    `elapsed_seconds` of business time were counted at `since`; what came after is computed. `changed_at` is
    when an event last changed the clock: for this clock nothing that arrives later counts before. What the
    engine does by itself does not move that: its `turns` since then are kept, in order, so that what an event
    in between finds counted is known.
    """

    clock: str
    cycle: int
    rule: int
    policy: str
    by: str | None
    target_seconds: float
    elapsed_seconds: float
    since: Instant
    changed_at: Instant
    turns: tuple[Turn, ...] = ()
    paused: bool = False
    deadline: Instant | None
    verdict: Verdict | None = None
    ended_at: Instant | None = None
    ended_by_engine: bool = False
    fired: tuple[str, ...] = ()
    told: tuple[Told, ...] = ()

    @property
    def running(self) -> bool:
        """Not ended; a paused or breached clock still runs."""
        return self.ended_at is None

    @property
    def counts(self) -> bool:
        """It goes: it has neither ended nor is it paused."""
        return self.running and not self.paused

    @property
    def breached(self) -> bool:
        """The promise is broken, whether or not the clock has been stopped since."""
        return self.verdict is Verdict.BREACHED

    @property
    def status(self) -> str:
        """One word for a person: running, paused, breached, met, stopped or cancelled."""
        if self.running:
            return "paused" if self.paused else "breached" if self.breached else "running"
        if self.verdict is None:
            return "cancelled"
        return "met" if self.verdict is Verdict.MET else "stopped"


class Mark(Frozen):
    """The last time that a trigger acted on a ticket, and in which journal record."""

    at: Instant
    seq: int


class Entered(Frozen):
    """When a ticket entered a state, and in which journal record: that is the order, for events come late.

    `by_engine`: no event led there.
    """

    at: Instant
    state: State
    seq: int = 0
    by_engine: bool = False


PERSONAL_FIELDS = frozenset(
    {"client", "description", "error_code", "attachments", "callback_window", "summary"}
)
"""Fields of a ticket that only its state record carries: people and free texts."""


class Ticket(Frozen):
    """A ticket after its last change. Folding its journal gives all but PERSONAL_FIELDS and `seen`."""

    record_type: ClassVar[str] = STATE_TYPE

    ticket_id: str
    seq: int
    state: State
    level: int
    channel: Channel
    category: Category
    queue: Queue
    priority: Priority
    region: str | None = None
    operator: str | None = None
    unit: str | None = None
    request_type: RequestType | None = None
    follows: str | None = None
    registered_at: Instant
    updated_at: Instant
    assigned_at: Instant | None = None
    closed_at: Instant | None = None
    close_reason: str | None = None
    merged_into: str | None = None
    reopenable_until: Instant | None = None
    promised_deadline: Instant | None = None
    scheduled_at: Instant | None = None
    contacted_by: str | None = None
    resumes_to: State | None = None
    clocks: tuple[Clock, ...] = ()
    triggers: dict[str, Mark] = Field(default_factory=dict)
    history: tuple[Entered, ...] = ()

    client: Client | None = None
    description: OptionalFreeText = None
    error_code: OptionalErrorCode = None
    attachments: OptionalReferences = None
    callback_window: CallbackWindow | None = None
    summary: OptionalFreeText = None
    seen: Annotated[tuple[str, ...], Field(repr=False)] = ()

    def clock(self, clock_id: str) -> Clock | None:
        """The latest cycle of that clock, or None where it never started."""
        return next((clock for clock in self.clocks if clock.clock == clock_id), None)
