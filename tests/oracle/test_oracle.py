"""The engine against two oracles that were written from the contract alone."""

from collections.abc import Iterable

import pytest

from tests.oracle import engine, intervals
from tests.oracle.compare import disagreement, shortest, story
from tests.oracle.histories import history

pytestmark = pytest.mark.simulation

PARTS = 4
"""A run is cut so that several processes can share it."""


def _shortest_story(seeds: Iterable[int]) -> str:
    """The first history on which the first oracle and the engine disagree, as short as it gets."""
    for seed in seeds:
        if disagreement(history(seed)) is not None:
            return f"history {seed}\n{story(shortest(history(seed)))}"
    return ""


def _first_weeks(seeds: Iterable[int]) -> str:
    for seed in seeds:
        weeks = intervals.weeks(seed)
        expected, found = intervals.expected(weeks), engine.seen(weeks)
        if expected != found:
            return f"weeks {seed}\n{intervals.story(weeks, expected, found)}"
    return ""


@pytest.mark.parametrize("part", range(PARTS))
def test_counting_seconds_gives_the_same_journal(part: int) -> None:
    """On 200 random histories of two hours the engine's journal is what counting seconds says."""
    assert _shortest_story(range(part, 200, PARTS)) == ""


@pytest.mark.parametrize("part", range(2))
def test_intervals_of_weeks_give_the_same_clocks(part: int) -> None:
    """On 20 random histories of weeks across changes of the clocks the engine agrees with open intervals."""
    assert _first_weeks(range(part, 20, 2)) == ""


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("part", range(50))
def test_counting_seconds_gives_the_same_journal_5000_times(part: int) -> None:
    """On 5,000 random histories of two hours the engine's journal is what counting seconds says."""
    assert _shortest_story(range(part, 5000, 50)) == ""


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("part", range(5))
def test_intervals_of_weeks_give_the_same_clocks_500_times(part: int) -> None:
    """On 500 random histories of weeks the engine agrees with open intervals."""
    assert _first_weeks(range(part, 500, 5)) == ""
