"""The embedded broker's start, with a program in the place of Java."""

import os
from pathlib import Path

import pytest

from ops import embedded
from ops.broker_files import BrokerError, BrokerFiles
from ops.embedded import EmbeddedBroker
from ops.settings import Settings


def test_storage_that_takes_too_long_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting bounds it, the sentence names the setting, and the data can be started on again."""
    os.mkfifo(tmp_path / "never")
    java = tmp_path / "java"
    java.write_text(f"#!/bin/sh\nexec cat '{tmp_path / 'never'}'\n")
    java.chmod(0o755)
    monkeypatch.setattr(embedded, "find_java", lambda: java)
    monkeypatch.setattr(embedded, "ensure_jars", lambda _: ())
    settings = Settings(data_dir=tmp_path, cache_dir=tmp_path, embedded_start_timeout_seconds=0.05)
    with pytest.raises(BrokerError, match=r"within 0\.05 s: .*TICKETFLOW_EMBEDDED_START_TIMEOUT_SECONDS\.$"):
        EmbeddedBroker(settings).start()
    assert not BrokerFiles.below(tmp_path).data.exists()
