"""A worker fails at every step in turn; what comes out is what an undisturbed run gives."""

from functools import cache
from typing import Any

import pytest

from consumers.engine import Bounds, Engine
from consumers.log import Fenced, Restart, Unavailable
from tests.support.cluster import Cluster, Killed, settle
from tests.support.world import DAY, HOUR, at, written

pytestmark = pytest.mark.simulation

POLICY = """
reopening_window: 2d
clocks:
  - {clock: first, target: 10m, start: [created], stop: [assigned], warn: [50%],
     on_breach: [{after: 0s, do: escalate, notify: [supervisor]}, {after: 5m, notify: [supervisor]}]}
  - {clock: whole, target: 1h, start: [created], stop: [resolved, closed], pause: [pending], reopen: continue,
     on_breach: [{after: 0s, notify: [operator, supervisor]}]}
  - {clock: confirmation, target: 3h, start: [resolved], stop: [closed, reopened],
     on_breach: [{after: 0s, do: close}]}
"""
BOUNDS = Bounds(max_records=4, max_firings=5)


def history(partitions: int) -> Cluster:
    """Events of some tickets, some of them late, double, bad or illegal; nobody has read them yet."""
    c = Cluster(written(POLICY), partitions=partitions)
    c.publish("created", 0, ticket="A")
    c.publish("created", 5, ticket="B")
    c.publish("assigned", 30, ticket="A")
    c.publish("assigned", 30, ticket="A")
    c.append(b"A", b"no json", (), 40)
    c.publish("resolved", 60, ticket="B")
    c.publish("pending", 300, ticket="A")
    c.publish("created", 400, ticket="C")
    c.publish("resumed", 1200, ticket="A")
    c.publish("assigned", 500, ticket="B", arrives=1300)
    c.publish("resolved", 1500, ticket="B")
    c.publish("assigned", 1600, ticket="NOBODY")
    c.publish("resolved", 3000, ticket="A", arrives=6000)
    c.publish("reopened", 7000, ticket="A")
    c.publish("created", 8000, ticket="D")
    c.publish("closed", 8060, ticket="D", reason="cancelled")
    c.publish("closed", 9000, ticket="C", reason="merged", merged_into="A")
    return c


class Fault:
    """Fails once, at a step; afterwards every step goes well."""

    def __init__(self, at_step: int, error: type[Exception]) -> None:
        self.left, self.error = at_step, error
        self.happened = ""

    def __call__(self, step: str) -> None:
        self.left -= 1
        if self.left == 0 and not self.happened:
            self.happened = step
            raise self.error("at a step that the test has chosen")


def run(c: Cluster, fault: Fault) -> None:
    """A worker works the history off; where it is killed, the next one starts under its name."""
    c.broker.step = fault
    for time in (at(0), at(12 * HOUR), at(5 * DAY)):
        c.clock.time = time
        engine = c.worker(step=fault, bounds=BOUNDS)
        for _ in range(2):
            try:
                settle(engine)
                break
            except Killed:
                engine = c.worker(step=fault, bounds=BOUNDS)


@cache
def undisturbed() -> tuple[dict[str, Any], int]:
    """The outcome of a run without a fault, and the number of its steps."""
    c = history(1)
    fault = Fault(0, Killed)
    run(c, fault)
    return c.outcome(), -fault.left


def test_the_undisturbed_run_has_something_of_everything() -> None:
    """The history is worth it: every change of a clock, a merge, closings by the engine, dead letters."""
    outcome, steps = undisturbed()
    changes = {
        change["change"]
        for entries in outcome["journal"].values()
        for entry in entries
        for change in entry["data"]["clocks"]
    }
    assert {
        "met",
        "breached",
        "retracted",
        "stopped",
        "stepped",
        "warned",
        "paused",
        "resumed",
        "cancelled",
    } <= changes
    triggers = [entry["data"]["trigger"] for entries in outcome["journal"].values() for entry in entries]
    assert {"absorbed", "closed", "escalated", "reopened"} <= set(triggers)
    assert sum(map(len, outcome["dead-letter"].values())) >= 3
    assert steps > 100


