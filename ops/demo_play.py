"""The demo once the system runs: the day is sent, shown, waited for, counted again and checked."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta
from threading import Event
from typing import Final

from consumers.board import Board
from consumers.clock import WallClock
from consumers.log import Record
from ops import OperationError, composition, live
from ops.demo_day import Line, Player, last_arrival_seconds, planned, sending
from ops.demo_recount import Recount
from ops.demo_show import Display, Progress, Result
from ops.screen import show_warning
from ops.settings import Settings
from ops.verify import verify
from ops.watch import Watch
from schemas.topics import Topic, topic_name
from workflow.policy import Policies

_READY_SECONDS: Final = 90.0
_HEAD_START: Final = timedelta(seconds=0.5)
_TAIL_SECONDS: Final = 17.0
"""After the last event until the last clock that is to be seen has fired (`examples/service-day`)."""
_SETTLE_SECONDS: Final = 20.0
"""On a busy machine: so long the demo waits for the worker to decide what has arrived."""
_REDRAW_SECONDS: Final = 0.25


class DayFold:
    """The board of the run's tickets, and the recount, from the same records."""

    def __init__(self, prefix: str, tag: str) -> None:
        """The run's tickets have ids that end with `tag`."""
        self.board, self.recount = Board(prefix), Recount(prefix, tag)
        self._tag = tag.encode()
        # Of an earlier run's tickets, whose clocks have waited since, the board shows only the state.
        self._whole = {topic_name(prefix, topic) for topic in (Topic.STATE, Topic.DEAD_LETTER)}

    def apply(self, records: Iterable[Record]) -> None:
        """Take in records."""
        records = list(records)
        self.recount.apply(records)
        self.board.apply(
            record for record in records
            if record.topic in self._whole or (record.key or b"").endswith(self._tag)
        )  # fmt: skip


class Play:
    """One run of the day. `perform` is for a thread of its own; `tell`, `ready` and `end` for any."""

    def __init__(
        self, settings: Settings, servers: str, day: Sequence[Line], tag: str, watch: Watch[DayFold]
    ) -> None:
        """Play on the topics of `settings` at `servers`; what `watch` folds is shown and counted."""
        self._settings, self._servers, self._day = settings, servers, day
        self._tag, self._watch = tag, watch
        self._clock = WallClock()
        self._display = Display()
        self._start: datetime | None = None
        self._player: Player | None = None
        self._warnings: list[str] = []
        self.news: str | None = "Starting the worker ..."
        self.ready, self.end = Event(), Event()

    def tell(self, sentence: str) -> None:
        """Say what is not as it should be: at once, or on the screen and again after it."""
        if self._display.live:
            self.news = sentence
            self._warnings.append(sentence)
        else:
            show_warning(sentence)

    def perform(self, versions: Policies) -> Result | None:
        """From the worker's start to the result; None: it was ended before.

        Raises LogError, OperationError.
        """
        try:
            with self._display:
                whole = self._await_ready() and self._played() and self._settled()
                return self._result(versions) if whole else None
        finally:
            for sentence in self._warnings:
                show_warning(sentence)

    def _await_ready(self) -> bool:
        give_up_at = time.monotonic() + _READY_SECONDS
        while not self.ready.is_set():
            if self._ends_after_drawing():
                return False
            if time.monotonic() > give_up_at:
                raise OperationError(
                    f"No worker was ready within {_READY_SECONDS:g} s: its log is "
                    f"{self._settings.data_dir / 'logs' / 'worker.log'}."
                )
        self.news = None
        return True

    def _played(self) -> bool:
        """Send all lines at their time, and let the clocks run out; False: ended before."""
        self._start = start = self._clock.now() + _HEAD_START
        sendings = [sending(line, start, self._tag) for line in self._day]
        topic = topic_name(self._settings.topic_prefix, Topic.EVENTS)
        with (
            closing(composition.publisher(self._settings, self._servers)) as publisher,
            ThreadPoolExecutor(1, "player") as thread,
        ):
            self._player = Player(publisher, topic, self._clock, self.end.wait)
            playing = thread.submit(self._player.play, sendings)
            try:
                while not (playing.done() and self._progress().over):
                    if playing.done():
                        playing.result()
                    if self._ends_after_drawing():
                        return False
                playing.result()
            except BaseException:
                self.end.set()  # or the player would go on, and we would wait for it
                raise
        return True

    def _settled(self) -> bool:
        """Wait until everything that arrived is decided; not for ever, for then that is the result."""
        self.news = "The day is over. Waiting for the worker ..."
        give_up_at = time.monotonic() + _SETTLE_SECONDS
        while time.monotonic() < give_up_at:
            with self._watch.locked() as fold:
                totals = fold.recount.totals()
            if not totals.undecided and totals.events >= self._progress().sent + totals.by_engine:
                break
            if self._ends_after_drawing():
                return False
        self.news = "The day is over. Checking the laws on the topics ..."
        return not self._ends_after_drawing()

    def _result(self, versions: Policies) -> Result:
        settings = self._settings
        with closing(composition.reader(settings, self._servers)) as reader:
            report = verify(reader, settings.topic_prefix, settings.group_id, versions)
        codes, duplicates = planned(self._day)
        with self._watch.locked() as fold:
            picture = live.take(fold.board, self._clock.now())
            return Result(
                progress=self._progress(),
                planned_codes=codes,
                planned_duplicates=duplicates,
                totals=fold.recount.totals(),
                outcomes=fold.board.outcomes.copy(),
                notified=fold.board.notified.copy(),
                repeat_contacts=fold.board.repeat_contacts,
                report=report,
                ticket_id=next(self._worth_a_look(picture), None),
            )

    def _worth_a_look(self, picture: live.Picture) -> Iterator[str]:
        for promise in (*picture.overdue, *picture.coming):
            if promise.ticket_id.endswith(self._tag):
                yield promise.ticket_id

    def _progress(self) -> Progress:
        now = self._clock.now()
        return Progress(
            elapsed_seconds=(now - self._start).total_seconds() if self._start is not None else 0.0,
            whole_seconds=last_arrival_seconds(self._day) + _TAIL_SECONDS,
            sent=0 if self._player is None else self._player.sent,
            lines=len(self._day),
        )

    def _ends_after_drawing(self) -> bool:
        with self._watch.locked() as fold:
            picture = live.take(fold.board, self._clock.now())
        trouble = self._watch.trouble
        news = f"{trouble.sentence[:1].upper()}{trouble.sentence[1:]}" if trouble else self.news
        self._display.draw(self._progress(), picture, news)
        return self.end.wait(_REDRAW_SECONDS)
