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
_SETTLE_SECONDS: Final = 60.0
"""So long nothing more may arrive or be decided before the demo takes what it has for the result: a worker
that lost its broker for a while, or was started again, needs most of a minute on a busy machine."""
_TELL_SECONDS: Final = 5.0
"""So often it is said anew how much is waited for: where there is no screen it is a line each time."""
_LOOKS: Final = 3
"""So often `verify` looks at most, where something has come that it had not seen."""
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
        self,
        settings: Settings,
        servers: str,
        day: Sequence[Line],
        tag: str,
        watch: Watch[DayFold],
        *,
        fresh: bool,
    ) -> None:
        """Play on the topics of `settings` at `servers`; what `watch` folds is shown and counted.

        `fresh`: the topic of events was empty, so what is counted is all there is.
        """
        self._settings, self._servers, self._day = settings, servers, day
        self._tag, self._watch = tag, watch
        self._fresh = fresh
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
                return self._result(versions) if self._await_ready() and self._played() else None
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

    def _result(self, versions: Policies) -> Result | None:
        """What has become of the day, by our count and by `verify`; None: ended before.

        What comes while `verify` looks is beyond what it looks at, so then it looks again.
        """
        result = None
        for _ in range(_LOOKS):
            settled = self._settled()
            self.news = "The day is over. Checking the laws on the topics ..."
            if self._ends_after_drawing():
                return None
            result = self._looked(versions)
            if result.agrees or not settled:
                break
        return result

    def _settled(self) -> bool:
        """Wait until everything that arrived is decided.

        False: it is not, and for a while nothing happened (then that is the result), or the demo was ended.
        """
        seen: tuple[int, int] | None = None
        give_up_at = tell_at = time.monotonic()
        while True:
            with self._watch.locked() as fold:
                totals = fold.recount.totals()
            missing = max(self._progress().sent + totals.by_engine - totals.events, 0)
            if not missing and not totals.undecided:
                return True
            now = time.monotonic()
            if seen != (totals.events, totals.undecided):
                seen, give_up_at = (totals.events, totals.undecided), now + _SETTLE_SECONDS
            if now >= tell_at:
                self.news, tell_at = _waits_for(missing, totals.undecided), now + _TELL_SECONDS
            if now > give_up_at or self._ends_after_drawing():
                return False

    def _looked(self, versions: Policies) -> Result:
        """Let `verify` look, and then take our own count, in which all is that it can have seen."""
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
                looked_at=fold.recount.before({each.partition: each.committed for each in report.partitions}),
                fresh=self._fresh,
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


def _waits_for(missing: int, undecided: int) -> str:
    left = [f"{missing} events have not been read back"] if missing else []
    left += [f"{undecided} events are not decided yet"] if undecided else []
    return f"The day is over. Waiting for the worker: {', '.join(left)} ..."
