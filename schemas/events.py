"""What channels publish: one frozen model for the `data` of each event type (contract, "Events").

Decoding is strict: unknown fields are refused, nothing is converted, every text is bounded.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, ClassVar, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from schemas.instants import Instant
from schemas.terms import (
    CABINET_DESCRIPTION_MIN,
    FORM_DESCRIPTION_MAX,
    PERSONAL,
    Identifier,
    Listed,
    OptionalErrorCode,
    OptionalFreeText,
    OptionalReferences,
    Part,
    Region,
    TicketId,
)
from schemas.terms import CallbackWindow as CallbackWindow
from schemas.terms import Category as Category
from schemas.terms import Channel as Channel
from schemas.terms import Client as Client
from schemas.terms import CloseReason as CloseReason
from schemas.terms import ContactedBy as ContactedBy
from schemas.terms import Notify as Notify
from schemas.terms import Priority as Priority
from schemas.terms import Queue as Queue
from schemas.terms import RequestType as RequestType
from schemas.terms import default_queue as default_queue


class EventData(Part):
    """The `data` of one event type.

    `triggers` are all that the type may pull, the one that moves the ticket first.
    """

    type: ClassVar[str]
    triggers: ClassVar[tuple[str, ...]]

    def check_against(self, time: datetime, subject: str) -> str | None:  # noqa: ARG002 (for types with a rule)
        """The rule that `data` breaks given the event's `time` (UTC) and ticket, in words; None: it holds."""
        return None

    def to_json(self) -> bytes:
        """Compact UTF-8 JSON of the fields that were set, in the order in which the contract names them."""
        return self.__pydantic_serializer__.to_json(self, by_alias=True, exclude_unset=True)


class _Registration(EventData):
    channel: Annotated[Channel | None, Listed] = None
    category: Annotated[Category | None, Listed] = None
    queue: Annotated[Queue | None, Listed] = None
    priority: Annotated[Priority | None, Listed] = None
    region: Region | None = None
    client: Client | None = None
    description: OptionalFreeText = None
    consent: bool | None = None
    request_type: Annotated[RequestType | None, Listed] = None
    error_code: OptionalErrorCode = None
    attachments: OptionalReferences = None
    callback_window: Annotated[CallbackWindow | None, PERSONAL, Field(repr=False)] = None
    follows: TicketId | None = None


class Created(_Registration):
    """A citizen turned to us: a ticket begins."""

    type = "ticket.created.v1"
    triggers = ("created",)

    channel: Annotated[Channel, Listed]
    category: Annotated[Category, Listed]
    client: Client

    @model_validator(mode="after")
    def _has_what_its_channel_needs(self) -> Self:
        _check_channel(self)
        return self


def _check_channel(data: _Registration) -> None:
    if data.channel is Channel.FEEDBACK_FORM:
        _check_feedback_form(data)
    elif data.channel is Channel.CABINET:
        _check_cabinet(data)


def _check_feedback_form(data: _Registration) -> None:
    needed = {
        "client.name": data.client and data.client.name,
        "client.phone": data.client and data.client.phone,
        "request_type": data.request_type,
        "description": data.description,
        "callback_window": data.callback_window,
    }
    missing = [f"data.{name}" for name, value in needed.items() if not value]
    if missing:
        raise _rule(f"{missing[0]} is required when channel is feedback_form")
    if data.description is not None and len(data.description) > FORM_DESCRIPTION_MAX:
        raise _rule(
            f"data.description must have at most {FORM_DESCRIPTION_MAX} characters "
            "when channel is feedback_form"
        )
    _check_consent(data)


def _check_cabinet(data: _Registration) -> None:
    if len(data.description or "") < CABINET_DESCRIPTION_MIN:
        raise _rule(
            f"data.description must have at least {CABINET_DESCRIPTION_MIN} characters "
            "when channel is cabinet"
        )
    _check_consent(data)


def _check_consent(data: _Registration) -> None:
    if data.consent is not True:
        raise _rule(f"data.consent must be true when channel is {data.channel}")


def _rule(sentence: str) -> PydanticCustomError:
    """A broken rule over several fields. The sentence is shown as it is, so no value may be in it."""
    return PydanticCustomError("rule", "{sentence}", {"sentence": sentence})


class Assigned(EventData):
    """An operator took the ticket."""

    type = "ticket.assigned.v1"
    triggers = ("assigned",)

    operator: Identifier


class Transferred(EventData):
    """The ticket went to another queue and waits for an operator there."""

    type = "ticket.transferred.v1"
    triggers = ("transferred",)

    queue: Annotated[Queue, Listed]
    unit: Identifier | None = None
    reason: OptionalFreeText = None


