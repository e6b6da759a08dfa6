"""The cluster of the simulator: the in-memory log, with what a real one does later, loses, or never answers.

What the in-memory log does at once takes time here: markers of an ended transaction are written partition by
partition, so that the last stable offset and committed positions lag behind a commit; a transaction that is
open for too long is aborted and its producer fenced; a member that is silent for a session is expelled.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Final

from consumers.log import Outgoing, Record
from consumers.memory import MemoryBroker, Transaction
from consumers.memory import Partition as Stored
from consumers.memory_group import Member, MemoryGroup
from simulator.agenda import SECOND, Agenda

_CONSEQUENCES_US: Final = 300 * SECOND
"""So long after a failure sessions, transactions and back-offs may still run out."""
TRANSACTION_TIMEOUT_US: Final = 12 * SECOND
SESSION_TIMEOUT_US: Final = 15 * SECOND
_SLOWEST_MARKER_US: Final = 2 * SECOND


class Group(MemoryGroup):
    """A group whose members may be eager: each gives up all that it has, and gets all anew."""

    eager = False

    @property
    def rebalancing(self) -> bool:
        """Whether it waits for members to join."""
        return self._rebalancing

    def _complete(self) -> bool:
        completed = super()._complete()
        if completed and self.eager:  # also whoever sleeps through this generation has only what it gives
            for member in self.members.values():
                member.owned = self._targets[member.worker_id]
        return completed

    def _pick_up(self, member: Member) -> None:
        if self.eager:
            member.generation = self.generation
        else:
            super()._pick_up(member)


@dataclass(slots=True)
class _Ending:
    """A transaction whose outcome is decided and whose markers are not all written."""

    left: list[Callable[[], None]]
    """What is still to be written: a marker in each partition, and one in that of the positions."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Where a worker has seen a partition end in this turn, and what its clock said then."""

    end: int
    at_us: int


@dataclass(frozen=True, slots=True)
class Written:
    """When a record was written, in microseconds, and after how many others anywhere."""

    at_us: int
    serial: int


@dataclass(slots=True)
class Outage:
    """Since when and until when the cluster, or a way to it, is gone."""

    until_us: int = 0

    def lasts(self, now_us: int) -> bool:
        """Whether it is gone now."""
        return now_us < self.until_us


@dataclass(slots=True)
class Truth:
    """What the cluster has done, in numbers; and what it was asked that nobody who is sound asks."""

    commits: int = 0
    aborts: int = 0
    wrong_positions: list[str] = field(default_factory=list)
    written: dict[tuple[str, int, int], Written] = field(default_factory=dict)
    """By topic, partition and offset."""
    trouble: list[tuple[int, int]] = field(default_factory=list)
    """From when until when something was wrong, or may still have had consequences."""

    def was_troubled(self, begin_us: int, end_us: int) -> bool:
        """Whether anything was wrong at any time between two instants."""
        return any(since < end_us and begin_us < until for since, until in self.trouble)


