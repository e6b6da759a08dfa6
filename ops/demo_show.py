"""What the demo says: the heading of its screen, lines where there is no screen, and the summary."""

from __future__ import annotations

import operator
import shlex
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from consumers.board import kept_and_broken
from consumers.verifier_report import Report
from ops import live
from ops.demo_day import HOUR_SECONDS
from ops.demo_recount import Totals
from schemas.records import Outcome
from schemas.terms import Category

_BAR_COLUMNS: Final = 20
_LINE_SECONDS: Final = 10.0
_SCAN_SECONDS: Final = 300
"""A helpdesk's job looks for what is overdue every five minutes: on average it finds it half of that late."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the day is: `elapsed_seconds` of `whole_seconds`, and `sent` of its `lines`."""

    elapsed_seconds: float
    whole_seconds: float
    sent: int
    lines: int

    @property
    def over(self) -> bool:
        """Whether the last clock that is to be seen has fired."""
        return self.elapsed_seconds >= self.whole_seconds

    @property
    def hour(self) -> str:
        """The time of the service day."""
        minutes = int(min(max(self.elapsed_seconds / HOUR_SECONDS, 0.0), 24.0) * 60)
        return f"{minutes // 60:02d}:{minutes % 60:02d}"


@dataclass(frozen=True, slots=True)
class Result:
    """What the demo found out in the end. `ticket_id`: one that is worth a look.

    `looked_at`: of the events in `totals`, how many lie where `verify` has looked. `fresh`: no others do.
    """

    progress: Progress
    planned_codes: Counter[str]
    planned_duplicates: int
    totals: Totals
    outcomes: Counter[tuple[str, Outcome]]
    notified: Counter[str]
    repeat_contacts: int
    report: Report
    looked_at: int
    fresh: bool
    ticket_id: str | None

    @property
    def right(self) -> bool:
        """Every event that was sent has arrived and ended in one of the three ways, and so says `verify`."""
        ours = self.progress.sent + self.totals.by_engine
        all_sent = self.progress.sent == self.progress.lines
        all_ended = self.totals.events >= ours and not self.totals.undecided
        return all_sent and all_ended and self.report.clean and self.agrees

    @property
    def agrees(self) -> bool:
        """Whether `verify` has looked at all that was counted here, and counts the same.

        Where events of an earlier run are on the topics, it counts them, too.
        """
        totals, ends = self.totals, self.ends_by_verify
        counted = (totals.applied, sum(totals.rejected.values()), totals.duplicates)
        same = ends == counted if self.fresh else all(map(operator.ge, ends, counted))
        return same and self.looked_at == totals.events

    @property
    def ends_by_verify(self) -> tuple[int, int, int]:
        """How many events `verify` counts as applied, rejected and duplicate."""
        totals = self.report.totals
        return totals["applied"], totals["rejected"], totals["duplicate"]


def heading(
    progress: Progress, picture: live.Picture, news: str | None, width: int
) -> Sequence[RenderableType]:
    """The two rows above the picture; `news` is said instead of the second."""
    share = max(progress.elapsed_seconds, 0.0) / progress.whole_seconds
    first = Text.assemble(
        ("ticketflow", "bold cyan"),
        ("  a service day  ", "dim"),
        (progress.hour, "bold"),
        "  ",
        live.bar(share, _BAR_COLUMNS, "cyan"),
        f"  {progress.sent}/{progress.lines} events",
        no_wrap=True,
        overflow="ellipsis",
    )
    if width - first.cell_len >= len(_END):
        first.append(f"{_END:>{width - first.cell_len}}", "dim")
    return first, Text(news, "yellow", no_wrap=True, overflow="ellipsis") if news else live.figures(picture)


_END: Final = "Ctrl-C ends"


def line(progress: Progress, picture: live.Picture) -> str:
    """The same in one line, for a log."""
    return (
        f"{progress.hour}  {progress.sent} of {progress.lines} events sent; "
        f"{picture.open_tickets} tickets open; promises: {picture.kept} kept, {picture.broken} broken, "
        f"{picture.overdue_count} overdue now; {len(picture.letters)} dead letters"
    )


