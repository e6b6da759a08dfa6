"""The loop of a subscriber: where it begins, what it does after an outage, and what it must not miss."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from consumers.checkpoint import Checkpoint, Format
from consumers.clock import VirtualClock
from consumers.log import LogError, Outgoing, Place, Record, Restart, Unavailable
from consumers.memory import MemoryBroker
from consumers.memory_feed import MemoryFeed
from consumers.subscriber import Subscriber
from tests.support.world import START

FORMAT = Format(1, "CREATE TABLE IF NOT EXISTS kept (topic TEXT, value BLOB);")
LOG, STATE = "t.log", "t.state"


class Feed(MemoryFeed):
    """A feed whose cluster can be away."""

    away: type[Restart] | None = None
    ahead = 0
    """So many records more than can be read yet are in the log's first partition."""

    def _ask(self) -> None:
        if self.away is not None:
            raise self.away("away")

    def beginnings(self, topics: Collection[str]) -> dict[Place, int]:
        self._ask()
        return super().beginnings(topics)

    def ends(self) -> dict[Place, int]:
        self._ask()
        ends = super().ends()
        return ends | {Place(LOG, 0): ends[Place(LOG, 0)] + self.ahead}


class Keeper:
    """A projection that keeps every value."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint

    def apply(self, records: Sequence[Record]) -> None:
        rows = [(record.topic, record.value) for record in records]
        self._checkpoint.database.executemany("INSERT INTO kept VALUES (?, ?)", rows)

    def forget(self) -> None:
        self._checkpoint.database.execute("DELETE FROM kept WHERE topic = ?", (STATE,))


class World:
    """Two topics, and a subscriber that can be started again."""

    def __init__(self, directory: Path) -> None:
        self.broker = MemoryBroker({LOG: 2, STATE: 2})
        self.ids = {LOG: "log-1", STATE: "state-1"}
        self.clock, self.path = VirtualClock(START), directory / "x.sqlite"
        self.begin()

    def begin(self) -> None:
        """A process that has nothing but the checkpoint."""
        self.checkpoint = Checkpoint(self.path, FORMAT)
        self.feed = Feed(self.broker)
        self.subscriber = Subscriber(
            self.feed,
            self.checkpoint,
            Keeper(self.checkpoint),
            self.clock,
            topics=[LOG, STATE],
            compacted=STATE,
            topic_ids=lambda topics: {topic: self.ids[topic] for topic in topics if topic in self.ids},
        )

    def again(self) -> None:
        """End, and begin anew."""
        self.checkpoint.close()
        self.begin()
        self.subscriber.start()

    def write(self, *values: bytes, topic: str = LOG) -> None:
        """Write to the first partition."""
        for value in values:
            self.broker.append(topic, b"k", value)

    def wait(self, **duration: float) -> None:
        """Let time go by."""
        self.clock.time += timedelta(**duration)

    @property
    def kept(self) -> list[bytes]:
        """All that was applied."""
        return [value for (value,) in self.checkpoint.database.execute("SELECT value FROM kept")]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A subscriber that has not started yet."""
    made = World(tmp_path)
    yield made
    made.checkpoint.close()


def test_it_reads_from_the_start_and_goes_on_where_it_was(world: World) -> None:
    """Every record is applied once, over a restart of the process."""
    world.write(b"1", b"2")
    world.subscriber.start()
    assert world.subscriber.turn(0) == 2
    world.write(b"3")
    world.again()
    assert world.subscriber.turn(0) == 1
    assert world.kept == [b"1", b"2", b"3"]


def test_it_has_caught_up_with_what_was_there_at_the_start(world: World) -> None:
    """Not before; and what is written meanwhile does not put it off."""
    world.write(*[b"x"] * 3_000)
    world.subscriber.start()
    world.subscriber.turn(0)
    world.write(*[b"x"] * 3_000)
    assert not world.subscriber.caught_up
    world.subscriber.turn(0)
    assert world.subscriber.caught_up


def test_empty_topics_are_caught_up_with_at_once(world: World) -> None:
    """One turn says so, also where the last offset is a transaction's marker."""
    transaction = world.broker.begin("t", world.broker.init_producer("t"))
    world.broker.write(transaction, Outgoing(LOG, 0, b"k", b"never"))
    world.broker.finish(transaction, commit=False)
    world.subscriber.start()
    world.subscriber.turn(0)
    assert (world.subscriber.caught_up, world.kept) == (True, [])


