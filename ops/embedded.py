"""The embedded broker: one Apache Kafka node for a laptop or a test, on loopback, in KRaft mode.

Three processes: ours; `supervisor.py`, which ends the broker when we end, however we end; and Java. Java
itself holds a lock on the data, so whether a broker runs is never a matter of a file left behind.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from consumers.kafka_options import KafkaOptions
from ops import OperationError, supervisor, topics
from ops.broker_files import (
    LOG4J,
    BrokerError,
    BrokerFiles,
    cluster_id,
    diagnose,
    is_locked,
    owner_pid,
    read_json,
    read_meta,
    server_properties,
    write_atomically,
)
from ops.java import find_java
from ops.kafka_artifacts import ensure_jars, jar_directory
from ops.settings import Settings

DEFAULT_PORT = 9092
_HOST = "127.0.0.1"
_LEAST_FREE_BYTES = 128 * 1024 * 1024
"""With less the broker would stop in the middle of something: an empty one already takes 20 MiB."""
_GRACE_SECONDS = 20.0
_LOCK_WAIT_SECONDS = _GRACE_SECONDS + 5.0
"""A broker whose starter was killed may take its grace to end; the next start waits for it."""
_PROBE_SECONDS = 0.05
_SERVER = ("-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20")
_TOOL = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""For what ends within a second: thorough compilation and threads that collect take longer than they save."""
# Another's options for all Java programs could undo the bounded heap, or talk to the console.
_JAVA_VARIABLES = ("_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH")


def find_running(data_dir: Path) -> str | None:
    """Return the bootstrap servers of the embedded broker that runs on `data_dir`, or None."""
    files = BrokerFiles.below(data_dir)
    servers = read_json(files.note).get("bootstrap_servers")
    return servers if isinstance(servers, str) and is_locked(files.lock) else None


