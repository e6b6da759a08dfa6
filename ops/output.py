"""The standard streams that we are given: what keeps us from writing to them is told apart from all else."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any, TextIO, TypeVar, cast

from ops import OperationError

_T = TypeVar("_T")


class OutputError(OperationError):
    """Standard output cannot be written, as one sentence; an empty one where its reader has gone."""


@contextmanager
def own_streams() -> Iterator[None]:
    """Let what is printed meanwhile raise OutputError where it cannot be written, and no OSError.

    What the encoding of a stream does not have is escaped.
    """
    _stand_in_for_closed_ones()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    with redirect_stdout(cast("TextIO", _Output(sys.stdout))):
        yield


def _stand_in_for_closed_ones() -> None:
    """Put the null device where a stream is closed, in the order in which the system gives descriptors.

    So no file of ours gets the descriptor of one. Who reads standard input must see that it is closed.
    """
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)
            if name != "stdin":
                setattr(sys, name, open(descriptor, "w", encoding="utf-8"))  # noqa: SIM115 (for good)


class _Output:
    """A stream whose failures are OutputErrors. After the first one it is the null device."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        if text == "":  # click asks so what kind of stream it is, and a full device refuses even nothing
            return 0
        return self._attempt(lambda: self._stream.write(text))

    def flush(self) -> None:
        self._attempt(self._stream.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _attempt(self, act: Callable[[], _T]) -> _T:
        try:
            return act()
        except OSError as problem:
            self._give_up()
            gone = problem.errno == errno.EPIPE
            reason = "" if gone else f"Standard output cannot be written: {problem.strerror}."
            raise OutputError(reason) from None

    def _give_up(self) -> None:
        """Let what is still in the buffer go nowhere: the interpreter would fail at it in the end."""
        with suppress(OSError):
            descriptor = os.open(os.devnull, os.O_WRONLY)
            os.dup2(descriptor, self._stream.fileno())
            os.close(descriptor)
