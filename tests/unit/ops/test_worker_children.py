"""Programs that are kept running: restarts, logs, and their end."""

import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from queue import SimpleQueue

import pytest

from ops import children
from ops.children import Child, LogFile, Notice, Program, command, is_loud, parsed

_PATIENCE_SECONDS = 30.0

# Says that it runs, then waits to be told to end.
OBEDIENT = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print('{"event": "up"}', file=sys.stderr, flush=True)
time.sleep(600)
"""


@pytest.fixture
def told() -> list[str]:
    """What a person was told."""
    return []


@pytest.fixture
def notices() -> "SimpleQueue[tuple[str, Notice]]":
    """The lines of the program's log."""
    return SimpleQueue()


@pytest.fixture
def child(
    tmp_path: Path,
    told: list[str],
    notices: "SimpleQueue[tuple[str, Notice]]",
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Child]:
    """A program that is started with its first `tend`."""

    def ours(arguments: Sequence[str]) -> list[str]:
        return [sys.executable, "-c", *arguments]

    monkeypatch.setattr(children, "command", ours)
    monkeypatch.setattr(children, "_BACK_OFF_SECONDS", (0.01, 0.02))
    made = Child(Program("worker", (OBEDIENT,)), tmp_path, lambda *notice: notices.put(notice), told.append)
    yield made
    made.stop()


def _tended_until_it_speaks(child: Child, notices: "SimpleQueue[tuple[str, Notice]]") -> Notice:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while notices.empty():
        child.tend()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return notices.get()[1]


def test_a_program_that_is_killed_is_started_again(
    child: Child, told: list[str], notices: "SimpleQueue[tuple[str, Notice]]"
) -> None:
    """After kill -9 another process runs, and a person was told why."""
    assert _tended_until_it_speaks(child, notices) == {"event": "up"}
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert _tended_until_it_speaks(child, notices) == {"event": "up"}
    assert child.pid not in (None, first)
    assert len(told) == 1
    assert "by signal 9" in told[0]


def test_stop_lets_a_program_end_by_itself(
    child: Child, told: list[str], notices: "SimpleQueue[tuple[str, Notice]]"
) -> None:
    """It is asked, it ends, and its log has every line."""
    _tended_until_it_speaks(child, notices)
    child.stop()
    assert (child.pid, told) == (None, [])
    assert child.log_file.read_text() == '{"event": "up"}\n'


def test_a_child_is_told_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it ends when we do, and it is not imported from the directory that we are in."""
    monkeypatch.setattr(os, "getpid", lambda: 77)
    assert command(["worker"]) == [sys.executable, "-P", "-m", "ops.cli", "worker", "--parent", "77"]


@pytest.mark.parametrize(
    ("line", "loud"),
    [
        ('{"level": "info", "event": "x"}', False),
        ('{"level": "warning", "event": "x", "logger": "ops.lag"}', True),
        ('{"level": "error", "event": "x", "logger": "kafka.net.manager"}', False),
        ("A sentence before the end.", True),
        ("[1, 2]", True),
    ],
)
def test_warnings_are_loud_and_the_clients_remarks_are_not(line: str, loud: bool) -> None:
    """A person sees what is wrong at once, without what a client says of its connections."""
    assert is_loud(parsed(line)) is loud


def test_a_log_never_grows_beyond_its_bound(tmp_path: Path) -> None:
    """The older half is kept beside it, what is older still is gone."""
    with LogFile(tmp_path / "logs" / "x.log", max_bytes=10) as log:
        for line in (b"one 1\n", b"two 2\n", b"three\n"):
            log.write(line)
    assert (tmp_path / "logs" / "x.log").read_bytes() == b"three\n"
    assert (tmp_path / "logs" / "x.log.1").read_bytes() == b"two 2\n"


def test_a_log_that_cannot_begin_anew_goes_on_later(tmp_path: Path) -> None:
    """A rotation that fails loses its line only, and once it can be done the file is rotated."""
    path = tmp_path / "x.log"
    obstacle = tmp_path / "x.log.1"
    (obstacle / "in the way").mkdir(parents=True)
    with LogFile(path, max_bytes=10) as log:
        log.write(b"one 1\n")
        for _ in range(2):
            with pytest.raises(OSError, match="irectory"):
                log.write(b"two 2\n")
        (obstacle / "in the way").rmdir()
        obstacle.rmdir()
        log.write(b"three\n")
    assert (path.read_bytes(), obstacle.read_bytes()) == (b"three\n", b"one 1\n")


def test_a_program_is_heard_where_its_log_cannot_be_written(
    child: Child, tmp_path: Path, notices: "SimpleQueue[tuple[str, Notice]]"
) -> None:
    """Its lines are read on whatever happens to the file, for it would wait for us in its own logging."""
    (tmp_path / "worker.log").mkdir()
    assert _tended_until_it_speaks(child, notices) == {"event": "up"}
