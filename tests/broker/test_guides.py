"""The guides' examples, started by the commands that the guides print, against a real broker and a worker.

Those in Java where a JDK is; those with kcat by kcat, or where there is none by a stand-in on its library.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from confluent_kafka import Message, Producer

from consumers.kafka_options import KafkaOptions
from consumers.kafka_python_reader import KafkaPublisher
from ops import topics
from ops.kafka_artifacts import ensure_jars, jar_directory
from producers.outbox import STRUCTURED
from schemas.instants import format_instant
from schemas.topics import partition_for
from tests.conftest import PARTITIONS
from tests.support.documents import DOCUMENTS, Block, arguments_of, blocks, commands
from tests.support.processes import ROOT, workers
from tests.support.system import System, all_committed, awaited, environment, line

pytestmark = pytest.mark.timeout(900)  # several processes start, on a machine that may be busy

PREFIX = "guides"
_TRIES = 5
_JAVAC = shutil.which("javac", path=f"{os.environ.get('JAVA_HOME', '')}/bin:{os.environ.get('PATH', '')}")
_JQ = shutil.which("jq")
CHANNELS = [
    "examples/channel/channel.py",
    "examples/channel/channel.sh",
    "examples/channel/typed_channel.py",
    *(["examples/channel/TicketChannel.java"] if _JAVAC else []),
]
SUBSCRIBERS = [
    "examples/subscriber/subscriber.py",
    *(["examples/subscriber/subscriber.sh"] if _JQ else []),
    *(["examples/subscriber/TicketSubscriber.java"] if _JAVAC else []),
]


@pytest.fixture(scope="module")
def system(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A worker that is ready, on topics of this module's own."""
    topics.create(KafkaOptions((broker,)), PREFIX, PARTITIONS, 1)
    directory = tmp_path_factory.mktemp("guides")
    settings = environment(broker, PREFIX, directory)
    with workers(directory, settings, "a") as (worker,):
        worker.start().ready()
        yield System(settings, worker, broker, PREFIX)


