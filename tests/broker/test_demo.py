"""`up --demo` as a newcomer runs it: it plays, it is found, it adds up, and nothing of it stays."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import ROOT, run
from tests.support.system import awaited

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1_200)]  # it plays for more than two minutes

_END_SECONDS = 330.0


class Demo:
    """The demo as a process, with its data below a home directory of the test's own."""

    def __init__(self, directory: Path) -> None:
        self.settings = {
            "XDG_DATA_HOME": str(directory / "home"),
            "TICKETFLOW_EMBEDDED_PORT": "0",
            "TICKETFLOW_METRICS_PORT": "0",
            "TICKETFLOW_EXPORTER_PORT": "0",
        }
        self.data = directory / "home" / "ticketflow" / "demo"
        self._out = directory / "demo.out"
        with self._out.open("wb") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ops.cli", "up", "--demo"],
                cwd=ROOT,
                env={**os.environ, **self.settings},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def text(self) -> str:
        """All that it has said."""
        return self._out.read_text()

    def playing(self) -> "Demo":
        """Wait until it has sent something."""
        sent = re.compile(r"\n\d\d:\d\d  [1-9]\d* of \d+ events sent")
        awaited(lambda: sent.search(self.text) is not None or self.process.poll() is not None, "it plays")
        assert self.process.poll() is None, self.text
        return self

    def broker_pid(self) -> int:
        """The process id of its Kafka."""
        return int(json.loads((self.data / "broker" / "broker.json").read_text())["pid"])

    def kill(self) -> None:
        """Leave nothing behind."""
        self.process.kill()  # what it has started ends with it
        self.process.wait()


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    """A demo that has been started."""
    made = Demo(tmp_path)
    try:
        yield made
    finally:
        made.kill()


def _is_gone(demo: Demo, broker_pid: int) -> bool:
    """Whether neither its Kafka is there nor any process of its group."""
    for kill, number in ((os.kill, broker_pid), (os.killpg, demo.process.pid)):
        try:
            kill(number, 0)
        except ProcessLookupError:
            continue
        return False
    return True


def _said(text: str, pattern: str) -> tuple[int, ...]:
    found = re.search(pattern, text)
    assert found is not None, text
    return tuple(map(int, found.groups()))


def _open_tickets(demo: Demo) -> int:
    """How many there are, by a `top` that finds the demo without a setting."""
    looked = run({"XDG_DATA_HOME": demo.settings["XDG_DATA_HOME"]}, "top", "--json")
    assert looked.returncode == 0, looked.stderr.decode()
    return int(json.loads(looked.stdout)["tickets"]["open"])


def test_the_demo_plays_and_adds_up(demo: Demo, tmp_path: Path) -> None:
    """It is found without a setting, ends with status 0, and its summary is what the topics say then."""
    demo.playing()
    broker_pid = demo.broker_pid()
    awaited(lambda: _open_tickets(demo) > 0, "what was sent is decided")
    assert demo.process.wait(_END_SECONDS) == 0, demo.text
    text = demo.text
    assert _is_gone(demo, broker_pid)
    sent, by_engine = _said(text, r"(\d+) sent, (\d+) by the engine itself")
    applied, rejected, duplicates = _said(text, r"(\d+) applied, (\d+) rejected, (\d+) duplicates")
    (tickets,) = _said(text, r"The service day is over: (\d+) tickets")
    assert sent + by_engine == applied + rejected + duplicates
    assert tickets >= 300
    assert (rejected, duplicates) == (20, 15)
    assert "verify: nothing was found" in text
    totals, results = _looked_at_again(text, tmp_path)
    assert (totals["applied"], totals["rejected"], totals["duplicate"]) == (applied, rejected, duplicates)
    assert totals["decided_again"] == tickets
    assert {words: ran.returncode for words, ran in results.items()} == dict.fromkeys(results, 0), results
    assert set(results) >= {"top", "ticket explain", "policy show"}


def _looked_at_again(
    text: str, directory: Path
) -> tuple[dict[str, Any], dict[str, "subprocess.CompletedProcess[bytes]"]]:
    """With a broker on the demo's data again: what `verify` counts, and the printed commands but for `up`."""
    commands = [
        shlex.split(each) for each in text.splitlines() if each.startswith("    TICKETFLOW_DATA_DIR=")
    ]
    environment = dict(word.split("=", 1) for word in commands[0] if word.startswith("TICKETFLOW_"))
    settings = {**environment, "TICKETFLOW_EMBEDDED_PORT": "0"}
    out = directory / "broker.out"
    with out.open("wb") as stream:
        broker = subprocess.Popen(
            [sys.executable, "-m", "ops.cli", "broker"],
            cwd=ROOT,
            env={**os.environ, **settings},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        awaited(lambda: "127.0.0.1:" in out.read_text(), "the broker answers")
        verified = run(settings, "verify", "--json")
        assert verified.returncode == 0, verified.stdout.decode()
        results = {}
        for command in commands:
            words = command[command.index("./dev") + 1 :]
            if words != ["up"]:
                results[" ".join(words[:2])] = run(settings, *words)
        return dict(json.loads(verified.stdout)["totals"]), results
    finally:
        broker.send_signal(signal.SIGTERM)
        broker.wait(60)


def test_ctrl_c_ends_the_demo_cleanly(demo: Demo) -> None:
    """In the middle of the day an interrupt ends everything, with the status of an interrupt."""
    demo.playing()
    broker_pid = demo.broker_pid()
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(_END_SECONDS) == 130, demo.text
    assert _is_gone(demo, broker_pid)
    assert "Traceback" not in demo.text
    assert "The service day is over" not in demo.text
