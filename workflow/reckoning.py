"""The arithmetic behind a deadline: which stretches of time a cycle has counted, and which it has not.

Everything is computed anew with `calendars` from the policy's hours, and compared with what the journal says:
`agrees` is False where the two differ. That would be a bug, or a policy file that was changed although its
version stayed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from schemas.instants import parse_instant, seconds
from schemas.records import Change
from schemas.state import Clock
from workflow.calendars import Calendar
from workflow.counting import ZERO, pieces, reached
from workflow.history import ENDINGS, Move
from workflow.policy import Policies
from workflow.terms_in_force import Hours, Terms, hours_of, terms_of

SHOWN_AT_EACH_END: Final = 3
"""Of more than twice as many and one shifts the ones in the middle are told as a sum."""

_MOVING: Final = frozenset({Change.STARTED, Change.PAUSED, Change.RESUMED, Change.RETARGETED})
"""The changes after which a cycle has another deadline, or none."""


class LegKind(StrEnum):
    """What a leg of a cycle is.

    Counted: `carried` (before the clock matched), `counted`, `registered_earlier` (the time of a ticket that
    was merged into this one), `corrected` (taken back: an event counts earlier), `remaining`. Not counted:
    `paused`, `ended` (until the ticket was reopened).
    """

    CARRIED = "carried"
    COUNTED = "counted"
    REGISTERED_EARLIER = "registered_earlier"
    CORRECTED = "corrected"
    PAUSED = "paused"
    ENDED = "ended"
    REMAINING = "remaining"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Open time without a break; or the sum of `shifts` ones that begin on `days` dates."""

    start: datetime
    end: datetime
    seconds: float
    shifts: int = 1
    days: int = 1


@dataclass(frozen=True, slots=True)
class Leg:
    """A part of a cycle. `seconds` is business time in `calendar`; `end` None: not known yet."""

    kind: LegKind
    start: datetime | None
    end: datetime | None
    seconds: float
    counts: bool
    calendar: Hours
    stretches: tuple[Stretch, ...] = ()


@dataclass(frozen=True, slots=True)
class Reckoning:
    """How a cycle's last deadline comes about: the legs that count add up to the target.

    `deadline` is what the arithmetic gives; None while the clock stands still. `agrees`: it is the journal's,
    and so is every sum of elapsed time on the way.
    """

    legs: tuple[Leg, ...]
    target_seconds: float
    deadline: datetime | None
    agrees: bool


def computed_deadline(move: Move, policies: Policies) -> datetime | None:
    """The deadline that a change sets, computed anew; None where it sets none or its policy is not here."""
    after, terms = move.after, terms_of(policies, move.after, move.step.fields_after)
    if move.change.change not in _MOVING or after.paused or after.breached or terms is None:
        return None
    return reached(after, terms.calendar, timedelta(seconds=after.target_seconds))


def reckon(cycle: Sequence[Move], policies: Policies) -> Reckoning | None:
    """The arithmetic of a cycle up to its last deadline; None where a policy version is not here.

    A broken promise keeps its deadline: what happened to the clock after the breach is left out.
    """
    deciding = [
        number
        for number, move in enumerate(cycle)
        if move.change.change in _MOVING and not move.after.breached
    ]
    moves = cycle[: deciding[-1] + 1]
    if any(terms_of(policies, move.after, move.step.fields_after) is None for move in moves):
        return None
    count = _Count()
    for move in moves:
        count.take(move, policies)
    last = moves[-1]
    terms = _terms(policies, last)
    deadline = computed_deadline(last, policies)
    legs = (*count.legs, *_remaining(last, terms, deadline))
    target = last.after.target_seconds
    return Reckoning(legs, target, deadline, count.agrees and deadline == last.change.deadline)


def _terms(policies: Policies, move: Move) -> Terms:
    terms = terms_of(policies, move.after, move.step.fields_after)
    assert terms is not None  # noqa: S101 - `reckon` has looked
    return terms


def _remaining(last: Move, terms: Terms, deadline: datetime | None) -> Iterator[Leg]:
    """What is left of the target; before it what the engine's own turns made of the time since the change."""
    clock, start = last.after, last.after.since
    left = timedelta(seconds=clock.target_seconds) - timedelta(seconds=clock.elapsed_seconds)
    turned = max((turn.at for turn in clock.turns), default=start)
    until = turned if deadline is None else min(turned, deadline)
    for piece in pieces(clock, start, until) if until > start else ():
        if piece.end == deadline:
            break
        passed = terms.calendar.elapsed(piece.begin, piece.end)
        yield _leg(LegKind.COUNTED if piece.counts else LegKind.PAUSED, terms, piece.begin, piece.end, passed)
        start = piece.end
        left -= passed if piece.counts else ZERO
    yield _leg(LegKind.REMAINING, terms, start, deadline, left)


