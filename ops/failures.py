"""The one place that turns what went wrong into a sentence on stderr and an exit status."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from ops import OperationError
from ops.directories import data_directory

FAILED = 1
WRONG_USAGE = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells have it

_MAX_TRACE_BYTES = 1024 * 1024
"""Of the file, and of the older one beside it: under `up` a program may die of the same for ever."""

_trace_directory: Path | None = None
"""None: the settings are not read yet, and the default data directory it is."""


def report(problem: BaseException) -> int:
    """Tell a person what went wrong, and return the exit status."""
    if isinstance(problem, KeyboardInterrupt):
        return INTERRUPTED
    expected = _expected(problem)
    if expected is None:
        say(_unexpected(problem))
        return FAILED
    for line in expected.splitlines():
        say(line)
    return _status(problem)


def keep_traces_in(directory: Path) -> None:
    """Say where traces of mistakes go from now on: until the settings are read nobody knows."""
    global _trace_directory
    _trace_directory = directory


def say(sentence: str) -> None:
    """Write a line to stderr."""
    print(sentence, file=sys.stderr)


def _status(problem: BaseException) -> int:
    return WRONG_USAGE if _is(problem, "ops.settings", "SettingsError") else FAILED


def _is(problem: BaseException, module: str, name: str) -> bool:
    """Whether it is of that class. What was never imported was not raised, and is not imported for this."""
    return module in sys.modules and isinstance(problem, getattr(sys.modules[module], name))


def _expected(problem: BaseException) -> str | None:
    """The sentence of an error that is made for people; None: this one is a bug."""
    if isinstance(problem, OperationError):
        return str(problem)
    if _is(problem, "consumers.log", "LogError"):
        return _sentence(str(problem))
    if _is(problem, "workflow.policy_file", "PolicyError"):
        return str(problem)
    if _is(problem, "workflow.policy", "UnknownPolicyVersion"):
        return str(problem)
    return None


def _sentence(text: str) -> str:
    """What the log says begins in lower case and has no full stop, for it is often part of another text."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def _unexpected(problem: BaseException) -> str:
    # Notes are ours, and say where; the exception's own text may quote a record.
    notes = "".join(f"; {note}" for note in getattr(problem, "__notes__", ()))
    what = f"A mistake in ticketflow itself ended it ({type(problem).__name__}{notes})."
    # Never in a directory that everybody shares: another user could have prepared it.
    default = data_directory()
    directory = _trace_directory or (default and default / "logs")
    if directory is None:
        return f"{what} No trace of it is kept, for this user has no home directory."
    file = directory / "errors.log"
    from ops.children import LogFile  # only a mistake needs it

    try:
        with LogFile(file, _MAX_TRACE_BYTES) as log:
            log.write("".join(_trace(problem)).encode("utf-8", "backslashreplace"))
    except OSError as error:
        return f"{what} {file}, where it would be told, cannot be written ({error.strerror})."
    return f"{what} Please report it with the end of {file}."


def _trace(problem: BaseException) -> Iterator[str]:
    """Where it happened, without the exceptions' own texts: those may quote a record, and so a person."""
    yield f"{datetime.now(UTC).isoformat(timespec='seconds')} process {os.getpid()}\n"
    cause: BaseException | None = problem
    while cause is not None:
        yield from traceback.format_tb(cause.__traceback__)
        yield f"{type(cause).__module__}.{type(cause).__qualname__}\n"
        cause = cause.__cause__ or cause.__context__
