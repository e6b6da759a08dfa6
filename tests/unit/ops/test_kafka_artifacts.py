"""The jars: exactly those of the lock, or none."""

import hashlib
from pathlib import Path

import pytest
import requests

from ops import OperationError, kafka_artifacts
from ops.kafka_artifacts import Jar, ensure_jars, jar_directory, read_lock

CONTENT = b"a jar"
JAR = Jar("org.example", "thing", "1.0", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


class Registry:
    """Stands for the registry: gives the content it holds, and counts how often it was asked."""

    def __init__(self, content: bytes | Exception = CONTENT) -> None:
        self.content = content
        self.asked = 0

    def download(self, jar: Jar, incoming: Path) -> Path:
        self.asked += 1
        if isinstance(self.content, Exception):
            raise self.content
        file = incoming / jar.file_name
        file.write_bytes(self.content)
        return file


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    stand_in = Registry()
    monkeypatch.setattr(kafka_artifacts, "_download", stand_in.download)
    return stand_in


def _ensure(cache: Path) -> tuple[Path, ...]:
    return ensure_jars(cache, lambda *_: None, [JAR])


def test_the_lock_names_one_kafka_and_no_address() -> None:
    """Every jar of the lock has a whole checksum, Kafka's own have one version, and no registry is named."""
    jars = read_lock()
    assert {jar.version for jar in jars if jar.group == "org.apache.kafka"} == {kafka_artifacts.KAFKA_VERSION}
    assert all(len(jar.sha256) == 64 and jar.size_bytes > 0 for jar in jars)
    assert "//" not in kafka_artifacts.LOCK_FILE.read_text()


def test_a_second_start_downloads_nothing(tmp_path: Path, registry: Registry) -> None:
    """What was fetched once is used again."""
    assert _ensure(tmp_path) == _ensure(tmp_path)
    assert registry.asked == 1


def test_a_jar_that_changed_on_disk_is_fetched_again(tmp_path: Path, registry: Registry) -> None:
    """A damaged cache heals itself."""
    (jar,) = _ensure(tmp_path)
    jar.write_bytes(b"other")
    assert _ensure(tmp_path)[0].read_bytes() == CONTENT
    assert registry.asked == 2


def test_a_download_with_another_checksum_is_thrown_away(tmp_path: Path, registry: Registry) -> None:
    """A changed download never reaches the cache, and the sentence says what is wrong."""
    registry.content = b"evil"
    with pytest.raises(OperationError, match=r"another checksum than ops/kafka\.lock says"):
        _ensure(tmp_path)
    assert list(jar_directory(tmp_path).iterdir()) == []


def test_no_network_at_the_first_download_is_one_sentence(tmp_path: Path, registry: Registry) -> None:
    """Without a network the sentence says what to check, and nothing of the address."""
    registry.content = requests.ConnectionError("https://somewhere")
    with pytest.raises(OperationError, match=r"could not be downloaded.*check the network.*\.$") as raised:
        _ensure(tmp_path)
    assert "//" not in str(raised.value)


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, registry: Registry) -> None:
    """A file where the cache should be leads to a sentence that names the setting."""
    (tmp_path / "kafka").write_text("in the way")
    with pytest.raises(OperationError, match="TICKETFLOW_CACHE_DIR"):
        _ensure(tmp_path)
    assert registry.asked == 0
