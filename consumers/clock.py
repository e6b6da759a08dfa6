"""The engine's one clock. Tests, replay and simulation drive a virtual one."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from schemas.instants import EARLIEST


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """The instant in UTC."""


class WallClock:
    """The machine's clock, which never goes back within a process."""

    def __init__(self, machine: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._machine, self._latest = machine, EARLIEST

    def now(self) -> datetime:
        """The instant in UTC, or the latest one told if the machine's clock was set back since."""
        self._latest = max(self._latest, self._machine())
        return self._latest


class VirtualClock:
    """A clock that stands still until it is set."""

    def __init__(self, now: datetime = EARLIEST) -> None:
        self.time = now

    def now(self) -> datetime:
        """The instant that it was set to."""
        return self.time
