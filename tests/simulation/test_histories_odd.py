"""The engine on a cluster that fails: the odd half of a hundred seeds, so that two processes share them."""

import pytest

from tests.simulation.simulated import SEEDS, check

pytestmark = [pytest.mark.simulation, pytest.mark.timeout(600)]


@pytest.mark.parametrize("part", range(5))
def test_nothing_is_lost_twice_or_early(part: int) -> None:
    """On a hundred seeds, of which half are here, no checker finds anything."""
    check(SEEDS[1 + 2 * part :: 10])
