"""What tests of commands share."""

from pathlib import Path

import pytest

from ops.kafka_noise import KafkaNoise


@pytest.fixture
def nothing_runs_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data directory in which nothing runs, and a process whose logging a command leaves as it is."""
    monkeypatch.setenv("TICKETFLOW_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr("ops.logs.configure_logging", lambda *_: None)
    monkeypatch.setattr("ops.kafka_noise.limit", KafkaNoise)
