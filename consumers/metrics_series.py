"""All series at one moment, as Prometheus is to get them.

What the contract's words can be is there from the start, as 0. A rate needs to see from where a count grew,
and a formula all its terms; what is left out looks to an alert as if nobody had counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product

from consumers.metrics_counts import (
    BY_QUEUE,
    CLOCKS,
    DEAD_LETTERS,
    OUTCOMES,
    OUTCOMES_BY_REGION,
    RESOLUTION,
    WAIT,
    Bounds,
    Count,
    buckets,
)
from consumers.metrics_records import CODES
from schemas.records import Outcome
from schemas.state import State
from schemas.terms import Category, Channel, Queue

Values = Mapping[tuple[str, ...], int]
"""A series' values by its label values."""
Distribution = tuple[list[tuple[str, int]], float]
"""Cumulated buckets by upper bound, and the sum in seconds."""


@dataclass(frozen=True, slots=True)
class Series:
    """All values at one moment, by name without the prefix."""

    values: Mapping[str, Values]
    distributions: Mapping[str, Mapping[tuple[str, ...], Distribution]]


def shown(counts: Mapping[Count, int], places: Mapping[str, Values], bounds: Bounds) -> Series:
    """The series of these counts, and of these gauges by name; `bounds` as they were counted with."""
    return Series({**_counters(counts), **_gauges(counts, places)}, _distributions(counts, bounds))


def _named(counts: Mapping[Count, int], name: str) -> dict[tuple[str, ...], int]:
    return {count[1:]: number for count, number in counts.items() if count[0] == name}


def _counters(counts: Mapping[Count, int]) -> dict[str, Values]:
    """Counters, with zeros: a rate needs to see from where a count grew, and a formula all its terms."""
    found: dict[str, Values] = {}
    for name in (OUTCOMES, OUTCOMES_BY_REGION):
        seen = _named(counts, name)
        every = {(*labels[:-1], str(outcome)): 0 for labels in seen for outcome in Outcome}
        found[name] = {**every, **seen}
    for name in BY_QUEUE.values():
        found[name] = {**{(str(queue),): 0 for queue in Queue}, **_named(counts, name)}
    found[DEAD_LETTERS] = {**{(each,): 0 for each in CODES}, **_named(counts, DEAD_LETTERS)}
    return found


def _gauges(counts: Mapping[Count, int], places: Mapping[str, Values]) -> dict[str, Values]:
    """Gauges, with zeros: what is left out looks to an alert as if nobody had counted."""
    open_states = [str(state) for state in State if state is not State.CLOSED]
    clocks = {count[1] for count in counts if count[0] in (CLOCKS, OUTCOMES)}
    first = {"tickets_open": open_states}
    return {
        name: {
            **{(each, str(queue)): 0 for each, queue in product(first.get(name, sorted(clocks)), Queue)},
            **values,
        }
        for name, values in places.items()
    }


def _distributions(
    counts: Mapping[Count, int], bounds: Bounds
) -> dict[str, dict[tuple[str, ...], Distribution]]:
    labels: dict[str, Iterable[tuple[str, ...]]] = {
        WAIT: [(str(channel), str(queue)) for channel, queue in product(Channel, Queue)],
        RESOLUTION: [(str(category),) for category in Category],
    }
    return {name: {each: buckets(counts, (name, *each), bounds) for each in labels[name]} for name in bounds}
