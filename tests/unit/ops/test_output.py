"""Standard streams that are full, closed or read no more: a sentence or nothing, never a trace."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ops import policies
from ops.cli import main

COMMANDS = (["--version"], ["--help"], ["policy", "show"])
NO_SPACE = b"Standard output cannot be written: No space left on device.\n"

pytestmark = pytest.mark.usefixtures("nothing_runs_here")


def run(
    redirection: str, *arguments: str, reader_has_gone: bool = False, unbuffered: str = ""
) -> tuple[int, bytes, bytes]:
    """Status, output and errors of a command that a shell started with that redirection."""
    source, sink = os.pipe()
    if reader_has_gone:
        os.close(source)
    command = [sys.executable, "-m", "ops.cli", *arguments]
    ran = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh", *command],
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        stdin=subprocess.DEVNULL,
        stdout=sink,
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    os.close(sink)
    return ran.returncode, b"" if reader_has_gone else _drained(source), ran.stderr


def _drained(source: int) -> bytes:
    with open(source, "rb") as stream:
        return stream.read()


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_full_disk_behind_a_redirect_is_one_sentence(command: list[str], unbuffered: str) -> None:
    """Whether output is written at once or in the end: it says what is wrong, and the status is 1."""
    assert run(">/dev/full", *command, unbuffered=unbuffered) == (1, b"", NO_SPACE)


def test_what_went_wrong_before_is_told_beside_a_full_disk(tmp_path: Path) -> None:
    """The command's own sentence is not lost, and the worse status counts."""
    status, _, told = run(">/dev/full", "policy", "check", str(tmp_path / "none.yaml"))
    assert (status, told.startswith(b"There is no policy at ")) == (2, True)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_closed_streams_are_as_the_null_device(command: list[str]) -> None:
    """Who closes them wants to read nothing, and the command does what it is to do."""
    assert run(">&- 2>&- <&-", *command) == (0, b"", b"")


def test_an_error_is_no_output_where_its_stream_is_closed() -> None:
    """What belongs on standard error does not come out of standard output instead."""
    assert run("2>&-", "policy", "check", "none.yaml") == (2, b"", b"")


def test_a_closed_standard_input_is_one_sentence() -> None:
    """It is not taken for one without events."""
    told = b"Standard input cannot be read, for it is closed.\n"
    assert run("<&-", "publish", "-") == (1, b"", told)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_reader_that_has_gone_is_told_nothing(command: list[str]) -> None:
    """As `| head` leaves: the status is 1, without a word."""
    assert run("", *command, reader_has_gone=True) == (1, b"", b"")


def test_what_is_full_elsewhere_is_not_taken_for_standard_output(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another file that nobody expected to fail is still a mistake of ours."""

    def fail(_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(policies, "load", fail)
    assert main(["policy", "show"]) == 1
    assert capsys.readouterr().err.startswith("A mistake in ticketflow itself ended it (OSError).")