class Display:
    """The picture while the day lasts: live on a terminal, else a line every few seconds."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._screen = Live(
            console=self._console,
            screen=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._drawn_at = 0.0
        self._said = ""
        self.live = False

    def __enter__(self) -> Display:
        self.live = live.is_live(self._console)
        if self.live:
            self._screen.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:
            self._screen.stop()
            self._print("Ending the system ...")  # which takes its seconds, and the screen is gone
        self.live = False

    def draw(self, progress: Progress, picture: live.Picture, news: str | None) -> None:
        """Show how things stand; `news` is what is to be known beside."""
        if self.live:
            width, height = self._console.size
            rows = heading(progress, picture, news, width)
            self._screen.update(live.screen(picture, rows, width, height), refresh=True)
        elif news is not None and news != self._said:
            self._said = news
            self._print(news)
        elif news is None and time.monotonic() - self._drawn_at > _LINE_SECONDS:
            self._drawn_at = time.monotonic()
            self._print(line(progress, picture))

    def _print(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)
        self._console.file.flush()


def show_result(result: Result, commands: Sequence[tuple[str, str]]) -> None:
    """Print the summary and what to try next: (what for, command)."""
    console = Console(highlight=False, soft_wrap=True)
    console.print()
    console.print(Text(f"The service day is over: {result.totals.tickets} tickets.", "bold green"))
    console.print()
    for name, text in _rows(result):
        console.print(Text(f"  {name:<14}", "cyan") + Text(text))
    console.print()
    console.print(_promises(result.outcomes))
    console.print()
    console.print(_verdict(result))
    for text in islice(result.report.lines(), len(result.report.partitions), None):
        console.print(Text(f"  {text}"))
    for text in _not_right(result):
        console.print(Text(text, "bold red"))
    console.print()
    console.print(Text("What to try next", "bold"))
    for what, command in commands:
        console.print(Text(f"  {what}", "dim"))
        console.print(Text(f"    {command}"))
    console.file.flush()


def _verdict(result: Result) -> Text:
    if not result.report.clean:
        return Text(f"verify: {result.report.total_findings} findings", "bold red")
    if not result.agrees:
        return Text("verify: nothing was found, but it does not agree with what is counted above", "bold red")
    return Text("verify: nothing was found", "bold green")


def _rows(result: Result) -> Iterator[tuple[str, str]]:
    totals, rejected = result.totals, sum(result.totals.rejected.values())
    yield "events", f"{result.progress.sent} sent, {totals.by_engine} by the engine itself" + _others(result)
    yield "", f"{totals.applied} applied, {rejected} rejected, {totals.duplicates} duplicates"
    yield "rejected", _counts(totals.rejected)
    yield "notifications", f"{sum(result.notified.values())}: {_counts(result.notified)}"
    late = live.lateness(totals.lateness_seconds)
    if late is not None:
        yield "clocks", f"{late.firings} warnings, breaches and steps, found late by {late}"
        yield "", f"(a job that scans every 5 minutes: {_SCAN_SECONDS / 2:.0f} s on average)"
    latency = live.lateness(totals.latency_seconds)
    if latency is not None:
        yield "latency", f"events were decided {latency} after they arrived"
    yield "repeats", f"{result.repeat_contacts} repeat contacts"
    if (totals.rejected, totals.duplicates) != (result.planned_codes, result.planned_duplicates):
        planned = sum(result.planned_codes.values())
        second = f"{planned} rejected and {result.planned_duplicates} duplicates"
        yield "note", f"planned were {second}: an event that a busy"
        yield "", "machine sends too late meets another state of its ticket"


def _others(result: Result) -> str:
    others = result.totals.events - result.progress.sent - result.totals.by_engine
    return f", {others} by others" if others > 0 else ""


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common()) or "none"


def _promises(outcomes: Counter[tuple[str, Outcome]]) -> Table:
    table = Table(box=None, padding=(0, 2), header_style="dim", pad_edge=True)
    table.add_column("promises", style="cyan")
    for heading in ("kept", "broken", "share kept"):
        table.add_column(heading, justify="right")
    for category in Category:
        kept, broken = kept_and_broken(outcomes, str(category))
        table.add_row(str(category), str(kept), str(broken), live.share(kept, broken))
    pairs = [kept_and_broken(outcomes, str(category)) for category in Category]
    kept, broken = sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)
    table.add_row("all", str(kept), str(broken), live.share(kept, broken), style="bold")
    return table


def _not_right(result: Result) -> Iterator[str]:
    if result.progress.sent < result.progress.lines:
        yield f"Only {result.progress.sent} of {result.progress.lines} events were sent."
    missing = result.progress.sent + result.totals.by_engine - result.totals.events
    if missing > 0:
        yield f"Of the events that were sent {missing} are not on the topic."
    if result.totals.undecided:
        yield f"Neither applied nor rejected nor duplicate: {result.totals.undecided} of the events."
    if result.looked_at < result.totals.events:
        looked_at = f"{result.looked_at} of the {result.totals.events} events"
        yield f"verify has looked at {looked_at} only: the rest was not decided before it."
    elif not result.agrees:
        applied, rejected, duplicates = result.ends_by_verify
        ends = f"{applied} applied, {rejected} rejected and {duplicates} duplicates"
        yield f"By verify the events are {ends}."


def next_commands(
    variables: Mapping[str, str], ticket_id: str | None, config: Path | None
) -> list[tuple[str, str]]:
    """Commands for when the demo is over: (what for, command).

    `variables` lead to the demo's data, together with the other settings, which may be in the file `config`.
    """
    us = "./dev" if Path("dev").is_file() and Path("pyproject.toml").is_file() else "ticketflow"
    if config is not None:
        us += f" --config {shlex.quote(str(config))}"
    again = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
    look = [] if ticket_id is None else [f"{again} {us} ticket explain {ticket_id}"]
    return [
        ("The system for tickets of your own; it says how to publish one:", f"{us} up"),
        ("The demo's tickets again:", f"{again} {us} up"),
        *(("  and in another terminal one of them, each deadline explained:", command) for command in look),
        ("  and what is due next:", f"{again} {us} top"),
        ("What was promised:", f"{again} {us} policy show"),
    ]
