"""Dead letters of the notifier's own are told after all, once what was wrong is mended."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from consumers.dead_letters import RETRIABLE
from consumers.memory import MemoryReader
from consumers.notifier_dispatch import Happened
from consumers.notifier_retry import Retried
from consumers.notifier_routes import Delivered, Never
from schemas.envelope import Undeliverable
from tests.support.notifying import NOW, PARTITIONS, World

REFUSED = Never("the mail server refused it for good (550)")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A notifier whose mail server takes nothing."""
    made = World(tmp_path).start()
    made.email.says = lambda _: REFUSED
    yield made
    made.kill()


def retried(world: World, *codes: Undeliverable) -> Retried:
    """Start the notifier anew and let it take up what is on the topic of dead letters."""
    world.kill()
    world.start()
    reader = MemoryReader(world.broker)
    letters = (each for number in range(PARTITIONS) for each in reader.read("tickets.dead-letter", number))
    return world.notifier.retry(letters, frozenset(codes or RETRIABLE))


def test_what_was_refused_is_told_after_all(world: World) -> None:
    """To the same people, by the same id, in the order in which it was asked for; no letter is added."""
    world.person("T-1")
    ids = [world.ask("T-1", number) for number in (1, 2)]
    world.turn()
    assert [letter["code"] for letter in world.dead()] == ["undeliverable_refused"] * 2
    refused = [message.id for message in world.email.tried]
    world.email.says = lambda _: Delivered()
    assert retried(world) == Retried(waiting=2)
    world.pass_time(2, 1)
    assert [message.request.id for message in world.email.taken] == ids
    assert [message.id for message in world.email.taken] == refused
    assert len(world.dead()) == 2


def test_a_letter_is_taken_up_once(world: World) -> None:
    """It stays on its topic for 90 days; whoever starts with the same option again tells nobody twice."""
    world.person("T-1")
    world.ask("T-1")
    world.turn()
    world.email.says = lambda _: Delivered()
    assert retried(world) == Retried(waiting=1)
    assert retried(world) == Retried()
    world.pass_time(2, 1)
    assert retried(world) == Retried()
    world.pass_time(2, 1)
    assert len(world.email.taken) == 1


def test_what_is_refused_again_is_a_letter_again(world: World) -> None:
    """And that one can be taken up, too."""
    world.person("T-1")
    world.ask("T-1")
    world.turn()
    for times in (1, 2):
        assert retried(world) == Retried(waiting=1)
        world.pass_time(2, 1)
        assert len(world.dead()) == times + 1


def test_a_letter_that_was_written_twice_is_told_once(world: World) -> None:
    """As after a kill between the writing of a letter and the note that it is written."""
    world.person("T-1")
    world.ask("T-1")
    world.turn()
    (letter,) = (each for part in world.broker.topic("tickets.dead-letter") for each in part.slots if each)
    world.broker.append(letter.topic, letter.key, letter.value, letter.headers, partition=letter.partition)
    world.email.says = lambda _: Delivered()
    assert retried(world) == Retried(waiting=1)
    world.pass_time(2, 1)
    assert len(world.email.taken) == 1


def test_only_the_codes_that_are_named_are_taken_up(world: World) -> None:
    """A wrong address stays a wrong address when only the templates were mended."""
    world.person("T-1")
    world.ask("T-1")
    world.turn()
    assert retried(world, Undeliverable.UNRENDERABLE) == Retried()
    assert retried(world, Undeliverable.REFUSED) == Retried(waiting=1)


def test_what_nobody_wants_to_hear_any_more_stays_dead(world: World) -> None:
    """A day is the most, whatever the letter's own age; how many those are is told."""
    world.person("T-1")
    world.ask("T-1")
    world.turn()
    world.clock.time += timedelta(hours=24)
    assert retried(world) == Retried(too_old=1)
    assert len(world.email.tried) == 1


def test_what_expired_may_have_arrived_and_counts_as_a_possible_repeat(world: World) -> None:
    """With a longer maximum age it is told late, and counted."""
    world.person("T-1")
    world.ask("T-1", not_before=NOW + timedelta(hours=1))
    world.turn()
    world.clock.time += timedelta(hours=26)
    world.turn()
    assert [letter["code"] for letter in world.dead()] == ["undeliverable_expired"]
    world.settings = world.settings.model_copy(update={"notifier_max_age_seconds": 48 * 3_600.0})
    world.email.says = lambda _: Delivered()
    assert retried(world) == Retried(waiting=1)
    world.pass_time(2, 1)
    assert len(world.email.taken) == 1
    assert [happened for _, happened, _ in world.recorder.heard][-2:] == [Happened.REPEATED, Happened.SENT]


def test_other_peoples_letters_are_left_alone(world: World) -> None:
    """The engine's, those of another subscriber, and what is no letter; and nothing is no notification."""
    world.person("T-1")
    world.ask("T-1")
    world.turn()
    (letter,) = (each for part in world.broker.topic("tickets.dead-letter") for each in part.slots if each)
    assert letter.value is not None
    for name, said in (("group", b"other"), ("topic", b"tickets.events"), ("code", b"?")):
        headers = tuple((n, said if n == f"dlq.errors.{name}" else v) for n, v in letter.headers)
        another = letter.value.replace(b"T-1/1/", f"T-1/{name}/".encode())
        world.broker.append(letter.topic, letter.key, another, headers, partition=0)
    world.broker.append(letter.topic, letter.key, b"{}", letter.headers, partition=0)
    assert retried(world) == Retried(waiting=1)
