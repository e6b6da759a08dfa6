"""Which Java runs the broker."""

from pathlib import Path

import pytest

from ops import OperationError, java


def _fake_java(home: Path, first_line: str, status: int = 0) -> Path:
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho '{first_line}' >&2\nexit {status}\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    ("line", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "21" 2023-09-19', 21),
        ('java version "1.8.0_401"', 8),
        ('openjdk version "26-ea" 2026-03-17', 26),
        ("No Java runtime present", None),
    ],
)
def test_the_major_version_is_read_from_what_java_says(line: str, major: int | None, tmp_path: Path) -> None:
    """Old and new styles of version numbers are understood, and the stub of macOS is no Java."""
    assert java.major_version(_fake_java(tmp_path, line)) == major


def test_a_java_that_fails_is_none(tmp_path: Path) -> None:
    """A program that prints a version but does not work is not used."""
    assert java.major_version(_fake_java(tmp_path, 'openjdk version "21"', status=1)) is None


def test_java_home_comes_before_the_path_and_an_old_one_is_passed_over(tmp_path: Path) -> None:
    """The first Java that is new enough is taken."""
    old = _fake_java(tmp_path / "old", 'java version "1.8.0_401"')
    new = _fake_java(tmp_path / "new", 'openjdk version "21"')
    on_path = {"JAVA_HOME": str(tmp_path / "old"), "PATH": str(new.parent)}
    assert java.system_java(on_path) == new
    assert java.system_java({"JAVA_HOME": str(tmp_path / "new"), "PATH": str(old.parent)}) == new


def test_no_java_at_all_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The sentence says where was looked and what to do."""
    monkeypatch.setattr(java, "_wheel_java", lambda: None)
    with pytest.raises(OperationError, match=r"^No Java 17 or newer was found .* run \./dev.*\.$"):
        java.find_java({"PATH": str(tmp_path)})


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without Java."""

    def fail() -> Path:
        raise OperationError("No Java 17 or newer was found.")

    monkeypatch.setattr(java, "find_java", fail)


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize(
    ("command", "line", "missing"),
    [
        ("up", "topic_prefix: mine", True),
        ("up", "kafka_bootstrap_servers: kafka:9092", False),
        ("broker", "kafka_bootstrap_servers: kafka:9092", True),
        ("up", "no_such_setting: 1", False),
    ],
)
def test_a_java_is_missing_where_a_broker_would_be_started(
    command: str, line: str, missing: bool, tmp_path: Path
) -> None:
    """A cluster may be named in the settings file, too; what is wrong there the command says itself."""
    config = tmp_path / "settings.yaml"
    config.write_text(line)
    assert java.is_missing(command, config) is missing


@pytest.mark.usefixtures("nowhere")
def test_the_environment_names_a_cluster_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a settings file the environment decides."""
    assert java.is_missing("up")
    monkeypatch.setenv("TICKETFLOW_KAFKA_BOOTSTRAP_SERVERS", "kafka:9092")
    assert not java.is_missing("up")


def test_no_java_is_missing_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the settings are not even read."""
    monkeypatch.setattr(java, "find_java", lambda: Path("java"))
    assert not java.is_missing("up", Path("none.yaml"))
