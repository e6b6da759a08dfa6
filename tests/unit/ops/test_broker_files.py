"""What the embedded broker has on disk, and what its logs tell."""

import os
import shutil
from pathlib import Path

import pytest

from ops.broker_files import (
    BrokerError,
    BrokerFiles,
    cluster_id,
    diagnose,
    is_locked,
    owner_pid,
    read_json,
    server_properties,
    write_atomically,
)

META = "#\nversion=1\nnode.id=1\ncluster.id=ours\n"


@pytest.fixture
def files(tmp_path: Path) -> BrokerFiles:
    files = BrokerFiles.below(tmp_path)
    files.data.mkdir(parents=True)
    return files


def test_new_data_gets_a_cluster_id_that_stays(files: BrokerFiles) -> None:
    """An id is chosen once, also when the start was cut off before the data was made."""
    first = cluster_id(files)
    write_atomically(files.identity, f'{{"cluster_id": "{first}"}}')
    assert cluster_id(files) == first
    assert len(first) == 22  # Kafka: 16 bytes in URL-safe base64 without padding


def test_data_of_this_broker_is_taken(files: BrokerFiles) -> None:
    """Data with our cluster id is started again."""
    files.identity.write_text('{"cluster_id": "ours"}')
    (files.data / "meta.properties").write_text(META)
    assert cluster_id(files) == "ours"


@pytest.mark.parametrize(
    "meta",
    [META.replace("ours", "theirs"), META.replace("node.id=1", "node.id=7"), "version=1", "\x00\xff", None],
)
def test_data_of_another_cluster_or_damaged_is_refused(meta: str | None, files: BrokerFiles) -> None:
    """Whatever is not ours is left untouched, and the sentence says where it is."""
    files.identity.write_text('{"cluster_id": "ours"}')
    (files.data / "some-topic-0").mkdir()
    if meta is not None:
        (files.data / "meta.properties").write_text(meta, "latin-1")
    with pytest.raises(BrokerError) as raised:
        cluster_id(files)
    assert str(files.data) in str(raised.value)
    assert "TICKETFLOW_DATA_DIR" in str(raised.value)


def test_data_without_our_mark_is_another_clusters(files: BrokerFiles) -> None:
    """A Kafka's data that somebody put there is not taken over."""
    (files.data / "meta.properties").write_text(META)
    with pytest.raises(BrokerError, match="is of another Kafka cluster"):
        cluster_id(files)


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("java.net.BindException: Address already in use", "port 9092 was taken"),
        ("java.io.IOException: No space left on device", "the disk is full"),
        ("Error occurred: Could not reserve enough space for object heap", "not enough memory"),
        ("java.lang.OutOfMemoryError: Java heap space", "not enough memory"),
        ("Invalid cluster.id in: data/meta.properties", "another Kafka cluster"),
        ("java.nio.file.AccessDeniedException: data/x", "cannot be read or written"),
        ("UnsupportedClassVersionError", "another Kafka version"),
    ],
)
def test_a_log_is_read_for_the_causes_that_we_know(line: str, word: str, files: BrokerFiles) -> None:
    """Each known cause becomes a clause in our words, and the log's line is not repeated."""
    files.log.write_text(f"INFO starting\nERROR {line}\n")
    clause = diagnose(files, 9092, 0)
    assert clause is not None
    assert word in clause
    assert line not in clause


def test_what_an_earlier_run_logged_is_not_held_against_this_one(files: BrokerFiles) -> None:
    """Only what was logged since the start counts, also when the log was rolled over meanwhile."""
    files.log.write_text("ERROR No space left on device\n")
    assert diagnose(files, 9092, files.log.stat().st_size) is None
    assert diagnose(files, 9092, files.log.stat().st_size + 1) is not None


def test_a_full_disk_is_seen_though_the_log_could_not_say_it(
    files: BrokerFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk the log itself is cut off, so the disk is asked."""
    usage = shutil.disk_usage(files.directory)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=0))
    assert "the disk is full" in (diagnose(files, 9092, 0) or "")


def test_a_note_that_is_damaged_counts_as_none(files: BrokerFiles) -> None:
    """A half-written or foreign broker.json does not hinder anything."""
    for text in ("", "{", "[1]", "\x00"):
        files.note.write_text(text)
        assert read_json(files.note) == {}


def test_a_lock_file_without_a_holder_is_no_lock(files: BrokerFiles) -> None:
    """A lock file that a killed broker left behind says nothing."""
    assert not is_locked(files.lock)
    files.lock.write_text("1")
    assert not is_locked(files.lock)


def test_the_owner_counts_only_while_it_lives(files: BrokerFiles) -> None:
    """The process id in the lock file is believed only of a process that exists."""
    files.lock.write_text(str(os.getpid()))
    assert owner_pid(files.lock) == os.getpid()
    for text in ("", "x", str(2**22 + 1)):
        files.lock.write_text(text)
        assert owner_pid(files.lock) is None


def test_the_broker_listens_on_loopback_only() -> None:
    """No address of the configuration is reachable from another machine."""
    lines = server_properties(9092, 9093, "data").splitlines()
    addresses = [line for line in lines if "://" in line or "@" in line]
    assert len(addresses) == 3
    assert all(line.count("127.0.0.1:") == line.count("://") + line.count("@") for line in addresses)
