"""One cycle of one clock, as the oracle keeps it: the stretches in which it ran, counted second by second."""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

from simulator.oracle.terms import Hours, Rule, Threshold, Version, amount, duration

FAR: Final = 10**9
"""Stands for every instant beyond the horizon."""
PASSED: Final = -FAR
"""Stands for every deadline that lies before the change that set it: nothing depends on where."""


def whole(number: int | Fraction) -> int | Fraction:
    """The same number, as an int where it is one."""
    return int(number) if number == int(number) else number


@dataclass
class Stretch:
    """The clock ran from `begin` until `end` (None: it still does), under this calendar."""

    begin: int | Fraction
    end: int | Fraction | None
    calendar: str


def _end(stretch: Stretch, hours: Hours) -> int | Fraction:
    return hours.end if stretch.end is None else stretch.end


@dataclass
class Clock:
    """A cycle. `set_at`: the `at` of what set its thresholds; `changed_at`: of what an event last changed."""

    id: str
    cycle: int
    rule: Rule
    version: Version
    by: str
    begin: int | Fraction
    changed_at: int | Fraction
    set_at: int | Fraction
    stretches: list[Stretch]
    announced_target: int | Fraction | None = None
    paused: bool = False
    breached: bool = False
    broken_deadline: int | Fraction | None = None
    last_deadline: int | Fraction | None = None
    ended: str | None = None
    ended_at: int | Fraction = 0
    by_engine: bool = False
    fired: set[str] = field(default_factory=set)
    _known: tuple[Any, list[tuple[int | Fraction, int, Threshold]]] = (None, [])

    @property
    def running(self) -> bool:
        """It has not ended."""
        return self.ended is None

    @property
    def target(self) -> int | Fraction:
        """In seconds; of an announcement what has elapsed and what is left until it."""
        return duration(self.rule.target) if self.announced_target is None else self.announced_target

    def elapsed(self, now: int | Fraction) -> int | Fraction:
        """The open seconds of the stretches up to an instant."""
        total: int | Fraction = 0
        for stretch in self.stretches:
            end = now if stretch.end is None else min(stretch.end, now)
            total += self._open(stretch.calendar, stretch.begin, end)
        return total

    def _open(self, calendar: str, begin: int | Fraction, end: int | Fraction) -> int | Fraction:
        hours = self.version.hours[calendar]
        return hours.opened(min(end, hours.end)) - hours.opened(begin) if begin < end else 0

    def reached(self, wanted: int | Fraction) -> int | Fraction:
        """The earliest instant at which so much time has elapsed, if the clock runs on as it does."""
        if self.announced_target is not None and wanted <= 0:
            return self.begin + wanted
        if wanted == 0:
            return self._next_opening()
        count: int | Fraction = 0
        for number, stretch in enumerate(self.stretches, 1):
            hours = self.version.hours[stretch.calendar]
            within = self._open(stretch.calendar, stretch.begin, _end(stretch, hours))
            if count + within >= wanted:
                at = hours.reached(hours.opened(stretch.begin) + wanted - count)
                if at == stretch.end and number < len(self.stretches):
                    return self.stretches[number].begin  # until it ran on no more had elapsed
                return FAR if at is None else whole(at)
            count += within
        return FAR

    def _next_opening(self) -> int | Fraction:
        """The contract: "target 0 outside hours is the next opening"."""
        for stretch in self.stretches:
            hours = self.version.hours[stretch.calendar]
            at = hours.next_open(stretch.begin) if stretch.begin < hours.end else None
            if at is not None and at < _end(stretch, hours):
                return at
        return FAR

    @property
    def deadline(self) -> int | Fraction | None:
        """None while paused. A broken one does not move."""
        if self.paused:
            return None
        if self.breached:
            return self.broken_deadline
        deadline = self.reached(self.target)
        if deadline >= self.set_at:
            return deadline
        # With nothing left there is no earlier instant than the change itself.
        return self.set_at if self.elapsed(self.set_at) == self.target else PASSED

    def due(self) -> list[tuple[int | Fraction, int, Threshold]]:
        """What this cycle still has to fire: when, which one in the order of the policy, and what.

        Counting the seconds again is only needed when something has changed.
        """
        now = (
            self.rule, self.set_at, self.announced_target, self.paused, self.ended, self.begin,
            len(self.fired),
            [(each.begin, each.end, each.calendar) for each in self.stretches],
        )  # fmt: skip
        if self._known[0] != now:
            self._known = (now, self._due())
        return self._known[1]

    def _due(self) -> list[tuple[int | Fraction, int, Threshold]]:
        if not self.running or self.paused:
            return []
        waiting = []
        for order, threshold in enumerate(self.rule.thresholds):
            wanted = amount(threshold.name, self.target)
            # "One that lies before the clock's start never fires": a warning. Silent: an announcement that is
            # late can lie before its own cycle; such a promise is broken at once.
            never = wanted < 0 and threshold.name[0] not in "b+"
            if threshold.name not in self.fired and not never:
                reached = self.reached(wanted)
                at = reached if reached > self.set_at else self._next_run()
                waiting.append((at, order, threshold))
        return waiting

    def _next_run(self) -> int | Fraction:
        """What has passed already fires when that was set; but nothing does while the clock stands still."""
        following = [each.begin for each in self.stretches if each.end is None or each.end > self.set_at]
        return max(self.set_at, min(following))

    def announce(self, at: int | Fraction, instant: int) -> None:
        """The deadline is what somebody announced."""
        self.announced_target = self.elapsed(at) + instant - at

    def halt(self, at: int | Fraction) -> None:
        """Nothing that this clock counted after `at` happened."""
        self.stretches = [each for each in self.stretches if each.begin <= at]
        for each in self.stretches:
            each.end = at if each.end is None else min(each.end, at)

    def stands_from(self, at: int | Fraction) -> bool:
        """It counts nothing after `at`."""
        return all(each.end is not None and each.end <= at for each in self.stretches)

    def runs_from(self, at: int | Fraction) -> bool:
        """It runs after `at` without a break."""
        reached: int | Fraction | None = at
        for each in self.stretches:
            if reached is not None and each.begin <= reached:
                reached = None if each.end is None else max(reached, each.end)
        return reached is None

    def change_calendar(self, at: int | Fraction, calendar: str) -> None:
        """What it runs after `at` it runs under this calendar."""
        before = [each for each in self.stretches if each.begin < at]
        after = [Stretch(max(each.begin, at), each.end, calendar) for each in self.stretches
                 if each.end is None or each.end > at]  # fmt: skip
        for each in before:
            each.end = at if each.end is None else min(each.end, at)
        self.stretches = before + after

    def go(self, at: int | Fraction, calendar: str) -> None:
        """The clock runs on from `at`, under this calendar."""
        self.halt(at)
        self.stretches.append(Stretch(at, None, calendar))
        self.set_at = at
