"""Turns over a consumer that, as kafka-python does, hands out one backlog before it looks at the next."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from consumers.kafka_python_turns import Turns

MIB = 1024 * 1024


class Place(NamedTuple):
    """A partition, as the client names it."""

    topic: str
    partition: int


class Read(NamedTuple):
    """A record, as the client reads it."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


@dataclass
class Greedy:
    """A consumer whose first partition with a backlog comes first, until nothing is left of it."""

    backlog: dict[Place, list[Read]]
    paused: set[Place] = field(default_factory=set)
    waited_ms: list[int] = field(default_factory=list)

    def assignment(self) -> set[Place]:
        return set(self.backlog)

    def pause(self, *places: Place) -> None:
        self.paused.update(places)

    def resume(self, *places: Place) -> None:
        self.paused.difference_update(places)

    def poll(self, timeout_ms: int, max_records: int) -> dict[Place, list[Read]]:
        self.waited_ms.append(timeout_ms)
        found = {}
        for place, records in self.backlog.items():
            taken = [] if place in self.paused else records[:max_records]
            if taken:
                del records[: len(taken)]
                found[place] = taken
                max_records -= len(taken)
        return found


def greedy(*counts: int, value: bytes = b"v") -> Greedy:
    """A consumer with so many records in each of its partitions."""
    return Greedy({Place("t", n): [Read(b"k", value, [])] * count for n, count in enumerate(counts)})


def numbers(found: dict[Place, list[Read]]) -> dict[int, int]:
    """How many records of each partition."""
    return {place.partition: len(records) for place, records in found.items()}


def polled(turns: Turns, max_records: int = 500, fresh: Iterable[int] = ()) -> dict[int, int]:
    """How many records of each partition one poll brings."""
    return numbers(dict(turns.poll(200, max_records, set(fresh))))


def test_a_backlog_holds_up_no_other_partition() -> None:
    """Whatever the first has, every poll brings what the others have, and is full."""
    consumer = greedy(100_000, 3, 100_000, 0)
    turns = Turns(consumer)
    first = polled(turns)
    assert first[1] == 3
    assert first[0] >= 125
    assert first[2] >= 125
    assert sum(first.values()) == 500
    consumer.backlog[Place("t", 3)] = [Read(b"k", b"v", [])] * 7
    assert polled(turns)[3] == 7


def test_the_only_busy_partition_fills_a_poll() -> None:
    """Where the others have nothing one gives all that is asked for, and asks the client little more."""
    consumer = greedy(1_700, *[0] * 11)
    turns = Turns(consumer)
    assert polled(turns) == {0: 500}
    assert len(consumer.waited_ms) <= 500 / 50 + 3
    assert [polled(turns) for _ in range(4)] == [{0: 500}, {0: 500}, {0: 200}, {}]
    assert consumer.paused == set()


def test_nothing_is_delivered_twice_or_lost() -> None:
    """Over all polls each partition delivers what it had."""
    turns = Turns(greedy(1_234, 77, 999))
    total = {0: 0, 1: 0, 2: 0}
    while found := polled(turns, 100):
        for number, count in found.items():
            total[number] += count
    assert total == {0: 1_234, 1: 77, 2: 999}


def test_large_records_end_a_poll() -> None:
    """A poll ends with the step that passes 4 MiB; even so the others have their turn a few polls later."""
    consumer = greedy(10_000, 1, value=bytes(MIB))
    turns = Turns(consumer)
    polls = [polled(turns) for _ in range(10)]
    assert max(sum(found.values()) for found in polls) <= 50 + 4
    assert sum(found.get(1, 0) for found in polls) == 1


def test_only_the_first_record_is_waited_for() -> None:
    """Whoever has something is not kept waiting for those that have nothing."""
    consumer = greedy(600, 0)
    polled(Turns(consumer))
    assert consumer.waited_ms[0] == 200
    assert set(consumer.waited_ms[1:]) == {0}
    idle = greedy(0, 0)
    assert polled(Turns(idle)) == {}
    assert idle.waited_ms == [200]


def test_who_was_paused_for_another_reason_stays_so() -> None:
    """A partition that was assigned anew, or that the engine paused, is not resumed when its turn comes."""
    consumer = greedy(1_000, 1_000)
    turns = Turns(consumer)
    turns.poll(0, 400, set())
    resting = set(consumer.paused)
    assert resting
    polled(turns, fresh={place.partition for place in resting})
    assert resting <= consumer.paused
    consumer = greedy(1_000, 1_000)
    turns = Turns(consumer)
    turns.poll(0, 400, set())
    turns.keep(())
    resting = set(consumer.paused)
    polled(turns)
    assert resting <= consumer.paused
