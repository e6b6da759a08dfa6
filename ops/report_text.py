"""A report as text: aligned tables of at most 100 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final

from ops.report_words import NOTES, Grid, grids, share_of, title
from ops.wording import WIDTH, wrapped

if TYPE_CHECKING:
    from ops.report import Report

_GAP: Final = "  "

Cells = Sequence[str]


def text(report: Report) -> str:
    """The whole report."""
    figures = report.figures
    lines = [*wrapped(title(report), 0), f"Promises kept: {share_of(figures.total.all_promises)}"]
    if figures.left_out:
        lines.append(f"Left out, for their journal is not whole: {figures.left_out} tickets")
    for grid in grids(report):
        if grid.rows:
            lines += ["", grid.title, *table(grid, len(report.frame.by))]
    for note in NOTES:
        lines += ["", *wrapped(note, 0)]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def table(grid: Grid, by: int) -> list[str]:
    """The lines of a table, each column as wide as it needs.

    Its first `by` columns say which group a row is of. Where they make it too wide, the groups become lines
    above their rows.
    """
    lines = list(_aligned([grid.heads, *grid.rows], grid.left))
    if not by or grid.left < by or max(map(len, lines)) <= WIDTH:
        return lines
    named = [("", *row[by:]) for row in (grid.heads, *grid.rows)]
    head, *rows = _aligned(named, grid.left - by + 1)
    lines = [head]
    for group, members in groupby(zip(grid.rows, rows, strict=True), lambda pair: pair[0][:by]):
        lines += [" / ".join(group), *(row for _, row in members)]
    return lines


def _aligned(rows: Sequence[Cells], left: int) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield _GAP.join(
            cell.ljust(width) if number < left else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
