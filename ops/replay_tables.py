"""What `replay --compare` shows a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ops.replay_compare import DIFFERENCES, Result, kept, sorted_groups, totals
from ops.replay_player import Summary
from ops.wording import duration, percent, plain
from workflow.compare import Difference, Judged, Moved, Word
from workflow.report_facts import CONFIRMATION

MOST_SHOWN: Final = 50
"""Differences in the last table; all of them are in the file and with --json."""

_NOTHING: Final = "–"


def show(result: Result, names: tuple[str, str], console: Console) -> None:
    """Print which verdicts change; `names` say where the two policies come from. No personal data."""
    for title, side, name in zip(("before", "after"), (result.before, result.after), names, strict=True):
        console.print(Text(f"{title:<7} {', '.join(side.labels)} ({name}): {_played(side.summary)}"))
    console.print()
    console.print(_overview(result))
    comparison = result.comparison
    if not comparison.differences:
        console.print()
        console.print(Text("No verdict changes."))
        _tell_moved(result, console)
        return
    console.print()
    console.print(_clocks(result))
    console.print()
    console.print(_groups(result))
    console.print()
    changed = f"{len(comparison.differences)} verdicts change, of {comparison.tickets} tickets."
    console.print(Text(changed, style="bold"))
    _tell_moved(result, console)
    console.print()
    console.print(_differences(comparison.differences[:MOST_SHOWN]))
    if (more := len(comparison.differences) - MOST_SHOWN) > 0:
        console.print(Text(f"And {more} more: --json prints all, and --out writes them to {DIFFERENCES}."))


def _played(summary: Summary) -> str:
    return f"{summary}; {summary.firings} clocks fired"


def _tell_moved(result: Result, console: Console) -> None:
    comparison = result.comparison
    for what, moved in (("breaches", comparison.breaches), ("deadlines", comparison.deadlines)):
        if moved.earlier or moved.later:
            console.print(Text(f"Of the {what} under both policies {_moved(moved)}."))


def _moved(moved: Moved) -> str:
    return (
        f"{moved.earlier} come earlier (by {duration(moved.earlier_seconds)} in all) and "
        f"{moved.later} later (by {duration(moved.later_seconds)} in all)"
    )


def _overview(result: Result) -> Table:
    table = _table(f"All clocks but {CONFIRMATION}", "", "before", "after", "difference")
    before, after = totals(result.before), totals(result.after)
    for word in Word:
        _count(table, str(word), before[word], after[word])
    _row(table, "promises kept", _percent(before), _percent(after), "")
    old, new = result.before.book, result.after.book
    _count(table, "escalations", old.escalations, new.escalations)
    for template in sorted(old.notifications.keys() | new.notifications.keys()):
        _count(table, f"told {template}", old.notifications[template], new.notifications[template])
    return table


def _count(table: Table, name: str, before: int, after: int) -> None:
    _row(table, name, str(before), str(after), f"{after - before:+}" if after != before else "")


def _percent(counts: Mapping[Word, int]) -> str:
    share = kept(counts)
    return _NOTHING if share is None else f"{percent(share):.1f} %"


def _clocks(result: Result) -> Table:
    heads = [f"{what}, {when}" for what in ("met", "breached", "kept") for when in ("before", "after")]
    table = _table("By clock", "clock", *heads)
    before, after = result.before.verdicts, result.after.verdicts
    for clock in sorted(before.keys() | after.keys()):
        sides = (before.get(clock, {}), after.get(clock, {}))
        counts = [str(side.get(word, 0)) for word in (Word.MET, Word.BREACHED) for side in sides]
        _row(table, clock, *counts, *map(_percent, sides))
    return table


def _groups(result: Result) -> Table:
    table = _table("What changes", "clock", "category", "queue", "before", "after", "verdicts", texts=5)
    for kind, count in sorted_groups(result.comparison):
        after = f"{kind.after}, {kind.breach}" if kind.breach else kind.after or _NOTHING
        _row(table, kind.clock, kind.category, kind.queue, kind.before or _NOTHING, after, str(count))
    return table


def _differences(differences: tuple[Difference, ...]) -> Table:
    table = _table("Tickets concerned", "ticket", "clock", "cycle", "before", "after", texts=5)
    for each in differences:
        ticket = each.ticket_id if each.life == 1 else f"{each.ticket_id} (life {each.life})"
        sides = (" ".join(_judged(side)) for side in (each.before, each.after))
        _row(table, ticket, each.kind.clock, str(each.cycle), *sides)
    return table


def _judged(judged: Judged | None) -> Iterator[str]:
    if judged is None:
        yield _NOTHING
        return
    yield str(judged.word)
    yield f"{duration(judged.elapsed_seconds)} of {duration(judged.target_seconds)}"
    if judged.deadline is not None:
        yield f"(deadline {plain(judged.deadline)})"


def _row(table: Table, *cells: str) -> None:
    """Add cells as they are: as plain strings they would be markup."""
    table.add_row(*map(Text, cells))


def _table(title: str, *columns: str, texts: int = 1) -> Table:
    """The first `texts` columns hold words, the rest numbers."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for number, name in enumerate(columns):
        table.add_column(name, justify="left" if number < texts else "right", overflow="fold")
    return table
