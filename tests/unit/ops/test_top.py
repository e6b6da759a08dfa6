"""`top`: its figures as data and as text, and the watch that keeps them current whatever the broker does."""

import io
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from rich.console import Console

from consumers.board import Board
from consumers.log import Place, Record, Unavailable
from consumers.memory import MemoryBroker, MemoryPublisher
from consumers.memory_feed import MemoryFeed
from ops import live, top
from ops.settings import Settings
from ops.watch import Watch, starts
from schemas.envelope import Code
from schemas.topics import Topic, topic_name
from tests.support.boards import PREFIX, board, busy, dead_letters, records
from tests.support.world import at

_PATIENCE_SECONDS = 20.0


@pytest.fixture
def settings() -> Settings:
    """Settings of a cluster that is never asked."""
    return Settings(kafka_bootstrap_servers="127.0.0.1:1")


def _picture() -> live.Picture:
    history = busy(40)
    history.until(40)
    return live.take(board([*records(history), *dead_letters([Code.MALFORMED] * 2)]), at(45))


def test_the_data_has_the_documented_names(settings: Settings) -> None:
    """`--json` gives plain data whose names are those that its documentation lists."""
    found = json.loads(json.dumps(top.as_json(settings, _picture(), {0: (0, 0.0), 1: (4, 2.5)})))
    documented = top.as_json.__doc__ or ""
    assert all(f"`{name}`" in documented for name in found)
    assert found["lag"] == {
        "records": 4,
        "seconds": 2.5,
        "partitions": [
            {"partition": 0, "records": 0, "seconds": 0.0},
            {"partition": 1, "records": 4, "seconds": 2.5},
        ],
    }
    assert found["dead_letter_codes"] == {"malformed": 2}
    for part in (*found["promises"]["at_risk"], *found["tickets"]["counts"], found["lateness"]):
        assert all(f"`{name}`" in documented for name in part)


def test_the_data_counts_what_the_board_has(settings: Settings) -> None:
    """Open tickets, overdue and running promises, and the nearest deadlines in order."""
    picture = _picture()
    found = top.as_json(settings, picture, {})
    assert found["tickets"]["open"] == picture.open_tickets
    assert sum(each["count"] for each in found["tickets"]["counts"]) == 40
    left = [each["left_seconds"] for each in found["promises"]["at_risk"]]
    assert left == sorted(left)
    assert sum(seconds < 0 for seconds in left) == found["promises"]["overdue"] > 0


def test_an_unknown_lag_is_null(settings: Settings) -> None:
    """Where no lag could be found out the data does not say that the workers keep up."""
    found = top.as_json(settings, _picture(), {})
    assert found["lag"] == {"records": None, "seconds": None, "partitions": []}


def test_without_a_picture_there_are_zeros(settings: Settings) -> None:
    """Nothing read yet is a picture, too."""
    found = top.as_json(settings, live.take(Board(PREFIX), at(0)), {})
    assert (found["tickets"]["open"], found["lateness"], found["breaches"]) == (0, None, [])


@pytest.mark.parametrize(
    ("behind", "words"),
    [(None, "lag unknown"), (top.Lag(0, 0.0), "lag 0"), (top.Lag(7, 1.5), "lag 7 (1.5 s)")],
)
def test_the_heading_tells_the_lag(settings: Settings, behind: top.Lag | None, words: str) -> None:
    """Whether the workers keep up stands above everything, in two rows of 80 columns."""
    console = Console(width=80, file=io.StringIO())
    for row in top.heading(settings, _picture(), behind, "127.0.0.1:9092", 80):
        console.print(row)
    text = console.file.getvalue() if isinstance(console.file, io.StringIO) else ""
    assert words in text
    assert len(text.splitlines()) == 2


# ---- the watch ----


class _Fold:
    def __init__(self) -> None:
        self.values: list[bytes | None] = []

    def apply(self, found: Sequence[Record]) -> None:
        if any(record.value == b"wrong" for record in found):
            raise KeyError("wrong")
        self.values += [record.value for record in found]


class _Feed(MemoryFeed):
    """A feed that fails when it is told to."""

    def __init__(self, broker: MemoryBroker) -> None:
        super().__init__(broker)
        self.failing = self.mistaken = False

    def poll(self, timeout_seconds: float, max_records: int) -> Sequence[Record]:
        if self.failing:
            raise Unavailable("following topics failed because the cluster does not answer")
        if self.mistaken:
            raise RuntimeError("set changed size during iteration")
        time.sleep(0.001)
        return super().poll(timeout_seconds, max_records)


