"""Each checker finds what it is for: a sound history is changed in one place, and the checker speaks."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from consumers.log import Record
from schemas.topics import Topic
from simulator.agenda import SECOND
from simulator.checks import check
from simulator.outputs import outcomes
from simulator.plan import plan
from simulator.stage import START_US
from simulator.traffic import PERSON
from simulator.world import World

pytestmark = pytest.mark.simulation


@pytest.fixture
def world() -> World:
    """A history in which nothing is wrong, to be changed."""
    made = World(plan(0))
    made.play()
    return made


def test_nothing_is_found_where_nothing_is_wrong(world: World) -> None:
    """Else the others here would show nothing."""
    assert check(world) == []


def found(world: World) -> set[str]:
    """The checkers that have found something."""
    return {finding.checker for finding in check(world)}


def slots(world: World, topic: Topic) -> Iterator[tuple[list[Record | None], int, Record]]:
    """Where the records of a topic are."""
    for partition in world.cluster.topic(world.topics[topic]):
        for index, record in enumerate(partition.slots):
            if record is not None:
                yield partition.slots, index, record


def change(world: World, topic: Topic, changed: Callable[[dict[str, Any]], bool]) -> None:
    """Change the first record in which there is something to change."""
    for records, index, record in slots(world, topic):
        document = json.loads(record.value or b"null")
        if document is not None and changed(document):
            records[index] = replace(record, value=json.dumps(document, ensure_ascii=False).encode())
            return
    raise AssertionError("there is none")


def _found_early(document: dict[str, Any]) -> bool:
    for each in document["data"]["clocks"]:
        if "found_at" in each:
            each["found_at"] = "2026-01-01T00:00:00.000000Z"
            return True
    return False


def _another_target(document: dict[str, Any]) -> bool:
    for each in document["data"]["clocks"]:
        if each["change"] == "started":
            each["target_seconds"] += 1
            return True
    return False


def _named(document: dict[str, Any]) -> bool:
    document["data"]["params"]["who"] = PERSON
    return True


def _twice(world: World, topic: Topic) -> None:
    """Write a record once more, at the end of its partition."""
    name = world.topics[topic]
    partition = next(p for p in world.cluster.topic(name) if any(p.slots))
    record = next(filter(None, partition.slots))
    world.cluster.append(name, record.key, record.value, record.headers, partition=record.partition)


def test_a_firing_before_its_time_is_found(world: World) -> None:
    """By `once`, in the journal's own times; the oracle would leave it to the clock that was wrong."""
    change(world, Topic.JOURNAL, _found_early)
    assert "once" in found(world)


def test_a_clock_that_is_not_what_it_should_be_is_found(world: World) -> None:
    """By the oracle, and by `verify`."""
    change(world, Topic.JOURNAL, _another_target)
    assert {"oracle", "verify"} <= found(world)


def test_a_person_in_a_notification_is_found(world: World) -> None:
    """By `persons`."""
    change(world, Topic.NOTIFICATIONS, _named)
    assert "persons" in found(world)


@pytest.mark.parametrize("topic", [Topic.JOURNAL, Topic.NOTIFICATIONS])
def test_a_record_that_stands_twice_is_found(world: World, topic: Topic) -> None:
    """By `twice`: also where the journal itself says everything twice."""
    _twice(world, topic)
    assert "twice" in found(world)


def test_an_event_with_two_outcomes_is_found(world: World) -> None:
    """By `conservation`."""
    _twice(world, Topic.JOURNAL)
    assert "conservation" in found(world)


def test_what_a_follower_has_read_and_is_gone_is_found(world: World) -> None:
    """By `reads`: an aborted read, or a lost write, is a difference between then and now."""
    records, index, _ = next(slots(world, Topic.NOTIFICATIONS))
    records[index] = None
    assert "reads" in found(world)


def test_a_position_of_somebody_else_is_found(world: World) -> None:
    """By `positions`."""
    world.cluster.truth.wrong_positions.append("a commits a position of b's")
    assert "positions" in found(world)


def test_what_waits_although_nothing_is_wrong_is_found(world: World) -> None:
    """By `on time`: without the failures that explain it every delay is one too many."""
    world.cluster.truth.trouble.clear()
    assert found(world) == {"on time"}


def test_a_firing_before_it_was_due_is_found(world: World) -> None:
    """By `on time`, where no clock was wrong so far."""
    number, fired = next(
        (number, each)
        for number in range(world.plan.partitions)
        for each in outcomes(world, number)
        if each.due_us is not None and each.at_us < world.misfortune.clocks_wrong_since_us
    )
    place = (world.topics[Topic.JOURNAL], number, fired.record.offset)
    written = world.cluster.truth.written
    written[place] = replace(written[place], at_us=(fired.due_us or 0) - 1)
    assert "on time" in found(world)


def test_a_firing_although_a_record_waited_is_found(world: World) -> None:
    """By `records first`: the end that the worker says to have seen lies behind an event."""
    for place, seen in world.cluster.seen.items():
        if place[0] == world.topics[Topic.JOURNAL] and seen is not None:
            world.cluster.seen[place] = replace(seen, at_us=START_US - SECOND)
    assert "records first" in found(world)
