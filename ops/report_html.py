"""A report as one HTML file: plots, a heat map, all tables. It opens without a network, and prints well."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import jinja2

from ops.report_plots import Plot, Series, across, upright
from ops.report_words import NOTES, grids, percent, share_of, title
from workflow.report_facts import FIRST_RESPONSE, RESOLUTION
from workflow.report_figures import Group, Promises

if TYPE_CHECKING:
    from ops.report import Report

WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MOST_GROUPS: Final = 40
_HUNDRED_PERCENT: Final = 100


def page(report: Report) -> str:
    """The whole page."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ops"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    figures = report.figures
    most = max((each.breached for each in figures.hours), default=0)
    return environment.get_template("report.html.j2").render(
        title=title(report),
        share=share_of(figures.total.all_promises),
        left_out=figures.left_out,
        plots=list(_plots(report)),
        heat=_heat(report),
        most=most,
        weekdays=WEEKDAYS,
        grids=[grid for grid in grids(report) if grid.rows],
        notes=NOTES,
    )


def _plots(report: Report) -> Iterator[Plot]:
    figures = report.figures
    clocks = [each for each in figures.total.promises if each.kept_share is not None]
    if clocks:
        names = [f"{each.clock} ({each.kept + each.broken})" for each in clocks]
        yield _shares("clocks", "Promises kept, by clock", names, clocks)
    groups = [each for each in figures.groups if each.all_promises.kept_share is not None]
    if groups and len(groups) <= _MOST_GROUPS:
        by = ", ".join(report.frame.by)
        promises = [each.all_promises for each in groups]
        yield _shares("groups", f"Promises kept, by {by}", [_label(each) for each in groups], promises)
    if len(figures.days) > 1:
        yield _by_day(report)
    for clock, what in ((FIRST_RESPONSE, "Waiting"), (RESOLUTION, "Resolution")):
        if any(each.clock == clock for each in figures.used):
            yield _against_target(report, clock, what)


def _label(group: Group) -> str:
    return " / ".join(group.group.values())


def _shares(name: str, heading: str, labels: list[str], promises: list[Promises]) -> Plot:
    told = "; ".join(
        f"{label}: {percent(each.kept_share)}" for label, each in zip(labels, promises, strict=True)
    )
    values = [None if each.kept_share is None else each.kept_share * 100 for each in promises]
    return across(name, heading, f"{heading}, in percent. {told}.", labels, Series("kept", values))


def _by_day(report: Report) -> Plot:
    days = report.figures.days
    broken = [max(each.promises.broken, 0) for each in days]
    worst = max(zip(broken, days, strict=True), key=lambda pair: pair[0])
    told = f"Broken promises, by day. Most on {worst[1].day}: {worst[0]}."
    labels = [each.day[5:] for each in days]
    return upright("days", "Promises broken, by day", told, labels, [Series("broken", broken)])


def _against_target(report: Report, clock: str, what: str) -> Plot:
    """How much of its target each ticket used: up to 100 % the promise was kept."""
    used = [each for each in report.figures.used if each.clock == clock]
    bounds = [each.at_most_percent for each in used]
    labels = [f"≤ {bound} %" if bound else "more" for bound in bounds]
    kept = [bound is not None and bound <= _HUNDRED_PERCENT for bound in bounds]
    series = [
        Series("kept", [each.count if good else None for each, good in zip(used, kept, strict=True)]),
        Series("broken", [None if good else each.count for each, good in zip(used, kept, strict=True)]),
    ]
    in_time = sum(each.count for each, good in zip(used, kept, strict=True) if good)
    told = (
        f"{what} against its target, in business time: {in_time} of {sum(each.count for each in used)} ended "
        "within 100 percent of the target."
    )
    return upright(clock.replace("_", "-"), f"{what}, in percent of its target", told, labels, series)


def _heat(report: Report) -> list[list[int]]:
    """Breaches by weekday and hour."""
    found = {(each.weekday, each.hour): each.breached for each in report.figures.hours}
    return [[found.get((weekday, hour), 0) for hour in range(24)] for weekday in range(7)]
