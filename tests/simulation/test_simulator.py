"""The simulator itself: what it plays is always the same, has all in it, and its checkers miss nothing."""

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from functools import partial

import pytest

from ops.simulate import smallest
from simulator.checks import on_time
from simulator.history import History, play
from simulator.node import POINTS
from simulator.plan import Fault, plan
from simulator.planted import PLANTED
from simulator.story import story
from simulator.world import World
from tests.support.processes import ROOT

pytestmark = [pytest.mark.simulation, pytest.mark.timeout(1_200)]


def test_one_seed_is_one_history_on_any_machine() -> None:
    """The same seed gives the same bytes in another process, which orders its sets in another way."""
    script = "import logging; logging.disable(50); from simulator.history import play; "
    script += "from simulator.plan import plan; print(play(plan(4)).digest)"
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(digests) == 1
    assert digests != {b""}


def test_every_kind_of_fault_and_every_boundary_of_a_step_is_planned() -> None:
    """Over some hundred seeds all kinds of fault and all points of a crash are drawn."""
    faults = [fault for seed in range(300) for fault in plan(seed).faults]
    crashes = Counter(fault.point for fault in faults if fault.kind == "crash")
    assert crashes.keys() == set(POINTS)
    assert {fault.kind for fault in faults} == {
        "crash", "pause", "zombie", "stop", "commit", "leader", "clock", "cluster clock", "outage", "cut",
        "expel", "scale", "compact", "stall",
    }  # fmt: skip


def test_what_a_stopped_worker_leaves_is_taken_over_at_once() -> None:
    """Nothing waits until it is started again, whatever the other worker did when the group told it."""
    stops = tuple(Fault(half * 1800, "stop", "a", "polled", seconds=400.0) for half in range(1, 128))
    world = World(replace(plan(7), faults=stops))
    world.play()
    world.cluster.truth.trouble.clear()  # a stop explains no delay
    assert world.misfortune.happened == {"stop": 127}
    assert list(on_time(world)) == []


def test_who_stops_while_the_cluster_is_away_is_missed_after_a_session() -> None:
    """It cannot say that it leaves, and its partitions go to the others all the same."""
    faults = (Fault(36_000, "scale", "d", seconds=60.0), Fault(36_050, "outage", seconds=90.0))
    assert play(replace(plan(5), faults=faults)).findings == ()


def _first_caught(name: str, seeds: int = 40) -> tuple[int, History]:
    for seed in range(seeds):
        history = play(plan(seed), PLANTED[name])
        if history.findings:
            return seed, history
    raise AssertionError(f"{name}: not found in {seeds} histories")


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_found(name: str) -> None:
    """A worker that is broken on purpose leaves something that a checker finds."""
    _first_caught(name)


def test_a_failing_history_is_told_as_a_short_story() -> None:
    """Of a history with a bug only few records and faults are left, and the story says what was found."""
    whole = plan(0)
    bug = partial(play, process=PLANTED["no dead letter for what is no event"])
    smaller = smallest(whole, bug(whole), bug)
    assert len(smaller.arriving) == 1
    assert smaller.faults == ()
    lines = list(story(smaller, bug(smaller)))
    assert any(line.startswith("FOUND conservation:") for line in lines)
    assert len(lines) < 40
    assert any("channel: " in line for line in lines)
