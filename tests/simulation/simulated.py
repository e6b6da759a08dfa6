"""Histories of the simulator, each checked by every checker, and each with enough in it to be worth it."""

from collections.abc import Iterable

from simulator.history import play
from simulator.plan import LEAST_EVENTS, LEAST_FAULTS, plan

SEEDS = range(100)
"""Those of the test command; `./dev torture` plays thousands."""


def check(seeds: Iterable[int]) -> None:
    """Play these seeds: nothing is found in any."""
    for seed in seeds:
        history = play(plan(seed))
        assert history.findings == (), f"./dev simulate --seed {seed} tells the story"
        assert history.tickets >= 200
        assert history.events >= LEAST_EVENTS
        assert history.workers >= 2
        assert sum(history.faults.values()) >= LEAST_FAULTS, f"seed {seed}"
