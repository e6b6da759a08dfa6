"""`up` and `broker` as processes: everything runs, is kept running, and is gone afterwards."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import ROOT
from tests.support.system import all_committed, awaited, registered, run

pytestmark = pytest.mark.timeout(900)  # several processes start, on a machine that may be busy

_END_SECONDS = 60.0


class Up:
    """`ticketflow up` (or `broker`) on a data directory of its own."""

    def __init__(self, directory: Path, command: str, **settings: str) -> None:
        self.data = directory / "data"
        self.settings = {
            "TICKETFLOW_DATA_DIR": str(self.data),
            "TICKETFLOW_EMBEDDED_PORT": "0",
            "TICKETFLOW_METRICS_PORT": "0",
            "TICKETFLOW_EXPORTER_PORT": "0",
            "TICKETFLOW_PARTITIONS": "2",
            **settings,
        }
        self._out = directory / f"{command}.out"
        with self._out.open("wb") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ops.cli", command],
                cwd=ROOT,
                env={**os.environ, **self.settings},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )

    @property
    def text(self) -> str:
        """All that it has said."""
        return self._out.read_text()

    def awaited(self, word: str) -> None:
        """Wait until it has said so."""
        awaited(lambda: word in self.text or self.process.poll() is not None, f"{word!r} is said")
        assert word in self.text, self.text

    @property
    def servers(self) -> str:
        """Where its broker answers."""
        return str(json.loads((self.data / "broker" / "broker.json").read_text())["bootstrap_servers"])

    def pids(self, command: str) -> list[int]:
        """The processes of that command that it has started and that run."""
        listed = subprocess.run(
            ["ps", "-o", "pid=,args=", "--ppid", str(self.process.pid)],  # noqa: S607
            capture_output=True, text=True, check=False,
        ).stdout.splitlines()  # fmt: skip
        return [int(each.split()[0]) for each in listed if f"ops.cli {command}" in each]

    def stop(self, number: signal.Signals) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(_END_SECONDS)


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """The system, once it says that it runs."""
    made = Up(tmp_path, "up")
    try:
        made.awaited("ticketflow is running")
        yield made
    finally:
        made.process.kill()  # its worker and its broker end with it
        made.process.wait()


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_system_works_and_what_is_killed_comes_back(up: Up) -> None:
    """After kill -9 of worker and exporter the next event is processed; SIGTERM ends all with status 0."""
    assert run(up.settings, "publish", "-", stdin=registered("T-1")).returncode == 0
    awaited(lambda: all_committed(up.servers, "tickets", "ticketflow"), "the first event is committed")
    for program in ("worker", "exporter"):
        (first,) = up.pids(program)
        os.kill(first, signal.SIGKILL)
        up.awaited(f"The {program} ended by signal 9")
    assert run(up.settings, "publish", "-", stdin=registered("T-2")).returncode == 0
    awaited(lambda: all_committed(up.servers, "tickets", "ticketflow"), "the second event is committed")
    assert run(up.settings, "ticket", "show", "T-2").returncode == 0
    verified = run(up.settings, "verify", "--json")
    assert json.loads(verified.stdout)["totals"]["applied"] == 2, verified.stdout
    awaited(lambda: len(up.pids("exporter")) == 1, "the exporter is there again")
    (second,), (exporter,) = up.pids("worker"), up.pids("exporter")
    broker = json.loads((up.data / "broker" / "broker.json").read_text())["pid"]
    assert up.stop(signal.SIGTERM) == 0
    assert not _runs(second)
    assert not _runs(exporter)
    assert not _runs(broker)
    for program in ("worker", "exporter"):
        assert f"{program} ended" in (up.data / "logs" / f"{program}.log").read_text()
        assert f"/metrics ({program})" in up.text


def test_nothing_outlives_a_killed_system(up: Up) -> None:
    """After kill -9 of `up` nothing that it started stays; Ctrl-C on a new one ends it cleanly."""
    (worker,), (exporter,) = up.pids("worker"), up.pids("exporter")
    broker = json.loads((up.data / "broker" / "broker.json").read_text())["pid"]
    up.stop(signal.SIGKILL)
    awaited(lambda: not _runs(worker) and not _runs(exporter), "worker and exporter have ended")
    awaited(lambda: not _runs(broker), "the broker has ended")
    again = Up(up.data.parent, "up")
    try:
        again.awaited("ticketflow is running")
        assert again.stop(signal.SIGINT) == 0
    finally:
        again.process.kill()
        again.process.wait()


def test_it_says_what_is_in_force_and_where_all_is_reached_at_any_log_level(tmp_path: Path) -> None:
    """A version that is to come is not the policy; addresses are shown though the programs only warn."""
    versions = tmp_path / "versions"
    versions.mkdir()
    for number, year in (("1", 2026), ("2", 2099)):
        text = f"policy: p\nversion: {number}\neffective_from: {year}-01-01T00:00:00Z\nclocks: []\n"
        (versions / f"{number}.yaml").write_text(text)
    made = Up(tmp_path, "up", TICKETFLOW_POLICY=str(versions), TICKETFLOW_LOG_LEVEL="warning")
    try:
        made.awaited("ticketflow is running")
        assert "p@1" in made.text
        assert "p@2" not in made.text
        for program in ("worker", "exporter"):
            assert f"/metrics ({program})" in made.text
        assert "p@1" in (made.data / "logs" / "worker.log").read_text()
        assert made.stop(signal.SIGTERM) == 0
    finally:
        made.process.kill()
        made.process.wait()


def test_a_broker_alone_says_where_it_is(tmp_path: Path) -> None:
    """`broker` prints its address, every command finds it, and SIGTERM ends it with status 0."""
    made = Up(tmp_path, "broker")
    try:
        made.awaited("127.0.0.1:")
        assert made.text.splitlines()[-1] == made.servers
        assert run(made.settings, "topics", "create").returncode == 0
        assert run(made.settings, "topics", "check").returncode == 0
        second = run(made.settings, "broker")
        assert second.returncode == 1
        assert b"runs already" in second.stderr
        assert second.stderr.count(b"\n") == 1
        assert made.stop(signal.SIGTERM) == 0
    finally:
        made.process.kill()
        made.process.wait()
