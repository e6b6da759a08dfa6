"""The words that events are made of: lists of values, bounded texts, people.

What may name or describe a person is marked `PERSONAL`: it never shows in a `repr`, an error or a log line.
"""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, Strict, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from schemas.instants import parse_instant
from schemas.topics import TICKET_ID_PATTERN


class Channel(StrEnum):
    """Where a citizen turned to us."""

    PHONE = "phone"
    CHAT = "chat"
    FEEDBACK_FORM = "feedback_form"
    CABINET = "cabinet"
    MOBILE_APP = "mobile_app"


class Category(StrEnum):
    """What a request is about; each has a promise of its own."""

    STATUS_CHECK = "status_check"
    CONTACT_CHANGE = "contact_change"
    ACCESS_RECOVERY = "access_recovery"
    TECHNICAL_FAULT = "technical_fault"
    COMPLEX = "complex"


class Queue(StrEnum):
    """Which group of operators works on a ticket."""

    REGISTRATION = "registration"
    SECURITY = "security"
    APPLICATIONS = "applications"
    STATUS = "status"
    TECHNICAL = "technical"
    REFERENCE = "reference"


class Priority(StrEnum):
    """How urgent a ticket is. Where an event says nothing the engine takes NORMAL."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


class RequestType(StrEnum):
    """The feedback form's own sorting of requests."""

    TECHNICAL_FAULT = "technical_fault"
    USAGE_QUESTION = "usage_question"
    DATA_ERROR = "data_error"


class Notify(StrEnum):
    """How a client wants to be told things."""

    EMAIL = "email"
    SMS = "sms"
    NONE = "none"


class CloseReason(StrEnum):
    """Why a channel closes a ticket. The engine's own reason, `expired`, is not among them."""

    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"
    DUPLICATE = "duplicate"
    MERGED = "merged"


class ContactedBy(StrEnum):
    """Who made a contact."""

    CLIENT = "client"
    OPERATOR = "operator"


FORM_DESCRIPTION_MAX = 250
"""Characters; the feedback form's own limit (contract, "Events")."""
CABINET_DESCRIPTION_MIN = 20
"""Characters; the cabinet's own limit (contract, "Events")."""

_DEFAULT_QUEUES: Mapping[Category, Queue] = MappingProxyType(
    {
        Category.STATUS_CHECK: Queue.STATUS,
        Category.CONTACT_CHANGE: Queue.REGISTRATION,
        Category.ACCESS_RECOVERY: Queue.REGISTRATION,
        Category.TECHNICAL_FAULT: Queue.TECHNICAL,
        Category.COMPLEX: Queue.REFERENCE,
    }
)


def default_queue(category: Category) -> Queue:
    """The queue of a ticket whose event names none."""
    return _DEFAULT_QUEUES[category]


class Personal:
    """Marks a field that may name or describe a person (`x-personal: true` in JSON Schema)."""

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(core_schema), "x-personal": True}


PERSONAL = Personal()

_NO_CONTROLS = r"^[^\x00-\x1f\x7f]+$"

# Strict models take enum members only. Events arrive as parsed JSON, where a member is its text.
Listed = Strict(False)

Identifier = Annotated[str, Field(max_length=256, pattern=_NO_CONTROLS)]
"""An id that others gave: an operator, a unit, a client."""
TicketId = Annotated[str, Field(pattern=TICKET_ID_PATTERN)]
Region = Annotated[str, Field(pattern=r"^(?:[0-9]{2}|abroad)$")]

OptionalName = Annotated[
    Annotated[str, Field(min_length=1, max_length=256)] | None, PERSONAL, Field(repr=False)
]
OptionalPhone = Annotated[
    Annotated[str, Field(min_length=1, max_length=64)] | None, PERSONAL, Field(repr=False)
]
# 320 = 64 (local part) + 1 + 255 (domain): RFC 3696, section 3.
OptionalEmail = Annotated[
    Annotated[str, Field(min_length=3, max_length=320)] | None, PERSONAL, Field(repr=False)
]
OptionalFreeText = Annotated[Annotated[str, Field(max_length=20_000)] | None, PERSONAL, Field(repr=False)]
OptionalErrorCode = Annotated[Annotated[str, Field(max_length=256)] | None, PERSONAL, Field(repr=False)]
_Reference = Annotated[str, Field(min_length=1, max_length=2_048, pattern=_NO_CONTROLS)]
# The first wrong item is enough: an event has room for a hundred thousand, and with sixty such events, each
# item told, a transaction would take longer than it may.
OptionalReferences = Annotated[
    Annotated[tuple[_Reference, ...], Strict(False), Field(max_length=50, fail_fast=True)] | None,
    PERSONAL,
    Field(repr=False),
]


class Part(BaseModel):
    """Something that channels write: frozen, strict, unknown fields refused, silent about wrong values."""

    # No populate_by_name: an alias, the contract's name, is the only one that is taken from the wire.
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)


class Client(Part):
    """A citizen. Only `id` may be shown."""

    id: Identifier
    name: OptionalName = None
    phone: OptionalPhone = None
    email: OptionalEmail = None
    notify: Annotated[Notify | None, Listed] = None


_WALL_TIME = re.compile("(?:[01][0-9]|2[0-3]):[0-5][0-9]")
_Moment = Annotated[str, Field(max_length=64)]


class CallbackWindow(Part):
    """When a citizen prefers to be called: two wall-clock times `HH:MM` or two RFC 3339 instants."""

    from_: Annotated[_Moment, PERSONAL, Field(alias="from", repr=False)]
    to: Annotated[_Moment, PERSONAL, Field(repr=False)]

    @classmethod
    def between(cls, start: str, end: str) -> Self:
        """The window from `start` to `end`. Raises pydantic's ValidationError."""
        return cls.model_validate({"from": start, "to": end})

    @model_validator(mode="after")
    def _is_a_window(self) -> Self:
        if not _is_window(self.from_, self.to):
            raise PydanticCustomError(
                "window", "must be two different times HH:MM, or two RFC 3339 instants, earlier first"
            )
        return self


def _is_window(start: str, end: str) -> bool:
    wall = [_WALL_TIME.fullmatch(moment) is not None for moment in (start, end)]
    if all(wall):
        return start != end  # from 22:00 to 02:00 is a window too
    try:
        return not any(wall) and parse_instant(start) < parse_instant(end)
    except ValueError:
        return False


def personal_fields(model: type[BaseModel]) -> frozenset[str]:
    """The paths of a model's personal fields, such as `client.name`."""
    found: set[str] = set()
    for name, field in model.model_fields.items():
        shown = field.alias or name
        if any(isinstance(mark, Personal) for mark in field.metadata):
            found.add(shown)
        for inner in _models_in(field.annotation):
            found.update(f"{shown}.{path}" for path in personal_fields(inner))
    return frozenset(found)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)
