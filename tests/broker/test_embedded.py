"""The embedded broker: its life, its deaths, and the sentence for each thing that can be wrong."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from consumers.kafka_options import KafkaOptions
from ops import OperationError, embedded, topics
from ops.broker_files import BrokerError, BrokerFiles, is_locked
from ops.embedded import EmbeddedBroker, find_running
from ops.settings import Settings

_PATIENCE_SECONDS = 60.0

STARTER = """
import sys
from pathlib import Path
from ops.embedded import EmbeddedBroker
from ops.settings import Settings
broker = EmbeddedBroker(Settings(data_dir=Path(sys.argv[1]), embedded_port=0))
print(broker.start(), broker.pid, flush=True)
broker.wait()
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, embedded_port=0)


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedBroker, Settings]]:
    """A broker for the tests that only look; started with another's options for Java in the environment."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("steady"), embedded_port=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("_JAVA_OPTIONS", "-Xmx1t")
        embedded_broker = EmbeddedBroker(settings)
        embedded_broker.start()
    yield embedded_broker, settings
    embedded_broker.stop()


@pytest.fixture
def own(settings: Settings) -> Iterator[EmbeddedBroker]:
    """A broker of the test's own, which may be killed."""
    embedded_broker = EmbeddedBroker(settings)
    yield embedded_broker
    embedded_broker.stop()


@pytest.fixture
def starter(settings: Settings) -> Iterator[subprocess.Popen[str]]:
    """Another process that starts a broker on the same data, as a `ticketflow broker` does."""
    command = [sys.executable, "-c", STARTER, str(settings.data_dir)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.02)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A process that has ended stays in the table until its parent, or init, has asked for its status.
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def _publish(servers: str, value: bytes) -> None:
    topics.create(KafkaOptions((servers,)), "kept", 1, 1)
    producer = KafkaProducer(bootstrap_servers=servers)
    producer.send("kept.events", value, partition=0).get(timeout=30)
    producer.close()


def _read(servers: str, count: int) -> list[bytes]:
    consumer = KafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest")
    consumer.assign([TopicPartition("kept.events", 0)])
    values: list[bytes] = []
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while len(values) < count and time.monotonic() < deadline:
        values += [r.value for records in consumer.poll(500).values() for r in records]
    consumer.close()
    return values


def test_a_start_answers_and_a_stop_leaves_nothing(own: EmbeddedBroker, settings: Settings) -> None:
    """A started broker is found by its data directory; after the stop neither it nor its process is there."""
    servers = own.start()
    assert find_running(settings.data_dir) == servers
    assert topics.cluster_id(KafkaOptions((servers,)))
    own.stop()
    assert find_running(settings.data_dir) is None
    assert not _is_alive(own.pid)
    assert not is_locked(BrokerFiles.below(settings.data_dir).lock)
    own.stop()


def test_any_identity_can_be_formatted(own: EmbeddedBroker, settings: Settings) -> None:
    """One that begins with a hyphen is not taken for an option of Kafka's tool."""
    files = BrokerFiles.below(settings.data_dir)
    files.identity.parent.mkdir(parents=True, exist_ok=True)
    files.identity.write_text('{"cluster_id": "-AAAAAAAAAAAAAAAAAAAAA"}')
    assert topics.cluster_id(KafkaOptions((own.start(),))) == "-AAAAAAAAAAAAAAAAAAAAA"


def test_data_outlives_kill_9_of_the_broker(own: EmbeddedBroker, settings: Settings) -> None:
    """A killed broker is noticed, and the next start has the same address, cluster and records."""
    servers = own.start()
    cluster = topics.cluster_id(KafkaOptions((servers,)))
    _publish(servers, b"before")
    os.kill(own.pid, signal.SIGKILL)
    assert own.wait(_PATIENCE_SECONDS) == 128 + signal.SIGKILL
    assert find_running(settings.data_dir) is None
    assert own.failure().startswith("The embedded broker ended")
    assert own.start() == servers
    assert topics.cluster_id(KafkaOptions((servers,))) == cluster
    _publish(servers, b"after")
    assert _read(servers, 2) == [b"before", b"after"]


def test_kill_9_of_the_starter_leaves_no_orphan(
    starter: subprocess.Popen[str], own: EmbeddedBroker, settings: Settings
) -> None:
    """When the process that started it is killed, the broker ends by itself, and the next start works."""
    assert starter.stdout is not None
    servers, pid = starter.stdout.readline().split()
    _publish(servers, b"before")
    starter.kill()
    own.start()  # waits for the end of the other by itself
    assert not _is_alive(int(pid))
    assert _read(find_running(settings.data_dir) or "", 1) == [b"before"]


