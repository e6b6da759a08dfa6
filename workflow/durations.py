"""Durations as the policy file writes them: ``500ms``, ``30s``, ``5m``, ``48h``, ``30d``."""

import re
from datetime import timedelta
from typing import Final

_UNITS: Final = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_WRITTEN: Final = re.compile(r"([0-9]{1,12})(ms|s|m|h|d)")

LONGEST: Final = timedelta(days=3660)
"""Ten years: a longer promise is a slip of the pen, and deadlines stay within the years of a calendar."""


class DurationError(ValueError):
    """The text is no duration; the message says what one looks like and never repeats the text."""


def parse(text: str) -> timedelta:
    """Read a whole number with one unit (ms, s, m, h, d). A day is 24 hours of the clock that counts.

    Raises:
        DurationError: another form, or longer than ten years.
    """
    written = _WRITTEN.fullmatch(text)
    if written is None:
        raise DurationError("a duration is a whole number and a unit, ms, s, m, h or d, as in 30s, 5m or 48h")
    number, unit = written.groups()
    if int(number) > LONGEST // _UNITS[unit]:
        raise DurationError(f"a duration is at most {LONGEST.days}d (ten years)")
    return int(number) * _UNITS[unit]


def render(duration: timedelta) -> str:
    """Write a duration of whole milliseconds in the largest unit that divides it: ``parse``'s inverse.

    48 hours stay ``48h``: a day is only used from three days on, where people stop counting hours.
    """
    for unit in ("d", "h", "m", "s"):
        whole, rest = divmod(duration, _UNITS[unit])
        if not rest and whole and not (unit == "d" and whole < 3):
            return f"{whole}{unit}"
    return f"{duration // _UNITS['ms']}ms" if duration else "0s"
