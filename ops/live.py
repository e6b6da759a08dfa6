"""The live picture of `top` and of the demo: what is drawn, for terminals of 80 by 24 and up, and as text."""

from __future__ import annotations

import heapq
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.layout import Layout
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from consumers.board import Board, Breach, Letter, Notice, Promise, percentile
from ops.wording import harmless
from schemas.records import Outcome, Role
from schemas.state import State
from schemas.terms import Queue
from workflow.report_figures import kept_share

_HEADING_ROWS: Final = 2
_TICKET_ROWS: Final = 3 + len(Queue)
_TICKET_COLUMNS: Final = 69
_NEWS_COLUMNS: Final = 53
_LETTER_COLUMNS: Final = 25
_TEXT_COLUMNS: Final = 100
_TICKET_ID_COLUMNS: Final = 17
_WIDE_COLUMNS: Final = 120
_LEAST_NEWS_ROWS: Final = 6
_BAR_COLUMNS: Final = 12
_BAR_FROM_COLUMNS: Final = 86
_CYCLE_FROM_COLUMNS: Final = 100
_WARN_SHARE: Final = 0.8
_NOTHING: Final = "–"

_STATE_STYLES: Final = {
    State.CREATED: "cyan",
    State.ASSIGNED: "blue",
    State.ESCALATED: "magenta",
    State.PENDING: "yellow",
    State.RESOLVED: "green",
    State.CLOSED: "dim",
}


@dataclass(frozen=True, slots=True)
class Lateness:
    """How late the last `firings` were found, in seconds after they were due."""

    firings: int
    p50_seconds: float
    p99_seconds: float
    max_seconds: float

    def __str__(self) -> str:
        p50, p99, most = map(span, (self.p50_seconds, self.p99_seconds, self.max_seconds))
        return f"p50 {p50}, p99 {p99}, max {most}"


