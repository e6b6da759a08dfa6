"""What the exporter reads of records: a measurement, or where a ticket and its running clocks stand.

Only what is needed is parsed, and only the contract's words become labels: neither a person nor a ticket can.
"""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json, to_json

from consumers.dead_letters import refusal
from consumers.log import Record
from schemas.envelope import Code, Undeliverable
from schemas.instants import parse_instant, to_epoch
from schemas.records import Outcome
from schemas.state import State, Verdict
from schemas.terms import Category, Channel, Queue
from workflow.measures import NO_REGION
from workflow.vocabulary import is_region

UNKNOWN: Final = "unknown"
"""The `code` of a dead letter whose own code is none of ours."""

CODES: Final = (*map(str, Code), *map(str, Undeliverable), UNKNOWN)
"""The engine's codes, the notifier's, and the one for all others."""

_LONGEST_SECONDS: Final = 1e10
"""More than lies between any two instants that records can have (`schemas.instants`)."""

_ClockId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]  # as a policy file names clocks
_Region = Annotated[str, AfterValidator(lambda text: text if is_region(text) else NO_REGION)]


class _Read(BaseModel):
    """A part of a record; what is not named here is passed over."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class Labels(_Read):
    """What a measurement is counted by; `clock` and `outcome` stand in `clock_outcome` only."""

    category: Category
    queue: Queue
    channel: Channel
    region: _Region
    clock: _ClockId | None = None
    outcome: Outcome | None = None


class Measurement(_Read):
    """One measurement: seconds, or how many."""

    metric: str
    value: Annotated[float, Field(ge=0, le=_LONGEST_SECONDS)]
    labels: Labels


class _MetricEvent(_Read):
    data: Measurement


class _Clock(_Read):
    clock: _ClockId
    paused: bool = False
    deadline: str | None = None
    verdict: Verdict | None = None
    ended_at: str | None = None


class _Ticket(_Read):
    state: State
    queue: Queue
    clocks: tuple[_Clock, ...] = ()


class _StateEvent(_Read):
    data: _Ticket


class Running(NamedTuple):
    """A clock that has not ended. `due_us` (microseconds since the epoch): None if paused or breached."""

    clock: str
    breached: bool
    due_us: int | None


class Standing(NamedTuple):
    """What the gauges need of a ticket. `state` is None for a closed one, of which only clocks may run."""

    state: str | None
    queue: str
    clocks: tuple[Running, ...]

    def to_json(self) -> str:
        """The text that the checkpoint keeps."""
        return to_json(self).decode()

    @classmethod
    def from_json(cls, text: str) -> Standing:
        """The standing of which that is the text."""
        state, queue, clocks = from_json(text)
        return cls(state, queue, tuple(Running(*each) for each in clocks))


def measurement(record: Record) -> Measurement | None:
    """The measurement in a record of the metrics topic; None where it cannot be read."""
    try:
        return _MetricEvent.model_validate_json(record.value or b"").data
    except ValidationError:
        return None


def standing(record: Record) -> Standing | None:
    """Where the ticket of a state record stands; None where it cannot be read."""
    try:
        ticket = _StateEvent.model_validate_json(record.value or b"").data
        clocks = tuple(_running(clock) for clock in ticket.clocks if clock.ended_at is None)
    except ValueError:  # pydantic's error is one
        return None
    state = None if ticket.state is State.CLOSED else str(ticket.state)
    return Standing(state, str(ticket.queue), clocks)


def _running(clock: _Clock) -> Running:
    """Raises ValueError where its deadline is no instant."""
    breached = clock.verdict is Verdict.BREACHED
    if breached or clock.paused or clock.deadline is None:
        return Running(clock.clock, breached, None)
    return Running(clock.clock, breached, to_epoch(parse_instant(clock.deadline)))


def code(record: Record) -> str:
    """The code of a dead letter, one of CODES."""
    refused = refusal(record)
    return refused.code if refused is not None and refused.code in CODES else UNKNOWN
