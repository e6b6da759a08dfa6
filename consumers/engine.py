"""The loop: poll, restore what was gained, decide within one transaction, commit, promote.

The way of one event: `log.poll` -> `envelope.decode` -> `decide` -> `evolve` into the overlay -> the outbox
renders records -> `log` sends, checks and commits -> the overlay becomes the state. What is due enters at
`decide`, in deadline order, between events, in the same transaction.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from consumers.clock import Clock
from consumers.log import Log, Polled, Position, Record, Restart
from consumers.partition import Partition, Restoration
from consumers.processor import Processor, Renderer, Tally
from workflow.policy import Policies

_RESOLUTION = timedelta(microseconds=1)

_SHORTEST_POLL_SECONDS = 0.002
"""What is overdue may have to wait for records that arrived before it; asking for them must not spin."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one turn of the loop may do, and how long it may wait.

    A transaction holds at most `max_records` records and about `max_firings` firings. `back_off_seconds`,
    the first and the longest: how long it waits before it begins anew, doubled until what failed succeeds.
    While a partition is restored a turn reads `max_restored` records of its changelog, or as many tickets.
    """

    max_records: int = 500
    max_firings: int = 500
    poll_seconds: float = 0.2
    back_off_seconds: tuple[float, float] = (0.1, 5.0)
    max_restored: int = 2_000


class Observer(Protocol):
    """Watches the loop, to count and to tell. Nothing it does changes what the engine does."""

    def restored(self, partition: int, tickets: int, seconds: float) -> None:
        """A partition was restored."""

    def dropped(self, partition: int) -> None:
        """A partition went to another worker, or its memory was thrown away."""

    def committed(self, tally: Tally, seconds: float) -> None:
        """A transaction was committed; `seconds` from its begin."""

    def restarted(self, reason: Restart) -> None:
        """A transaction was refused or uncertain: memory is thrown away and rebuilt from the log."""

    def turned(self) -> None:
        """The loop has turned once more: it is alive."""


class Engine:
    """One member of the group: owns some partitions and works on them in one thread."""

    def __init__(
        self,
        log: Log,
        clock: Clock,
        policies: Policies,
        outbox: Renderer,
        observer: Observer,
        bounds: Bounds | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._log, self._clock, self._policies, self._observer = log, clock, policies, observer
        self._bounds = bounds or Bounds()
        self._sleep = sleep
        self._processor = Processor(policies, clock, outbox, log.partitions, log.send)
        self._partitions: dict[int, Partition] = {}
        self._awaited: set[int] = set()
        self._restoration: tuple[Restoration, float] | None = None  # with when it began
        self._trouble: Restart | None = None
        self._attempted: frozenset[int] = frozenset()  # the partitions of the transaction that is open
        self._unproven: set[int] = set()
        self._back_off = self._bounds.back_off_seconds[0]

    @property
    def partitions(self) -> Mapping[int, Partition]:
        """The partitions that are restored and worked on."""
        return self._partitions

    @property
    def ready(self) -> bool:
        """Every partition that the group gave to this worker is restored, and there is one."""
        return bool(self._partitions) and not self._awaited

    @property
    def trouble(self) -> Restart | None:
        """What failed last, until it is known to succeed; None: nothing."""
        return self._trouble

    def turn(self) -> int:
        """Turn the loop once; returns how many records and firings were committed.

        Raises LogError when another process has this worker's id, and UnknownPolicyVersion. After anything
        uncertain memory is thrown away, and the next turns rebuild it from the log.
        """
        self._observer.turned()
        try:
            polled = self._log.poll(self._poll_seconds(), self._bounds.max_records)
            reading = not (self._awaited or polled.assigned)
            self._follow(polled)
            # While the group rebalances nothing can be committed: what is due waits for the next turn.
            done = self._transact(polled.records) if polled.stable else 0
            if self._trouble is not None and polled.stable and reading:
                self._prove(quiet=not done)
        except Restart as reason:
            self._start_over(reason)
            return 0
        return done

    def _prove(self, *, quiet: bool) -> None:
        """Forget what failed once it is known to succeed: `turn` has read on in all partitions since.

        A poll succeeds before the commit that fails again, and also before the answer that refuses what it
        asked for. So each partition of the transaction that failed must have committed since, or have nothing
        left to do; where none was open, each that this worker had.
        """
        self._unproven &= self._partitions.keys()
        if quiet:
            self._unproven -= self._log.at_end(self._unproven)
        if not self._unproven:
            self._trouble = None
            self._back_off = self._bounds.back_off_seconds[0]

    def _poll_seconds(self) -> float:
        """How long to wait for records: not past what is due next, nor while a partition waits."""
        if self._awaited:
            return _SHORTEST_POLL_SECONDS
        heads = [due.at for each in self._partitions.values() if (due := each.index.head()) is not None]
        if not heads:
            return self._bounds.poll_seconds
        wait_seconds = (min(heads) - self._clock.now()).total_seconds()
        return min(max(wait_seconds, _SHORTEST_POLL_SECONDS), self._bounds.poll_seconds)

    def _follow(self, polled: Polled) -> None:
        """Drop what went, and go on restoring what came, one partition after the other."""
        for number in polled.revoked:
            if self._partitions.pop(number, None) is not None:
                self._observer.dropped(number)
        self._awaited = (self._awaited - polled.revoked) | polled.assigned
        if self._restoration is not None and self._restoration[0].partition.number in polled.revoked:
            self._restoration = None
        if self._awaited:
            self._restore()

    def _restore(self) -> None:
        """Restore a little more: whoever restores does not poll, and holds up the others' rebalance."""
        if self._restoration is None:
            first = Restoration(min(self._awaited), self._log, self._policies)
            self._restoration = first, time.monotonic()
        restoration, begun = self._restoration
        if not restoration.advance(self._bounds.max_restored):
            return
        self._restoration = None
        partition = restoration.partition
        self._awaited.discard(partition.number)
        self._partitions[partition.number] = partition
        self._observer.restored(partition.number, len(partition), time.monotonic() - begun)

    def _transact(self, records: Mapping[int, Sequence[Record]]) -> int:
        """Decide a batch of records and what is due, in one transaction."""
        now = self._clock.now()  # before the end is asked for: what arrives later may come before what is due
        due = self._due_at_end(now)
        touched = [self._partitions[number] for number in sorted({*records, *due})]
        if not touched:
            return 0
        begun = time.monotonic()
        self._attempted = frozenset(each.number for each in touched)
        self._processor.tally = Tally()
        self._log.begin()
        done = self._decide(records, due, now)
        for partition in touched:
            self._processor.states(partition)
        self._log.commit({each.number: Position(each.offset, each.metadata) for each in touched})
        for partition in touched:
            partition.promote()
        self._unproven -= self._attempted
        self._attempted = frozenset()
        self._observer.committed(self._processor.tally, time.monotonic() - begun)
        return done

    def _decide(self, records: Mapping[int, Sequence[Record]], due: Sequence[int], now: datetime) -> int:
        """Records and firings in turns, as many firings for each partition: nobody waits for all others."""
        numbers = sorted({*records, *due})
        budget = math.ceil(self._bounds.max_firings / len(numbers))
        done = 0
        for number in numbers:
            partition, batch, left = self._partitions[number], records.get(number, ()), budget
            share = math.ceil(budget / max(len(batch), 1))
            for record in batch:
                fired = self._processor.record(partition, record, min(share, left))
                left = max(left - fired, 0)
                done += 1 + fired
            if number in due:
                done += self._processor.fire(partition, now + _RESOLUTION, left)
        return done

    def _due_at_end(self, now: datetime) -> list[int]:
        """The partitions that have something due by the worker's clock and nothing more to read before it.

        Elsewhere what is due waits for the records that arrived before it: firing follows the running
        arrival.
        """
        waiting = [
            number
            for number, partition in self._partitions.items()
            if (head := partition.index.head()) is not None and head.at <= now
        ]
        if not waiting:
            return []
        return sorted(self._log.at_end(waiting))

    def _start_over(self, reason: Restart) -> None:
        """Throw memory away and begin anew; the next poll says what to restore."""
        self._fail(reason)
        self._unproven |= self._attempted or self._partitions.keys() | self._awaited
        self._attempted = frozenset()
        for number in list(self._partitions):
            del self._partitions[number]
            self._observer.dropped(number)
        self._awaited.clear()
        self._restoration = None
        while not self._reset():
            self._observer.turned()

    def _reset(self) -> bool:
        """Let the log begin anew, after a back-off that grows until all is well; False: try again."""
        self._sleep(self._back_off)
        self._back_off = min(self._back_off * 2, self._bounds.back_off_seconds[1])
        try:
            self._log.reset()
        except Restart as reason:
            self._fail(reason)
            return False
        return True

    def _fail(self, reason: Restart) -> None:
        self._trouble = reason
        self._observer.restarted(reason)

    def close(self, *, leave_group: bool = True) -> None:
        """End between two turns: nothing is open."""
        self._log.close(leave_group=leave_group)
