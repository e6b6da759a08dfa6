"""One worker process as its clients know it: whether it is heard, and what befalls it at each step."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Final

from kafka import errors

from consumers.clock import WallClock
from consumers.kafka_options import Timeouts
from consumers.memory_group import Member, MemoryGroup
from schemas.instants import from_epoch, to_epoch
from simulator.agenda import SECOND, Agenda
from simulator.broker import Cluster, Outage, Seen

PREFIX: Final = "tickets"
GROUP: Final = "ticketflow"
TIMEOUTS: Final = Timeouts()

POINTS: Final = (
    "start", "poll", "polled", "ends", "revoked", "assigned", "committed", "restore", "restoring", "resume",
    "begin", "send", "flush", "flushed", "offsets", "commit sent", "commit done", "reset", "close", "left",
)  # fmt: skip
"""The boundaries of a worker's steps. `polled` is after the poll; `commit sent` before the cluster hears of
it; `commit done` after it is done and before memory knows; `left` after the group was left."""

_SLOWEST_STEP_US: Final = 2_000


class Crashed(BaseException):
    """The process is dead: nothing that it had begun goes on."""


@dataclass(frozen=True, slots=True)
class LeaderAway:
    """The leaders of a share of the partitions move: writing takes that long, or is given up."""

    away_us: int
    share: float


@dataclass(slots=True, eq=False)
class Node:
    """A process. `befalls` is asked at every step; it may let time go by, or raise Crashed."""

    worker_id: str
    instance: int
    cluster: Cluster
    agenda: Agenda
    chance: Random
    befalls: Callable[["Node", str], None]
    clock_offset_us: int = 0
    idle_us: int = 0  # how long its poll waits, from `polled_us` on
    polled_us: int = 0
    dead: bool = False
    ending: bool = False
    silent_since_us: int | None = None
    cut: Outage = field(default_factory=Outage)
    leader: LeaderAway | None = None
    fate: str = "done"
    seen: dict[int, Seen] = field(default_factory=dict)
    clock: WallClock = field(init=False)
    _member: tuple[MemoryGroup, Member] | None = None

    def __post_init__(self) -> None:
        """Its clock never goes back while it lives, as the real one."""
        self.clock = WallClock(self._machine_time)

    def _machine_time(self) -> datetime:
        return from_epoch(self.agenda.now_us + self.clock_offset_us)

    @property
    def member_id(self) -> str:
        """What the group calls this instance."""
        return f"{self.worker_id}-{self.instance}"

    @property
    def eager(self) -> bool:
        """Whether its group rebalances eagerly."""
        return self.cluster.eager

    def monotonic(self) -> float:
        """Seconds."""
        return self.agenda.now_us / SECOND

    def step(self, point: str) -> None:
        """Come to a boundary between two steps."""
        self._check_alive()
        self.agenda.now_us += int(self.chance.random() * _SLOWEST_STEP_US)
        self.befalls(self, point)
        self._check_alive()

    def wait(self, duration_us: int) -> None:
        """Stand still while the others go on."""
        self._check_alive()
        self.agenda.pass_time(duration_us)
        self._check_alive()

    def see_end(self, partition: int, end: int) -> None:
        """Note where a partition ends."""
        self.seen[partition] = Seen(end, to_epoch(self.clock.now()))

    def sleep(self, seconds: float) -> None:
        """What the engine does between two attempts."""
        self.wait(int(seconds * SECOND))

    def _check_alive(self) -> None:
        if self.dead:
            raise Crashed

    def reaches(self) -> bool:
        """Whether the cluster answers this process."""
        now_us = self.agenda.now_us
        return not (self.cut.lasts(now_us) or self.cluster.outage.lasts(now_us))

    def reach(self) -> None:
        """Ask the cluster something. Raises KafkaTimeoutError where no answer comes in time."""
        self._check_alive()
        if not self.reaches():
            self.wait(int(TIMEOUTS.request_seconds * SECOND))
            if not self.reaches():
                raise errors.KafkaTimeoutError("simulated: no answer")

    def leader_away(self) -> LeaderAway | None:
        """What the next flush meets; it meets it once."""
        leader, self.leader = self.leader, None
        if leader is not None:
            self.cluster.troubled(leader.away_us)
        return leader

    def commit_fate(self) -> str:
        """What becomes of the next commit: done, lost, late, or unanswered. It happens once."""
        fate, self.fate = self.fate, "done"
        if fate != "done":
            self.cluster.troubled(0)
        return fate

    def mend(self) -> None:
        """Nothing is wrong with it any more, nor with its way to the cluster."""
        self.clock_offset_us = self.cut.until_us = 0
        self.leader, self.fate = None, "done"
        self.heard()

    @property
    def clock_is_ahead(self) -> bool:
        """Its clock tells a time that has not come: it was set right, and waits for the time to catch up."""
        return to_epoch(self.clock.now()) > self.agenda.now_us

    def joined(self, group: MemoryGroup, member: Member) -> None:
        """The group knows it as this member, and listens for it."""
        self.cluster.member_ids[member] = self.member_id
        self._member = (group, member)
        if self.silent_since_us is not None:
            self._watch()

    def die(self) -> None:
        """Nothing of this process goes on: whom it could not tell that it leaves will see it."""
        self.dead = True
        self.silence()

    def silence(self) -> None:
        """Nothing is heard of it from now on."""
        if self.silent_since_us is None:
            self.silent_since_us = self.agenda.now_us
            self._watch()

    def heard(self) -> None:
        """It is heard again."""
        self.silent_since_us = None

    def expel(self) -> None:
        """The group forgets it, as when its coordinator has moved and lost its heartbeats."""
        if self._member is not None:
            group, member = self._member
            group.leave(member)
            self.cluster.changed()

    def _watch(self) -> None:
        if self._member is not None:
            group, member = self._member
            self.cluster.watch(group, member, lambda: self.silent_since_us)
