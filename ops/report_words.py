"""The names and values of a report's figures, as people read them in text and HTML."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ops import wording
from ops.wording import moment
from workflow.report_facts import CONFIRMATION, Count, Time
from workflow.report_figures import PERCENTILES, Group, Promises

if TYPE_CHECKING:
    from ops.report import Report

NOTHING: Final = "–"

Cells = tuple[str, ...]

TIMES: Final[Mapping[str, str]] = {
    Time.WAIT: "waiting",
    Time.WAIT_BUSINESS: "waiting (business)",
    Time.RESOLUTION: "resolution",
    Time.RESOLUTION_BUSINESS: "resolution (business)",
    Time.ISSUE_AGE: "age of the issue",
    Time.LATENESS: "lateness of timers",
}
COUNTS: Final[Mapping[str, str]] = {
    Count.REGISTERED: "registered",
    Count.RESOLVED: "resolved",
    Count.REPEAT_CONTACTS: "repeat",
    Count.REOPENED: "reopened",
    Count.ESCALATED_BY_EVENT: "by people",
    Count.ESCALATED_BY_ENGINE: "by clocks",
}
RATES: Final[Mapping[str, str]] = {
    Count.REPEAT_CONTACTS: "repeat_contacts",
    Count.REOPENED: "reopened",
}
"""The rate that stands beside a count."""

_TICKETS: Final = "Tickets: counts and shares; escalated by people and by clocks"

NOTES: Final = (
    "A fact belongs to the period in which it counts, whenever it arrived: a report of the same period, made "
    "later, may have more in it.",
    "Kept = met less unmet (met, and withdrawn); broken = breached less retracted (breached, and withdrawn); "
    f"share = kept of both, {NOTHING} where more was withdrawn than decided. `all` leaves `{CONFIRMATION}` "
    "out: its breach is a citizen's silence.",
    "Waiting: from registration until an operator takes the ticket. Resolution: from registration, each time "
    "it is resolved. Business time is what the clocks first_response and resolution counted: the open hours "
    "of their calendars, without pauses.",
    "Repeat contacts: tickets that follow another, and contacts about closed ones; their share is of all "
    "contacts that registered a ticket or were about a closed one. Age of the issue: at a repeat contact, "
    "since the first contact of its chain. Reopened: share of what was resolved.",
)
"""What a reader must know."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of words: its title, its heads, of which the first `left` are no figures, and its rows."""

    title: str
    heads: tuple[str, ...]
    left: int
    rows: Sequence[tuple[str, ...]]


def title(report: Report) -> str:
    """The period, in its zone."""
    frame = report.frame
    start, end = moment(frame.start, frame.zone.key), moment(frame.end, frame.zone.key)
    return f"{start} to {end}, days in {frame.zone.key}"


def grids(report: Report) -> tuple[Grid, ...]:
    """All tables of a report; the total stands first."""
    figures, by = report.figures, tuple(str(each) for each in report.frame.by)
    groups = (figures.total, *figures.groups)
    promise_heads = ("clock", "kept", "broken", "share", "unmet", "retracted", "cancelled")
    time_heads = ("time", "count", *(f"p{each}" for each in PERCENTILES), "max")
    count_heads = tuple(
        head for count, name in COUNTS.items() for head in ((name, "share") if count in RATES else (name,))
    )
    return (
        Grid("Promises", by + promise_heads, len(by) + 1, _rows(groups, by, _promises)),
        Grid("Times", by + time_heads, len(by) + 1, _rows(groups, by, _times)),
        Grid(_TICKETS, by + count_heads, len(by), _rows(groups, by, _counts)),
        Grid("Worst broken promises", ("ticket", "clock", "overdue", ""), 2, _worst(report)),
    )


def _rows(groups: Sequence[Group], by: Cells, make: Callable[[Group], list[Cells]]) -> list[Cells]:
    return [
        tuple(group.group.get(name, "all") for name in by) + row for group in groups for row in make(group)
    ]


def _promises(group: Group) -> list[Cells]:
    return [
        (
            each.clock or "all",
            *map(str, (each.kept, each.broken)),
            percent(each.kept_share),
            *map(str, (each.unmet, each.retracted, each.cancelled)),
        )
        for each in (group.all_promises, *group.promises)
    ]


def _times(group: Group) -> list[Cells]:
    return [
        (
            name,
            str(group.times[time].count),
            *(duration(getattr(group.times[time], f"p{each}")) for each in PERCENTILES),
            duration(group.times[time].max),
        )
        for time, name in TIMES.items()
        if group.times[time].count
    ]


def _counts(group: Group) -> list[Cells]:
    cells: list[str] = []
    for count in COUNTS:
        cells.append(str(group.counts[count]))
        if count in RATES:
            cells.append(percent(group.rates[RATES[count]]))
    return [tuple(cells)]


def _worst(report: Report) -> list[Cells]:
    return [
        (each.ticket_id, each.clock, duration(each.overdue_seconds), "still open" if each.open else "")
        for each in report.figures.worst
    ]


def share_of(promises: Promises) -> str:
    """`93.8 %, 120 of 128`."""
    decided = promises.kept + promises.broken
    share = percent(promises.kept_share)
    return share if promises.kept_share is None else f"{share}, {promises.kept} of {decided}"


def percent(share: float | None) -> str:
    """`93.8 %`; see `ops.wording.percent`."""
    return NOTHING if share is None else f"{wording.percent(share):.1f} %"


def duration(seconds: float | None) -> str:
    """`0.125s`, `2.4s`, `12m03s`, `3h20m`: short, for columns; no days, for a business day is no 24 h."""
    if seconds is None:
        return NOTHING
    if seconds < 60:
        return f"{seconds:.3f}s" if seconds < 1 else f"{int(seconds * 10) / 10:.1f}s"
    minutes, left_seconds = divmod(int(seconds), 60)
    hours, left_minutes = divmod(minutes, 60)
    return f"{hours}h{left_minutes:02}m" if hours else f"{minutes}m{left_seconds:02}s"
