"""What we publish: the journal, notifications and metrics (contract, "Journal record" and after).

Fields that a record may lack are left unset, and records are written without their unset fields: a model read
from a topic is written back to the same bytes.
"""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.instants import Instant

JOURNAL_TYPE = "ticket.journal.v1"
STATE_TYPE = "ticket.state.v1"
NOTIFICATION_TYPE = "notification.requested.v1"
METRIC_TYPE = "metric.recorded.v1"
SOURCE = "ticketflow"
"""The CloudEvents `source` of everything that the engine writes."""

REOPENING_WINDOW = "reopening_window"
"""What a journal record's `cause.clock` says when a closed ticket leaves the state."""


class Frozen(BaseModel):
    """A record of ours: immutable, strict, and silent about its values when one of them is wrong."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", hide_input_in_errors=True, populate_by_name=True
    )

    def to_json(self) -> bytes:
        """Compact UTF-8 JSON of the fields that were set."""
        return self.__pydantic_serializer__.to_json(self, by_alias=True, exclude_unset=True)


class Change(StrEnum):
    """What may happen to a clock (contract, "Journal record")."""

    STARTED = "started"
    PAUSED = "paused"
    RESUMED = "resumed"
    RETARGETED = "retargeted"
    WARNED = "warned"
    BREACHED = "breached"
    STEPPED = "stepped"
    STOPPED = "stopped"
    MET = "met"
    CANCELLED = "cancelled"
    RETRACTED = "retracted"


class Role(StrEnum):
    """Who is told something."""

    CLIENT = "client"
    OPERATOR = "operator"
    SUPERVISOR = "supervisor"


class Recipient(Frozen):
    """Somebody by role, and by the id of the client or operator, or by the queue of the supervisor."""

    role: Role
    ref: str


class Told(Frozen):
    """Who was told of a breach. A client's `ref` is null: the journal does not name people."""

    role: Role
    ref: str | None


class ClockChange(Frozen):
    """One change of one clock.

    `elapsed_seconds` is the business time counted up to `at`. `by` is the trigger that started the cycle and
    stands in `started` only; `told` is who the breach was announced to, in `breached` and `stepped`.
    """

    clock: str
    cycle: int
    change: Change
    at: Instant
    deadline: Instant | None
    elapsed_seconds: float
    target_seconds: float
    rule: int
    policy: str
    threshold: str | None = None
    found_at: Instant | None = None
    lateness_seconds: float | None = None
    by: str | None = None
    told: tuple[Told, ...] = ()


class EventCause(Frozen):
    """The event that a journal record follows from, and where it stands in the events topic."""

    kind: Literal["event"]
    id: str
    source: str
    type: str
    partition: int
    offset: int


class ClockCause(Frozen):
    """The threshold of a clock that a journal record follows from, and when it was due."""

    kind: Literal["clock"]
    clock: str
    cycle: int
    threshold: str
    due: Instant


class JournalEntry(Frozen):
    """One applied event or clock firing: the fact from which `evolve` makes the next ticket."""

    record_type: ClassVar[str] = JOURNAL_TYPE

    ticket_id: str
    seq: int
    at: Instant
    recorded_at: Instant
    cause: Annotated[EventCause | ClockCause, Field(discriminator="kind")]
    trigger: str | None
    from_: str | None = Field(alias="from")
    to: str | None
    level: int
    changed: dict[str, str | None]
    clocks: tuple[ClockChange, ...]

    @property
    def record_id(self) -> str:
        """The CloudEvents id: `<ticket>/<seq>`."""
        return f"{self.ticket_id}/{self.seq}"


class JournalEvent(BaseModel):
    """What is read of a journal record: the CloudEvents id and the entry; the rest of the envelope is not."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    id: str
    data: JournalEntry


def read_journal(value: bytes | None) -> JournalEvent:
    """The event in the value of a journal record.

    Raises:
        ValidationError: it is no journal record.
    """
    return JournalEvent.model_validate_json(value or b"")


class Template(StrEnum):
    """What a notification says (contract, "Notification")."""

    TICKET_REGISTERED = "ticket_registered"
    TICKET_REGISTERED_OUT_OF_HOURS = "ticket_registered_out_of_hours"
    TICKET_ASSIGNED = "ticket_assigned"
    DEADLINE_ANNOUNCED = "deadline_announced"
    CALLBACK_OFFERED = "callback_offered"
    CALL_SCHEDULED = "call_scheduled"
    SLA_WARNING = "sla_warning"
    SLA_BREACHED = "sla_breached"
    SLA_RETRACTED = "sla_retracted"
    TICKET_ESCALATED = "ticket_escalated"
    TICKET_RESOLVED = "ticket_resolved"
    TICKET_REOPENED = "ticket_reopened"
    TICKET_CLOSED = "ticket_closed"


class NotificationChannel(StrEnum):
    """How a notification reaches its recipient; the address is the notifier's to find."""

    EMAIL = "email"
    SMS = "sms"
    INBOX = "inbox"


class Notification(Frozen):
    """A request to tell somebody something. `params` name no person and carry no free text."""

    record_type: ClassVar[str] = NOTIFICATION_TYPE

    ticket_id: str
    recipient: Recipient
    channel: NotificationChannel
    template: Template
    params: dict[str, str | int | None]
    not_before: Instant | None = None


class MetricName(StrEnum):
    """What is measured (contract, "Metric event")."""

    WAIT_SECONDS = "wait_seconds"
    RESOLUTION_SECONDS = "resolution_seconds"
    CLOCK_OUTCOME = "clock_outcome"
    REPEAT_CONTACT = "repeat_contact"
    ESCALATION = "escalation"
    REOPENING = "reopening"
    CORRECTION = "correction"


class Outcome(StrEnum):
    """The `outcome` label of `clock_outcome`; `unmet` withdraws a met, `retracted` withdraws a breach."""

    MET = "met"
    UNMET = "unmet"
    BREACHED = "breached"
    RETRACTED = "retracted"
    CANCELLED = "cancelled"


class Metric(Frozen):
    """One measurement. Seconds have the unit `s`, counts the unit `1` (UCUM)."""

    record_type: ClassVar[str] = METRIC_TYPE

    metric: MetricName
    value: int | float
    unit: Literal["s", "1"]
    labels: dict[str, str]
