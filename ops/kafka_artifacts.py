"""The jars of the embedded Kafka: fetched with jgo, held to the checksums of `kafka.lock`.

`./dev` runs this module as a program. Only `./dev lock` resolves versions; everything else fetches
exactly what the lock names, into a cache of our own.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from jgo.maven import MavenContext

from ops import OperationError

KAFKA_VERSION = "4.4.0"
LOCK_FILE = Path(__file__).with_name("kafka.lock")

_KAFKA = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"
# Kafka logs through slf4j and leaves the choice of what is behind it to the one who starts it.
_LOGGING = "org.apache.logging.log4j:log4j-slf4j-impl:{log4j}"
_NETWORK_TIMEOUT_SECONDS = 30
_TRIES = 3
_PARALLEL = 4

Progress = Callable[[int, int], None]
"""Told how many bytes of how many are there."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of the lock."""

    group: str
    artifact: str
    version: str
    sha256: str
    size_bytes: int

    @property
    def file_name(self) -> str:
        """The name in the cache; it has the group, for two groups may use one artifact name."""
        return f"{self.group}.{self.artifact}-{self.version}.jar"


def read_lock(path: Path = LOCK_FILE) -> tuple[Jar, ...]:
    """Return the locked jars, in class path order."""
    lines = path.read_text("utf-8").splitlines()
    return tuple(_parse(line) for line in lines if line and not line.startswith("#"))


def _parse(line: str) -> Jar:
    name, version, digest, size = line.split()
    group, artifact = name.split(":")
    return Jar(group, artifact, version, digest.removeprefix("sha256:"), int(size))


def jar_directory(cache_dir: Path) -> Path:
    """Return where the jars are below `cache_dir`."""
    return cache_dir / "kafka" / "jars"


def ensure_jars(
    cache_dir: Path, progress: Progress | None = None, lock: Sequence[Jar] | None = None
) -> tuple[Path, ...]:
    """Return the paths of all locked jars, fetching those that are missing or not what the lock says.

    A jar whose size and time of change are as when it was verified is not read again.

    Raises:
        OperationError: no network, a checksum that differs, or a cache that cannot be written.
    """
    jars = read_lock() if lock is None else lock
    directory = jar_directory(cache_dir)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with _exclusive(directory.parent / "lock"):
            verified = _Verified(directory.parent / "verified.json")
            missing = [jar for jar in jars if not verified.holds(directory / jar.file_name, jar.sha256)]
            if missing:
                _fetch_all(missing, directory, progress or print_progress)
                for jar in missing:
                    verified.note(directory / jar.file_name, jar.sha256)
                verified.save()
    except requests.RequestException:
        raise OperationError(
            f"Apache Kafka {KAFKA_VERSION} could not be downloaded, for the package registry does not "
            "answer: check the network (or the proxy) and start again; files that have arrived are kept."
        ) from None
    except OSError as problem:
        raise OperationError(
            f"The cache {cache_dir} cannot be used ({problem.strerror}): make room or set "
            "TICKETFLOW_CACHE_DIR to a directory that can be written."
        ) from None
    return tuple(directory / jar.file_name for jar in jars)


def print_progress(done_bytes: int, total_bytes: int) -> None:
    """Show the download on stderr: one line that moves on a terminal, the end alone elsewhere."""
    done = f"Downloading Apache Kafka {KAFKA_VERSION}: {done_bytes / 1e6:.0f} of {total_bytes / 1e6:.0f} MB"
    if sys.stderr.isatty():
        print(done, end="\n" if done_bytes == total_bytes else "\r", file=sys.stderr, flush=True)
    elif done_bytes in (0, total_bytes):
        print(done, file=sys.stderr, flush=True)


