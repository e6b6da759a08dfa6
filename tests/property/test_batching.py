"""How records are cut into batches changes nothing, and neither does who reads them (design, law 3)."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from consumers.engine import Bounds
from tests.support.cluster import Cluster, settle
from tests.support.histories import POLICY, Sent, histories
from tests.support.laws import law
from tests.support.world import DAY, at, written

POLICIES = written(POLICY)


def outcome(
    history: list[Sent], bounds: list[Bounds], *, partitions: int = 1, workers: int = 1
) -> dict[str, Any]:
    """What comes out; each worker has bounds of its own."""
    c = Cluster(POLICIES, partitions=partitions)
    for e in history:
        c.publish(e.trigger, e.time, arrives=e.arrives, ticket=e.ticket, id=e.id, **e.data)
    c.clock.time = at(history[-1].arrives + 2 * DAY)
    settle(*(c.worker(f"w{n}", bounds=bounds[n % len(bounds)]) for n in range(workers)), turns=5_000)
    return c.outcome()


BOUNDS = st.builds(Bounds, max_records=st.integers(1, 30), max_firings=st.integers(1, 40))


@law
@given(histories(tickets=3, most=30), BOUNDS)
def test_any_batching_gives_the_same_outputs(history: list[Sent], bounds: Bounds) -> None:
    """All outputs and the last states are equal, however few records and firings a batch takes."""
    assert outcome(history, [bounds]) == outcome(history, [Bounds(max_records=10_000, max_firings=10_000)])


@law
@given(histories(tickets=3, most=20), BOUNDS, BOUNDS, st.integers(2, 3))
def test_any_number_of_workers_gives_the_same_outputs(
    history: list[Sent], one: Bounds, two: Bounds, count: int
) -> None:
    """Several workers that share the partitions give what one gives."""
    several = outcome(history, [one, two], partitions=3, workers=count)
    assert several == outcome(history, [Bounds()], partitions=3)
