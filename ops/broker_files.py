"""What the embedded broker has on disk, below `<data_dir>/broker`.

- `lock`: held (flock) by the broker's own process as long as it lives; has the starter's process id
- `broker.json`: where it answers, while it does
- `identity.json`: the cluster id that we gave to the data
- `data`: Kafka's
- `server.properties`, `log4j2.xml`, `jars` (a link to the cache)
- `broker.log`: Kafka's log; `console.log`: what Java itself said
"""

from __future__ import annotations

import base64
import errno
import fcntl
import json
import os
import re
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ops import OperationError

_MIB = 1024 * 1024
_META_VERSION = "1"
_NODE_ID = "1"


class BrokerError(OperationError):
    """Why the embedded broker cannot start or go on, as one sentence."""


@dataclass(frozen=True, slots=True)
class BrokerFiles:
    """The paths."""

    directory: Path

    @classmethod
    def below(cls, data_dir: Path) -> BrokerFiles:
        """Return those of the embedded broker in `data_dir`."""
        return cls(data_dir / "broker")

    @property
    def lock(self) -> Path:  # noqa: D102 (the module's text describes each)
        return self.directory / "lock"

    @property
    def note(self) -> Path:  # noqa: D102
        return self.directory / "broker.json"

    @property
    def identity(self) -> Path:  # noqa: D102
        return self.directory / "identity.json"

    @property
    def data(self) -> Path:  # noqa: D102
        return self.directory / "data"

    @property
    def properties(self) -> Path:  # noqa: D102
        return self.directory / "server.properties"

    @property
    def log(self) -> Path:  # noqa: D102
        return self.directory / "broker.log"

    @property
    def console(self) -> Path:  # noqa: D102
        return self.directory / "console.log"


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that readers and crashes see the old or the new one."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    fresh.write_text(text, "utf-8")
    fresh.replace(path)


def read_json(path: Path) -> dict[str, object]:
    """Return a JSON object, or an empty one if the file is missing or damaged."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def is_locked(lock: Path) -> bool:
    """Whether a broker (or one that is starting or ending) holds the lock."""
    try:
        probe = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # Shared, so that two who ask at the same time do not take each other for a broker.
        fcntl.flock(probe, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as problem:
        if problem.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return True
        raise
    finally:
        os.close(probe)
    return False


def owner_pid(lock: Path) -> int | None:
    """Return the process that started the broker, if it is alive."""
    try:
        pid = int(lock.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:  # another user's, but alive
        return pid
    return pid


def cluster_id(files: BrokerFiles) -> str:
    """Return the cluster id of the data, choosing one if there is none yet.

    Raises:
        BrokerError: the data is not ours.
    """
    known = read_json(files.identity).get("cluster_id")
    found = read_meta(files.data)
    if found is None:
        fresh = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        return known if isinstance(known, str) else fresh
    if known is None or found.get("cluster.id") != known:
        raise _not_ours(files, "is of another Kafka cluster")
    if found.get("version") != _META_VERSION or found.get("node.id") != _NODE_ID:
        raise _not_ours(files, "has a damaged meta.properties")
    return str(known)


def read_meta(data: Path) -> dict[str, str] | None:
    """Return Kafka's `meta.properties`, or None where there is no data yet."""
    if not data.is_dir() or not any(data.iterdir()):
        return None
    try:
        lines = (data / "meta.properties").read_text("latin-1").splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def _not_ours(files: BrokerFiles, what: str) -> BrokerError:
    return BrokerError(
        f"The data in {files.data} {what}: move it away to start anew, or set TICKETFLOW_DATA_DIR to "
        "another directory."
    )


