"""Programs of ours that are kept running: started, started again when they die, and ended in order."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

_BACK_OFF_SECONDS: Final = (0.5, 15.0)
_STEADY_SECONDS: Final = 60.0
"""Who has run this long begins anew with the shortest back-off."""
_GRACE_SECONDS: Final = 30.0
_MAX_LOG_BYTES: Final = 16 * 1024 * 1024
_MAX_LINE_BYTES: Final = 64 * 1024
_LOUD: Final = frozenset({"warning", "error", "critical"})

Notice = Mapping[str, object]
"""One line of a program's log."""


@dataclass(frozen=True, slots=True)
class Program:
    """A command of ticketflow's own that is to be kept running. `name` is for people and for its log file."""

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


class Child:
    """One program. Only the thread that made it may use it; `notice` is called from another one."""

    def __init__(
        self,
        program: Program,
        log_dir: Path,
        notice: Callable[[str, Notice], None],
        tell: Callable[[str], None],
    ) -> None:
        """`notice` gets every line of the program's log, `tell` what a person should read."""
        self.name = program.name
        self.log_file = log_dir / f"{program.name}.log"
        self._program, self._notice, self._tell = program, notice, tell
        self._process: subprocess.Popen[bytes] | None = None
        self._pump: threading.Thread | None = None
        self._started_at = 0.0
        self._start_at = 0.0
        self._back_off_seconds = _BACK_OFF_SECONDS[0]

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return None if self._process is None else self._process.pid

    def tend(self) -> None:
        """Start it if it is time to; notice if it has ended. Call this again and again."""
        if self._process is not None:
            status = self._process.poll()
            if status is None:
                return
            self._buried(status)
        elif time.monotonic() >= self._start_at:
            self._start()

    def restart(self) -> None:
        """End it cleanly, to be started again by the next `tend`."""
        self.stop()
        self._start_at = 0.0

    def stop(self) -> None:
        """End it cleanly; kill it when that takes too long."""
        process = self._process
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._tell(f"The {self.name} did not end within {_GRACE_SECONDS:g} s and is killed.")
            process.kill()
            process.wait()
        self._forget()

    def _start(self) -> None:
        self._started_at = time.monotonic()
        self._process = subprocess.Popen(
            command(self._program.arguments),
            env={**os.environ, **self._program.environment, "TICKETFLOW_LOG_FORMAT": "json"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self._pump = threading.Thread(
            target=self._read, args=(self._process.stderr,), name=self.name, daemon=True
        )
        self._pump.start()

    def _buried(self, status: int) -> None:
        if time.monotonic() - self._started_at > _STEADY_SECONDS:
            self._back_off_seconds = _BACK_OFF_SECONDS[0]
        self._forget()
        how = f"with status {status}" if status >= 0 else f"by signal {-status}"
        self._tell(
            f"The {self.name} ended {how}; it is started again in {self._back_off_seconds:g} s "
            f"(its log: {self.log_file})."
        )
        self._start_at = time.monotonic() + self._back_off_seconds
        self._back_off_seconds = min(2 * self._back_off_seconds, _BACK_OFF_SECONDS[1])

    def _forget(self) -> None:
        if self._pump is not None:
            self._pump.join(_GRACE_SECONDS)
        self._process = self._pump = None

    def _read(self, stream: IO[bytes]) -> None:
        with stream, LogFile(self.log_file) as log:
            while line := stream.readline(_MAX_LINE_BYTES):
                # A full disk must not stop the program: it would wait for us in its own logging.
                with suppress(OSError, ValueError):
                    log.write(line)
                text = line.decode("utf-8", "replace").strip()
                if text:
                    self._notice(self.name, parsed(text))


def command(arguments: Sequence[str]) -> list[str]:
    """Return the command line of a command of ours that ends when we do."""
    return [sys.executable, "-P", "-m", "ops.cli", *arguments, "--parent", str(os.getpid())]


def parsed(text: str) -> Notice:
    """Return the fields of a log line; what is no JSON, the program said to people before its end."""
    try:
        notice = json.loads(text)
    except ValueError:
        notice = None
    return notice if isinstance(notice, dict) else {"level": "error", "event": text}


def is_loud(notice: Notice) -> bool:
    """Whether a person should see it at once: the client's own remarks on a start or an election are not."""
    return notice.get("level") in _LOUD and not str(notice.get("logger")).startswith("kafka")


class LogFile:
    """A file that never grows beyond a bound: the older half is in `<name>.1`.

    Every `write` stands for itself: one that fails raises OSError, loses its line, and the next may succeed.
    """

    def __init__(self, path: Path, max_bytes: int = _MAX_LOG_BYTES) -> None:
        """Append to `path`, which is opened when the first line is written."""
        self._path, self._max_bytes = path, max_bytes
        self._stream: IO[bytes] | None = None

    def write(self, line: bytes) -> None:
        """Add a line. Raises OSError."""
        if self._stream is None:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._stream = self._path.open("ab", 0)
        if self._stream.tell() + len(line) > self._max_bytes:
            self._stream = self._rotated(self._stream)
        self._stream.write(line)

    def _rotated(self, full: IO[bytes]) -> IO[bytes]:
        """Return a new file. The full one is let go of last, so that a failure leaves us one to write to."""
        fresh = self._path.with_name(f"{self._path.name}.new")
        stream = fresh.open("wb", 0)
        try:
            with suppress(FileNotFoundError):  # somebody took it away, or an earlier attempt did half of this
                self._path.replace(self._path.with_name(f"{self._path.name}.1"))
            fresh.replace(self._path)
        except BaseException:
            stream.close()
            raise
        full.close()
        return stream

    def __enter__(self) -> LogFile:
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            self._stream.close()
