"""`simulate`: play one history of the simulator, and tell the story of what went wrong in it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from simulator.history import History, play
from simulator.plan import Plan, plan
from simulator.shrink import shrink
from simulator.story import story

Say = Callable[[str], None]


def simulate(seed: int, hours: int, say: Say) -> History:
    """Play the history of a seed. Of one in which something is found, the shortest story is told."""
    whole = plan(seed, hours)
    history = play(whole)
    if history.findings:
        say(f"Seed {seed}: {len(history.findings)} findings; looking for the shortest history with one...")
        small = smallest(whole, history)
        for line in story(small, play(small)):
            say(line)
    return history


def smallest(whole: Plan, history: History, again: Callable[[Plan], History] = play) -> Plan:
    """The shortest history in which one of the same checkers finds something. `again` plays one."""
    checkers = {finding.checker for finding in history.findings}

    def fails(smaller: Plan) -> bool:
        return any(finding.checker in checkers for finding in again(smaller).findings)

    named = {finding.ticket for finding in history.findings if finding.ticket is not None}
    concerned = tuple(each for each in whole.arriving if each.ticket in named)
    alone = replace(whole, arriving=concerned)
    return shrink(alone if concerned and fails(alone) else whole, fails)


def summary(history: History) -> str:
    """One history in a few lines."""
    faults = sum(history.faults.values())
    return "\n".join((
        f"seed {history.seed}: {history.tickets} tickets, {history.events} events, "
        f"{history.workers} workers, {faults} faults",
        f"  {history.transactions} transactions committed, {history.aborted} aborted; "
        f"{history.firings} firings",
        f"  faults  {_counts(history.faults)}",
        f"  crashes {_counts(history.crashes)}",
        f"  digest  {history.digest}",
        f"{len(history.findings)} findings" if history.findings else "nothing was found",
        *(f"  {finding}" for finding in history.findings),
    ))  # fmt: skip


def _counts(counts: Any) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "none"
