"""`verify` finds nothing where nothing is wrong: under any history, while workers go on, after retention."""

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.engine import Bounds
from consumers.log import Outgoing, Position, Reader, Record
from ops.policies import load
from ops.verify import nothing_committed, verify
from producers.outbox import Outbox
from schemas.envelope import Code
from schemas.topics import Topic
from tests.simulation.histories import Step, steps
from tests.simulation.worlds import GROUP, PREFIX, World
from tests.support.world import written
from workflow.policy import UnknownPolicyVersion

POLICIES = load(None)

_DAY = [
    "created", "chat", "created", "dropped", "created", "assigned", "assigned", "garbage", "pending", "again",
    "merged", "assigned", "resumed", "resolved", "again", "transferred", "resolved", "reopened",
    "unknown_type", "confirmed", "promised", "client", "escalated", "scheduled", "returned", "cancelled",
]  # fmt: skip
BUSY: tuple[Step, ...] = tuple(
    (number % 5, kind, 7 * number % 400, 30 * (number % 3 == 0)) for number, kind in enumerate(_DAY * 4)
)
TWICE: tuple[Step, ...] = (*BUSY, (0, "garbage", 4_000_000, 0), *BUSY)
"""Between the two all that is closed leaves the state, so that ids are used again."""


@pytest.mark.simulation
@settings(max_examples=100, deadline=None)
@given(
    steps,
    st.sampled_from([Bounds(1, 1), Bounds(3, 2), Bounds(500, 500)]),
    st.sets(st.integers(0, 60)),
    st.sampled_from([0, 60, 4000, 100_000, 4_000_000]),
)
def test_any_history_is_clean(history: list[Step], bounds: Bounds, pauses: set[int], wait: int) -> None:
    """Whatever happens to tickets, and however it is batched, no law is broken and the sums are right."""
    world = World(POLICIES, 3, bounds)
    world.play(history, sorted(pauses))
    world.wait(timedelta(seconds=wait))
    report = world.verify()
    assert list(map(str, report.findings)) == []
    totals = report.totals
    assert totals["consumed"] == totals["applied"] + totals["rejected"] + totals["duplicate"]
    assert totals["consumed"] == world.observer.events
    assert totals["journal"] == totals["applied"] + totals["firings"]


class RacingReader:
    """A reader beside which a worker goes on: before every reading it takes one more turn."""

    def __init__(self, world: World) -> None:
        self.world, self.reader = world, world.reader

    def partitions(self, topic: str) -> int:
        return self.reader.partitions(topic)

    def beginnings(self, topic: str) -> dict[int, int]:
        return self.reader.beginnings(topic)

    def ends(self, topic: str) -> dict[int, int]:
        return self.reader.ends(topic)

    def read(self, topic: str, partition: int, start: int = 0, end: int | None = None) -> Iterator[Record]:
        records = self.reader.read(topic, partition, start, end)
        self._work()
        for record in list(records):
            yield record
            self._work()

    def committed(self, group: str, topic: str) -> dict[int, Position]:
        positions = self.reader.committed(group, topic)
        self._work()
        return positions

    def close(self) -> None:
        self.reader.close()

    def _work(self) -> None:
        self.world.clock.time += timedelta(seconds=20)
        self.world.engine.turn()


@pytest.mark.parametrize("done", [0, 10, 50])
def test_a_worker_may_go_on_meanwhile(done: int) -> None:
    """What a worker commits after the beginning is left out, whatever it is, and nothing is found."""
    world = World(POLICIES, 3, Bounds(2, 2))
    world.play(BUSY[:done])
    before = world.observer.events
    world_reader: Reader = RacingReader(world)
    for number, (key, value, arrival) in enumerate(_records(BUSY)):
        if number >= done:
            world.publish(key, value, arrival)
    report = verify(world_reader, PREFIX, GROUP, POLICIES)
    assert list(map(str, report.findings)) == []
    assert before <= report.totals["consumed"] < world.observer.events


