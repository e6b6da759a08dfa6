"""How many tickets are open and how many clocks run, kept up to date ticket by ticket."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping
from typing import Final

from consumers.metrics_records import Standing

_MINUTE_US: Final = 60_000_000

Place = tuple[str, ...]
"""Label values: state and queue of a ticket, or a clock's id and its ticket's queue."""


class Deadlines:
    """Deadlines, to be counted up to an instant without looking at all of them.

    They lie in buckets of a minute: counting takes as long as there are minutes with a deadline, and 8 bytes
    keep each. All in microseconds since the epoch.
    """

    def __init__(self) -> None:
        self._minutes: dict[int, array[int]] = {}

    def add(self, at_us: int) -> None:
        """Add one."""
        minute = at_us // _MINUTE_US
        if minute not in self._minutes:
            self._minutes[minute] = array("q")
        self._minutes[minute].append(at_us)

    def remove(self, at_us: int) -> None:
        """Take away one that was added."""
        minute = at_us // _MINUTE_US
        bucket = self._minutes[minute]
        bucket.remove(at_us)
        if not bucket:
            del self._minutes[minute]

    def until(self, at_us: int) -> int:
        """How many there are up to that instant, with it."""
        last = at_us // _MINUTE_US
        whole = sum(len(bucket) for minute, bucket in self._minutes.items() if minute < last)
        return whole + sum(each <= at_us for each in self._minutes.get(last, ()))


class Gauges:
    """The sums over all tickets. A sum that fell to zero stays, so that it can be shown as zero."""

    def __init__(self) -> None:
        self._open: Counter[Place] = Counter()
        self._running: Counter[Place] = Counter()
        self._overdue: Counter[Place] = Counter()
        self._deadlines: dict[Place, Deadlines] = {}

    @property
    def tickets_open(self) -> Mapping[Place, int]:
        """Tickets by state and queue; closed ones are not among them."""
        return self._open

    @property
    def clocks_running(self) -> Mapping[Place, int]:
        """Clocks that have not ended, by clock and queue: paused and breached ones are among them."""
        return self._running

    @property
    def clocks_overdue(self) -> Mapping[Place, int]:
        """Clocks that are breached and have not ended, by clock and queue."""
        return self._overdue

    def clocks_due_until(self, at_us: int) -> Mapping[Place, int]:
        """Clocks neither paused nor breached with a deadline up to then, by clock and queue."""
        return {place: deadlines.until(at_us) for place, deadlines in self._deadlines.items()}

    def replace(self, former: Standing | None, latter: Standing | None) -> None:
        """A ticket stands otherwise than before; None: it was, or is, not there."""
        if former is not None:
            self._count(former, -1)
            for place, due_us in _due(former):
                self._deadlines[place].remove(due_us)
        if latter is not None:
            self._count(latter, 1)
            for place, due_us in _due(latter):
                self._deadlines.setdefault(place, Deadlines()).add(due_us)

    def _count(self, standing: Standing, number: int) -> None:
        if standing.state is not None:
            self._open[standing.state, standing.queue] += number
        for running in standing.clocks:
            self._running[running.clock, standing.queue] += number
            self._overdue[running.clock, standing.queue] += number * running.breached


def _due(standing: Standing) -> list[tuple[Place, int]]:
    return [
        ((running.clock, standing.queue), running.due_us)
        for running in standing.clocks
        if running.due_us is not None
    ]
