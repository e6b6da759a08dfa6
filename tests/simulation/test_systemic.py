"""Failures that no record is to blame for, on the in-memory log: what the engine shows, keeps and waits."""

import math
from dataclasses import replace

import pytest

from consumers.engine import Bounds, Engine
from consumers.log import LogError, Outgoing, Polled, Position, Reason, Restart, Unavailable
from consumers.memory import Partition
from schemas.topics import partition_for
from tests.support.cluster import GROUP, Cluster, FaultyLog, settle
from tests.support.world import DAY, at, written

pytestmark = pytest.mark.simulation

POLICY = """
clocks:
  - {clock: whole, target: 1h, start: [created], stop: [resolved],
     on_breach: [{after: 0s, notify: [supervisor]}]}
"""


def cluster(partitions: int = 1) -> Cluster:
    """A cluster at the beginning of time."""
    made = Cluster(written(POLICY), partitions=partitions)
    made.clock.time = at(0)
    return made


class Broken:
    """Fails at one step as long as it is not mended."""

    def __init__(self, at_step: str, error: LogError) -> None:
        self.at_step, self.error = at_step, error
        self.mended = False

    def __call__(self, step: str) -> None:
        if step == self.at_step and not self.mended:
            raise self.error


def turn(engine: Engine, turns: int) -> None:
    """Turn so often."""
    for _ in range(turns):
        engine.turn()


@pytest.mark.parametrize("step", ["poll", "committed", "changelog", "begin", "send", "commit"])
@pytest.mark.parametrize("reason", [reason for reason in Reason if reason is not Reason.UNCERTAIN])
def test_a_systemic_failure_is_waited_for_and_blames_no_record(step: str, reason: Reason) -> None:
    """Wherever it hits, the engine names it until all is well; nothing is refused, lost or doubled."""
    undisturbed = cluster()
    c = cluster()
    for each in (undisturbed, c):
        each.publish("created", 0)
        each.append(b"T", b"no json", (), 1)
    settle(undisturbed.worker())
    broken = Broken(step, Unavailable("somebody has to mend it", reason))
    engine = c.worker(step=broken)
    turn(engine, 40)
    assert (engine.trouble, engine.ready) == (broken.error, False)
    assert c.records("dead-letter") == []
    assert len(c.watcher.restarts) > 10
    broken.mended = True
    settle(engine)
    assert (engine.trouble, engine.ready) == (None, True)
    assert c.outcome() == undisturbed.outcome()


def test_the_back_off_grows_although_every_other_turn_succeeds() -> None:
    """A poll and a restore succeed before the commit that fails again: they do not end the trouble."""
    c = cluster(partitions=3)
    for number in range(9):
        c.publish("created", 0, ticket=f"T{number}")
    waits: list[float] = []
    broken = Broken("commit", Unavailable("no room", Reason.STORAGE))
    engine = c.worker(step=broken)
    engine._sleep = waits.append
    turn(engine, 60)
    first, longest = Bounds().back_off_seconds
    assert waits == [min(first * 2**attempt, longest) for attempt in range(len(waits))]
    assert len(waits) > 8
    broken.mended = True
    settle(engine)
    broken.mended = False
    c.publish("created", 1, ticket="LATER")
    turn(engine, 1)
    assert waits[-1] == first


def test_trouble_is_over_only_when_what_failed_has_succeeded() -> None:
    """That another partition commits meanwhile proves nothing."""
    c = cluster(partitions=2)
    names = [next(n for n in map(str, range(99)) if partition_for(n.encode(), 2) == p) for p in (0, 1)]

    class Refusing(FaultyLog):
        """Takes nothing for partition 1 as long as it is told so."""

        refuses = True

        def send(self, outgoing: Outgoing) -> None:
            if self.refuses and outgoing.partition == 1:
                raise Unavailable("too large", Reason.REFUSED)
            super().send(outgoing)

    engine = c.worker()
    assert isinstance(engine._log, FaultyLog)
    log = Refusing(engine._log.inner, engine._log.step)
    engine._log, engine._processor.send = log, log.send
    settle(engine)
    c.publish("created", 0, ticket=names[1])
    engine.turn()
    assert engine.trouble is not None
    turn(engine, 1)  # restores partition 0
    c.publish("created", 0, ticket=names[0])
    turn(engine, 1)  # commits it, and restores partition 1
    assert [entry["ticket_id"] for entry in c.journal()] == [names[0]]
    assert engine.trouble is not None
    log.refuses = False
    settle(engine)
    assert engine.trouble is None
    assert len(c.journal()) == 2