def server_properties(port: int, controller_port: int, log_dirs: str) -> str:
    """Return the broker's configuration. Paths in it are relative to the broker's directory.

    Relative, because a properties file can name neither a comma nor, in Latin-1, most of the alphabets.
    """
    settings: Mapping[str, object] = {
        "process.roles": "broker,controller",
        "node.id": _NODE_ID,
        "controller.quorum.voters": f"{_NODE_ID}@127.0.0.1:{controller_port}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": log_dirs,
        **_SINGLE_NODE,
        **_LAPTOP,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


_SINGLE_NODE: Mapping[str, object] = {
    "auto.create.topics.enable": "false",
    "default.replication.factor": 1,
    "min.insync.replicas": 1,
    "offsets.topic.replication.factor": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    # Nobody else is coming: the first worker need not wait for others.
    "group.initial.rebalance.delay.ms": 0,
}

_LAPTOP: Mapping[str, object] = {
    # Few partitions of the internal topics: each costs files and time at every start.
    "offsets.topic.num.partitions": 8,
    "transaction.state.log.num.partitions": 8,
    "share.coordinator.state.topic.num.partitions": 1,
    "num.network.threads": 2,
    "num.io.threads": 4,
    "background.threads": 2,
    "num.recovery.threads.per.data.dir": 2,
    "log.segment.bytes": 64 * _MIB,
    # Files of this size are laid out for every partition; a segment of 64 MiB needs less than 0.3 MiB.
    "log.index.size.max.bytes": _MIB,
    "log.cleaner.threads": 1,
    "log.cleaner.dedupe.buffer.size": 16 * _MIB,  # of a heap of half a gigabyte; Kafka's own is 128 MiB
    # A dead letter of 1 MiB, its headers and the framing; topics have a limit of their own below this.
    "message.max.bytes": 5 * _MIB,
    "transaction.max.timeout.ms": 900_000,
    # Not sooner than Kafka's own ten seconds: a transaction whose time was up while the broker was down would
    # be ended before the broker knows its own partitions. Kafka then skips the markers, the partitions' last
    # stable offset never moves again, and no worker ever restores them.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": 10_000,
    # A laptop may rest longer than Kafka's seven days; without its offsets a worker would begin anew.
    "offsets.retention.minutes": 365 * 24 * 60,
}

LOG4J = """<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="ERROR" shutdownHook="disable">
  <Appenders>
    <RollingFile name="file" fileName="broker.log" filePattern="broker.log.%i">
      <PatternLayout pattern="%d{ISO8601} %p %m (%c{1})%n"/>
      <SizeBasedTriggeringPolicy size="10 MB"/>
      <DefaultRolloverStrategy max="3"/>
    </RollingFile>
  </Appenders>
  <Loggers>
    <Root level="INFO"><AppenderRef ref="file"/></Root>
  </Loggers>
</Configuration>
"""

_CAUSES: tuple[tuple[str, str], ...] = (
    (r"Address already in use", "port {port} was taken by another program: set TICKETFLOW_EMBEDDED_PORT"),
    (
        r"No space left on device|Disk quota exceeded",
        "the disk is full: make room in {directory} or set TICKETFLOW_DATA_DIR",
    ),
    (
        r"Could not reserve enough space|insufficient memory|Cannot allocate memory|OutOfMemoryError",
        "there is not enough memory: close something or change TICKETFLOW_EMBEDDED_HEAP_MEBIBYTES",
    ),
    (
        r"InconsistentClusterId|Invalid cluster\.id|[Mm]ismatched node|InconsistentVoterSet|meta\.properties",
        "the data in {directory} is of another Kafka cluster or damaged: move it away or set "
        "TICKETFLOW_DATA_DIR",
    ),
    (
        r"UnsupportedVersion|[Nn]o support for feature|UnsupportedClassVersion",
        "the data in {directory} was written by another Kafka version, or the Java is too old",
    ),
    (r"Permission denied|AccessDenied", "files in {directory} cannot be read or written by this user"),
    (r"Read-only file system", "{directory} is on a read-only file system: set TICKETFLOW_DATA_DIR"),
)


def diagnose(files: BrokerFiles, port: int, log_start: int) -> str | None:
    """Return why the broker ended as far as its logs tell, as a clause; None if they do not.

    `log_start`: where in broker.log this run began, in bytes. Only the causes that we know are repeated,
    never a line of the log.
    """
    said = _tail(files.console, 0) + _tail(files.log, log_start)
    if shutil.disk_usage(files.directory).free < _MIB:
        said += "No space left on device"  # and so none for the log to say it
    for pattern, clause in _CAUSES:
        if re.search(pattern, said):
            return clause.format(port=port, directory=files.directory)
    return None


def _tail(path: Path, start: int) -> str:
    try:
        with path.open("rb") as content:
            size = content.seek(0, os.SEEK_END)
            # A log shorter than it was has been rolled over.
            content.seek(max(start if start <= size else 0, size - _MIB))
            return content.read().decode("utf-8", "replace")
    except OSError:
        return ""
