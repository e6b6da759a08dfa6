"""`report --schedule`: a report of each period between two firings of a cron expression, as files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import structlog
from apscheduler.triggers.cron import CronTrigger

from consumers.log import LogError
from ops import OperationError
from ops.report import Format, Usage
from ops.service import Stop, Stopped

_log = structlog.get_logger(__name__)

SETTLE_SECONDS: Final = 60.0
"""After the end of a period, for what counts in it may be on its way through a channel or a worker."""
RETRY_SECONDS: Final = 60.0

_FIRST_WINDOW: Final = timedelta(minutes=2)
_LONGEST_WINDOW: Final = timedelta(days=8 * 366)
"""A 29th of February may be eight years away from the one before it."""

_SUFFIXES: Final = {Format.TEXT: "txt", Format.CSV: "csv", Format.JSON: "json", Format.HTML: "html"}


class Period(NamedTuple):
    """From one firing up to the next."""

    start: datetime
    end: datetime


class Schedule:
    """A cron expression in a zone: minute, hour, day of the month, month, day of the week.

    When an hour comes twice, hours that the expression names are meant once: a report of each day is no
    report of the hour between. `*` means them all, and each is reported.
    """

    def __init__(self, expression: str, zone: ZoneInfo) -> None:
        """Raises Usage."""
        fields = expression.split()
        if re.search(r"\d", "".join(fields[4:5])):
            # Cron counts from Sunday, APScheduler from Monday: nobody should have to know.
            raise Usage("--schedule: write days of the week by name, like mon-fri")
        try:
            self._trigger: Any = CronTrigger.from_crontab(expression, timezone=zone)
        except ValueError:
            raise Usage("--schedule is a cron expression of five fields, like '0 8 * * mon-fri'") from None
        self._zone, self._every_hour = zone, fields[1] == "*"

    def after(self, at: datetime) -> datetime | None:
        """The first firing later than `at`; None: there is none."""
        fired = self._triggered(at)
        while fired is not None and not self._every_hour and fired.astimezone(self._zone).fold:
            fired = self._triggered(fired)
        return fired

    def _triggered(self, at: datetime) -> datetime | None:
        fired: datetime | None = self._trigger.get_next_fire_time(None, at + timedelta(microseconds=1))
        return None if fired is None else fired.astimezone(UTC)

    def before(self, at: datetime) -> datetime | None:
        """The last firing earlier than `at`; None: there was none for eight years."""
        window = _FIRST_WINDOW
        while window <= 2 * _LONGEST_WINDOW:
            last, fired = None, self.after(at - window)
            while fired is not None and fired < at:
                last, fired = fired, self.after(fired)
            if last is not None:
                return last
            window *= 2
        return None

    def periods(self, now: datetime) -> Iterator[Period]:
        """The periods that end after `now`, one after another. Raises Usage if there is none."""
        end = self.after(now)
        start = None if end is None else self.before(end)
        if end is None or start is None:
            raise Usage("--schedule never comes: there is no such date")
        while end is not None:
            yield Period(start, end)
            start, end = end, self.after(end)


def file_name(period: Period, zone: ZoneInfo, form: Format) -> str:
    """`report_2026-03-01T0800_2026-03-02T0800.html`: the period's ends in the zone."""
    start, end = (_named(each.astimezone(zone)) for each in period)
    return f"report_{start}_{end}.{_SUFFIXES[form]}"


def _named(local: datetime) -> str:
    """The time on the wall; with its offset where the clocks are set back and it comes twice."""
    twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    return f"{local:%Y-%m-%dT%H%M%z}" if twice else f"{local:%Y-%m-%dT%H%M}"


def keep_writing(
    periods: Iterator[Period], write: Callable[[Period], Path], stop: Stop, now: Callable[[], datetime]
) -> None:
    """Write a report soon after the end of each period, until the end is asked for.

    One that cannot be written is tried again every minute, and those after it wait: no period is left out
    while this runs.
    """
    try:
        for period in periods:
            due = period.end + timedelta(seconds=SETTLE_SECONDS)
            _log.info("the next report is due", at=due.isoformat())
            stop.sleep((due - now()).total_seconds())
            _write(period, write, stop)
    except Stopped:
        pass


def _write(period: Period, write: Callable[[Period], Path], stop: Stop) -> None:
    while True:
        try:
            with stop.interrupting():  # a journal is read for minutes
                path = write(period)
            _log.info("report written", file=str(path))
        except (LogError, OperationError) as problem:
            _log.warning("a report could not be written, and is tried again", reason=str(problem))
            stop.sleep(RETRY_SECONDS)
        else:
            return
