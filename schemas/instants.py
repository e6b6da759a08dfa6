"""Instants: RFC 3339 with an offset on the way in, UTC with `Z` and six digits on the way out."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""Nothing happens before Kafka's own clock starts."""
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
"""Exclusive. The calendars are built for the years in between."""

_MICROSECOND = timedelta(microseconds=1)

# RFC 3339, section 5.6. `datetime.fromisoformat` takes far more than that, so the shape is tested first.
_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:)(\d\d)(\.\d+)?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)", re.ASCII
)


def parse_instant(text: str) -> datetime:
    """The UTC instant that an RFC 3339 date-time with an offset names; digits after the sixth are cut.

    A leap second (`:60`) is the last microsecond of its minute. Raises ValueError, without the text in it.
    """
    shape = _RFC3339.fullmatch(text)
    if shape is None:
        raise ValueError("must be an RFC 3339 date and time with an offset, like 2026-01-31T09:30:00+03:00")
    date, minute, second, fraction, offset = shape.groups()
    digits = (fraction or ".0")[1:7].ljust(6, "0")
    if second == "60":
        second, digits = "59", "999999"
    offset = "+00:00" if offset in "Zz" else offset
    try:
        instant = datetime.fromisoformat(f"{date}T{minute}{second}.{digits}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("must be a date and time that exists") from None
    if not EARLIEST <= instant < LATEST:
        raise ValueError("must lie between the years 1970 and 2099")
    return instant


@lru_cache(maxsize=8192)  # one event's records name few instants, and each of them many times
def format_instant(instant: datetime) -> str:
    """`2026-01-31T06:30:00.000000Z`: UTC, six digits. The instant must be in UTC already."""
    return instant.isoformat(timespec="microseconds").replace("+00:00", "Z")


def from_epoch(microseconds: int) -> datetime:
    """The UTC instant that many microseconds after the epoch."""
    return EARLIEST + timedelta(microseconds=microseconds)


def to_epoch(instant: datetime) -> int:
    """Microseconds from the epoch to the instant."""
    return (instant - EARLIEST) // _MICROSECOND


def seconds(duration: timedelta) -> float:
    """A duration in seconds, as records carry it: exact to the microsecond below 285 years."""
    return duration.total_seconds()


_LONGEST_KEPT = 32
_parse_kept = lru_cache(maxsize=8192)(parse_instant)  # a ticket's state names the same instants many times


def _validated(value: Any) -> datetime:
    if isinstance(value, datetime):
        if value.tzinfo is not UTC and value.utcoffset() != timedelta(0):
            raise PydanticCustomError("instant", "must be in UTC")
        return value
    if not isinstance(value, str):
        raise PydanticCustomError("instant", "must be text: an RFC 3339 date and time with an offset")
    try:
        # A stranger's fraction may have a million digits: none of these are kept.
        return _parse_kept(value) if len(value) <= _LONGEST_KEPT else parse_instant(value)
    except ValueError as error:
        raise PydanticCustomError("instant", "{reason}", {"reason": str(error)}) from None


Instant = Annotated[
    datetime,
    PlainValidator(_validated),
    PlainSerializer(format_instant, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A pydantic field that holds an aware UTC datetime and reads and writes RFC 3339."""
