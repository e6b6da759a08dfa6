"""Failures that no record is to blame for: waited for, shown, and over when their cause is."""

import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka.admin import ACLOperation, ResourceType

from consumers.kafka_options import KafkaOptions
from consumers.kafka_python_reader import KafkaReader
from ops import topics
from ops.embedded import EmbeddedBroker
from tests.support.outages import (
    QUICK,
    Administrator,
    attempts,
    authorizing_broker,
    blocked,
    let_files_grow,
    probe,
)
from tests.support.processes import Worker, workers
from tests.support.system import System, awaited, environment, registered, run

pytestmark = pytest.mark.timeout(900)

PARTITIONS = 2
MIB = 1024 * 1024
_QUIET_ATTEMPTS = 3
"""So many attempts that log nothing are waited for."""
_serial = itertools.count(1)


@pytest.fixture(scope="module")
def authorizing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker with an authoriser, for this module."""
    with authorizing_broker(tmp_path_factory.mktemp("authorizing")) as broker:
        yield f"127.0.0.1:{broker._port}"


@pytest.fixture
def administrator(authorizing: str) -> Iterator[Administrator]:
    """Somebody with all rights."""
    made = Administrator(authorizing)
    yield made
    made.close()


@pytest.fixture
def own(authorizing: str, tmp_path: Path) -> Iterator[System]:
    """Topics of this test's own and a worker on them that is not started."""
    prefix = f"s{next(_serial)}"
    settings = _settings(authorizing, prefix, tmp_path)
    topics.create(KafkaOptions((authorizing,)), prefix, PARTITIONS, 1)
    with workers(tmp_path, settings, "a") as (worker,):
        yield System(settings, worker, authorizing, prefix)


def _settings(servers: str, prefix: str, directory: Path) -> dict[str, str]:
    return environment(servers, prefix, directory) | QUICK | {"TICKETFLOW_PARTITIONS": str(PARTITIONS)}


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[tuple[System, EmbeddedBroker]]:
    """A worker that is ready, on a broker of this test's own."""
    with authorizing_broker(tmp_path / "broker") as broker:
        servers = f"127.0.0.1:{broker._port}"
        settings = _settings(servers, "alone", tmp_path)
        topics.create(KafkaOptions((servers,)), "alone", PARTITIONS, 1)
        with workers(tmp_path, settings, "a") as (worker,):
            yield System(settings, worker.start().ready(), servers, "alone"), broker


def publish(system: System, *ticket_ids: str) -> None:
    """Let tickets be registered."""
    assert system.run("publish", "-", stdin=b"".join(map(registered, ticket_ids))).returncode == 0


def held_up(worker: Worker, reason: str, words: str) -> None:
    """Wait until the worker has failed for this reason and says these words of it, and see how it bears it.

    It is alive, tries again and again, and never says that it goes on. It logs what changes, and nothing of
    each attempt: on a busy machine a slow answer may be what is wrong for a moment, and that is a change.
    """

    def shown() -> bool:
        return blocked(worker) == {reason} and words in probe(worker, "/readyz")[1]

    awaited(shown, f"the worker is blocked, {reason}, and says {words!r}")
    before, begun = _said(worker), attempts(worker)

    def added() -> list[str]:
        return _said(worker)[len(before) :]

    def quiet() -> int:
        return attempts(worker) - begun - len(added())

    for number in range(1, _QUIET_ATTEMPTS + 1):
        awaited(lambda least=number: quiet() >= least, "it tries again without a word")
    awaited(shown, f"the worker is still blocked, {reason}, and says {words!r}")
    said = [*before[-1:], *added()]
    assert all(one != next_ for one, next_ in itertools.pairwise(said)), said
    assert not any(line.startswith("going on") for line in added()), said
    assert probe(worker, "/livez") == (200, "alive")
    assert probe(worker, "/readyz")[0] == 503


def _said(worker: Worker) -> list[str]:
    own = ("ops.worker", "ops.observer")
    lines = [line for line in worker.lines() if line.get("logger") in own]
    return [f"{line['event']} {line.get('reason', '')}" for line in lines]


def goes_on(worker: Worker) -> None:
    """Wait until all is well again."""
    awaited(
        lambda: probe(worker, "/readyz") == (200, "ready") and blocked(worker) == set(),
        "the worker is ready again",
    )
    worker.check()


RIGHTS = {
    "to write an output": (ResourceType.TOPIC, "{0}.journal", ACLOperation.WRITE, "{0}.journal"),
    "to read the events": (ResourceType.TOPIC, "{0}.events", ACLOperation.READ, "{0}.events"),
    "to the group": (ResourceType.GROUP, "{0}", ACLOperation.READ, "GroupAuthorizationFailedError"),
    "to the transactional id": (
        ResourceType.TRANSACTIONAL_ID, "{0}-worker-a", ACLOperation.WRITE, "TransactionalIdAuthorization",
    ),
}  # fmt: skip


@pytest.mark.parametrize("right", RIGHTS)
def test_a_right_that_is_taken_away_is_waited_for(
    own: System, administrator: Administrator, right: str
) -> None:
    """The worker says which is missing, dead-letters nothing, and does what waited once it has it again."""
    kind, name, operation, named = RIGHTS[right]
    resource = name.format(own.prefix)
    own.worker.start().ready()
    publish(own, "T-1", "T-2", "T-3")
    assert own.verified()["totals"]["applied"] == 3
    administrator.revoke(kind, resource, operation)
    publish(own, "T-4", "T-5", "T-6")
    held_up(own.worker, "not_authorized", "check the Kafka settings and rights")
    administrator.grant(kind, resource)
    goes_on(own.worker)
    assert own.verified()["totals"]["applied"] == 6
    assert _letters(own) == 0
    told = [str(line.get("reason")) for line in own.worker.lines()]
    assert any(named.format(own.prefix) in reason for reason in told), told