def _program(path: Path, *words: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\nexec {" ".join(words)} "$@"\n', "utf-8")
    path.chmod(0o755)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A directory in which the printed commands find what they find in a checkout after `./dev up`."""
    directory = tmp_path / "checkout"
    jars = jar_directory(Path(os.environ["TICKETFLOW_CACHE_DIR"]))
    ensure_jars(jars.parent.parent)
    (directory / ".cache" / "kafka").mkdir(parents=True)
    (directory / ".cache" / "kafka" / "jars").symlink_to(jars)
    (directory / "examples").symlink_to(ROOT / "examples")
    _program(directory / ".venv" / "bin" / "python", sys.executable)
    for name in ("dev", "bin/ticketflow"):
        _program(directory / name, sys.executable, "-m", "ops.cli")
    if shutil.which("kcat") is None:
        _program(directory / "bin" / "kcat", sys.executable, str(ROOT / "tests" / "support" / "kcat.py"))
    return directory


def _environment(checkout: Path, system: System) -> dict[str, str]:
    java = str(Path(_JAVAC).parent) if _JAVAC else ""
    path = f"{checkout / 'bin'}:{java}:{os.environ['PATH']}"
    return {**os.environ, **system.settings, "PATH": path, "PYTHONPATH": str(ROOT)}


def _printed(file: str, guide: str) -> str:
    """The guide's command that starts an example."""
    (found,) = [
        block.text
        for block in blocks()
        if block.document == guide and block.is_commands and f" {file} " in block.text
    ]
    return found


def _shell(command: str, checkout: Path, system: System) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["/bin/sh", "-ec", command],
        cwd=checkout,
        env=_environment(checkout, system),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _triggers(system: System, ticket_id: str) -> list[str]:
    """What happened to a ticket by events, once the worker is done with all that was published."""
    awaited(lambda: all_committed(system.servers, PREFIX, PREFIX), "all events are committed")
    entries = [entry["data"] for entry in system.values("journal")]
    return [entry["trigger"] for entry in entries if entry["ticket_id"] == ticket_id]


@pytest.mark.parametrize("example", CHANNELS)
def test_a_channel_example_does_what_its_guide_says(example: str, checkout: Path, system: System) -> None:
    """The printed command registers, assigns and resolves a ticket; the same again changes nothing."""
    command = _printed(example, "docs/publishing.md")
    number = re.findall(r" (\d+)$", command, re.MULTILINE)[0]
    for _ in range(2):
        ran = _shell(command, checkout, system)
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout.count("\n") == (1 if "typed" in example else 3)
    assert _triggers(system, f"CALL-{number}") == ["created", "assigned", "resolved"]


if _JAVAC:

    def test_the_java_examples_compile_without_a_warning(checkout: Path) -> None:
        """With every warning on."""
        sources = [str(path) for path in sorted((ROOT / "examples").glob("*/*.java"))]
        ran = subprocess.run(
            [_JAVAC, "-Xlint:all", "-Werror", "-cp", ".cache/kafka/jars/*", "-d", "classes", *sources],
            cwd=checkout,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr


_LONG = {"up", "worker", "exporter", "notifier", "broker", "top", "test", "bench", "torture"}
"""What does not end by itself, and what ./dev does itself."""


def _ends_at_once(block: Block) -> bool:
    for words in commands(block.text):
        arguments = arguments_of(words, "./dev", "ticketflow")
        if arguments is not None and not {*_LONG, "--schedule"}.isdisjoint(arguments):
            return False
    return "examples/" not in block.text or "examples/channel/channel.py" in block.text


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_printed_commands_work_in_their_order(document: str, checkout: Path, system: System) -> None:
    """Every command that ends by itself ends well, on other topics and another address than are printed."""
    shutil.copytree(
        ROOT / "workflow" / "policies", checkout / "policies", ignore=shutil.ignore_patterns("*.py")
    )
    for block in blocks():
        if block.document != document:
            continue
        if block.language == "json" and block.text.count('"specversion"') > 1:
            (checkout / "day.jsonl").write_text(block.text, "utf-8")
        if block.is_commands and _ends_at_once(block):
            command = block.text.replace("127.0.0.1:9092", system.servers).replace(" tickets.", f" {PREFIX}.")
            # A worker may need a moment for what was published; to do it all again changes nothing.
            _until_it_works(command, checkout, system, str(block))


def test_the_examples_leave_nothing_wrong(system: System) -> None:
    """What they published was decided by the laws, and nothing was refused but what is meant to be."""
    system.verified()
    refused = {event["subject"] for event in system.values("dead-letter") if "subject" in event}
    assert refused <= {"CALL-404"}


def _until_it_works(command: str, checkout: Path, system: System, where: str) -> None:
    ran = _shell(command, checkout, system)
    for _ in range(_TRIES - 1):
        if ran.returncode == 0:
            break
        awaited(lambda: all_committed(system.servers, PREFIX, PREFIX), "all events are committed")
        ran = _shell(command, checkout, system)
    assert ran.returncode == 0, f"{where}: {ran.stderr}"


class Subscriber:
    """A subscriber that was started by its printed command; what it prints is in a file."""

    def __init__(self, command: str, checkout: Path, environ: dict[str, str]) -> None:
        (words,) = commands(command)
        assigned = [word.split("=", 1) for word in words if re.match("[A-Z_]+=", word)]
        self._command, self._environ = words[len(assigned) :], {**environ, **dict(assigned)}
        self._checkout, self._output = checkout, checkout / "output"

    def told(self) -> Counter[str]:
        """How often each notification was told, by all that ran."""
        return Counter(text.split(": ")[0] for text in self._output.read_text("utf-8").splitlines())

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let it run, and tell it to end."""
        with self._output.open("ab") as stream:
            process = subprocess.Popen(
                self._command,
                cwd=self._checkout,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                start_new_session=True,
            )
        try:
            yield
            assert process.poll() is None, "it ended by itself"
            process.terminate()
            process.wait(60)
        finally:
            with suppress(ProcessLookupError):  # nobody is left
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(60)


def _call(system: System, ticket_id: str) -> set[str]:
    """Publish a ticket that is registered, taken and resolved; returns the ids of what is to be told."""
    citizen = {"id": f"C-{ticket_id}", "email": "citizen@example.com"}
    created = {"channel": "phone", "category": "status_check", "client": citizen}
    events = [
        line(ticket_id, "ticket.created.v1", created, "1"),
        line(ticket_id, "ticket.assigned.v1", {"operator": "op-7"}, "2"),
        line(ticket_id, "ticket.resolved.v1", {}, "3"),
    ]
    assert system.run("publish", "-", stdin=b"".join(events)).returncode == 0
    told = ("1/ticket_registered/client", "2/ticket_assigned/operator", "3/ticket_resolved/client")
    return {f"{ticket_id}/{each}" for each in told}


def _request(ticket_id: str, seq: int, at: datetime, **more: str) -> tuple[bytes, str]:
    """A notification as the engine writes them, and its id."""
    data = {
        "ticket_id": ticket_id,
        "recipient": {"role": "operator", "ref": "op-7"},
        "channel": "inbox",
        "template": "ticket_assigned",
        "params": {},
        **more,
    }
    record_id = f"{ticket_id}/{seq}/ticket_assigned/operator"
    attributes = {
        "specversion": "1.0",
        "id": record_id,
        "source": "ticketflow",
        "type": "notification.requested.v1",
        "subject": ticket_id,
        "time": format_instant(at),
    }
    return json.dumps({**attributes, "data": data}, separators=(",", ":")).encode(), record_id


@pytest.mark.parametrize("example", SUBSCRIBERS)
def test_a_subscriber_example_tells_each_notification_once(
    example: str, checkout: Path, system: System
) -> None:
    """Over an end and a new start, a record that comes again, one that is too old and two for later."""
    kind, now = Path(example).suffix[1:], datetime.now(UTC)
    subscriber = Subscriber(
        _printed(example, "docs/subscribing.md"), checkout, _environment(checkout, system)
    )
    wanted = _call(system, f"S-{kind}-1")
    with subscriber.running():
        awaited(lambda: set(subscriber.told()) >= wanted, "what was there before its start is told")
        again, again_id = _request(f"S-{kind}-2", 1, now)
        old, old_id = _request(f"S-{kind}-2", 2, now - timedelta(days=2))
        soon, soon_id = _request(
            f"S-{kind}-2", 3, now, not_before=format_instant(now + timedelta(seconds=12))
        )
        later, later_id = _request(f"S-{kind}-2", 4, now, not_before=format_instant(now + timedelta(hours=1)))
        with closing(KafkaPublisher(KafkaOptions((system.servers,)))) as kafka:
            for value in (again, old, soon, later, again):
                kafka.send(f"{PREFIX}.notifications", f"S-{kind}-2".encode(), value, STRUCTURED)
            kafka.flush()
        awaited(lambda: again_id in subscriber.told(), "what came while it ran is told")
    wanted |= _call(system, f"S-{kind}-3") | {again_id, soon_id}
    with subscriber.running():
        awaited(lambda: set(subscriber.told()) >= wanted, "what came while it was away is told")
    told = subscriber.told()
    assert max(told.values()) == 1
    assert told.keys() & {old_id, later_id} == set()


def test_the_printed_kcat_options_choose_the_partition_of_java(system: System) -> None:
    """librdkafka, given the options of the shell example, puts every key where the engine expects it."""
    script = (ROOT / "examples" / "channel" / "channel.sh").read_text("utf-8")
    options = dict(option.split("=", 1) for option in re.findall(r"-X (\S+=\S+)", script))
    assert options["partitioner"] == "murmur2_random"
    producer = Producer({"bootstrap.servers": system.servers, **options})
    placed: dict[bytes, int] = {}

    def delivered(error: object, message: Message) -> None:
        assert error is None
        key = message.key()
        assert isinstance(key, bytes)
        placed[key] = message.partition() or 0

    keys = [f"CALL-{number}".encode() for number in range(50)]
    for key in keys:
        producer.produce(f"{PREFIX}.metrics", key=key, value=b"{}", on_delivery=delivered)
    assert producer.flush(30) == 0
    assert placed == {key: partition_for(key, PARTITIONS) for key in keys}
