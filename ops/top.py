"""`top`: what a supervisor looks at, live from the topics, or once as text or JSON."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Console
from rich.live import Live
from rich.text import Text

from consumers.board import Board, Promise
from consumers.log import Reader
from ops import OperationError, composition, live
from ops.lag import Lags, LagSampler, lags
from ops.live import Picture
from ops.settings import Settings
from ops.up import interruptible
from ops.watch import Trouble, Watch, starts
from schemas.instants import format_instant
from schemas.state import State
from schemas.terms import Queue
from schemas.topics import Topic, topic_name

_TAILS: Final = (Topic.JOURNAL, Topic.NOTIFICATIONS, Topic.METRICS, Topic.DEAD_LETTER)
_TAIL_RECORDS: Final = 1_000
_REFRESH_SECONDS: Final = 0.5
_CATCH_UP_SECONDS: Final = 120.0
_LOOK_SECONDS: Final = 0.1
_REQUEST_SECONDS: Final = 3.0
"""Shorter than a worker's: that the broker is gone is to be seen soon."""
_MOST_JSON: Final = 100
_END: Final = "Ctrl-C ends"


@dataclass(frozen=True, slots=True)
class Lag:
    """How far the workers are behind: `records` not committed, the oldest of which is `seconds` old."""

    records: int
    seconds: float


class Top:
    """Where the picture comes from: a watch of the topics."""

    def __init__(self, settings: Settings) -> None:
        """Begin to follow. Raises OperationError where no broker is known. Close it, or use `closing`."""
        self._settings = settings.model_copy(update={"request_timeout_seconds": _REQUEST_SECONDS})
        self.servers = composition.bootstrap_servers(settings)
        self._watch = Watch(
            lambda: composition.feed(self._settings, self._found(), "ticketflow-top"),
            lambda feed: starts(feed, settings.topic_prefix, _TAILS, _TAIL_RECORDS),
            lambda: Board(settings.topic_prefix),
        )
        self._watch.start()

    def _found(self) -> str:
        """The servers as of now: an embedded broker that was started again may have another port."""
        self.servers = composition.bootstrap_servers(self._settings)
        return self.servers

    @property
    def trouble(self) -> Trouble | None:
        """What keeps the picture from being current."""
        return self._watch.trouble

    def reader(self) -> Reader:
        """Connect a reader. Raises OperationError, LogError."""
        return composition.reader(self._settings, self._found(), "ticketflow-top-lag")

    def picture(self) -> Picture:
        """The picture as of now."""
        with self._watch.locked() as board:
            return live.take(board, datetime.now(UTC))

    def catch_up(self) -> None:
        """Wait until all that was there is in the picture. Raises OperationError where it cannot be."""
        give_up_at = time.monotonic() + _CATCH_UP_SECONDS
        while not self._watch.caught_up(_LOOK_SECONDS):
            trouble = self._watch.trouble
            if trouble is not None:
                raise OperationError(_sentence(trouble))
            if time.monotonic() > give_up_at:
                raise OperationError(f"The topics could not be read within {_CATCH_UP_SECONDS:g} s.")

    def close(self) -> None:
        """Let go of the connections."""
        self._watch.close()


def once(settings: Settings) -> tuple[Picture, Lags]:
    """Take one picture, and the lag. Raises OperationError, LogError."""
    with closing(Top(settings)) as top:
        top.catch_up()
        events = topic_name(settings.topic_prefix, Topic.EVENTS)
        with closing(top.reader()) as reader:
            every = frozenset(range(reader.partitions(events)))
            behind = lags(reader, settings.group_id, events, every, datetime.now(UTC))
        return top.picture(), behind


def show(settings: Settings, console: Console) -> None:
    """Print one picture as text. Raises OperationError, LogError."""
    picture, behind = once(settings)
    live.show(picture, heading(settings, picture, total(behind), "", console.width), console)


def run(settings: Settings) -> None:
    """Show the picture until Ctrl-C. Raises OperationError where no broker answers at the start."""
    console = Console(highlight=False)
    shown: list[Lags] = [{}]
    with interruptible(), closing(Top(settings)) as top:
        events = topic_name(settings.topic_prefix, Topic.EVENTS)
        with closing(top.reader()) as reader:
            every = frozenset(range(reader.partitions(events)))
        sampler = LagSampler(
            top.reader, settings.group_id, events, lambda: every, lambda found: shown.__setitem__(0, found)
        )
        try:
            with closing(sampler), Live(console=console, screen=True, auto_refresh=False) as screen:
                sampler.sample()
                while True:
                    _draw(settings, top, total(shown[0]), console, screen)
                    time.sleep(_REFRESH_SECONDS)
        except KeyboardInterrupt:
            pass


def _draw(settings: Settings, top: Top, behind: Lag | None, console: Console, screen: Live) -> None:
    picture = top.picture()
    width, height = console.size
    rows = heading(settings, picture, behind, top.servers, width)
    if top.trouble is not None:
        since_seconds = time.monotonic() - top.trouble.since_seconds
        old = f"Old by {live.span(since_seconds)}: {_sentence(top.trouble)}"
        rows = (rows[0], Text(old, "bold red", no_wrap=True, overflow="ellipsis"))
    screen.update(live.screen(picture, rows, width, height), refresh=True)