class EmbeddedBroker:
    """One broker on `settings.data_dir`. `start` it, `wait` for its end, `stop` it; or use `with`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._files = BrokerFiles.below(settings.data_dir)
        self._port: int | None = None
        self._process: subprocess.Popen[str] | None = None
        self._java_pid = 0
        self._log_start = 0

    @property
    def log_file(self) -> Path:
        """Kafka's own log."""
        return self._files.log

    @property
    def pid(self) -> int:
        """The process id of the broker's Java, 0 before the first start."""
        return self._java_pid

    def start(self) -> str:
        """Start the broker and return its bootstrap servers once it answers.

        A second start of the same object, after the broker died, uses the same port if it can.

        Raises:
            BrokerError, OperationError: one sentence on what is wrong and what to do.
        """
        if self._process is not None and self._process.poll() is None:
            raise BrokerError("This broker has been started already.")
        java = find_java()
        jars = ensure_jars(self._settings.cache_dir)
        try:
            self._files.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = self._lock()
            try:
                return self._start_locked(java, jars, lock)
            finally:
                os.close(lock)
        except OSError as problem:
            raise self._disk_error(problem) from None

    def stop(self) -> None:
        """End the broker cleanly, and return when its data is free again. Harmless if it does not run."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            with suppress(BrokenPipeError):
                process.stdin.close()
        try:
            process.wait(_GRACE_SECONDS + 5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._forget(process)

    def wait(self, timeout_seconds: float | None = None) -> int | None:
        """Wait until the broker ends; return its exit status, or None if the time was up before.

        Raises:
            BrokerError: it was never started, or was stopped.
        """
        if self._process is None:
            raise BrokerError("The embedded broker is not running.")
        try:
            status = self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            return None
        self._forget(self._process)
        return status

    def failure(self) -> str:
        """Return one sentence on why the broker ended by itself, as far as its log tells."""
        cause = diagnose(self._files, self._port or 0, self._log_start)
        what = f", for {cause}" if cause else ""
        return f"The embedded broker ended{what} (its log: {self._files.log})."

    def __enter__(self) -> str:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start_locked(self, java: Path, jars: tuple[Path, ...], lock: int) -> str:
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        self._files.note.unlink(missing_ok=True)
        self._check_room()
        identity = cluster_id(self._files)
        write_atomically(self._files.identity, json.dumps({"cluster_id": identity}))
        self._lay_out()
        command = [*self._java_command(java, jars, _SERVER), "kafka.Kafka", self._files.properties.name]
        if read_meta(self._files.data) is None:
            self._format(self._java_command(java, jars, _TOOL), identity, lock)
        self._port = self._choose_port()  # only now: the longer it is not used, the sooner somebody takes it
        controller_port = next(port for port in iter(_free_port, None) if port != self._port)
        self._files.properties.write_text(
            server_properties(self._port, controller_port, self._files.data.name), "utf-8"
        )
        self._log_start = self._files.log.stat().st_size if self._files.log.exists() else 0
        try:
            self._launch(command, lock)
            self._await_answer(identity)
            return self._announce(identity)
        except BaseException:  # an interrupt, too: nothing that did not start may stay
            self.stop()
            raise

    def _lock(self) -> int:
        """Return the open, locked file that makes this data ours."""
        lock = os.open(self._files.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + _LOCK_WAIT_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                owner = owner_pid(self._files.lock)
                if (owner is None or find_running(self._settings.data_dir) is None) and (
                    time.monotonic() < deadline
                ):
                    time.sleep(_PROBE_SECONDS)
                    continue
                os.close(lock)
                raise self._running_error(owner) from None
            return lock

    def _running_error(self, owner: int | None) -> BrokerError:
        servers = find_running(self._settings.data_dir)
        at = f", answering at {servers}" if servers else ""
        return BrokerError(
            f"An embedded broker runs already on {self._settings.data_dir} (process {owner or 'unknown'}"
            f"{at}): use that one, stop it, or set TICKETFLOW_DATA_DIR to another directory."
        )

    def _check_room(self) -> None:
        if shutil.disk_usage(self._files.directory).free < _LEAST_FREE_BYTES:
            raise OSError(errno.ENOSPC, "No space left on device")

    def _disk_error(self, problem: OSError) -> BrokerError:
        where = self._files.directory
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            return BrokerError(
                f"The embedded broker cannot start, for the disk is full: make room in {where} or set "
                "TICKETFLOW_DATA_DIR to a directory on another disk."
            )
        return BrokerError(
            f"The embedded broker cannot use {where} ({problem.strerror}): set TICKETFLOW_DATA_DIR to a "
            "directory that can be written."
        )

    def _lay_out(self) -> None:
        (self._files.directory / "log4j2.xml").write_text(LOG4J, "utf-8")
        link = self._files.directory / "jars"
        target = jar_directory(self._settings.cache_dir)
        if not link.is_symlink() or link.readlink() != target:
            link.unlink(missing_ok=True)
            link.symlink_to(target)

    def _choose_port(self) -> int:
        asked = self._settings.embedded_port
        if asked:
            if not _is_free(asked):
                raise BrokerError(
                    f"Port {asked} is taken by another program: stop it, or set TICKETFLOW_EMBEDDED_PORT to "
                    "another port (0: any free one)."
                )
            return asked
        wanted = [self._port] if self._port else []
        wanted += [DEFAULT_PORT] if asked is None else []
        return next((port for port in wanted if _is_free(port)), None) or _free_port()

    def _java_command(self, java: Path, jars: tuple[Path, ...], ways: tuple[str, ...]) -> list[str]:
        """Return Java with its options and the class path, relative so that no path can break it."""
        return [
            str(java),
            f"-Xmx{self._settings.embedded_heap_mebibytes}m",
            *ways,
            "-XX:+ExitOnOutOfMemoryError",
            "-XX:-UsePerfData",
            "-Djava.awt.headless=true",
            "-Dlog4j2.configurationFile=log4j2.xml",
            "-cp",
            ":".join(f"jars/{jar.name}" for jar in jars),
        ]

    def _format(self, java: list[str], identity: str, lock: int) -> None:
        """Make new storage beside its place, so that a start that is killed leaves none half made."""
        fresh = self._files.directory / "formatting"
        if fresh.exists():
            shutil.rmtree(fresh)
        self._files.properties.write_text(server_properties(1, 2, fresh.name), "utf-8")
        # With `=`, for one identity in 64 begins with a hyphen.
        options = [f"--cluster-id={identity}", "-c", self._files.properties.name]
        tool = ["kafka.tools.StorageTool", "format", *options]
        if self._status_of([*java, *tool], lock) != 0:
            cause = diagnose(self._files, 0, self._log_start)
            what = f", for {cause}" if cause else ""
            raise BrokerError(
                f"The embedded broker's storage cannot be made{what} (what Java said: {self._files.console})."
            )
        if self._files.data.exists():
            self._files.data.rmdir()  # it is empty, or it would have been looked at
        fresh.rename(self._files.data)

    def _status_of(self, command: list[str], lock: int) -> int:
        """Run a tool to its end."""
        limit_seconds = self._settings.embedded_start_timeout_seconds
        with self._files.console.open("wb") as console:
            try:
                done = subprocess.run(
                    command,
                    cwd=self._files.directory,
                    env=_java_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=console,
                    stderr=subprocess.STDOUT,
                    timeout=limit_seconds,
                    check=False,
                    pass_fds=(lock,),  # should we be killed, the next start waits until this has ended
                )
            except subprocess.TimeoutExpired:
                raise BrokerError(
                    f"The embedded broker's storage was not made within {limit_seconds:g} s: "
                    f"{self._files.console} may tell why; on a slow machine raise "
                    "TICKETFLOW_EMBEDDED_START_TIMEOUT_SECONDS."
                ) from None
        return done.returncode

    def _launch(self, command: list[str], lock: int) -> None:
        output, grace = str(self._files.console), str(_GRACE_SECONDS)
        arguments = [str(self._files.note), output, str(lock), grace, *command]
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", supervisor.__file__, *arguments],
            cwd=self._files.directory,
            env=_java_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=(lock,),
            # Ctrl-C on a terminal goes to the whole process group: the worker must end before its broker.
            start_new_session=True,
        )
        if self._process.stdout is not None:
            with self._process.stdout as answer:
                self._java_pid = int(answer.readline() or 0)

    def _await_answer(self, identity: str) -> None:
        deadline = time.monotonic() + self._settings.embedded_start_timeout_seconds
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                raise BrokerError(self.failure())
            if self._answers(identity):
                return
            time.sleep(_PROBE_SECONDS)
        raise BrokerError(
            f"The embedded broker did not answer within {self._settings.embedded_start_timeout_seconds:g} s: "
            f"its log {self._files.log} may tell why; on a slow machine raise "
            "TICKETFLOW_EMBEDDED_START_TIMEOUT_SECONDS."
        )

    def _answers(self, identity: str) -> bool:
        """Whether the broker on our port is ours and answers a client's request."""
        port = self._port or 0
        try:
            # The client would retry a closed port with ever longer pauses.
            socket.create_connection((_HOST, port), timeout=1).close()
            found = topics.cluster_id(KafkaOptions((f"{_HOST}:{port}",)), timeout_seconds=2)
        except (OSError, OperationError):
            return False
        if found != identity:
            raise BrokerError(
                f"Another Kafka answers on port {port}: stop it or set TICKETFLOW_EMBEDDED_PORT."
            )
        return True

    def _announce(self, identity: str) -> str:
        servers = f"{_HOST}:{self._port}"
        note = {
            "pid": self._java_pid,
            "port": self._port,
            "bootstrap_servers": servers,
            "cluster_id": identity,
            "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        write_atomically(self._files.note, json.dumps(note))
        return servers

    def _forget(self, process: subprocess.Popen[str]) -> None:
        """After the supervisor's end: where its death does not kill Java (not on Linux), do it."""
        if is_locked(self._files.lock) and process.returncode < 0:
            with suppress(OSError):
                os.kill(self._java_pid, 9)
        self._files.note.unlink(missing_ok=True)


def _java_environment() -> Mapping[str, str]:
    ours = {name: value for name, value in os.environ.items() if name not in _JAVA_VARIABLES}
    # Without a UTF-8 locale Java cannot open paths in other alphabets.
    return {**ours, "LC_ALL": "C.UTF-8"}


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As Java does it: a port whose last connections are still fading away is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])