class PatientReader(RacingReader):
    """A reader that waits for open transactions as Kafka's does: until then a worker stands still in one."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.in_transaction, self.go_on = threading.Event(), threading.Event()
        self.worker = threading.Thread(target=world.engine.turn)
        send = world.log.send

        def stop_at_the_states(outgoing: Outgoing) -> None:
            if outgoing.topic == world.topic(Topic.STATE):
                self.in_transaction.set()
                self.go_on.wait()
            send(outgoing)

        world.engine._processor.send = stop_at_the_states
        self.worker.start()
        self.in_transaction.wait()

    def _work(self) -> None:
        """It stands still."""

    def read(self, topic: str, partition: int, start: int = 0, end: int | None = None) -> Iterator[Record]:
        end = self.world.broker.topic(topic)[partition].end if end is None else end
        return self._patiently(topic, partition, start, end)

    def _patiently(self, topic: str, partition: int, start: int, end: int) -> Iterator[Record]:
        if self.reader.ends(topic)[partition] < end:
            self.go_on.set()
            self.worker.join()
        yield from self.reader.read(topic, partition, start, end)


def test_a_transaction_that_is_half_written_at_the_beginning_is_read_whole() -> None:
    """Firings whose journal records are there already: the states that follow belong to what is read."""
    world = World(POLICIES, 1, Bounds(500, 500))
    world.play(BUSY[:20], [19])
    world.clock.time += timedelta(days=2)
    reader = PatientReader(world)
    report = verify(reader, PREFIX, GROUP, POLICIES)
    assert not reader.worker.is_alive()
    assert list(map(str, report.findings)) == []
    assert report.totals["firings"] > 0


def _records(history: tuple[Step, ...]) -> list:  # type: ignore[type-arg]
    from tests.simulation.histories import published

    return published(history)


def test_lives_without_their_first_events_are_only_folded() -> None:
    """Where events are no longer kept, it says from where they are, and folds what it cannot decide."""
    world = World(POLICIES, 3, Bounds(5, 5))
    world.play(TWICE, range(0, len(TWICE), 3))
    whole = world.verify().totals
    for partition in range(3):
        third = len(world.slots(Topic.EVENTS, partition)) // 3
        world.broker.delete_before(world.topic(Topic.EVENTS), partition, third)
    report = world.verify()
    assert list(map(str, report.findings)) == []
    assert report.totals["only_folded"] > 0
    assert report.totals["decided_again"] > 0
    assert report.totals["journal"] == whole["journal"]
    assert {each.first_offset > 0 for each in report.partitions if each.consumed} == {True}
    assert "only folded" in "\n".join(report.lines())


def test_without_the_version_of_the_records_it_names_that_instead_of_differences() -> None:
    """Decided again under another policy nothing agrees: hundreds of broken laws would hide the reason."""
    world = World(POLICIES, 3, Bounds(5, 5))
    world.play(TWICE)
    clock = "{clock: c, target: 1h, start: [created], stop: [closed]}"
    other = f'{{policy: gosuslugi, version: "2", clocks: [{clock}]}}'
    with pytest.raises(UnknownPolicyVersion, match=r"gosuslugi@2026\.1, and only gosuslugi@2 is here"):
        verify(world.reader, PREFIX, GROUP, written(other))


def test_outputs_that_are_no_longer_kept_are_not_missed() -> None:
    """Notifications, metrics and dead letters whose beginning was deleted are checked from there on."""
    world = World(POLICIES, 3, Bounds(5, 5))
    world.play(BUSY, range(0, 100, 3))
    for topic in (Topic.NOTIFICATIONS, Topic.METRICS, Topic.DEAD_LETTER):
        for partition in range(3):
            half = len(world.slots(topic, partition)) // 2
            world.broker.delete_before(world.topic(topic), partition, half)
    report = world.verify()
    assert list(map(str, report.findings)) == []
    assert report.totals["notifications"] > 0


def test_a_subscribers_dead_letters_are_none_of_its_business() -> None:
    """Dead letters about another topic of ours, wherever they stand, change nothing that is found."""
    world = World(POLICIES, 3, Bounds(5, 5))
    world.play(BUSY, range(0, 100, 3))
    before = world.verify()
    notifications, letters = world.topic(Topic.NOTIFICATIONS), world.topic(Topic.DEAD_LETTER)
    outbox = Outbox(PREFIX, 3, f"{GROUP}-notifier")
    for partition in range(3):
        for record in list(world.reader.read(notifications, partition)):
            letter = outbox.dead_letter(record, Code.INVALID_DATA, "nobody is there")
            assert letter.topic == letters
            written = Record(
                letters, partition, 0, record.timestamp_us, letter.key, letter.value, letter.headers
            )
            world.slots(Topic.DEAD_LETTER, partition).insert(0, written)
    report = world.verify()
    assert list(map(str, report.findings)) == []
    assert report.totals == before.totals
    assert report.totals["rejected"] > 0


def test_a_compacted_state_topic_is_enough() -> None:
    """Only the last state record of each ticket is left, and later even no tombstone: nothing is found."""
    world = World(POLICIES, 3, Bounds(5, 5))
    world.play(TWICE, range(0, len(TWICE), 3))
    for partition in range(3):
        slots = world.slots(Topic.STATE, partition)
        last = {record.key: record for record in slots if record is not None}
        for index, record in enumerate(slots):
            if record is not None and (record is not last[record.key] or record.value is None):
                slots[index] = None
    report = world.verify()
    assert list(map(str, report.findings)) == []
    assert report.totals["states"] > 0


def test_nothing_committed_is_nothing_consumed() -> None:
    """Topics on which nobody has worked yet are clean."""
    world = World(POLICIES)
    world.publish(b"T-1", b"{}", world.clock.now())
    report = world.verify()
    assert report.clean
    assert report.totals["consumed"] == 0
    assert list(report.lines())[-1] == "nothing was found"


def test_a_group_that_has_committed_nothing_is_named() -> None:
    """Of a group without a position there is a warning once there are events, and none once it works."""
    world = World(POLICIES)
    reader = world.reader
    assert nothing_committed(reader, PREFIX, GROUP) is None
    world.publish(b"T-1", b"{}", world.clock.now())
    assert "TICKETFLOW_GROUP_ID" in (nothing_committed(reader, PREFIX, GROUP) or "")
    world.turn()
    world.turn()
    assert nothing_committed(reader, PREFIX, GROUP) is None
    assert f"Group {GROUP}x has committed" in (nothing_committed(reader, PREFIX, f"{GROUP}x") or "")