@pytest.mark.parametrize("partitions", [1, 2])
def test_a_poll_that_brings_nothing_does_not_end_the_trouble(partitions: int) -> None:
    """The answer that refuses what it asked for comes later: whoever could not read must have read."""
    c = cluster(partitions)
    engine = c.worker()
    settle(engine)

    class Slow(FaultyLog):
        """Is refused a right: the refusal comes with every fourth poll."""

        polls = 0
        refuses = True

        def poll(self, timeout_seconds: float, max_records: int) -> Polled:
            self.polls += 1
            polled = super().poll(timeout_seconds, max_records)
            if not self.refuses:
                return polled
            for number, records in polled.records.items():
                self.seek(number, records[0].offset)
            if self.polls % 4 == 0:
                raise Unavailable("no right to read", Reason.NOT_AUTHORIZED)
            return replace(polled, records={})

    assert isinstance(engine._log, FaultyLog)
    log = Slow(engine._log.inner, engine._log.step)
    engine._log = log
    for number in range(4):
        c.publish("created", 0, ticket=f"T{number}")
    while engine.trouble is None:
        engine.turn()
    for _ in range(40):
        engine.turn()
        assert engine.trouble is not None
    log.refuses = False
    settle(engine)
    assert engine.trouble is None
    assert len(c.journal()) == 4


def test_an_uncertain_outcome_is_no_lasting_trouble() -> None:
    """After a commit whose outcome was unknown the next one shows that all is well."""
    c = cluster()
    c.publish("created", 0)
    engine = c.worker(step=Broken("after commit", Restart("who knows")))
    while engine.trouble is None:
        engine.turn()
    settle(engine)
    assert engine.trouble is None
    assert len(c.journal()) == 1


def _made_anew(c: Cluster, topic: str) -> None:
    """Delete a topic and make it again; as in Kafka, with it go the positions of its partitions."""
    c.broker._topics[f"tickets.{topic}"] = [Partition() for _ in range(c.partitions)]
    if topic == "events":
        c.broker.group(GROUP, "tickets.events").positions.clear()


@pytest.mark.parametrize("topic", ["events", "state"])
def test_a_topic_that_was_made_anew_is_not_worked_on(topic: str) -> None:
    """Its events would be refused for want of their tickets, or tickets begin again: people must look."""
    c = cluster()
    c.publish("created", 0, ticket="A")
    c.publish("created", 0, ticket="B")
    settle(c.worker())
    _made_anew(c, topic)
    c.publish("assigned", 5, ticket="A")
    engine = c.worker()
    turn(engine, 20)
    assert isinstance(engine.trouble, Unavailable)
    assert engine.trouble.reason is Reason.TOPICS_DISAGREE
    assert "made anew" in str(engine.trouble)
    assert len(c.journal()) == 2
    assert c.records("dead-letter") == []


def test_whoever_sets_a_position_by_hand_is_believed() -> None:
    """A position without a note, as Kafka's own tools leave it, is where the worker goes on."""
    c = cluster()
    c.publish("created", 0, ticket="A")
    settle(c.worker())
    _made_anew(c, "events")
    c.publish("assigned", 5, ticket="A")
    tool = c.broker.begin("tool", c.broker.init_producer("tool"))
    group = c.broker.group(GROUP, "tickets.events")
    c.broker.stage(tool, group, {0: Position(0)})
    c.broker.finish(tool, commit=True)
    settle(c.worker())
    assert [entry["trigger"] for entry in c.journal()] == ["created", "assigned"]


def test_a_large_partition_is_restored_in_steps_beside_which_others_are_worked_on() -> None:
    """A turn restores no more than its bound, so that polls, others' events and others' clocks go on."""
    c = cluster(partitions=2)
    names = [n for n in map(str, range(400)) if partition_for(n.encode(), 2) == 1][:100]
    small = next(n for n in map(str, range(99)) if partition_for(n.encode(), 2) == 0)
    for name in (*names, small):
        c.publish("created", 0, ticket=name)
    settle(c.worker())
    c.publish("contacted", 60, ticket=small)
    c.clock.time = at(DAY)
    engine = c.worker(bounds=Bounds(max_restored=10))
    turn(engine, 4)
    assert (set(engine.partitions), engine.ready) == ({0}, False)
    kinds = [entry["cause"]["kind"] for entry in c.journal() if entry["ticket_id"] == small]
    assert kinds == ["event", "event", "clock"]
    turn(engine, math.ceil(2 * len(names) / 10))  # each a record, then a ticket
    assert engine.ready