class Escalated(EventData):
    """The ticket went to a higher level or another unit. `by` is who did it."""

    type = "ticket.escalated.v1"
    triggers = ("escalated",)

    unit: Identifier | None = None
    reason: OptionalFreeText = None
    by: Identifier | None = None


class Promised(EventData):
    """An operator announced a deadline to the citizen."""

    type = "ticket.promised.v1"
    triggers = ("promised",)

    deadline: Instant
    by: Identifier
    reason: OptionalFreeText = None

    def check_against(self, time: datetime, subject: str) -> str | None:  # noqa: ARG002 (any ticket may)
        """A promise is about the future."""
        return None if self.deadline > time else "data.deadline must be after time"


class Contacted(EventData):
    """The citizen and the service were in touch; `by` says who began it."""

    type = "ticket.contacted.v1"
    triggers = ("contacted", "contacted.client", "contacted.operator")

    by: Annotated[ContactedBy, Listed]
    channel: Annotated[Channel | None, Listed] = None


class Pending(EventData):
    """The ticket waits for the citizen."""

    type = "ticket.pending.v1"
    triggers = ("pending",)

    reason: OptionalFreeText = None


class Resumed(EventData):
    """The ticket waits for the citizen no longer."""

    type = "ticket.resumed.v1"
    triggers = ("resumed",)

    reason: OptionalFreeText = None


class Reclassified(EventData):
    """Something that promises depend on turned out to be different."""

    type = "ticket.reclassified.v1"
    triggers = ("reclassified",)

    category: Annotated[Category | None, Listed] = None
    priority: Annotated[Priority | None, Listed] = None
    queue: Annotated[Queue | None, Listed] = None
    region: Region | None = None
    channel: Annotated[Channel | None, Listed] = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not any((self.category, self.priority, self.queue, self.region, self.channel)):
            raise _rule("data must have at least one of category, priority, queue, region, channel")
        return self


class Resolved(EventData):
    """The work is done; the citizen may confirm or say no."""

    type = "ticket.resolved.v1"
    triggers = ("resolved",)

    summary: OptionalFreeText = None
    by: Identifier | None = None


class Reopened(EventData):
    """The citizen said no, or came back."""

    type = "ticket.reopened.v1"
    triggers = ("reopened",)

    reason: OptionalFreeText = None


class Closed(EventData):
    """The ticket is over."""

    type = "ticket.closed.v1"
    triggers = ("closed",)

    reason: Annotated[CloseReason, Listed]
    merged_into: TicketId | None = None

    def check_against(self, time: datetime, subject: str) -> str | None:  # noqa: ARG002 (at any time)
        """Nothing would be left to go on with of a ticket that is merged into itself."""
        if self.reason is CloseReason.MERGED and self.merged_into == subject:
            return "data.merged_into must be another ticket"
        return None


class Absorbed(EventData):
    """Another ticket was merged into this one. Written by the engine."""

    type = "ticket.absorbed.v1"
    triggers = ("absorbed",)

    ticket: TicketId
    registered_at: Instant


class Dropped(_Registration):
    """A call broke off. For a ticket that is not there it carries what registers one, too."""

    type = "call.dropped.v1"
    triggers = ("dropped",)

    channel: Annotated[Channel | None, Listed] = None
    category: Annotated[Category | None, Listed] = None
    client: Client | None = None

    @property
    def created(self) -> Created | None:
        """What `ticket.created.v1` would have carried, or None where the drop lacks what that needs."""
        try:
            return Created.model_validate(dict(self))
        except ValidationError:
            return None


class Scheduled(EventData):
    """Another call was arranged."""

    type = "call.scheduled.v1"
    triggers = ("scheduled",)

    at: Instant

    def check_against(self, time: datetime, subject: str) -> str | None:  # noqa: ARG002 (any ticket may)
        """A call is arranged for the future."""
        return None if self.at > time else "data.at must be after time"


class Returned(EventData):
    """The citizen was called back."""

    type = "call.returned.v1"
    triggers = ("returned",)

    operator: Identifier | None = None


EVENT_TYPES: Mapping[str, type[EventData]] = MappingProxyType(
    {
        model.type: model
        for model in (
            Created, Assigned, Transferred, Escalated, Promised, Contacted, Pending, Resumed, Reclassified,
            Resolved, Reopened, Closed, Absorbed, Dropped, Scheduled, Returned,
        )
    }
)  # fmt: skip
"""The newest model of every type that channels publish, in the contract's order."""
