"""A failing history made small: tickets and faults are left out while something is still found."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from simulator.plan import Plan

Fails = Callable[[Plan], bool]
_T = TypeVar("_T")


def shrink(plan: Plan, fails: Fails, attempts: int = 150) -> Plan:
    """The smallest plan found in so many attempts at most that still fails: first tickets, then faults."""
    left = [attempts]

    def tried(smaller: Plan) -> bool:
        left[0] -= 1
        return left[0] >= 0 and fails(smaller)

    def with_tickets(tickets: Sequence[str]) -> Plan:
        kept = set(tickets)
        return replace(plan, arriving=tuple(each for each in plan.arriving if each.ticket in kept))

    tickets = _fewest(plan.tickets, lambda kept: tried(with_tickets(kept)))
    plan = with_tickets(tickets)
    faults = _fewest(plan.faults, lambda kept: tried(replace(plan, faults=tuple(kept))))
    plan = replace(plan, faults=tuple(faults))
    arriving = _fewest(plan.arriving, lambda kept: tried(replace(plan, arriving=tuple(kept))))
    plan = replace(plan, arriving=tuple(arriving))
    for workers in (plan.workers[:1], plan.workers[:2]):
        if len(workers) < len(plan.workers) and tried(replace(plan, workers=workers)):
            return replace(plan, workers=workers)
    return plan


def _fewest(all_of_them: Sequence[_T], still: Callable[[Sequence[_T]], bool]) -> Sequence[_T]:
    """Delta debugging (Zeller and Hildebrandt, 2002): leave out ever smaller parts."""
    kept, size = list(all_of_them), max(len(all_of_them) // 2, 1)
    while kept:
        begin = 0
        while begin < len(kept):
            fewer = kept[:begin] + kept[begin + size :]
            if still(fewer):
                kept = fewer
            else:
                begin += size
        if size == 1:
            return kept
        size = max(size // 2, 1)
    return kept
