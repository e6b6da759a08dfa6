"""The exporter as a process: its figures are those of the topics, whoever is killed."""

import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from consumers.kafka_options import KafkaOptions
from consumers.kafka_python_reader import KafkaPublisher
from tests.support.processes import Worker
from tests.support.recount import Recount, Sample, parsed
from tests.support.system import awaited, run
from tests.support.traffic import Plan, Traffic
from tests.support.traffic_system import System

pytestmark = pytest.mark.timeout(900)  # several processes start, on a machine that may be busy

RECORDS = 3_000
BATCHES = {"batch_max_records": "50"}
"""Small, so that kills hit open transactions."""
DONE_SECONDS = 60.0
GAUGES = ("tickets_open", "clocks_")


class Exporter(Worker):
    """`ticketflow exporter` as a process, and what its scrapes have shown over all its lives."""

    command = "exporter"
    latest: dict[Sample, float]

    def scrape(self) -> dict[Sample, float]:
        """One scrape that has the business series; no counter may have gone back since the last one."""
        text = ""
        while "ticketflow_tickets_open{" not in text:
            self.check()
            text = self.metrics()
        now = parsed(text)
        before = getattr(self, "latest", {})
        fallen = {
            sample: (value, now.get(sample, 0))
            for sample, value in before.items()
            if not sample[0].startswith(GAUGES) and now.get(sample, 0) < value
        }
        assert fallen == {}
        self.latest = now
        return now

    def answer(self, path: str) -> tuple[int, str]:
        """Status and body of another path."""
        url = str(self.await_line("exporter started")["metrics"]).replace("/metrics", path)
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 (our own, on loopback)
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()


@pytest.fixture
def system(broker: str, prefix: str, tmp_path: Path) -> System:
    """Topics of this test's own."""
    return System(broker, prefix, tmp_path)


@contextmanager
def exporter(system: System, name: str = "exporter") -> Iterator[Exporter]:
    """An exporter that is not started yet."""
    made = Exporter(system.directory, name, system.settings(exporter_port="0"))
    try:
        yield made
    finally:
        made.end()


def recounted(system: System) -> dict[Sample, float]:
    """What the topics say, all of them read from their start."""
    recount = Recount()
    for message in system.read("metrics"):
        recount.metric(message.value() or b"")
    for message in system.read("state"):
        recount.state(message.key() or b"", message.value())
    for message in system.read("dead-letter"):
        recount.dead_letter(message.headers() or ())
    return recount.all(datetime.now(UTC) + timedelta(minutes=5))


def equal(system: System, exporter: Exporter) -> None:
    """Wait until the figures are those of a recount; in the end say what differs."""
    deadline = time.monotonic() + DONE_SECONDS
    while (found := exporter.scrape()) != pytest.approx(expected := recounted(system)):
        assert time.monotonic() < deadline, {
            sample: (found.get(sample), expected.get(sample))
            for sample in found.keys() | expected.keys()
            if found.get(sample) != pytest.approx(expected.get(sample))
        }


@pytest.mark.chaos
def test_kills_and_rebalances_change_no_figure(system: System) -> None:
    """Figures are those of a recount and no counter goes back; the exporter dies 5 times, a worker twice."""
    traffic = Traffic(Plan(RECORDS, RECORDS // 5, seed=3, merges=10), datetime.now(UTC))
    system.publish(traffic.records())
    with ExitStack() as stack:
        first, second = stack.enter_context(system.workers("a", "b", **BATCHES))
        exporting = stack.enter_context(exporter(system))
        journal = stack.enter_context(system.follow("journal"))
        first.start()
        for kill in range(5):
            exporting.start()
            exporting.scrape()
            while journal.ends() < (kill + 1) * RECORDS // 7:
                exporting.scrape()
                first.check()
            exporting.kill()
            if kill in (1, 3):
                first.kill()
                first.start()
            if kill == 2:
                second.start()  # and with it comes a rebalance
        exporting.start()
        system.settle(traffic.expected, first, second)
        equal(system, exporting)
        assert exporting.answer("/readyz") == (200, "ready\n")
        assert exporting.answer("/livez") == (200, "alive\n")
        assert exporting.stop() == 0
        assert exporting.logged("exporter ended") is not None
        assert "Агафья" not in exporting.log.read_text()
    kept = b"".join(file.read_bytes() for file in system.directory.glob("exporter-*.sqlite*"))
    assert kept
    assert "Агафья".encode() not in kept


def test_two_exporters_on_one_checkpoint_are_refused(system: System) -> None:
    """The second ends with a sentence that names the file; after the first has ended another can start."""
    with exporter(system) as first:
        first.start().ready()
        second = run(system.settings(exporter_port="0"), "exporter")
        assert second.returncode == 1
        assert "Another process works on" in second.stderr.decode().splitlines()[-1]
        assert "Traceback" not in second.stderr.decode()
        assert first.stop() == 0
        first.start().ready()


def made_anew(system: System, records: int) -> None:
    """Delete the metrics topic, and fill one of the same name with so many records a partition."""
    name = system.topic("metrics")
    admin = AdminClient({"bootstrap.servers": system.servers})
    partitions = len(admin.list_topics(name, timeout=30).topics[name].partitions)
    admin.delete_topics([name])[name].result()
    deadline = time.monotonic() + DONE_SECONDS
    while name in admin.list_topics(timeout=30).topics:
        assert time.monotonic() < deadline, f"{name} is not gone"
        time.sleep(0.05)
    admin.create_topics([NewTopic(name, partitions, 1)])[name].result()
    with closing(KafkaPublisher(KafkaOptions((system.servers,)))) as publisher:
        for partition in range(partitions):
            for _ in range(records):
                publisher.send(name, b"k", b"of the new topic", partition=partition)


@pytest.mark.parametrize("runs", [False, True], ids=["while it is down", "while it runs"])
def test_a_topic_that_was_made_anew_is_noticed_however_long_it_is(system: System, *, runs: bool) -> None:
    """The new topic has grown past the checkpoint's positions; the exporter ends and says what to do."""
    with exporter(system) as exporting:
        exporting.start().ready()
        if not runs:
            assert exporting.stop() == 0
        made_anew(system, records=3)
        if not runs:
            exporting.start()
        awaited(lambda: not exporting.running, "the exporter has ended")
        (last,) = exporting.lines()[-1:]
        assert f"topic {system.topic('metrics')} was made anew" in last["event"]
        assert "move" in last["event"]
        assert exporting.stop() == 1