class Cluster(MemoryBroker):
    """All topics, with the failures of a cluster. `slow_markers`: the share of ends whose markers lag.

    `changed` is called when somebody who waits in a poll may have something to do.
    """

    def __init__(self, topics: Mapping[str, int], agenda: Agenda, chance: Random) -> None:
        # The cluster's clock ticks in seconds: that an arrival is a whole one keeps the oracle plain.
        super().__init__(topics, lambda: (agenda.now_us + self.clock_offset_us) // SECOND * SECOND)
        self.agenda, self._chance = agenda, chance
        self.clock_offset_us = 0
        self.outage = Outage()
        self.slow_markers = 0.5
        self.truth = Truth()
        self.changed: Callable[[], None] = lambda: None
        self.eager = False
        self.member_ids: dict[Member, str] = {}
        self.seen: dict[tuple[str, int, int], Seen | None] = {}
        self._endings: dict[str, _Ending] = {}
        self._consumed: set[str] = set()  # topics on which a group works

    def troubled(self, duration_us: int) -> None:
        """Note that from now on something is wrong for so long."""
        now_us = self.agenda.now_us
        self.truth.trouble.append((now_us, now_us + duration_us + _CONSEQUENCES_US))

    def _store(self, out: Outgoing, stamp_us: int) -> int:
        offset = super()._store(out, stamp_us)
        written = self.truth.written
        written[out.topic, out.partition, offset] = Written(self.agenda.now_us, len(written))
        return offset

    # ---- transactions

    def begin(self, transactional_id: str, epoch: int) -> Transaction:
        """Open a transaction, after the last one of this id has ended (CONCURRENT_TRANSACTIONS)."""
        self._complete(transactional_id)
        transaction = super().begin(transactional_id, epoch)
        self.agenda.after(TRANSACTION_TIMEOUT_US, lambda: self._time_out(transaction))
        return transaction

    def init_producer(self, transactional_id: str) -> int:
        """See `MemoryBroker.init_producer`; waits for the markers of what has ended."""
        self._complete(transactional_id)
        epoch = super().init_producer(transactional_id)
        self._complete(transactional_id)
        return epoch

    def finish(self, transaction: Transaction, *, commit: bool) -> None:
        """Decide a transaction; its markers come now or one after another."""
        if commit:
            self._check(transaction)
        self._open.pop(transaction.transactional_id, None)
        markers: list[Callable[[], None]] = [
            partial(self._mark, transaction, place, *span, commit)
            for place, span in transaction.spans.items()
        ]
        markers.append(partial(self._mark_positions, transaction, commit))
        self._endings[transaction.transactional_id] = _Ending(markers)
        self.truth.commits += commit
        self.truth.aborts += not commit
        if self._chance.random() < self.slow_markers:
            self._mark_later(transaction.transactional_id, self._endings[transaction.transactional_id])
        else:
            self._complete(transaction.transactional_id)

    def _mark_later(self, transactional_id: str, ending: _Ending) -> None:
        delay_us = self._chance.randrange(_SLOWEST_MARKER_US)
        self.agenda.after(delay_us, lambda: self._mark_next(transactional_id, ending))

    def _mark_next(self, transactional_id: str, ending: _Ending) -> None:
        """Write one more marker, in any order: that of the positions may come before that of the state."""
        if not ending.left:
            return
        ending.left.pop(self._chance.randrange(len(ending.left)))()
        self._mark_later(transactional_id, ending)

    def _mark(
        self,
        transaction: Transaction,
        place: tuple[str, int],
        partition: Stored,
        offsets: list[int],
        commit: bool,
    ) -> None:
        if not commit:
            for offset in offsets:
                partition.slots[offset - partition.start] = None
        del partition.open[transaction.transactional_id]
        partition.slots.append(None)
        if place[0] in self._consumed:
            self.changed()

    def _mark_positions(self, transaction: Transaction, commit: bool) -> None:
        group = transaction.group
        positions = None if group is None else group.pending.pop(transaction.transactional_id, None)
        if group is None or positions is None or not commit:
            return
        for number, position in positions.items():
            before = group.positions.get(number)
            if before is not None and position.offset < before.offset:
                went = f"went back from {before.offset} to {position.offset}"
                self.truth.wrong_positions.append(f"the committed position of partition {number} {went}")
        group.positions.update(positions)

    def _complete(self, transactional_id: str) -> None:
        """Write every marker that is left of an ended transaction."""
        ending = self._endings.pop(transactional_id, None)
        while ending is not None and ending.left:
            ending.left.pop()()

    def _time_out(self, transaction: Transaction) -> None:
        if self._open.get(transaction.transactional_id) is not transaction:
            return
        if self.outage.lasts(self.agenda.now_us):  # its clock stood still, too
            self.agenda.at(self.outage.until_us + SECOND, lambda: self._time_out(transaction))
            return
        self.time_out(transaction.transactional_id)

    def end_late(self, transaction: Transaction, delay_us: int) -> None:
        """Let a commit that was sent arrive only now: it counts if its producer was not fenced meanwhile."""
        self.agenda.after(delay_us, lambda: self._arrive(transaction))

    def _arrive(self, transaction: Transaction) -> None:
        current = self._epochs.get(transaction.transactional_id) == transaction.epoch
        if current and self._open.get(transaction.transactional_id) is transaction:
            self.finish(transaction, commit=True)

    def remember(self, out: Outgoing, seen: Seen | None) -> None:
        """Keep, for the checkers, what was seen by the worker that wrote the last record of a partition."""
        self.seen[out.topic, out.partition, self.topic(out.topic)[out.partition].end - 1] = seen

    def is_open(self, transaction: Transaction) -> bool:
        """Whether it is neither committed nor aborted."""
        return self._open.get(transaction.transactional_id) is transaction

    def is_current(self, transactional_id: str, epoch: int) -> bool:
        """Whether a producer is the newest with its id."""
        return self._epochs.get(transactional_id) == epoch

    # ---- groups

    def group(self, name: str, topic: str) -> Group:
        """See `MemoryBroker.group`."""
        found = self._groups.get((name, topic))
        if not isinstance(found, Group):
            found = self._groups[name, topic] = Group(len(self.topic(topic)))
            found.eager = self.eager
            self._consumed.add(topic)
        return found

    def watch(self, group: MemoryGroup, member: Member, silent: Callable[[], int | None]) -> None:
        """Expel a member once it is silent for a session. `silent`: since when, None while it is heard."""
        since_us = silent()
        if since_us is None or group.members.get(member.worker_id) is not member:
            return
        due_us = max(since_us, self.outage.until_us) + SESSION_TIMEOUT_US
        if due_us > self.agenda.now_us:
            self.agenda.at(due_us, lambda: self.watch(group, member, silent))
            return
        group.leave(member)
        self.changed()

    # ---- what keeps topics small

    def compact(self, topic: str, tombstones_before_us: int) -> None:
        """Keep each key's last record; tombstones only for as long as readers may need them."""
        for partition in self.topic(topic):
            last: dict[bytes | None, int] = {}
            for index, record in enumerate(partition.slots[: partition.stable - partition.start]):
                if record is None:
                    continue
                before = last.get(record.key)
                if before is not None:
                    partition.slots[before] = None
                last[record.key] = index
            for index in last.values():
                record = partition.slots[index]
                if record is not None and _is_old_tombstone(record, tombstones_before_us):
                    partition.slots[index] = None


def _is_old_tombstone(record: Record, before_us: int) -> bool:
    return record.value is None and record.timestamp_us < before_us
