"""The figures of a report: shares, rates and percentiles, and how each is computed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from schemas.records import Outcome
from workflow.report_facts import CONFIRMATION, Count

PERCENTILES: Final = (50, 75, 90, 95, 99)

USE_BOUNDS_PERCENT: Final = (25, 50, 75, 100, 125, 150, 200, 400)
"""Upper bounds, inclusive, of the classes of how much of a target was used; the last class has none."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """Percentiles of `count` values, exact and linearly interpolated; None where there is no value."""

    count: int
    p50: float | None = None
    p75: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None


def distribution(values: Iterable[float]) -> Distribution:
    """The percentiles of values in any order."""
    ordered = sorted(values)
    if not ordered:
        return Distribution(0)
    named = {f"p{each}": _percentile(ordered, each) for each in PERCENTILES}
    return Distribution(len(ordered), max=ordered[-1], **named)


def _percentile(ordered: list[float], percent: int) -> float:
    """Linear interpolation between the closest ranks, the lowest value being 0 % and the highest 100 %.

    It is the definition that spreadsheets and numpy use, and `statistics.quantiles` with
    `method="inclusive"`. Rounded to a microsecond.
    """
    whole, hundredths = divmod((len(ordered) - 1) * percent, 100)
    low = ordered[whole]
    between = 0.0 if not hundredths else (ordered[whole + 1] - low) * hundredths / 100
    return round(low + between, 6)


@dataclass(frozen=True, slots=True)
class Promises:
    """The verdicts on the promises of one clock, or (`clock` None) of all clocks but `confirmation`.

    `kept` is met - unmet, `broken` is breached - retracted. `kept_share` is kept ÷ (kept + broken), and None
    where nothing was decided, or more was withdrawn than decided: the withdrawn verdicts count in another
    period.
    """

    clock: str | None
    kept: int
    broken: int
    kept_share: float | None
    met: int
    unmet: int
    breached: int
    retracted: int
    cancelled: int


Verdicts = Mapping[tuple[str, Outcome], int]
"""How often each clock had each outcome."""


def promises(verdicts: Verdicts, clock: str | None) -> Promises:
    """The figures of one clock, or (None) of all that are promises to citizens."""
    counted = dict.fromkeys(Outcome, 0)
    for (name, outcome), count in verdicts.items():
        if name == clock or (clock is None and is_promise(name)):
            counted[outcome] += count
    kept = counted[Outcome.MET] - counted[Outcome.UNMET]
    broken = counted[Outcome.BREACHED] - counted[Outcome.RETRACTED]
    share = kept_share(kept, broken)
    return Promises(clock, kept, broken, share, **{str(name): count for name, count in counted.items()})


def is_promise(clock: str) -> bool:
    """Whether a clock counts among all promises: all do but the one whose breach is the citizen's silence."""
    return clock != CONFIRMATION


def kept_share(kept: int, broken: int) -> float | None:
    """The share of promises kept; None where nothing was decided, or more was withdrawn than decided."""
    decided = kept + broken
    return kept / decided if kept >= 0 and broken >= 0 and decided else None


def by_clock(verdicts: Verdicts) -> tuple[Promises, ...]:
    """The figures of every clock that has any, by name."""
    return tuple(promises(verdicts, clock) for clock in sorted({clock for clock, _ in verdicts}))


def rates(counts: Mapping[Count, int]) -> dict[str, float | None]:
    """Shares from 0 to 1 (a ticket may be reopened more than once); None: nothing to divide by.

    `repeat_contacts` of all contacts that registered a ticket or were about a closed one; `reopened` of what
    was resolved; `escalated` (by whomever) of what was registered.
    """
    repeats, escalated = counts[Count.REPEAT_CONTACTS], counts[Count.ESCALATED_BY_EVENT]
    contacts = counts[Count.REGISTERED] + repeats - counts[Count.FOLLOW_UPS]
    return {
        "repeat_contacts": _rate(repeats, contacts),
        "reopened": _rate(counts[Count.REOPENED], counts[Count.RESOLVED]),
        "escalated": _rate(escalated + counts[Count.ESCALATED_BY_ENGINE], counts[Count.REGISTERED]),
    }


def _rate(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def use_bound_percent(share: float) -> int | None:
    """The bound under which a use of a target is counted; None beyond the last one."""
    return next((bound for bound in USE_BOUNDS_PERCENT if share * 100 <= bound), None)


@dataclass(frozen=True, slots=True)
class Group:
    """The figures of one group of tickets; `group` has the values of the dimensions, empty for the total."""

    group: Mapping[str, str]
    all_promises: Promises
    promises: tuple[Promises, ...]
    times: Mapping[str, Distribution]
    counts: Mapping[str, int]
    rates: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Day:
    """The verdicts of a day in the report's zone, all clocks but `confirmation`."""

    day: str
    promises: Promises


@dataclass(frozen=True, slots=True)
class Hour:
    """Breaches in an hour of the week in the report's zone; `weekday` is 0 on Mondays."""

    weekday: int
    hour: int
    breached: int


@dataclass(frozen=True, slots=True)
class Used:
    """How many clocks ended with at most so much of their target used (None: with more than any bound)."""

    clock: str
    at_most_percent: int | None
    count: int


@dataclass(frozen=True, slots=True)
class Worst:
    """A broken promise, and how long it went on past its deadline, in the period; `open`: it still does."""

    ticket_id: str
    clock: str
    cycle: int
    overdue_seconds: float
    open: bool


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures of a period. `left_out`: tickets whose journal is not whole."""

    total: Group
    groups: tuple[Group, ...]
    days: tuple[Day, ...]
    hours: tuple[Hour, ...]
    used: tuple[Used, ...]
    worst: tuple[Worst, ...]
    left_out: int
