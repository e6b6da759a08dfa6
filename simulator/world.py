"""One history: channels publish, workers work, things go wrong, and in the end all is well and at rest."""

from dataclasses import dataclass
from typing import Final

from consumers.engine import Bounds
from consumers.memory import MemoryReader
from schemas.topics import Topic, partition_for
from simulator.agenda import SECOND
from simulator.follower import Follower
from simulator.misfortune import Misfortune
from simulator.node import GROUP
from simulator.plan import Plan, at_us
from simulator.process import Process, Supervisor
from simulator.stage import START_US, Stage
from simulator.traffic import Arriving

_LONGEST_REST_US: Final = 6 * 3600 * SECOND
_QUIET_US: Final = 120 * SECOND
_COMPACTED_EVERY_US: Final = 5 * 3600 * SECOND


@dataclass(slots=True)
class Published:
    """Where a record stands that a channel has published."""

    arriving: Arriving
    partition: int
    offset: int


class World(Stage):
    """Plays a plan. Use it once; afterwards the topics are there to be checked."""

    def __init__(self, plan: Plan, process: type[Process] = Process) -> None:
        """`process` makes the workers: the real engine, or one with a planted bug."""
        super().__init__(plan)
        self.reader = MemoryReader(self.cluster)
        self.published: list[Published] = []
        self.follower = Follower(self.cluster, list(self.topics.values()))
        bounds = Bounds(
            plan.max_records, plan.max_firings, poll_seconds=600.0, max_restored=plan.max_restored
        )
        self.supervisor = Supervisor(self, process, bounds)
        self.misfortune = Misfortune(self, self.supervisor)
        self.cluster.changed = self.supervisor.wake
        self.ended_us = 0

    def play(self) -> None:
        """Play the plan to its end, heal everything, and let the workers come to rest."""
        for arriving in self.plan.arriving:
            self._expect(arriving)
        self.misfortune.plan(self.plan.faults)
        for worker_id in self.plan.workers:
            self.supervisor.start(worker_id)
        self._compact_now_and_then()
        self._follow()
        self.agenda.until(START_US + at_us(self.plan.hours * 3600))
        self.misfortune.heal()
        self.supervisor.mend_all()
        self._rest()
        self.ended_us = self.agenda.now_us

    def _expect(self, arriving: Arriving) -> None:
        self.agenda.at(START_US + at_us(arriving.at_seconds), lambda: self._publish(arriving))

    def _publish(self, arriving: Arriving) -> None:
        """A channel publishes again and again until the cluster answers."""
        outage = self.cluster.outage
        if outage.lasts(self.agenda.now_us):
            self.agenda.at(outage.until_us, lambda: self._publish(arriving))
            return
        partition = partition_for(arriving.key or b"", self.plan.partitions)
        if arriving.misplaced:
            partition = (partition + 1) % self.plan.partitions
        events = self.topics[Topic.EVENTS]
        offset = self.cluster.append(
            events, arriving.key, arriving.value, arriving.headers, partition=partition
        )
        self.published.append(Published(arriving, partition, offset))
        self.supervisor.wake(partition)

    def _compact_now_and_then(self) -> None:
        self.compact()
        self.agenda.after(_COMPACTED_EVERY_US, self._compact_now_and_then)

    def _follow(self) -> None:
        self.follower.look()
        self.agenda.after(1800 * SECOND, self._follow)

    def _rest(self) -> None:
        """Let time go by until nobody has anything left to do."""
        end_us = self.agenda.now_us + _LONGEST_REST_US
        done = -1
        while done != self.supervisor.done or not self._all_committed():
            done = self.supervisor.done
            self.agenda.pass_time(_QUIET_US)
            if self.agenda.now_us > end_us:
                self.bugs.append("hours after everything was mended the workers have not come to rest")
                return

    def _all_committed(self) -> bool:
        events = self.topics[Topic.EVENTS]
        positions = self.reader.committed(GROUP, events)
        ends = self.reader.ends(events)
        return all(
            end == 0 or (number in positions and self._read_up_to(number, positions[number].offset))
            for number, end in ends.items()
        )

    def _read_up_to(self, number: int, offset: int) -> bool:
        """Whether nothing but markers lies between a position and the end."""
        stored = self.cluster.topic(self.topics[Topic.EVENTS])[number]
        return not any(stored.slots[max(offset - stored.start, 0) :])
