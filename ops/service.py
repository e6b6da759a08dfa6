"""What our long-running processes do alike: end when told, end with their parent, follow topics."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Final

import structlog

from consumers.log import LogError, Restart
from consumers.subscriber import Subscriber
from ops import OperationError, supervisor
from ops.settings import Settings

_log = structlog.get_logger(__name__)

_ENDING: Final = (signal.SIGTERM, signal.SIGINT)
_SLICE_SECONDS: Final = 0.1
_PARENT_CHECK_SECONDS: Final = 0.5
_POLL_SECONDS: Final = 0.2
_BACK_OFF_SECONDS: Final = (0.1, 15.0)
"""The first and the longest. A new beginning may block for long, and the notifier delivers meanwhile."""


class Stopped(Exception):  # noqa: N818 (no error: the way out of a long wait)
    """Somebody wants the process to end."""


class Stop:
    """Whether somebody asked for the end. A plain flag: a signal handler must not wait for a lock."""

    def __init__(self) -> None:
        self.requested = False
        self._interrupts = False

    def request(self, *_: object) -> None:
        """Ask for the end."""
        self.requested = True

    def signalled(self, _number: int, _frame: FrameType | None) -> None:
        """The handler of a signal: ask for the end. Raises Stopped inside `interrupting`."""
        self.request()
        if self._interrupts:
            self._interrupts = False
            raise Stopped

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """Around waits that cannot be sliced and leave nothing half done: a signal raises Stopped there.

        So does a request that came before; and what fails after one is of interest to nobody.
        """
        self._interrupts = True
        try:
            if self.requested:
                raise Stopped
            yield
        except (LogError, OperationError):
            if self.requested:  # somebody's code between us and the signal has swallowed Stopped
                raise Stopped from None
            raise
        finally:
            self._interrupts = False

    def sleep(self, seconds: float) -> None:
        """Sleep in slices. Raises Stopped once the end was asked for."""
        end_at = time.monotonic() + seconds
        while (left := end_at - time.monotonic()) > 0:
            if self.requested:
                raise Stopped
            time.sleep(min(left, _SLICE_SECONDS))


def checkpoint_file(settings: Settings, program: str, cluster: str) -> Path:
    """Return where a program keeps what it knows of that cluster's topics; positions are of no other."""
    return settings.data_dir / f"{program}-{settings.topic_prefix}-{cluster}.sqlite"


class Following:
    """A subscriber that turns, and after a Restart begins anew from its checkpoint.

    Before that it rests, longer each time until a turn succeeds.
    """

    def __init__(self, subscriber: Subscriber, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`monotonic` tells the seconds that pass, whatever is done to the clock."""
        self._subscriber, self._monotonic = subscriber, monotonic
        self._started = False
        self._back_off_seconds, self._longest_seconds = _BACK_OFF_SECONDS
        self._rests_until = monotonic()

    def turn(self, poll_seconds: float) -> bool:
        """Let it turn; False, at once, while it rests. Raises LogError."""
        if self._monotonic() < self._rests_until:
            return False
        try:
            if not self._started:
                self._subscriber.start()
                self._started = True
            self._subscriber.turn(poll_seconds)
        except Restart as reason:
            _log.warning("starting over from the checkpoint", reason=str(reason))
            self._started = False
            self._rests_until = self._monotonic() + self._back_off_seconds
            self._back_off_seconds = min(2 * self._back_off_seconds, self._longest_seconds)
        else:
            self._back_off_seconds = _BACK_OFF_SECONDS[0]
        return True


def follow(subscriber: Subscriber, stop: Stop, turned: Callable[[], None]) -> None:
    """Let a subscriber turn until the end is asked for, and call `turned` after each turn.

    Raises LogError.
    """
    following = Following(subscriber)
    while not stop.requested:
        if not following.turn(_POLL_SECONDS):
            time.sleep(_SLICE_SECONDS)
        turned()


@contextmanager
def until_told(parent: int | None) -> Iterator[Stop]:
    """Give a flag that SIGTERM and SIGINT set, and the end of `parent` (our parent), where it is named.

    Where Stopped ends the body, all is as it was told.
    """
    stop = Stop()
    with _signals(stop.signalled), _insisting(stop), suppress(Stopped):
        if parent is not None:
            _end_with(parent, stop)
        yield stop


@contextmanager
def _signals(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Let SIGTERM and SIGINT call `handler` in the body."""
    before = {number: signal.signal(number, handler) for number in _ENDING}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


@contextmanager
def _insisting(stop: Stop) -> Iterator[None]:
    """Send a signal again until its handler has run.

    Python runs handlers in the main thread, between two of its steps. A wait without a time-out that begins
    while the signal comes, or while another thread takes it, has no next step: no signal has interrupted it.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)  # as `set_wakeup_fd` wants it
    main, before = threading.get_ident(), signal.set_wakeup_fd(writer)

    def insist() -> None:
        while came := os.read(reader, 1):  # the number of a signal, at once and in whatever thread
            while came[0] in _ENDING and not stop.requested:
                time.sleep(_SLICE_SECONDS)
                signal.pthread_kill(main, came[0])

    thread = threading.Thread(target=insist, name="signals", daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(writer)
        thread.join()
        os.close(reader)


def _end_with(parent: int, stop: Stop) -> None:
    """End when the parent does, even by kill -9: at once where the kernel helps, else soon and cleanly."""
    prepare = supervisor.die_with(parent)
    if prepare is not None:
        prepare()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_CHECK_SECONDS)
        stop.request()

    threading.Thread(target=watch, name="parent", daemon=True).start()