@dataclass(slots=True)
class _Count:
    """What a cycle has counted so far, move by move, by the same rules as the ledger's."""

    legs: list[Leg] = field(default_factory=list)
    agrees: bool = True
    ended_at: datetime | None = None

    def take(self, move: Move, policies: Policies) -> None:
        """Go on to a change."""
        kind, at = move.change.change, move.change.at
        if kind is Change.STARTED:
            self._start(move, policies)
        elif kind in _MOVING or kind in ENDINGS:
            self._count(move, policies)
            self.ended_at = at if kind in ENDINGS else None

    def _start(self, move: Move, policies: Policies) -> None:
        elapsed = timedelta(seconds=move.change.elapsed_seconds)
        if elapsed:
            self._add(LegKind.CARRIED, _terms(policies, move), _began(move), move.change.at, elapsed)

    def _count(self, move: Move, policies: Policies) -> None:
        assert move.before is not None  # noqa: S101 - only `started` has no clock before it
        terms = terms_of(policies, move.before, move.step.fields_before)
        assert terms is not None  # noqa: S101 - `reckon` has looked
        at = move.change.at
        expected = self._pass(terms, move.before, at)
        if self.ended_at is not None and at > self.ended_at:
            self._add(LegKind.ENDED, terms, self.ended_at, at, terms.calendar.elapsed(self.ended_at, at))
        elapsed = timedelta(seconds=move.change.elapsed_seconds)
        self._settle(move, terms, elapsed - timedelta(seconds=move.before.elapsed_seconds) - expected)

    def _pass(self, terms: Terms, clock: Clock, at: datetime) -> timedelta:
        """What a clock has counted more at `at` than at its `since`, with the legs for it."""
        if at < clock.since:
            # The engine itself has changed the clock's pace since: what it had counted later is taken back.
            later = [piece for piece in pieces(clock, at, clock.since) if piece.counts]
            taken = [-terms.calendar.elapsed(piece.begin, piece.end) for piece in later]
            for piece, length in zip(later, taken, strict=True):
                self._add(LegKind.CORRECTED, terms, piece.begin, piece.end, length)
            return sum(taken, ZERO)
        until, more = at if self.ended_at is None else min(at, self.ended_at), ZERO
        for piece in pieces(clock, clock.since, until):
            passed = terms.calendar.elapsed(piece.begin, piece.end)
            kind = LegKind.COUNTED if piece.counts else LegKind.PAUSED
            self._add(kind, terms, piece.begin, piece.end, passed)
            more += passed if piece.counts else ZERO
        return more

    def _settle(self, move: Move, terms: Terms, more: timedelta) -> None:
        """Account for time that did not pass since the last move: only an earlier registration gives such."""
        if not more:
            return
        before, registered = move.step.before, move.step.entry.changed.get("registered_at")
        if before is None or registered is None or move.change.change is not Change.RETARGETED:
            self.agrees = False
            return
        earlier = parse_instant(registered)
        self.agrees &= terms.calendar.elapsed(earlier, before.registered_at) == more
        self._add(LegKind.REGISTERED_EARLIER, terms, earlier, before.registered_at, more)

    def _add(
        self, kind: LegKind, terms: Terms, start: datetime | None, end: datetime, length: timedelta
    ) -> None:
        if start != end:
            self.legs.append(_leg(kind, terms, start, end, length))


def _began(move: Move) -> datetime | None:
    """When the trigger happened that a clock which matches late counts from."""
    before = move.step.before
    mark = None if before is None or move.change.by is None else before.triggers.get(move.change.by)
    return None if mark is None else mark.at


def _leg(kind: LegKind, terms: Terms, start: datetime | None, end: datetime | None, length: timedelta) -> Leg:
    counts = kind not in (LegKind.PAUSED, LegKind.ENDED)
    hours = hours_of(terms, start or end or terms.policy.effective_from, end)
    listed = kind in (LegKind.COUNTED, LegKind.REGISTERED_EARLIER, LegKind.REMAINING)
    parts = () if start is None or end is None or not listed else _stretches(terms.calendar, start, end)
    return Leg(kind, start, end, seconds(length), counts, hours, parts)


def _stretches(calendar: Calendar, start: datetime, end: datetime) -> tuple[Stretch, ...]:
    """The open time between two instants; of many shifts the middle as one sum."""
    found = list(calendar.stretches(start, end))
    if len(found) <= 2 * SHOWN_AT_EACH_END + 1:
        return tuple(_each(found))
    first, middle, last = (
        found[:SHOWN_AT_EACH_END],
        found[SHOWN_AT_EACH_END:-SHOWN_AT_EACH_END],
        found[-SHOWN_AT_EACH_END:],
    )
    zone = ZoneInfo(calendar.zone)
    total = sum((until - since for since, until in middle), ZERO)
    days = len({since.astimezone(zone).date() for since, _ in middle})
    summed = Stretch(middle[0][0], middle[-1][1], seconds(total), len(middle), days)
    return (*_each(first), summed, *_each(last))


def _each(stretches: list[tuple[datetime, datetime]]) -> Iterator[Stretch]:
    return (Stretch(since, until, seconds(until - since)) for since, until in stretches)
