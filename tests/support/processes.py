"""Real `ticketflow` processes of a test, each ended by its own id, whatever happens."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
_POLL_SECONDS = 0.02
_START_SECONDS = 60.0
_END_SECONDS = 40.0
_LAST_LINES = 6
_CALL = re.compile(r'File ".*?([^/]+)", line (\d+) in (\S+)')
_CALLS = 7


class Worker:
    """`ticketflow worker` as a process. Its log, which outlives restarts, is `log`."""

    command = "worker"
    options: tuple[str, ...] = ()
    """Of the command, from the next start on."""

    def __init__(self, directory: Path, worker_id: str, settings: Mapping[str, str]) -> None:
        """`settings`: environment variables. Nothing runs before `start`."""
        self.worker_id, self.log = worker_id, directory / f"{worker_id}.log"
        self._settings = {**settings, "TICKETFLOW_WORKER_ID": worker_id}
        self._process: subprocess.Popen[bytes] | None = None
        self._read_from = 0

    def start(self) -> "Worker":
        """Start it, without waiting until it is ready."""
        with self.log.open("ab") as stream:
            self._read_from = stream.tell()
            self._process = subprocess.Popen(
                # Should this process be killed, its worker ends too.
                [sys.executable, "-m", "ops.cli", self.command, *self.options, "--parent", str(os.getpid())],
                cwd=ROOT,
                env={**os.environ, **self._settings, "PYTHONFAULTHANDLER": "1"},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
            )
        return self

    def peak_mib(self) -> int:
        """The most memory that it has had in use so far (Linux's VmHWM)."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) // 1024

    @property
    def pid(self) -> int:
        """The process id, 0 before the first start."""
        return 0 if self._process is None else self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def lines(self) -> list[dict[str, Any]]:
        """What the process has logged since its last start; a line that is no JSON under `event`."""
        with self.log.open("rb") as stream:
            stream.seek(self._read_from)
            text = stream.read().decode()
        found = []
        for line in text.splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                found.append({"event": line})
        return found

    def logged(self, event: str) -> dict[str, Any] | None:
        """The first line with that event since the last start."""
        return next((line for line in self.lines() if line.get("event") == event), None)

    def ready(self) -> "Worker":
        """Wait until it says so: all partitions that the group gave it are restored."""
        self.await_line(f"{self.command} ready")
        return self

    def await_line(self, event: str) -> dict[str, Any]:
        """Wait until the process has logged this."""
        deadline = time.monotonic() + _START_SECONDS
        while (line := self.logged(event)) is None:
            self.check()
            assert time.monotonic() < deadline, f"{self.worker_id} has not logged {event!r}: see {self.log}"
            time.sleep(_POLL_SECONDS)
        return line

    def check(self) -> None:
        """Fail when the process has ended by itself, with its last words."""
        if not self.running:
            ended = f"{self.command} {self.worker_id} ended by itself; see {self.log}"
            raise AssertionError("\n".join([ended, *self.last_words()]))

    def last_words(self) -> list[str]:
        """The last lines that it has logged; of one that runs, which is ended, also what its threads do."""
        said = [f"{line.get('timestamp')} {line['event']}" for line in self.lines()[-_LAST_LINES:]]
        if not self.running:
            return said
        self._end_by(signal.SIGABRT)  # Python's fault handler tells of all threads, the innermost call first
        threads = "\n".join(str(line["event"]) for line in self.lines()).split("hread 0x")[1:]
        return [*said, *(" < ".join(map(" ".join, _CALL.findall(each)[:_CALLS])) for each in threads)]

    def metrics(self) -> str:
        """What `/metrics` says now."""
        line = self.await_line(f"{self.command} started")
        with urllib.request.urlopen(str(line["metrics"]), timeout=10) as answer:  # noqa: S310 (our own, on loopback)
            return str(answer.read().decode())

    def suspend(self) -> None:
        """Let it do nothing more until `resume`, or until it is killed."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._send(signal.SIGCONT)

    def kill(self) -> None:
        """End it as kill -9 does."""
        self._end_by(signal.SIGKILL)

    def stop(self) -> int:
        """Ask it to end, as SIGTERM does; returns its exit status."""
        return self._end_by(signal.SIGTERM)

    def _send(self, number: signal.Signals) -> "subprocess.Popen[bytes]":
        assert self._process is not None, "it was never started"
        if self._process.poll() is None:
            self._process.send_signal(number)
        return self._process

    def _end_by(self, number: signal.Signals) -> int:
        return self._send(number).wait(_END_SECONDS)

    def end(self) -> None:
        """Leave nothing behind."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(_END_SECONDS)


@contextlib.contextmanager
def workers(directory: Path, settings: Mapping[str, str], *ids: str) -> Iterator[list[Worker]]:
    """Workers that are not started yet, and none of them left afterwards."""
    made = [Worker(directory, worker_id, settings) for worker_id in ids]
    try:
        yield made
    finally:
        for worker in made:
            worker.end()


def run(settings: Mapping[str, str], *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    """Run `ticketflow` with these arguments to its end."""
    return subprocess.run(
        [sys.executable, "-m", "ops.cli", *arguments],
        cwd=ROOT,
        env={**os.environ, **settings},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=300,
        check=False,
    )
