"""Instants, durations and triggers in words, for the texts about one ticket."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from textwrap import wrap
from typing import Final
from zoneinfo import ZoneInfo

WIDTH: Final = 100
"""Columns of a text to read and keep."""

_MICROSECOND: Final = timedelta(microseconds=1)
_UNITS: Final = ((3_600_000_000, "h"), (60_000_000, "min"))

HAPPENED: Final[Mapping[str, str]] = {
    "created": "the ticket was registered",
    "assigned": "an operator took the ticket",
    "transferred": "the ticket went to another queue",
    "escalated": "the ticket was escalated",
    "promised": "a deadline was promised",
    "contacted": "there was a contact",
    "contacted.client": "the citizen made contact",
    "contacted.operator": "the service made contact",
    "pending": "the ticket waits for the citizen",
    "resumed": "the ticket waits for the citizen no longer",
    "reclassified": "the ticket was reclassified",
    "resolved": "the ticket was resolved",
    "reopened": "the ticket was reopened",
    "closed": "the ticket was closed",
    "absorbed": "another ticket was merged into this one",
    "dropped": "the call broke off",
    "scheduled": "another call was arranged",
    "returned": "the citizen was called back",
}
"""What each trigger means."""


def percent(share: float) -> float:
    """A share in percent with one decimal, cut and not rounded: 100 is said of nothing less."""
    return int(round(share * 1_000, 6)) / 10  # 0.57 in percent is 56.99999999999999


def duration(seconds: float) -> str:
    """`1 h 20 min`, `48 h`, `0 s`, `1.25 s`: exact, and no days, for a business day is no 24 h."""
    left = abs(timedelta(seconds=seconds)) // _MICROSECOND
    parts = []
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    if left or not parts:
        parts.append(f"{left / 1_000_000:.6f}".rstrip("0").rstrip(".") + " s")
    return ("-" if seconds < 0 else "") + " ".join(parts)


def wall_time(instant: datetime, zone: str) -> str:
    """`18:40`, with seconds where they are not zero, and with milliseconds or microseconds likewise."""
    local = instant.astimezone(ZoneInfo(zone))
    if local.microsecond:
        thousandths, rest = divmod(local.microsecond, 1000)
        return f"{local:%H:%M:%S}.{thousandths:03}{f'{rest:03}' if rest else ''}"
    return f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"


def day(instant: datetime, zone: str) -> str:
    """`Mon 2026-03-02`."""
    return f"{instant.astimezone(ZoneInfo(zone)):%a %Y-%m-%d}"


def moment(instant: datetime, zone: str = "UTC") -> str:
    """`Mon 2026-03-02 12:00 (09:00 UTC)`: in the zone and in UTC, whose date is told where it differs."""
    if zone == "UTC":
        return f"{day(instant, zone)} {wall_time(instant, zone)} UTC"
    utc = wall_time(instant, "UTC")
    if day(instant, zone) != day(instant, "UTC"):
        utc = f"{day(instant, 'UTC')[4:]} {utc}"
    return f"{day(instant, zone)} {wall_time(instant, zone)} ({utc} UTC)"


def plain(instant: datetime) -> str:
    """`Mon 2026-03-02 09:00:05`: UTC, cut to the second, for a text that says so once."""
    return f"{instant.astimezone(UTC):%a %Y-%m-%d %H:%M:%S}"


def harmless(text: str) -> str:
    """What others wrote, without what may steer a terminal: control characters become spaces."""
    return "".join(each if each.isprintable() else " " for each in text)


def wrapped(text: str, indent: int) -> list[str]:
    """The text in lines of WIDTH columns, each indented."""
    space = " " * indent
    return wrap(
        harmless(text),
        WIDTH,
        initial_indent=space,
        subsequent_indent=space,
        break_long_words=True,
        break_on_hyphens=False,
    )


def listed(words: list[str] | tuple[str, ...], joint: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    return f" {joint} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
