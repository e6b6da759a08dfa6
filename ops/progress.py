"""How far a long command is, on stderr and only where a person looks at it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

_REDRAW_SECONDS: Final = 0.1


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar while the body runs; what it gets takes how much of `total` is done by now."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    what_is_read = TextColumn("{task.description}", markup=False)  # it may be a file of any name
    columns = (what_is_read, BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        drawn_at = 0.0

        def advance(done: int) -> None:
            nonlocal drawn_at
            if (now := time.monotonic()) - drawn_at >= _REDRAW_SECONDS:
                drawn_at = now
                bar.update(task, completed=done)

        yield advance
