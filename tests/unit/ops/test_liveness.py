"""/livez fails when the loop stops, and only then: a virtual clock goes on in whatever the loop does."""

from collections.abc import Callable, Iterator, Mapping

import pytest

from consumers.engine import Bounds, Engine
from consumers.log import Log, Position, Record, Restart, Unavailable
from consumers.memory import MemoryLog
from ops import worker
from ops.observer import WorkerMetrics
from ops.service import Stop, Stopped
from ops.settings import Settings
from producers.outbox import Outbox
from schemas.instants import to_epoch
from tests.support.cluster import GROUP, Cluster, FaultyLog, Step
from tests.support.world import at, written

LIMIT_SECONDS = Settings().max_poll_interval_seconds
POLICY = "clocks: [{clock: whole, target: 1h, start: [created], stop: [resolved]}]"


class Slow(FaultyLog):
    """A log of whose changelog each record is a step, too."""

    def changelog(self, partition: int, start: int = 0) -> Iterator[Record]:
        for record in super().changelog(partition, start):
            self.step("record")
            yield record


class Watched:
    """A worker's loop and its endpoint; every step of the log takes as long as a test says."""

    def __init__(self, tickets: int = 0) -> None:
        self.now = 0.0
        self.takes: Mapping[str, float] = {}
        self.fails: Callable[[str], bool] = lambda step: False  # noqa: ARG005 (each of them)
        self.alive: list[bool] = []
        self.cluster = Cluster(written(POLICY))
        self.cluster.clock.time = at(0)
        for number in range(tickets):
            self.cluster.publish("created", 0, ticket=f"T{number}")
        if tickets:
            before = self.cluster.worker()
            while before.turn() or not self.cluster.journal():
                pass
        self.metrics = WorkerMetrics(lambda: self.now)
        self.endpoint = worker._endpoint(Settings(metrics_port=0), self.metrics)
        self.engine = self._engine(self.step)

    def _engine(self, step: Step) -> Engine:
        log: Log = MemoryLog(
            self.cluster.broker, events="tickets.events", state="tickets.state", group=GROUP, worker_id="a"
        )
        outbox = Outbox("tickets", 1, GROUP)
        return Engine(
            Slow(log, step), self.cluster.clock, self.cluster.policies, outbox, self.metrics,
            Bounds(), sleep=self.sleep,
        )  # fmt: skip

    def step(self, name: str) -> None:
        """A step of the log: time goes by, and somebody asks."""
        self.now += self.takes.get(name, 0.0)
        self.alive.append(self.livez)
        if self.fails(name):
            raise Unavailable("no answer")

    def sleep(self, seconds: float) -> None:
        """A back-off."""
        self.now += seconds
        self.alive.append(self.livez)

    @property
    def livez(self) -> bool:
        """What /livez says now."""
        return self.endpoint.answer("/livez", "")[0] == 200

    def turn(self, turns: int) -> None:
        """Let the loop turn."""
        for _ in range(turns):
            self.engine.turn()


@pytest.fixture
def watched() -> Iterator[Watched]:
    """A worker without tickets."""
    made = Watched()
    yield made
    made.endpoint.close()


def test_a_loop_that_hangs_is_not_alive_until_it_turns_again(watched: Watched) -> None:
    """A call that does not return within the limit shows while it lasts, and only then."""
    watched.turn(3)
    assert watched.livez
    watched.takes = {"poll": LIMIT_SECONDS}
    watched.turn(1)
    assert watched.alive[-1] is False
    watched.takes = {}
    watched.turn(1)
    assert watched.livez


def test_a_loop_that_has_died_is_not_alive(watched: Watched) -> None:
    """Nobody turns it any more, though the endpoint still answers."""
    watched.turn(1)
    watched.cluster.publish("created", 0)
    watched.engine._processor.policies = None  # type: ignore[assignment] # a bug
    with pytest.raises(AttributeError):
        watched.turn(5)
    watched.now += LIMIT_SECONDS
    assert not watched.livez


