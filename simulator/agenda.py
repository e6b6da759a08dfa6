"""Virtual time: what happens when, in one thread. Nothing else in the simulator knows an instant.

Whoever waits within a call (a worker that sleeps, is suspended, or has no answer yet) lets the others go on
meanwhile: `pass_time` runs what is on the agenda and returns when the time is over.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Final

SECOND: Final = 1_000_000
"""In microseconds, as every time here."""


class Agenda:
    """What is to happen, by time; what is due at the same time in the order in which it was put there."""

    def __init__(self, now_us: int) -> None:
        self.now_us = now_us
        self._serial = 0
        self._waiting: list[tuple[int, int, Callable[[], None]]] = []

    def at(self, when_us: int, happens: Callable[[], None]) -> None:
        """Let something happen at an instant, or at once if that has gone by."""
        self._serial += 1
        heappush(self._waiting, (max(when_us, self.now_us), self._serial, happens))

    def after(self, delay_us: int, happens: Callable[[], None]) -> None:
        """Let something happen so much later."""
        self.at(self.now_us + delay_us, happens)

    def pass_time(self, duration_us: int) -> None:
        """Let so much time go by, with all that happens in it."""
        self.until(self.now_us + duration_us)

    def until(self, end_us: int) -> None:
        """Let time go by up to an instant."""
        while self._waiting and self._waiting[0][0] <= end_us:
            when_us, _, happens = heappop(self._waiting)
            self.now_us = max(self.now_us, when_us)
            happens()
        self.now_us = max(self.now_us, end_us)
