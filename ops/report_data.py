"""A report as one tidy table: a figure a row, with what it is of and what it is."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import fields
from io import StringIO
from typing import TYPE_CHECKING

from workflow.report_figures import Distribution, Group, Promises

if TYPE_CHECKING:
    from ops.report import Report

Row = tuple[str, str, float | None]
"""Clock (empty where a figure is of no clock), measure, value."""


def table(report: Report) -> str:
    """CSV with the columns from, to, the dimensions, clock, measure, value.

    Without dimensions the rows are of all tickets together; with them of each group, and of no total, so
    that counts may be added up. A figure that is not known has an empty value.
    """
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    data = report.as_dict()
    writer.writerow(["from", "to", *data["by"], "clock", "measure", "value"])
    for group in report.figures.groups if report.frame.by else (report.figures.total,):
        for row in rows(group):
            writer.writerow([data["from"], data["to"], *group.group.values(), *row])
    return out.getvalue()


def rows(group: Group) -> Iterator[Row]:
    """All figures of a group; those of all promises have the clock `all`."""
    for promises in (group.all_promises, *group.promises):
        clock = promises.clock or "all"
        yield from ((clock, name, getattr(promises, name)) for name in _names(Promises) if name != "clock")
    yield from (("", name, count) for name, count in group.counts.items())
    yield from (("", f"{name}_rate", rate) for name, rate in group.rates.items())
    for time, distribution in group.times.items():
        for name in _names(Distribution):
            yield "", f"{time}_{name}", getattr(distribution, name)


def _names(kind: type[Promises | Distribution]) -> list[str]:
    return [each.name for each in fields(kind)]
