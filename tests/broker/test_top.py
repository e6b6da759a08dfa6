"""`top` against a real broker: what a worker has written is on the picture, as text and as data."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.processes import ROOT, workers
from tests.support.system import (
    NAME,
    PHONE,
    all_committed,
    awaited,
    environment,
    line,
    registered,
    run,
)

pytestmark = pytest.mark.timeout(900)  # several processes start, on a machine that may be busy


def test_one_picture_of_what_goes_on(broker: str, prefix: str, tmp_path: Path) -> None:
    """Tickets, promises and dead letters are there as text and as JSON, and of a person nothing."""
    settings = environment(broker, prefix, tmp_path)
    with workers(tmp_path, settings, "a") as (worker,):
        worker.start().ready()
        events = (
            registered("T-1")
            + registered("T-2")
            + line("T-2", "ticket.assigned.v1", {"operator": "op-7"}, "2")
        )
        assert run(settings, "publish", "--force", "-", stdin=events + b"{\n").returncode == 0
        awaited(lambda: all_committed(broker, prefix, prefix), "all events are committed")
    told = run(settings, "top", "--json")
    assert (told.returncode, told.stderr) == (0, b"")
    found = json.loads(told.stdout)
    assert found["tickets"]["open"] == 2
    counts = {(each["state"], each["queue"]): each["count"] for each in found["tickets"]["counts"]}
    assert (counts["created", "reference"], counts["assigned", "reference"]) == (1, 1)
    at_risk = [(each["ticket_id"], each["clock"], each["operator"]) for each in found["promises"]["at_risk"]]
    assert at_risk == [
        ("T-1", "first_response", None),
        ("T-1", "resolution", None),
        ("T-2", "resolution", "op-7"),
    ]
    assert found["lag"]["records"] == 0
    assert found["dead_letter_codes"] == {"malformed": 1}
    assert {each["template"] for each in found["notifications"]} >= {"ticket_registered", "ticket_assigned"}
    shown = run(settings, "top", "--once")
    assert (shown.returncode, shown.stderr) == (0, b"")
    for words in ("T-1", "first_response", "reference", "malformed", "ticket_assigned", "lag 0"):
        assert words in shown.stdout.decode()
    for personal in (NAME, PHONE, "c-1"):
        assert personal not in shown.stdout.decode() + told.stdout.decode()


def test_the_lag_is_told(broker: str, prefix: str, tmp_path: Path) -> None:
    """Without a worker what was published is lag, with its age."""
    settings = environment(broker, prefix, tmp_path)
    assert run(settings, "publish", "-", stdin=registered("T-1")).returncode == 0
    lag = json.loads(run(settings, "top", "--json").stdout)["lag"]
    assert lag["records"] == 1
    assert lag["seconds"] > 0
    assert sorted(each["records"] for each in lag["partitions"]) == [0, 0, 1]


def test_without_topics_there_is_a_sentence(broker: str, tmp_path: Path) -> None:
    """What is missing is named in one line, with what to do."""
    told = run(environment(broker, "nowhere", tmp_path), "top", "--once")
    assert told.returncode == 1
    assert told.stderr.count(b"\n") == 1
    assert b"ticketflow topics create" in told.stderr


def test_on_a_terminal_it_is_live_until_ctrl_c(broker: str, prefix: str, tmp_path: Path) -> None:
    """On a terminal the picture takes the whole screen, and Ctrl-C gives it back and ends with status 0."""
    primary, secondary = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "ops.cli", "top"],
        cwd=ROOT,
        env={
            **os.environ,
            **environment(broker, prefix, tmp_path),
            "TERM": "xterm",
            "COLUMNS": "80",
            "LINES": "24",
        },
        stdin=secondary,
        stdout=secondary,
        stderr=secondary,
    )
    os.close(secondary)
    shown = b""
    try:
        deadline = time.monotonic() + 60
        while b"Dead letters" not in shown and time.monotonic() < deadline:
            shown += os.read(primary, 65_536)
        process.send_signal(signal.SIGINT)
        shown += _rest(primary)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        os.close(primary)
    assert b"\x1b[?1049h" in shown
    assert b"\x1b[?1049l" in shown
    assert b"Traceback" not in shown


def _rest(terminal: int) -> bytes:
    """What is still said until nobody has the terminal open."""
    found = b""
    try:
        while read := os.read(terminal, 65_536):
            found += read
    except OSError:  # Linux' word for the end of a terminal
        pass
    return found