def heading(
    settings: Settings, picture: Picture, behind: Lag | None, servers: str, width: int
) -> Sequence[Text]:
    """The two rows above the picture; without `servers` as they are printed once."""
    first = Text.assemble(
        ("ticketflow", "bold cyan"),
        f"  {settings.topic_prefix}.*",
        (f" at {servers}" if servers else "", "dim"),
        (f"  {picture.now:%H:%M:%S} UTC", "bold"),
        no_wrap=True,
        overflow="ellipsis",
    )
    room = width - first.cell_len
    if servers and room >= len(_END):
        first.append(f"{_END:>{room}}", "dim")
    told = "unknown" if behind is None else f"{behind.records}"
    if behind is not None and behind.records:
        told += f" ({live.span(behind.seconds)})"
    second = live.figures(picture) + Text("  lag ", "dim") + Text(told)
    if picture.unreadable:
        second += Text(f"  {picture.unreadable} unreadable", "red")
    return first, second


def _sentence(trouble: Trouble) -> str:
    return f"{trouble.sentence[:1].upper()}{trouble.sentence[1:]}"


def total(behind: Lags) -> Lag | None:
    """The lag of all partitions together; None where it is not known."""
    if not behind:
        return None
    return Lag(sum(records for records, _ in behind.values()), max(age for _, age in behind.values()))


def as_json(settings: Settings, picture: Picture, behind: Lags) -> dict[str, Any]:
    """The picture as data.

    `at`; `prefix`; `tickets`: `open`, and `counts` of `queue`, `state`, `count`; `promises`: `overdue` and
    `running` count them, `at_risk` has the nearest with `ticket_id`, `clock`, `cycle`, `queue`, `operator`,
    `deadline`, `left_seconds` (negative: overdue) and `used` (share of the target), and `kept`, `broken` and
    `repeat_contacts` are those of the last metrics; `lag`: `records` and `seconds`, null where it is unknown,
    and `partitions` of `partition`, `records`, `seconds`; `lateness`: `firings`, `p50_seconds`,
    `p99_seconds`, `max_seconds` of the last firings, or null; `breaches`, `notifications`, `dead_letters`:
    the latest; `dead_letter_codes`.
    """
    behind_all = total(behind)
    late = picture.lateness
    return {
        "at": format_instant(picture.now),
        "prefix": settings.topic_prefix,
        "tickets": {"open": picture.open_tickets, "counts": _counts(picture)},
        "promises": {
            "overdue": picture.overdue_count,
            "running": picture.coming_count,
            "kept": picture.kept,
            "broken": picture.broken,
            "repeat_contacts": picture.repeat_contacts,
            "at_risk": [_promise(promise, picture.now) for promise in picture.at_risk(_MOST_JSON)],
        },
        "lag": {
            "records": None if behind_all is None else behind_all.records,
            "seconds": None if behind_all is None else behind_all.seconds,
            "partitions": [
                {"partition": number, "records": records, "seconds": age}
                for number, (records, age) in sorted(behind.items())
            ],
        },
        "lateness": None if late is None else {
            "firings": late.firings,
            "p50_seconds": late.p50_seconds,
            "p99_seconds": late.p99_seconds,
            "max_seconds": late.max_seconds,
        },
        **_latest(picture),
    }  # fmt: skip


def _counts(picture: Picture) -> list[dict[str, object]]:
    return [
        {"queue": str(queue), "state": str(state), "count": picture.counts.get((state, str(queue)), 0)}
        for queue in Queue
        for state in State
    ]


def _promise(promise: Promise, now: datetime) -> dict[str, object]:
    return {
        "ticket_id": promise.ticket_id,
        "clock": promise.clock,
        "cycle": promise.cycle,
        "queue": promise.queue,
        "operator": promise.operator,
        "deadline": format_instant(promise.deadline),
        "left_seconds": promise.left_seconds(now),
        "used": round(promise.used(now), 4),
    }


def _latest(picture: Picture) -> dict[str, object]:
    return {
        "breaches": [
            {
                "at": format_instant(each.at),
                "ticket_id": each.ticket_id,
                "clock": each.clock,
                "lateness_seconds": each.lateness_seconds,
                "withdrawn": each.withdrawn,
            }
            for each in picture.breaches
        ],
        "notifications": [
            {
                "at": format_instant(each.at),
                "ticket_id": each.ticket_id,
                "template": each.template,
                "role": each.role,
                "channel": each.channel,
                "waits": each.waits,
            }
            for each in picture.notices
        ],
        "dead_letter_codes": dict(picture.codes),
        "dead_letters": [
            {
                "at": format_instant(each.at),
                "code": each.code,
                "topic": each.topic,
                "partition": each.partition,
                "offset": each.offset,
            }
            for each in picture.letters[:_MOST_JSON]
        ],
    }
