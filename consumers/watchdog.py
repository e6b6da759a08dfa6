"""Ends the process when a call that has no time-out of its own does not return.

kafka-python waits without limit in commit, abort and send_offsets. A worker that hangs there holds its
partitions and fires no clock, and no exception can reach it: only the end of the process, and the
supervisor that starts it anew.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EXIT_CODE = 70  # EX_SOFTWARE of sysexits.h
_TICK_SECONDS = 0.5


def end_process(message: str) -> None:
    """Write the message and end the process at once: no handler of a hung client may hold it."""
    sys.stderr.write(message + "\n")
    sys.stderr.flush()
    os._exit(EXIT_CODE)


class Watchdog:
    """Watches one call at a time of one thread.

    It counts its own ticks instead of reading a clock: a process that was suspended has not waited meanwhile.
    """

    def __init__(
        self, on_stall: Callable[[str], None] = end_process, tick_seconds: float = _TICK_SECONDS
    ) -> None:
        """Start watching. `on_stall` gets the sentence for people."""
        self._on_stall = on_stall
        self._tick_seconds = tick_seconds
        self._guarded: tuple[str, float, list[int]] | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()

    @contextmanager
    def guard(self, what: str, limit_seconds: float) -> Iterator[None]:
        """Allow the body this long. `what` names the call in the message."""
        outer = self._guarded
        self._guarded = (what, limit_seconds, [0])
        try:
            yield
        finally:
            self._guarded = outer

    def close(self) -> None:
        """Stop watching."""
        self._closed.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._closed.wait(self._tick_seconds):
            guarded = self._guarded
            if guarded is None:
                continue
            what, limit_seconds, ticks = guarded
            ticks[0] += 1
            if ticks[0] * self._tick_seconds > limit_seconds:
                self._guarded = None
                self._on_stall(
                    f"{what} has not returned within {limit_seconds:g} s: the process ends, "
                    "so that it can be started anew; look at the Kafka cluster if this repeats"
                )
