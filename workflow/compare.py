"""Which verdicts another policy would change: two replays of the same events, held against each other.

A verdict is what a clock's cycle comes to once everything that was retracted is gone: met, breached,
cancelled, or still running. Verdicts are matched by ticket, life (an id may be used again after its ticket
has left the state), clock and cycle.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from schemas.instants import seconds
from schemas.records import Change, ClockChange
from workflow.decide import Accepted
from workflow.notices import notifications


class Word(StrEnum):
    """What a cycle comes to."""

    MET = "met"
    BREACHED = "breached"
    CANCELLED = "cancelled"
    RUNNING = "running"


class Judged(NamedTuple):
    """What a cycle comes to, and by how much.

    `deadline` is that of the breach for a breached one, and None for one that stands still or ended so.
    `elapsed_seconds`: the business time counted up to the cycle's last change.
    """

    word: Word
    deadline: datetime | None
    elapsed_seconds: float
    target_seconds: float


_SETTLED: Final[Mapping[Change, Word]] = {
    Change.STARTED: Word.RUNNING,
    Change.BREACHED: Word.BREACHED,
    Change.MET: Word.MET,
    Change.CANCELLED: Word.CANCELLED,
    Change.RETRACTED: Word.RUNNING,
}
_NO_NEWS: Final = frozenset({Change.WARNED, Change.STEPPED})


def judged(before: Judged | None, change: ClockChange) -> Judged:
    """What a cycle comes to after one more of its changes (`before` is None: its first)."""
    if before is not None and change.change in _NO_NEWS:
        return before
    breached = before is not None and before.word is Word.BREACHED
    # A pause, its end, another target: the clock runs (again), unless the promise is broken already.
    word = _SETTLED.get(change.change, Word.BREACHED if breached else Word.RUNNING)
    kept = breached and word is Word.BREACHED
    deadline = before.deadline if before is not None and kept else change.deadline
    return Judged(word, deadline, change.elapsed_seconds, change.target_seconds)


Cycle = tuple[str, int]
"""A clock's id and the number of its cycle."""


@dataclass(slots=True)
class Life:
    """One life of a ticket: category and queue as it last had them, and what each cycle comes to."""

    category: str
    queue: str
    cycles: dict[Cycle, Judged] = field(default_factory=dict)


@dataclass(slots=True)
class Book:
    """What the facts of one replay come to. The facts of a ticket are added in their order."""

    lives: dict[str, list[Life]] = field(default_factory=dict)
    notifications: Counter[str] = field(default_factory=Counter)
    escalations: int = 0
    _cycles: dict[Cycle, Cycle] = field(default_factory=dict)  # one object for each, whatever the tickets

    def add(self, fact: Accepted) -> None:
        """Note one more fact."""
        entry, ticket = fact.entry, fact.after or fact.before
        if ticket is None:
            return
        lives = self.lives.setdefault(entry.ticket_id, [])
        if entry.seq == 1:
            lives.append(Life(ticket.category, ticket.queue))
        life = lives[-1]
        life.category, life.queue = ticket.category, ticket.queue
        for change in entry.clocks:
            cycle = (change.clock, change.cycle)
            cycle = self._cycles.setdefault(cycle, cycle)
            life.cycles[cycle] = judged(life.cycles.get(cycle), change)
        self.notifications.update(notice.template.value for _, notice in notifications(fact))
        self.escalations += fact.before is not None and entry.level > fact.before.level

    def verdicts(self) -> dict[str, Counter[Word]]:
        """How many cycles of each clock come to what; the clocks sorted."""
        found: dict[str, Counter[Word]] = {}
        for lives in self.lives.values():
            for life in lives:
                for (clock, _), verdict in life.cycles.items():
                    found.setdefault(clock, Counter())[verdict.word] += 1
        return dict(sorted(found.items()))


class Kind(NamedTuple):
    """What is different, by clock, category and queue.

    `before` and `after` are None where the cycle is only under the other policy. Where both are breached,
    `breach` says whether the breach comes earlier or later.
    """

    clock: str
    category: str
    queue: str
    before: Word | None
    after: Word | None
    breach: str | None


@dataclass(frozen=True, slots=True)
class Difference:
    """A cycle that comes to something else under the other policy, or is breached at another instant.

    `life` counts the lives of that ticket id from 1.
    """

    ticket_id: str
    life: int
    cycle: int
    kind: Kind
    before: Judged | None
    after: Judged | None


@dataclass(slots=True)
class Moved:
    """How many instants come earlier and later under the other policy, and by how many seconds in all."""

    earlier: int = 0
    earlier_seconds: float = 0.0
    later: int = 0
    later_seconds: float = 0.0

    def add(self, by_seconds: float) -> None:
        """Count one that moved by that much; below zero: it comes earlier."""
        if by_seconds < 0:
            self.earlier += 1
            self.earlier_seconds -= by_seconds
        elif by_seconds > 0:
            self.later += 1
            self.later_seconds += by_seconds


@dataclass(frozen=True, slots=True)
class Comparison:
    """What another policy changes. `differences` by ticket, life, clock and cycle.

    `deadlines` counts cycles that have a deadline under both policies, `breaches` those of them that are
    breached under both.
    """

    differences: tuple[Difference, ...]
    groups: Mapping[Kind, int]
    tickets: int
    deadlines: Moved
    breaches: Moved


def compare(before: Book, after: Book) -> Comparison:
    """Hold two replays of the same events against each other."""
    deadlines, breaches = Moved(), Moved()
    found = []
    for ticket_id in sorted(before.lives.keys() | after.lives.keys()):
        for life, (old, new) in enumerate(_lives(before, after, ticket_id), 1):
            for clock, cycle in sorted(_cycles(old) | _cycles(new)):
                was = old.cycles.get((clock, cycle)) if old else None
                then = new.cycles.get((clock, cycle)) if new else None
                by_seconds = _shift(was, then)
                deadlines.add(by_seconds)
                if was and then and was.word is then.word is Word.BREACHED:
                    breaches.add(by_seconds)
                kind = _kind(clock, old or new, was, then, by_seconds)
                if kind is not None:
                    found.append(Difference(ticket_id, life, cycle, kind, was, then))
    groups = Counter(each.kind for each in found)
    tickets = len({each.ticket_id for each in found})
    return Comparison(tuple(found), groups, tickets, deadlines, breaches)


def _lives(before: Book, after: Book, ticket_id: str) -> Iterator[tuple[Life | None, Life | None]]:
    old, new = before.lives.get(ticket_id, []), after.lives.get(ticket_id, [])
    for number in range(max(len(old), len(new))):
        yield (
            old[number] if number < len(old) else None,
            new[number] if number < len(new) else None,
        )


def _cycles(life: Life | None) -> set[Cycle]:
    return set() if life is None else set(life.cycles)


def _shift(was: Judged | None, then: Judged | None) -> float:
    """By how many seconds the deadline comes later; 0 where it is not one under both policies."""
    if was is None or then is None or was.deadline is None or then.deadline is None:
        return 0.0
    return seconds(then.deadline - was.deadline)


def _kind(
    clock: str, life: Life | None, was: Judged | None, then: Judged | None, by_seconds: float
) -> Kind | None:
    """What is different, None where nothing is; category and queue are those under the first policy."""
    words = was.word if was else None, then.word if then else None
    breach = None
    if words == (Word.BREACHED, Word.BREACHED) and by_seconds:
        breach = "earlier" if by_seconds < 0 else "later"
    if life is None or (words[0] is words[1] and breach is None):
        return None
    return Kind(clock, life.category, life.queue, *words, breach)