def test_an_output_topic_that_goes_is_waited_for(own: System, administrator: Administrator) -> None:
    """What needs it waits until it was made again; what came meanwhile is decided then, once."""
    own.worker.start().ready()
    publish(own, "T-1")
    own.verified()
    administrator.delete(f"{own.prefix}.dead-letter")
    own.run("publish", "--force", "-", stdin=b"no event\n" + registered("T-2"))
    held_up(own.worker, "topic_missing", f"there is no topic {own.prefix}.dead-letter")
    assert own.run("topics", "create").returncode == 0
    goes_on(own.worker)
    assert own.verified()["totals"]["rejected"] == _letters(own) == 1
    assert own.verified()["totals"]["applied"] == 2


def _letters(system: System) -> int:
    """How many dead letters there are."""
    reader = KafkaReader(KafkaOptions((system.servers,)))
    try:
        ends = reader.ends(f"{system.prefix}.dead-letter")
        return sum(len(list(reader.read(f"{system.prefix}.dead-letter", number))) for number in ends)
    finally:
        reader.close()


def test_topics_that_may_not_be_described_are_waited_for(own: System, administrator: Administrator) -> None:
    """A worker that starts without the right to the topics' settings names it, and starts once it has it."""
    events = f"{own.prefix}.events"
    administrator.revoke(ResourceType.TOPIC, events, ACLOperation.DESCRIBE_CONFIGS)
    own.worker.start()
    held_up(own.worker, "not_authorized", f"{events} cannot be read: check the Kafka settings and rights")
    checked = own.run("topics", "check")
    assert (checked.returncode, checked.stderr.count(b"DescribeConfigs")) == (1, 1)
    administrator.grant(ResourceType.TOPIC, events)
    goes_on(own.worker)


@pytest.mark.parametrize("suffix", ["events", "state"])
def test_a_topic_that_was_made_anew_is_not_taken_for_the_old_one(
    own: System, administrator: Administrator, suffix: str
) -> None:
    """No event is decided on it, and none of tickets that are gone; not by a restarted worker either."""
    own.worker.start().ready()
    publish(own, *(f"T-{number}" for number in range(8)))
    own.verified()
    administrator.delete(f"{own.prefix}.{suffix}")
    if suffix == "state":
        publish(own, "T-8", "T-9")
    held_up(own.worker, "topic_missing", f"there is no topic {own.prefix}.{suffix}")
    assert own.run("topics", "create").returncode == 0
    publish(own, "T-10", "T-11")
    for _ in range(2):
        held_up(own.worker, "topics_disagree", "was made anew")
        assert own.worker.stop() == 0
        own.worker.start()
    causes = [each["data"]["cause"]["kind"] for each in own.values("journal")]
    assert causes.count("event") == 8  # and on a slow machine warnings
    assert _letters(own) == 0


def test_topics_that_are_missing_at_the_start_are_waited_for(authorizing: str, tmp_path: Path) -> None:
    """A worker that is started too early says what is missing, and begins by itself when it is there."""
    settings = _settings(authorizing, "early", tmp_path)
    with workers(tmp_path, settings, "a") as (worker,):
        worker.start()
        held_up(worker, "topic_missing", "early.events is missing")
        assert run(settings, "topics", "create").returncode == 0
        goes_on(worker)
        assert worker.stop() == 0


def test_a_record_beyond_a_topics_limit_is_waited_for(own: System, administrator: Administrator) -> None:
    """A topic is made for all that the engine writes: whoever narrowed it is told, and nothing is lost."""
    own.worker.start().ready()
    administrator.limit(f"{own.prefix}.dead-letter", 100_000)
    own.run("publish", "--force", "-", stdin=b"x" * 200_000 + b"\n")
    held_up(own.worker, "refused", "topics check")
    administrator.limit(f"{own.prefix}.dead-letter", 4 * MIB)
    goes_on(own.worker)
    assert own.verified()["totals"]["rejected"] == 1


def test_a_broker_that_falls_silent_is_noticed_by_an_idle_worker(
    alone: tuple[System, EmbeddedBroker],
) -> None:
    """It has nothing to commit, and still says that Kafka does not answer; then it goes on by itself."""
    system, broker = alone
    publish(system, "T-1")
    system.verified()
    os.kill(broker.pid, signal.SIGSTOP)
    try:
        held_up(system.worker, "unreachable", "does not answer")
    finally:
        os.kill(broker.pid, signal.SIGCONT)
    goes_on(system.worker)
    publish(system, "T-2")
    assert system.verified()["totals"]["applied"] == 2


def test_a_full_disk_is_waited_for(alone: tuple[System, EmbeddedBroker]) -> None:
    """A broker that cannot write ends; with room, and started again, nothing is lost and nothing twice."""
    system, broker = alone
    publish(system, "T-1")
    system.verified()
    let_files_grow(broker, 2 * MIB)
    many = b"".join(registered(f"F-{number}") for number in range(4_000))
    system.run("publish", "-", stdin=many)  # fails in the middle, when it comes to that
    awaited(lambda: broker.wait(0.1) is not None, "the broker cannot write any more")
    held_up(system.worker, "unreachable", "does not answer")
    assert broker.start() == system.servers
    goes_on(system.worker)
    totals = system.verified()["totals"]
    assert totals["applied"] + totals["duplicate"] == totals["consumed"] > 1
    assert totals["rejected"] == 0