def test_a_cluster_that_is_away_for_hours_is_no_reason_to_kill_its_workers(watched: Watched) -> None:
    """Each attempt takes as long as a request may, and then there is the longest back-off."""
    watched.turn(3)
    watched.takes = {"poll": 45.0}
    watched.fails = lambda step: step == "poll"
    watched.turn(200)
    assert watched.now > 2 * 3600
    assert all(watched.alive)
    assert watched.endpoint.answer("/readyz", "")[0] == 503


def test_a_reset_that_fails_again_and_again_is_a_loop_that_lives(watched: Watched) -> None:
    """Within one turn the loop may wait for hours; each attempt shows that it lives."""
    watched.turn(3)
    left = 200

    def resets() -> None:
        nonlocal left
        watched.now += 30.0
        watched.alive.append(watched.livez)
        left -= 1
        if left:
            raise Unavailable("no answer")

    watched.engine._log.reset = resets  # type: ignore[method-assign]
    watched.fails = lambda step: step == "poll" and left == 200
    watched.turn(1)
    assert watched.now > 3600
    assert all(watched.alive)


def test_a_long_restore_is_progress() -> None:
    """It takes longer than the limit as a whole, and every part of it is a turn."""
    watched = Watched(tickets=5_000)
    watched.takes = {"record": 0.05}
    begun = watched.now
    while not watched.engine.partitions:
        watched.turn(1)
    watched.endpoint.close()
    assert watched.now - begun > 2 * LIMIT_SECONDS
    assert all(watched.alive)


def test_a_slow_commit_is_waited_for(watched: Watched) -> None:
    """The watchdog lets a call take up to three sessions; /livez has nothing to say before that."""
    watched.turn(3)
    watched.cluster.publish("created", 0)
    watched.takes = {"commit": max(45.0, 3 * Settings().session_timeout_seconds)}
    watched.turn(3)
    assert watched.cluster.reader.committed(GROUP, "tickets.events") == {
        0: Position(1, f"{to_epoch(at(0))} 1")
    }
    assert all(watched.alive)


def test_a_start_that_has_to_wait_is_alive_and_says_for_what(watched: Watched) -> None:
    """The endpoint answers before the worker is connected; each attempt counts as a turn of the loop."""
    left, log = 100, watched.engine._log

    def connect() -> Log:
        nonlocal left
        watched.now += 30.0
        watched.alive.append(watched.livez)
        left -= 1
        if left:
            raise Unavailable("there is no topic x")
        return log

    slept: list[float] = []
    assert worker.patiently(connect, watched.metrics, slept.append) is log
    assert all(watched.alive)
    assert slept[:3] == [0.1, 0.2, 0.4]
    assert slept[-1] == max(slept) == Bounds().back_off_seconds[1]
    status, _, text = watched.endpoint.answer("/readyz", "")
    assert (status, text.decode()) == (503, "there is no topic x; tried again until it succeeds\n")


def test_a_start_whose_outcome_is_unknown_is_tried_again(watched: Watched) -> None:
    """A cluster that is too slow to answer leaves one; the worker waits for it as for one that is away."""
    outcomes = [Restart("connecting to Kafka failed (KafkaError)"), watched.engine._log]

    def connect() -> Log:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Restart):
            raise outcome
        return outcome

    slept: list[float] = []
    assert worker.patiently(connect, watched.metrics, slept.append) is watched.engine._log
    assert slept == [0.1]


def test_a_start_that_waits_can_be_ended(watched: Watched) -> None:
    """Whoever sends SIGTERM to a worker that waits for its cluster need not wait for that."""

    def connect() -> Log:
        raise Unavailable("no answer")

    stop = Stop()
    stop.request()
    with pytest.raises(Stopped):
        worker.patiently(connect, watched.metrics, stop.sleep)