@dataclass(frozen=True, slots=True)
class Picture:
    """What is drawn: the board at one moment, the latest first, no more than can be of use."""

    now: datetime
    counts: Mapping[tuple[State, str], int]
    overdue: tuple[Promise, ...]
    overdue_count: int
    coming: tuple[Promise, ...]
    coming_count: int
    breaches: tuple[Breach, ...]
    notices: tuple[Notice, ...]
    letters: tuple[Letter, ...]
    lateness: Lateness | None
    kept: int
    broken: int
    repeat_contacts: int
    unreadable: int

    @property
    def codes(self) -> list[tuple[str, int]]:
        """Dead letters by code, the most frequent first."""
        return Counter(letter.code for letter in self.letters).most_common()

    @property
    def open_tickets(self) -> int:
        """How many are not closed."""
        return sum(count for (state, _), count in self.counts.items() if state is not State.CLOSED)

    def at_risk(self, most: int) -> list[Promise]:
        """Overdue promises and then those nearest to their deadline; either may have half of the room."""
        overdue = min(len(self.overdue), max(most // 2, most - len(self.coming)))
        return [*self.overdue[:overdue], *self.coming[: most - overdue]]


def take(board: Board, now: datetime, most: int = 100) -> Picture:
    """Take a picture of a board; of promises at most so many of either kind."""
    overdue: list[Promise] = []
    coming: list[Promise] = []
    for promise in board.promises():
        (overdue if promise.deadline < now else coming).append(promise)
    outcomes: Counter[Outcome] = Counter()
    for (_, outcome), count in board.outcomes.items():
        outcomes[outcome] += count
    return Picture(
        now=now,
        counts={key: count for key, count in board.counts.items() if count},
        overdue=tuple(heapq.nsmallest(most, overdue, key=_by_deadline)),
        overdue_count=len(overdue),
        coming=tuple(heapq.nsmallest(most, coming, key=_by_deadline)),
        coming_count=len(coming),
        # As they happened, not as partitions were read.
        breaches=tuple(heapq.nlargest(most, board.breaches, key=lambda breach: breach.at)),
        notices=tuple(heapq.nlargest(most, board.notices, key=lambda notice: notice.at)),
        letters=tuple(reversed(board.letters)),
        lateness=lateness(board.lateness_seconds),
        kept=outcomes[Outcome.MET] - outcomes[Outcome.UNMET],
        broken=outcomes[Outcome.BREACHED] - outcomes[Outcome.RETRACTED],
        repeat_contacts=board.repeat_contacts,
        unreadable=board.unreadable,
    )


def _by_deadline(promise: Promise) -> tuple[datetime, str, str]:
    return promise.deadline, promise.ticket_id, promise.clock


def lateness(found_seconds: Sequence[float]) -> Lateness | None:
    """The percentiles of these; None without any."""
    p50, p99 = percentile(found_seconds, 0.5), percentile(found_seconds, 0.99)
    if p50 is None or p99 is None:
        return None
    return Lateness(len(found_seconds), p50, p99, max(found_seconds))


def screen(picture: Picture, heading: Sequence[RenderableType], width: int, height: int) -> Layout:
    """Lay everything out on that many columns and rows; `heading` has one renderable for each of two rows."""
    whole = Layout()
    top = Layout(Group(*heading), size=_HEADING_ROWS)
    arrange = _wide if width >= _WIDE_COLUMNS else _narrow
    whole.split_column(top, *arrange(picture, width, height - _HEADING_ROWS))
    return whole


def _narrow(picture: Picture, width: int, rows: int) -> Iterator[Layout]:
    """Promises, tickets below them, news at the bottom. What is left of the height is the promises'."""
    news_rows = max(_LEAST_NEWS_ROWS, (rows - _TICKET_ROWS) // 3)
    yield Layout(promises(picture, max(rows - _TICKET_ROWS - news_rows, 3), width), minimum_size=3)
    yield Layout(tickets(picture), size=_TICKET_ROWS)
    news = Layout(size=news_rows)
    news.split_row(
        Layout(breaches(picture, news_rows, full=False)),
        Layout(_beside(notices(picture, news_rows, full=False))),
        Layout(_beside(letters(picture, news_rows)), size=_LETTER_COLUMNS),
    )
    yield news


def _wide(picture: Picture, width: int, rows: int) -> Iterator[Layout]:
    """Breaches stand beside the promises, the other news beside the tickets."""
    lower_rows = max(_TICKET_ROWS, rows // 3)
    upper_rows = rows - lower_rows
    upper, lower = Layout(size=upper_rows), Layout(size=lower_rows)
    upper.split_row(
        Layout(promises(picture, upper_rows, width - _NEWS_COLUMNS)),
        Layout(_beside(breaches(picture, upper_rows, full=True)), size=_NEWS_COLUMNS),
    )
    lower.split_row(
        Layout(tickets(picture), size=_TICKET_COLUMNS),
        Layout(_beside(notices(picture, lower_rows, full=True))),
        Layout(_beside(letters(picture, lower_rows)), size=_LETTER_COLUMNS),
    )
    yield upper
    yield lower


def show(picture: Picture, heading: Sequence[RenderableType], console: Console, rows: int = 22) -> None:
    """Print the picture once, as plain text."""
    width = min(console.width, _TEXT_COLUMNS)
    parts: tuple[RenderableType, ...] = (
        promises(picture, rows, width),
        tickets(picture),
        breaches(picture, rows, full=True),
        notices(picture, rows, full=True),
        letters(picture, rows),
    )
    for line in heading:
        console.print(line)
    for part in parts:
        console.print()
        console.print(part, width=width)


def promises(picture: Picture, rows: int, width: int) -> Group:
    """The promises at risk: `rows` with title and heads; `width` decides whether there is room for a bar."""
    title = f"Promises at risk  {picture.overdue_count} overdue, {picture.coming_count} running"
    with_bar = width >= _BAR_FROM_COLUMNS
    table = _table()
    table.add_column("left", justify="right", width=7)
    if with_bar:
        table.add_column("", width=_BAR_COLUMNS)
    table.add_column("used", justify="right", width=4)
    table.add_column("ticket", ratio=1)
    table.add_column("clock", width=18 if width >= _CYCLE_FROM_COLUMNS else 14)
    table.add_column("queue", width=12)
    table.add_column("operator", width=8)
    table.add_column("due, UTC", justify="right", width=8)
    for promise in picture.at_risk(rows - 2):
        table.add_row(*_promise_cells(promise, picture.now, with_bar=with_bar))
    return _section(title, table)


def _promise_cells(promise: Promise, now: datetime, *, with_bar: bool) -> Iterator[Text]:
    left_seconds, used = promise.left_seconds(now), promise.used(now)
    style = "bold red" if left_seconds < 0 else "yellow" if used >= _WARN_SHARE else "green"
    yield Text(_left(left_seconds), style)
    if with_bar:
        yield bar(used, _BAR_COLUMNS, style)
    yield Text(f"{int(used * 100)}%", style)
    yield Text(promise.ticket_id, "bold")
    yield Text(promise.clock if promise.cycle == 1 else f"{promise.clock} ({promise.cycle})")
    yield Text(promise.queue)
    yield Text(harmless(promise.operator or _NOTHING))
    yield Text(_deadline(promise.deadline, now), style)


def tickets(picture: Picture) -> Group:
    """How many tickets are in each state, by queue."""
    table = _table()
    table.add_column("queue", width=12)
    for state in State:
        table.add_column(state, justify="right", width=max(len(state), 6), header_style=_STATE_STYLES[state])
    table.add_column("all", justify="right", width=5)
    for queue in Queue:
        table.add_row(Text(queue), *_count_cells(picture, [str(queue)]))
    table.add_row(Text("all", "bold"), *_count_cells(picture, [str(queue) for queue in Queue]), style="bold")
    return _section(f"Tickets  {picture.open_tickets} open", table)


def _count_cells(picture: Picture, queues: Sequence[str]) -> Iterator[Text]:
    total = 0
    for state in State:
        count = sum(picture.counts.get((state, queue), 0) for queue in queues)
        total += count
        yield Text(str(count) if count else "·", _STATE_STYLES[state] if count else "dim")
    yield Text(str(total) if total else "·", "bold" if total else "dim")


def breaches(picture: Picture, rows: int, *, full: bool) -> Group:
    """The latest breaches; `full` tells when, and how late each was found."""
    table = _table(heads=False)
    if full:
        table.add_column(width=8)
    table.add_column(width=_TICKET_ID_COLUMNS)
    table.add_column(ratio=1)
    if full:
        table.add_column(width=9, justify="right")
    for breach in picture.breaches[: rows - 1]:
        style = "green" if breach.withdrawn else "red"
        found = "withdrawn" if breach.withdrawn else f"+{span(breach.lateness_seconds or 0.0)}"
        cells = [Text(breach.ticket_id, "bold"), Text(breach.clock, style)]
        table.add_row(*((Text(f"{breach.at:%H:%M:%S}"), *cells, Text(found, style)) if full else cells))
    return _section("Broken promises", table)


def notices(picture: Picture, rows: int, *, full: bool) -> Group:
    """The latest notifications and whom they are for; `full` tells the ticket, and how citizens are told."""
    table = _table(heads=False)
    if full:
        table.add_column(width=_TICKET_ID_COLUMNS)
    table.add_column(ratio=1)
    table.add_column(width=12 if full else 10)
    for notice in picture.notices[: rows - 1]:
        style = "red" if notice.template == "sla_breached" else "dim" if notice.waits else "cyan"
        template = Text(notice.template, style)
        if full:
            table.add_row(Text(notice.ticket_id, "bold"), template, Text(_addressee(notice)))
        else:
            table.add_row(template, Text(notice.role))
    return _section("Notifications", table)


def _addressee(notice: Notice) -> str:
    """Citizens have several channels, operators and supervisors an inbox."""
    return f"{notice.role} {notice.channel}" if notice.role == Role.CLIENT else notice.role


def letters(picture: Picture, rows: int) -> Group:
    """Dead letters by code, and of how many that are the latest."""
    table = _table(heads=False)
    table.add_column(ratio=1)
    table.add_column(width=4, justify="right")
    for code, count in picture.codes[: rows - 1]:
        table.add_row(Text(code, "yellow"), Text(str(count)))
    return _section(f"Dead letters  last {len(picture.letters)}", table)


def is_live(console: Console) -> bool:
    """Whether a person looks at a terminal on which a picture can be drawn again and again.

    Not as rich has it, for which FORCE_COLOR makes a terminal of a log.
    """
    return sys.stdout.isatty() and not console.is_dumb_terminal


def figures(picture: Picture) -> Text:
    """A row of figures: promises kept and broken, and how late the last firings were found."""
    return Text.assemble(
        (share(picture.kept, picture.broken), "bold green"),
        " kept, ",
        (f"{picture.broken} broken", "red" if picture.broken else ""),
        ("" if picture.lateness is None else "  found late by ", "dim"),
        "" if picture.lateness is None else str(picture.lateness),
        no_wrap=True,
        overflow="ellipsis",
    )


def share(kept: int, broken: int) -> str:
    """The share of promises kept (contract, "Metric event"); 100 % is said of nothing less.

    Nothing where there is none: among the last metrics may be more withdrawals than what they withdraw.
    """
    return _NOTHING if kept_share(kept, broken) is None else f"{100 * kept // (kept + broken)}%"


def bar(used: float, columns: int, style: str) -> Text:
    """A bar that is filled to that share."""
    filled = min(round(used * columns), columns)
    return Text("━" * filled, style) + Text("─" * (columns - filled), "dim")


def span(seconds: float) -> str:
    """A short duration, as exact as a person needs it."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 10 else _span(seconds)


def _left(seconds: float) -> str:
    if -1 < seconds < 1:
        return "now"
    return f"-{_span(-seconds)}" if seconds < 0 else _span(seconds)


def _span(seconds: float) -> str:
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3_600:
        return f"{whole // 60}m {whole % 60:02d}"
    if whole < 86_400:
        return f"{whole // 3_600}h {whole % 3_600 // 60:02d}"
    return f"{whole // 86_400}d {whole % 86_400 // 3_600:02d}"


def _deadline(deadline: datetime, now: datetime) -> str:
    return f"{deadline:%H:%M:%S}" if deadline.date() == now.date() else f"{deadline:%d %b}"


def _table(*, heads: bool = True) -> Table:
    return Table(
        box=None, expand=True, padding=(0, 1, 0, 0), header_style="dim", show_header=heads, pad_edge=False
    )


def _beside(section: Group) -> Padding:
    return Padding(section, (0, 0, 0, 2))


def _section(title: str, table: Table) -> Group:
    for column in table.columns:
        column.no_wrap, column.overflow = True, "ellipsis"
    name, _, detail = title.partition("  ")
    text = Text(name, "bold") + Text(f"  {detail}" if detail else "", "dim")
    text.no_wrap = True
    return Group(Rule(text, align="left", style="dim"), table)
