"""A policy as the oracle reads it: plain data, taken from the same file that the engine reads."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from itertools import accumulate
from math import floor
from typing import Any, Final

from simulator.oracle.wall import open_seconds

BEFORE: Final = 3600
"""So many seconds before the origin may matter: a merged ticket may be older than the history."""
HORIZON: Final = 3 * 3600
"""Later deadlines are not told apart: what matters happens within two hours and a half. A history that takes
longer says so."""

UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
CREATED_DEFAULTS: Final = {"priority": "normal", "region": None}
DEFAULT_QUEUES: Final = {
    "status_check": "status",
    "contact_change": "registration",
    "access_recovery": "registration",
    "technical_fault": "technical",
    "complex": "reference",
}


def duration(text: str) -> int:
    """`15m` in seconds."""
    return int(text[:-1]) * UNITS[text[-1]]


@dataclass(frozen=True)
class Threshold:
    """Something that a clock may fire: its name, and what the step of `on_breach` does, if it is one."""

    name: str
    do: str = "none"


@dataclass(frozen=True)
class Rule:
    """One entry of `clocks`. `announced`: the target is what a promise or an arranged call says."""

    number: int
    clock: str
    when: Mapping[str, Sequence[str]]
    target: str
    start: frozenset[str]
    stop: frozenset[str]
    cancel: frozenset[str]
    pause: frozenset[str]
    reopen: str
    calendar: str
    thresholds: tuple[Threshold, ...]

    @property
    def announced(self) -> bool:
        """The target is what somebody announced."""
        return self.target in ("promised", "scheduled")

    def matches(self, fields: Mapping[str, Any]) -> bool:
        """All fields that `when` names must match; none: always."""
        return all(fields[name] in values for name, values in self.when.items())


def rule_of(number: int, entry: Mapping[str, Any]) -> Rule:
    """A rule with its defaults; its thresholds in the order of the policy."""
    steps = entry.get("on_breach", [])
    at_once: Mapping[str, str] = next((step for step in steps if duration(step["after"]) == 0), {})
    thresholds = (
        *(Threshold(name) for name in entry.get("warn", [])),
        Threshold("breach", at_once.get("do", "none")),
        *(Threshold(f"+{step['after']}", step.get("do", "none")) for step in steps if step is not at_once),
    )
    return Rule(
        number, entry["clock"], entry.get("when", {}), entry["target"],
        frozenset(entry["start"]), frozenset(entry["stop"]), frozenset(entry.get("cancel", [])),
        frozenset(entry.get("pause", [])), entry.get("reopen", "none"), entry.get("calendar", "always"),
        thresholds,
    )  # fmt: skip


def amount(threshold: str, target: int | Fraction) -> int | Fraction:
    """How much of the clock's time has gone by when a threshold is reached."""
    if threshold == "breach":
        return target
    if threshold.endswith("%"):
        part = target * Fraction(threshold[:-1]) / 100
        return int(part) if part == int(part) else part
    if threshold.startswith("-"):
        return target - duration(threshold[1:])
    return target + duration(threshold[1:])


class Hours:
    """The open seconds of a calendar, counted one by one: how many there are before each second."""

    def __init__(self, line: Sequence[int], before: int) -> None:
        """`line`: one for each second, from `before` seconds before the origin on; 1 is open."""
        self.begin, self.end = -before, len(line) - before
        self._line, self._counts = line, array("l", accumulate(line, initial=0))

    def opened(self, instant: int | Fraction) -> int | Fraction:
        """How many open seconds lie before an instant."""
        second = floor(instant)
        number = second - self.begin
        whole = self._counts[number]
        return whole if second == instant else whole + (instant - second) * self._line[number]

    def reached(self, count: int | Fraction) -> int | Fraction | None:
        """The earliest instant before which so many open seconds lie."""
        number = bisect_left(self._counts, count)
        if number == len(self._counts):
            return None
        return self.begin + number - (self._counts[number] - count)

    def next_open(self, instant: int | Fraction) -> int | Fraction | None:
        """The earliest instant from this one on that lies in an open second."""
        number = bisect_right(self._counts, self._counts[floor(instant) - self.begin])
        return None if number == len(self._counts) else max(instant, self.begin + number - 1)


class Version:
    """One version of a policy, with the open seconds of its calendars."""

    def __init__(
        self, document: Mapping[str, Any], origin: datetime, before: int = BEFORE, horizon: int = HORIZON
    ) -> None:
        self.name = f"{document['policy']}@{document['version']}"
        self.effective_from = -before
        if "effective_from" in document:
            moment = datetime.fromisoformat(document["effective_from"])
            self.effective_from = int((moment - origin).total_seconds())
        self.window = duration(document.get("reopening_window", "30d"))
        self.rules = [rule_of(number, entry) for number, entry in enumerate(document["clocks"], 1)]
        self.regions = document.get("region_calendars", {"*": "always"})
        self.hours = {
            name: Hours(open_seconds(calendar, origin, before, horizon), before)
            for name, calendar in {"always": {}, **document.get("calendars", {})}.items()
        }

    @property
    def ids(self) -> list[str]:
        """The clocks, in the order of the policy."""
        return list(dict.fromkeys(rule.clock for rule in self.rules))

    def rule(self, clock: str, fields: Mapping[str, Any]) -> Rule | None:
        """For a clock id the first rule whose `when` matches counts."""
        return next((rule for rule in self.rules if rule.clock == clock and rule.matches(fields)), None)

    def calendar(self, rule: Rule, fields: Mapping[str, Any]) -> str:
        """The name of the calendar of a rule: no region means `*`."""
        if rule.announced:
            return "always"
        if rule.calendar != "region":
            return rule.calendar
        region = fields["region"]
        return str(self.regions[region if region in self.regions else "*"])


class Versions:
    """A folder of versions."""

    def __init__(
        self,
        documents: Sequence[Mapping[str, Any]],
        origin: datetime,
        before: int = BEFORE,
        horizon: int = HORIZON,
    ) -> None:
        made = (Version(each, origin, before, horizon) for each in documents)
        self.all = sorted(made, key=lambda v: v.effective_from)

    def in_force(self, arrival: Fraction | int) -> Version:
        """The one of an arrival; arrivals before the earliest use it."""
        return [v for v in self.all if v.effective_from <= arrival or v is self.all[0]][-1]