class _Verified:
    """What was verified before: name -> [sha256, size in bytes, time of change in ns]."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._known: dict[str, list[object]] = dict(json.loads(path.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            self._known = {}

    def holds(self, file: Path, sha256: str) -> bool:
        """Whether `file` is there with that content; reads it only if it changed since it was verified."""
        if not file.is_file():
            return False
        if self._known.get(file.name) == self._entry(file, sha256):
            return True
        if _sha256(file) != sha256:
            return False
        self.note(file, sha256)
        self.save()
        return True

    def note(self, file: Path, sha256: str) -> None:
        """Remember that `file` has this content now."""
        self._known[file.name] = self._entry(file, sha256)

    def save(self) -> None:
        """Write the notes so that a crash leaves the old ones or the new ones."""
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(self._known), "utf-8")
        fresh.replace(self._path)

    @staticmethod
    def _entry(file: Path, sha256: str) -> list[object]:
        status = file.stat()
        return [sha256, status.st_size, status.st_mtime_ns]


def _fetch_all(jars: Sequence[Jar], directory: Path, progress: Progress) -> None:
    for left_over in directory.parent.glob("incoming-*"):  # of a start that was killed; we hold the lock
        shutil.rmtree(left_over)
    total = sum(jar.size_bytes for jar in jars)
    done = 0
    progress(0, total)
    with ThreadPoolExecutor(_PARALLEL) as pool:
        running = {pool.submit(_fetch, jar, directory): jar for jar in jars}
        try:
            for finished in as_completed(running):
                finished.result()
                done += running[finished].size_bytes
                progress(done, total)
        finally:
            pool.shutdown(cancel_futures=True)


def _fetch(jar: Jar, directory: Path) -> None:
    """Download one jar beside the cache, verify it there, and only then put it in."""
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix="incoming-") as incoming:
        fetched = _download(jar, Path(incoming))
        if _sha256(fetched) != jar.sha256:
            raise OperationError(
                f"The downloaded {jar.artifact} {jar.version} has another checksum than ops/kafka.lock says: "
                "something between here and the package registry changes files; it was thrown away."
            )
        os.replace(fetched, directory / jar.file_name)


def _download(jar: Jar, incoming: Path) -> Path:
    for attempt in range(_TRIES):
        context = MavenContext(repo_cache=incoming / str(attempt), timeout=_NETWORK_TIMEOUT_SECONDS)
        try:
            return context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
        except requests.RequestException:
            if attempt == _TRIES - 1:
                raise
        except RuntimeError:  # jgo's word for "every repository answered, none has it"
            raise OperationError(
                f"The package registry does not have {jar.artifact} {jar.version}, which ops/kafka.lock "
                "names: check the proxy or mirror in use."
            ) from None
    raise AssertionError("unreachable: the last try returns or raises")


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    """Let one process at a time fill the cache."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def write_lock(path: Path = LOCK_FILE) -> int:
    """Resolve Kafka and what it needs anew, write the lock, and return the number of jars."""
    cache = Path(tempfile.mkdtemp(prefix="kafka-lock-"))
    try:
        context = MavenContext(repo_cache=cache, timeout=_NETWORK_TIMEOUT_SECONDS)
        names = _resolve(context, _KAFKA)
        log4j = next(name.split(":")[2] for name in names if ":log4j-core:" in name)
        # Added by itself: all that it needs is there, and resolving it would let its parent choose versions.
        lines = [_lock_line(context, name) for name in [*names, _LOGGING.format(log4j=log4j)]]
    finally:
        shutil.rmtree(cache)
    head = f"# The jars of Apache Kafka {KAFKA_VERSION} and what it runs on; made by ./dev lock.\n"
    path.write_text(head + "".join(lines), "utf-8")
    return len(lines)


def _resolve(context: MavenContext, root: str) -> list[str]:
    inputs, transitive = context.resolver.resolve([context.create_dependency(root)])
    return [f"{d.groupId}:{d.artifactId}:{d.version}" for d in [*inputs, *transitive]]


def _lock_line(context: MavenContext, name: str) -> str:
    group, artifact, version = name.split(":")
    jar = context.project(group, artifact).at_version(version).artifact().resolve()
    return f"{group}:{artifact} {version} sha256:{_sha256(jar)} {jar.stat().st_size}\n"


def main(task: str) -> None:
    """Do what ./dev asks for: `fetch` the jars, or make the `lock` anew."""
    if task == "lock":
        print(f"Locked {write_lock()} jars of Apache Kafka {KAFKA_VERSION}.")
        return
    try:
        ensure_jars(Path(os.environ["TICKETFLOW_CACHE_DIR"]))
    except OperationError as problem:
        print(problem, file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main(sys.argv[1])