def test_kill_9_of_the_supervisor_leaves_no_orphan(own: EmbeddedBroker) -> None:
    """The process between us and Java may be killed too: Java goes with it."""
    own.start()
    parent = int(Path(f"/proc/{own.pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    os.kill(parent, signal.SIGKILL)
    assert own.wait(_PATIENCE_SECONDS) == -signal.SIGKILL
    _eventually(lambda: not _is_alive(own.pid))


def test_a_signal_to_our_process_group_does_not_reach_the_broker(
    steady: tuple[EmbeddedBroker, Settings],
) -> None:
    """Ctrl-C ends us first: the broker is in a process group of its own."""
    assert os.getpgid(steady[0].pid) != os.getpgrp()


def test_a_second_start_on_the_same_data_names_the_first(steady: tuple[EmbeddedBroker, Settings]) -> None:
    """Two brokers never share data: the second says in a sentence that one runs, and as which process."""
    settings = steady[1]
    servers = find_running(settings.data_dir)
    with pytest.raises(BrokerError) as raised:
        EmbeddedBroker(settings).start()
    assert f"(process {os.getpid()}, answering at {servers})" in str(raised.value)
    assert find_running(settings.data_dir) == servers


def test_other_peoples_java_options_do_not_unbound_the_heap(steady: tuple[EmbeddedBroker, Settings]) -> None:
    """The broker has the heap of its setting whatever the environment says for Java programs."""
    environment = Path(f"/proc/{steady[0].pid}/environ")
    if environment.exists():
        assert b"_JAVA_OPTIONS" not in environment.read_bytes()


def test_what_a_killed_broker_left_behind_does_not_hinder(own: EmbeddedBroker, settings: Settings) -> None:
    """A stale lock file, a stale note and a half-made storage are swept away."""
    files = BrokerFiles.below(settings.data_dir)
    (files.directory / "formatting" / "old").mkdir(parents=True)
    files.lock.write_text(str(os.getpid()))
    files.note.write_text(json.dumps({"bootstrap_servers": "127.0.0.1:1", "pid": 1}))
    assert find_running(settings.data_dir) is None
    assert own.start() == find_running(settings.data_dir)


def _asking_for(settings: Settings, **changes: object) -> EmbeddedBroker:
    return EmbeddedBroker(settings.model_copy(update=changes))


def test_a_port_that_was_asked_for_and_is_taken_is_named(settings: Settings) -> None:
    """The sentence says which port and which setting, and nothing is left running."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(BrokerError, match=f"^Port {port} is taken .*TICKETFLOW_EMBEDDED_PORT"):
            _asking_for(settings, embedded_port=port).start()
    assert not is_locked(BrokerFiles.below(settings.data_dir).lock)


def test_a_port_taken_at_the_last_moment_is_named_too(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When Java finds the port taken after we found it free, the log is read for the reason."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setattr(embedded, "_is_free", lambda _: True)
        with pytest.raises(BrokerError, match=f"port {port} was taken by another program"):
            _asking_for(settings, embedded_port=port).start()


def test_a_free_port_is_chosen_when_the_default_is_taken_and_none_was_asked_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Someone else's Kafka on the default port does not stop a newcomer."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        monkeypatch.setattr(embedded, "DEFAULT_PORT", taken)
        assert _asking_for(settings, embedded_port=None)._choose_port() not in (0, taken)
    assert _asking_for(settings, embedded_port=None)._choose_port() == taken


def test_a_full_disk_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too little room is found before Java starts, and said in a sentence."""
    monkeypatch.setattr(embedded, "_LEAST_FREE_BYTES", 1 << 62)
    with pytest.raises(BrokerError, match=r"^The embedded broker cannot start, for the disk is full: .*\.$"):
        EmbeddedBroker(settings).start()


def test_data_of_another_cluster_is_refused_untouched(settings: Settings) -> None:
    """What is not ours is neither used nor changed."""
    files = BrokerFiles.below(settings.data_dir)
    files.data.mkdir(parents=True)
    meta = files.data / "meta.properties"
    meta.write_text("version=1\nnode.id=1\ncluster.id=theirs\n")
    with pytest.raises(BrokerError, match="is of another Kafka cluster: move it away"):
        EmbeddedBroker(settings).start()
    assert [path.name for path in files.data.iterdir()] == ["meta.properties"]


def test_no_java_is_one_sentence(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any Java the start says so at once."""

    def none() -> Path:
        raise OperationError("No Java 17 or newer was found.")

    monkeypatch.setattr(embedded, "find_java", none)
    with pytest.raises(OperationError, match="No Java"):
        EmbeddedBroker(settings).start()


def test_a_start_that_takes_too_long_names_the_log_and_leaves_nothing(settings: Settings) -> None:
    """After the time-out the broker is ended again, and the sentence says where its log is."""
    before = EmbeddedBroker(settings)
    before.start()  # which makes its storage, for which the time-out holds, too
    before.stop()
    broker = _asking_for(settings, embedded_start_timeout_seconds=0.2)
    with pytest.raises(BrokerError, match=r"did not answer within 0\.2 s") as raised:
        broker.start()
    assert str(broker.log_file) in str(raised.value)
    assert not _is_alive(broker.pid)


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file where the data directory should be leads to a sentence with the setting's name."""
    (tmp_path / "file").write_text("")
    with pytest.raises(BrokerError, match=r"cannot use .*TICKETFLOW_DATA_DIR"):
        EmbeddedBroker(Settings(data_dir=tmp_path / "file", embedded_port=0)).start()