@pytest.mark.parametrize("error", [Restart, Unavailable, Killed])
def test_a_failure_at_any_step_changes_nothing_of_what_comes_out(error: type[Exception]) -> None:
    """Failing once, at each step of the run in turn, all outputs, states and positions are equal."""
    outcome, steps = undisturbed()
    hit = set()
    for step in range(1, steps + 1):
        c = history(1)
        fault = Fault(step, error)
        run(c, fault)
        hit.add(fault.happened)
        assert c.outcome() == outcome, f"after {error.__name__} at step {step} ({fault.happened})"
    assert {
        "poll",
        "committed",
        "changelog",
        "seek",
        "resume",
        "begin",
        "send",
        "commit",
        "finish",
        "after commit",
    } <= hit


def test_what_arrives_while_a_turn_takes_its_time_comes_first() -> None:
    """A clock that was not due when the partition's end was asked for waits for what has arrived since."""
    c = Cluster(written(POLICY))
    c.publish("created", 0)
    c.clock.time = at(300)
    slow = ["begin"]

    def step(name: str) -> None:
        if name in slow and c.journal():
            slow.clear()
            c.publish("assigned", 599)
            c.clock.time = at(601)

    settle(c.worker(step=step))
    settle(c.worker())
    assert not slow
    changes = [(each["clock"], each["change"]) for entry in c.journal() for each in entry["clocks"]]
    assert ("first", "met") in changes
    assert ("first", "breached") not in changes


def test_two_workers_give_what_one_gives() -> None:
    """Partitions are shared, and who works on them makes no difference."""
    alone, shared = history(4), history(4)
    for c in (alone, shared):
        c.clock.time = at(5 * DAY)
    settle(alone.worker(bounds=BOUNDS))
    one, two = shared.worker("one", bounds=BOUNDS), shared.worker("two", bounds=BOUNDS)
    settle(one, two)
    assert len(one.partitions) == len(two.partitions) == 2
    assert shared.outcome() == alone.outcome()


@pytest.mark.parametrize("after", range(1, 40, 3))
def test_a_second_worker_that_dies_or_leaves_loses_nothing(after: int) -> None:
    """One of two workers is killed or ends: the other takes over, and the outcome is the same."""
    expected = history(4)
    expected.clock.time = at(5 * DAY)
    settle(expected.worker(bounds=BOUNDS))
    for clean in (True, False):
        c = history(4)
        c.clock.time = at(5 * DAY)
        fault = Fault(0 if clean else after * 5, Killed)
        one, two = c.worker("one", bounds=BOUNDS), c.worker("two", step=fault, bounds=BOUNDS)
        _until(one, two, after, fault)
        c.broker.time_out("ticketflow-worker-two")  # the broker aborts what a dead worker left open
        two.close()
        settle(one)
        assert c.outcome() == expected.outcome()


def _until(one: Engine, two: Engine, turns: int, fault: Fault) -> None:
    """Turn both until the second one is killed, or so many times."""
    try:
        for _ in range(turns):
            one.turn()
            two.turn()
    except Killed:
        assert fault.happened


def test_a_second_process_under_the_same_name_ends_the_first() -> None:
    """The older one is fenced: it ends with a sentence, and commits nothing more."""
    c = history(1)
    c.clock.time = at(5 * DAY)
    first = c.worker("a", bounds=BOUNDS)
    first.turn()
    second = c.worker("a", bounds=BOUNDS)
    settle(second)
    with pytest.raises(Fenced, match="id of its own"):
        settle(first)


def test_without_an_answer_the_worker_backs_off_and_goes_on() -> None:
    """While the cluster does not answer it waits longer and longer, up to a bound, and tries again."""
    c = history(1)
    waits: list[float] = []
    failing = 8

    def step(name: str) -> None:
        nonlocal failing
        if name == "poll" and failing:
            failing -= 1
            raise Unavailable("no answer")

    engine = c.worker(step=step)
    engine._sleep = waits.append
    settle(engine)
    settle(engine)
    first, last = Bounds().back_off_seconds
    assert waits == [min(first * 2**n, last) for n in range(8)]
    assert c.journal()