class _Cluster:
    """A broker in memory, and whether it can be reached."""

    def __init__(self) -> None:
        self.broker = MemoryBroker({topic_name(PREFIX, topic): 2 for topic in Topic})
        self.feeds: list[_Feed] = []
        self.down = False

    def connect(self) -> _Feed:
        if self.down:
            raise Unavailable("connecting to Kafka failed")
        self.feeds.append(_Feed(self.broker))
        return self.feeds[-1]

    def write(self, topic: Topic, key: bytes, value: bytes) -> None:
        MemoryPublisher(self.broker).send(topic_name(PREFIX, topic), key, value)

    @contextmanager
    def watch(self, starts_of: Callable[[Any], Mapping[Place, int]]) -> Iterator[Watch[_Fold]]:
        watch = Watch(self.connect, starts_of, _Fold)
        watch.start()
        try:
            yield watch
        finally:
            watch.close()


def _whole(feed: MemoryFeed) -> Mapping[Place, int]:
    return feed.beginnings([topic_name(PREFIX, Topic.STATE)])


def _awaited(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def _values(watch: Watch[_Fold]) -> list[bytes | None]:
    with watch.locked() as fold:
        return sorted(fold.values, key=repr)


def test_a_watch_follows_from_the_beginning() -> None:
    """What was there is folded before the watch says that it has caught up, and what comes is added."""
    cluster = _Cluster()
    cluster.write(Topic.STATE, b"a", b"1")
    with cluster.watch(_whole) as watch:
        assert watch.caught_up(_PATIENCE_SECONDS)
        assert _values(watch) == [b"1"]
        cluster.write(Topic.STATE, b"b", b"2")
        _awaited(lambda: _values(watch) == [b"1", b"2"])


def test_a_watch_survives_an_outage() -> None:
    """While the broker is away the last picture stays and says so; then it is folded anew, nothing twice."""
    cluster = _Cluster()
    cluster.write(Topic.STATE, b"a", b"1")
    with cluster.watch(_whole) as watch:
        assert watch.caught_up(_PATIENCE_SECONDS)
        cluster.down = True
        cluster.feeds[-1].failing = True
        _awaited(lambda: watch.trouble is not None)
        assert _values(watch) == [b"1"]
        assert watch.trouble is not None
        assert "Kafka" in watch.trouble.sentence or "cluster" in watch.trouble.sentence
        cluster.write(Topic.STATE, b"b", b"2")
        cluster.down = False
        _awaited(lambda: watch.trouble is None)
        assert _values(watch) == [b"1", b"2"]


def test_a_watch_that_cannot_begin_says_why() -> None:
    """Without a broker from the start there is trouble, and no picture."""
    cluster = _Cluster()
    cluster.down = True
    with cluster.watch(_whole) as watch:
        _awaited(lambda: watch.trouble is not None)
        assert not watch.caught_up(0)


def test_a_mistake_in_a_fold_is_told_and_not_tried_again() -> None:
    """It is raised to who looks; what the client alone gets wrong is trouble that passes."""
    cluster = _Cluster()
    with cluster.watch(_whole) as watch:
        assert watch.caught_up(_PATIENCE_SECONDS)
        cluster.feeds[-1].mistaken = True
        _awaited(lambda: len(cluster.feeds) == 2 and watch.trouble is None)
        cluster.write(Topic.STATE, b"a", b"wrong")
        with pytest.raises(KeyError, match="wrong"):
            _awaited(lambda: _values(watch) == [b"wrong"])
        with pytest.raises(KeyError, match="wrong"):
            watch.caught_up(0)
    assert len(cluster.feeds) == 2


def test_a_watch_begins_near_the_end() -> None:
    """The state is read whole; of the other topics about so many of the last records."""
    cluster = _Cluster()
    for number in range(50):
        for topic in (Topic.STATE, Topic.JOURNAL):
            cluster.write(topic, b"%d" % number, b"x")
    found = starts(MemoryFeed(cluster.broker), PREFIX, [Topic.JOURNAL], 10)
    ends = {place: len(cluster.broker.topic(place.topic)[place.partition].slots) for place in found}
    left = {topic: sum(ends[p] - found[p] for p in found if p.topic == topic_name(PREFIX, topic))
            for topic in (Topic.STATE, Topic.JOURNAL)}  # fmt: skip
    assert left == {Topic.STATE: 50, Topic.JOURNAL: 10}
    assert {place.topic for place in found} == {"tickets.state", "tickets.journal"}
