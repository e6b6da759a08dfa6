"""Killed anywhere, any number of times: each notification is told, and repeats are among those it counted."""

import json
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.checkpoint import Checkpoint
from consumers.memory import MemoryBroker, MemoryPublisher
from consumers.notifier import FORMAT
from consumers.notifier_dispatch import Happened
from consumers.notifier_routes import Attempted, Delivered, Later, Message, Never
from tests.support.notifying import World


class Killed(BaseException):
    """What kill -9 does, as far as the process can notice."""


class Fuse:
    """Kills at the n-th dangerous moment from now; 0: at none."""

    def __init__(self) -> None:
        self.left = 0

    def burn(self) -> None:
        """A dangerous moment."""
        self.left -= 1
        if self.left == 0:
            raise Killed


class FragileCheckpoint(Checkpoint):
    """Before a transaction, before its commit and after it."""

    def __init__(self, path: Path, fuse: Fuse) -> None:
        super().__init__(path, FORMAT)
        self.database.execute("PRAGMA synchronous = OFF")  # no power fails here
        self._fuse = fuse

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """See `Checkpoint.transaction`."""
        self._fuse.burn()
        with super().transaction() as database:
            yield database
            self._fuse.burn()
        self._fuse.burn()


class FragilePublisher(MemoryPublisher):
    """Before and after each record."""

    def __init__(self, broker: MemoryBroker, fuse: Fuse) -> None:
        super().__init__(broker)
        self._fuse = fuse

    def send(self, *arguments: Any) -> None:
        """See `Publisher.send`."""
        self._fuse.burn()
        super().send(*arguments)
        self._fuse.burn()


ANSWERS = {
    "taken": (Delivered(), True),
    "busy": (Later("busy"), False),
    "silent": (Later("silent", uncertain=True), False),
    "taken in silence": (Later("silent", uncertain=True), True),
    "refused": (Never("refused"), False),
}
asked = st.fixed_dictionaries(
    {
        "ticket": st.integers(0, 2),
        "channel": st.sampled_from(["email", "sms"]),
        "answers": st.lists(st.sampled_from(sorted(ANSWERS)), max_size=4),
        "turns": st.integers(0, 2),
        "again": st.booleans(),
    }
)


class Story:
    """Notifications asked for while the notifier is killed again and again."""

    def __init__(self, directory: Path, kills: list[int]) -> None:
        self.fuse, self.kills = Fuse(), list(kills)
        self.world = World(directory)
        self.world.opens = lambda path: FragileCheckpoint(path, self.fuse)
        self.world.publisher = FragilePublisher(self.world.broker, self.fuse)
        self.world.email.says = self.world.webhook.says = self._answer
        self.answers: dict[str, list[str]] = {}
        self.arrived: Counter[str] = Counter()
        self._running = False

    def tell(self, stories: list[dict[str, Any]]) -> None:
        """Ask for everything and let time pass until nothing is left to do."""
        for number, story in enumerate(stories):
            ticket = f"T-{story['ticket']}"
            if story["ticket"]:  # nobody knows whom the first one belongs to
                self.world.person(ticket)
            identifier = self.world.ask(ticket, number, channel=story["channel"])
            self.answers[identifier] = list(story["answers"])
            if story["again"]:
                self.world.ask(ticket, number, channel=story["channel"])
            self._go_on(story["turns"])
        for _ in range(20):
            self._go_on(6)
            self.world.clock.time += timedelta(seconds=40)
        self._go_on(2 * len(self.kills) + 6)

    def _go_on(self, turns: int) -> None:
        for _ in range(turns):
            try:
                if not self._running:
                    self.fuse.left = self.kills.pop() if self.kills else 0
                    self.world.start()
                    self._running = True
                self.world.turn(1)
            except Killed:
                self.world.kill()
                self._running = False

    def _answer(self, message: Message) -> Attempted:
        self.fuse.burn()
        left = self.answers[message.request.id]
        attempted, arrives = ANSWERS[left.pop() if left else "taken"]
        self.arrived[message.request.id] += arrives
        self.fuse.burn()
        return attempted


@given(stories=st.lists(asked, min_size=1, max_size=6), kills=st.lists(st.integers(1, 40), max_size=8))
@settings(max_examples=60)
def test_killed_anywhere_it_tells_everybody_and_counts_its_repeats(
    stories: list[dict[str, Any]], kills: list[int]
) -> None:
    """Each notification arrives or is a dead letter; it arrives more often only as often as was counted."""
    with tempfile.TemporaryDirectory() as directory:
        story = Story(Path(directory), kills)
        story.tell(stories)
        world = story.world
        waiting = world.notifier._queue.waiting()
        world.kill()
    dead = {
        json.loads(record.value or b"")["id"]
        for partition in world.broker.topic("tickets.dead-letter")
        for record in partition.slots
        if record is not None
    }
    repeated = Counter(each for each, happened, _ in world.recorder.heard if happened is Happened.REPEATED)
    assert waiting == {}
    for identifier in story.answers:
        assert story.arrived[identifier] or identifier in dead
        assert story.arrived[identifier] <= 1 + repeated[identifier]