def test_an_error_in_a_batch_leaves_the_position(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not applied is read again after a start."""
    world.write(b"1")
    world.subscriber.start()
    monkeypatch.setattr(Checkpoint, "save", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        world.subscriber.turn(0)
    monkeypatch.undo()
    assert (world.kept, world.checkpoint.positions()) == ([], {})
    world.subscriber.start()
    world.subscriber.turn(0)
    assert world.kept == [b"1"]


def test_an_outage_is_noticed_without_records(world: World) -> None:
    """Every few seconds it asks for the ends; with no answer nothing is known any more, until it is again."""
    world.subscriber.start()
    world.subscriber.turn(0)
    world.feed.away = Unavailable
    world.subscriber.turn(0)
    world.wait(seconds=10)
    with pytest.raises(Unavailable):
        world.subscriber.turn(0)
    assert (world.subscriber.caught_up, world.subscriber.lag_records) == (False, None)
    with pytest.raises(Unavailable):
        world.subscriber.start()
    world.feed.away = None
    world.write(b"1")
    world.subscriber.start()
    world.subscriber.turn(0)
    assert (world.subscriber.caught_up, world.kept) == (True, [b"1"])


def test_the_lag_is_what_is_left_to_read(world: World) -> None:
    """In offsets, as of the last look."""
    world.subscriber.start()
    world.subscriber.turn(0)
    world.write(*[b"x"] * 2_500)
    world.wait(seconds=10)
    world.subscriber.turn(0)
    assert world.subscriber.lag_records == 500
    world.wait(seconds=10)
    world.subscriber.turn(0)
    assert world.subscriber.lag_records == 0


def test_what_was_deleted_is_soon_in_no_file(world: World) -> None:
    """Ten seconds later it is gone from what SQLite keeps beside the checkpoint, too, while it runs."""
    world.write(b"somebody-s-name")
    world.subscriber.start()
    world.subscriber.turn(0)
    with world.checkpoint.transaction() as database:
        database.execute("DELETE FROM kept")
    world.wait(seconds=10)
    world.subscriber.turn(0)
    found = {file.name: b"somebody-s-name" in file.read_bytes() for file in world.path.parent.iterdir()}
    assert found == {"x.sqlite": False, "x.sqlite-wal": False}


def test_records_that_were_deleted_are_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """It goes on with the earliest that are left, and says which are lost."""
    world.write(b"1")
    world.subscriber.start()
    world.subscriber.turn(0)
    world.write(b"2", b"3")
    world.broker.delete_before(LOG, 0, 2)
    world.again()
    world.subscriber.turn(0)
    assert world.kept == [b"1", b"3"]
    assert caplog.messages == [
        "partition 0 of t.log: the records from 1 to 2 were deleted before they were processed"
    ]


def test_a_topic_that_was_made_anew_is_a_sentence(world: World) -> None:
    """It names the checkpoint that is to be moved away."""
    world.write(b"1")
    world.subscriber.start()
    world.subscriber.turn(0)
    world.broker = MemoryBroker({LOG: 2, STATE: 2})
    with pytest.raises(LogError, match=r"t\.log was read up to 1 but ends at 0: .* move .*x\.sqlite away"):
        world.again()


def test_a_topic_that_was_made_anew_and_has_grown_is_a_sentence(world: World) -> None:
    """Its id tells it, though the position lies within it; nothing of it is taken in or noted."""
    world.write(b"1")
    world.subscriber.start()
    world.subscriber.turn(0)
    world.broker = MemoryBroker({LOG: 2, STATE: 2})
    world.write(b"2", b"3")
    world.ids[LOG] = "log-2"
    for _ in range(2):
        with pytest.raises(LogError, match=r"t\.log was made anew .* move .*x\.sqlite away"):
            world.again()
    assert world.kept == [b"1"]


def test_a_topic_that_is_made_anew_meanwhile_is_soon_a_sentence(world: World) -> None:
    """The client goes on in it as if nothing had happened; at the next look at the topics it is noticed."""
    world.subscriber.start()
    world.subscriber.turn(0)
    world.ids[STATE] = "state-2"
    world.wait(seconds=9)
    world.subscriber.turn(0)
    world.wait(seconds=1)
    with pytest.raises(LogError, match=r"t\.state was made anew"):
        world.subscriber.turn(0)


def test_what_tells_no_ids_is_followed_all_the_same(world: World) -> None:
    """Kafka before 2.8, and a checkpoint of before: the ids are noted as soon as they are told, and count."""
    ids, world.ids = world.ids, {}
    world.subscriber.start()
    world.write(b"1")
    world.subscriber.turn(0)
    world.ids = ids
    world.again()
    world.ids = {}
    world.again()
    assert world.kept == [b"1"]
    world.ids = ids | {LOG: "log-2"}
    with pytest.raises(LogError, match=r"t\.log was made anew"):
        world.again()


@pytest.mark.parametrize(("hours", "read_again"), [(12, False), (13, True)])
def test_after_a_long_absence_the_state_is_read_anew(world: World, hours: int, read_again: bool) -> None:
    """Tombstones are gone by then: what came of the compacted topic is dropped, and it is read again."""
    world.write(b"log")
    world.write(b"state", topic=STATE)
    world.subscriber.start()
    world.subscriber.turn(0)
    world.broker.delete_before(STATE, 0, 1)
    world.wait(hours=hours)
    world.again()
    world.subscriber.turn(0)
    assert world.kept == ([b"log"] if read_again else [b"log", b"state"])
    assert world.subscriber.caught_up


def test_a_quiet_day_is_no_absence(world: World) -> None:
    """While it runs and nothing comes it notes that nothing was missed."""
    world.write(b"state", topic=STATE)
    world.subscriber.start()
    world.subscriber.turn(0)
    for _ in range(24 * 6):
        world.wait(minutes=10)
        world.subscriber.turn(0)
    world.broker.delete_before(STATE, 0, 1)
    world.again()
    world.subscriber.turn(0)
    assert world.kept == [b"state"]


def test_a_busy_day_is_no_absence(world: World) -> None:
    """Also where each look finds that something more has come."""
    world.write(b"state", topic=STATE)
    world.subscriber.start()
    world.subscriber.turn(0)
    world.feed.ahead = 1
    for _ in range(24 * 6):
        world.write(b"log")
        world.wait(minutes=10)
        world.subscriber.turn(0)
        assert world.subscriber.lag_records == 1
    world.broker.delete_before(STATE, 0, 1)
    world.again()
    world.subscriber.turn(0)
    assert world.kept.count(b"state") == 1


def test_a_clock_that_is_set_back_hides_no_outage(world: World) -> None:
    """It looks at once, and not when the clock is again where it was."""
    world.subscriber.start()
    world.subscriber.turn(0)
    world.feed.away = Unavailable
    world.wait(hours=-1)
    with pytest.raises(Unavailable):
        world.subscriber.turn(0)


def test_absences_add_up_until_it_has_caught_up(world: World) -> None:
    """To have read something after an absence is not to have seen every tombstone."""
    world.write(b"state", topic=STATE)
    world.subscriber.start()
    world.subscriber.turn(0)
    world.write(*[b"x"] * 5_000)
    world.wait(hours=8)
    world.again()
    world.subscriber.turn(0)
    assert not world.subscriber.caught_up
    world.broker.delete_before(STATE, 0, 1)
    world.wait(hours=8)
    world.again()
    while world.subscriber.turn(0):
        pass
    assert b"state" not in world.kept


def test_following_is_only_what_was_asked_for(world: World) -> None:
    """Positions that the checkpoint has of other topics are left alone."""
    with world.checkpoint.transaction():
        world.checkpoint.save({Place("other", 0): 7}, START)
    world.subscriber.start()
    followed: Mapping[Place, int] = world.feed.positions()
    assert {place.topic for place in followed} == {LOG, STATE}


def test_a_mistake_of_the_client_is_a_restart_and_one_of_ours_is_not(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the client's state does not survive is begun anew; what a projection gets wrong is reported."""

    def fail(*_: object) -> None:
        raise KeyError(0)

    world.subscriber.start()
    with monkeypatch.context() as patched:
        patched.setattr(world.feed, "poll", fail)
        with pytest.raises(Restart, match=r"the Kafka client made a mistake \(KeyError\)"):
            world.subscriber.turn(0)
    world.write(b"1")
    monkeypatch.setattr(Keeper, "apply", fail)
    with pytest.raises(KeyError):
        world.subscriber.turn(0)


def test_it_knows_up_to_when_it_has_read(world: World) -> None:
    """Not before it has caught up, and not again after an outage; while it is behind, up to then."""
    world.subscriber.start()
    assert world.subscriber.read_to is None
    world.wait(seconds=3)
    world.subscriber.turn(0)
    assert world.subscriber.read_to == START
    world.wait(seconds=10)
    world.subscriber.turn(0)
    assert world.subscriber.read_to == START + timedelta(seconds=13)
    world.feed.ahead = 1
    for _ in range(6):
        world.wait(seconds=10)
        world.subscriber.turn(0)
    assert world.subscriber.read_to == START + timedelta(seconds=13)
    world.subscriber.start()
    assert world.subscriber.read_to is None
