"""What a measurement adds to which count. Counts are whole numbers: in any order they add up to the same.

A histogram is a count for each of its buckets, not cumulated, and one of microseconds for its sum.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Final

from consumers.metrics_records import Measurement
from schemas.records import MetricName

Count = tuple[str, ...]
"""A series by its name and label values; of a histogram also the bucket's upper bound, or SUM."""

OUTCOMES: Final = "clock_outcomes_total"
OUTCOMES_BY_REGION: Final = "clock_outcomes_by_region_total"
DEAD_LETTERS: Final = "dead_letters_total"
CLOCKS: Final = "clocks"
"""No series: the ids of the clocks that were seen on tickets, so that their gauges can be 0."""
WAIT: Final = "wait_seconds"
RESOLUTION: Final = "resolution_seconds"
BY_QUEUE: Final[Mapping[str, str]] = {
    MetricName.REPEAT_CONTACT: "repeat_contacts_total",
    MetricName.ESCALATION: "escalations_total",
    MetricName.REOPENING: "reopenings_total",
}
"""The counters with a label `queue` alone, by the metric that they count."""

Bounds = Mapping[str, tuple[float, ...]]
"""The upper bounds of each histogram's buckets, in seconds, ascending; beyond the last comes INFINITY."""

# How far off a target it was, and where the median lies.
_ALWAYS: Final[Bounds] = {
    WAIT: (5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 14_400, 86_400, 172_800),
    RESOLUTION: (
        30, 60, 120, 300, 600, 900, 1_800, 3_600, 14_400, 28_800, 86_400, 172_800, 259_200, 604_800,
    ),
}  # fmt: skip

INFINITY: Final = "+Inf"
SUM: Final = "sum"
MICROSECONDS: Final = 1_000_000


def bounds_with(targets: Iterable[timedelta], counted: Iterable[Count]) -> Bounds:
    """The bounds of histograms that have one at each target, so that the share within it is exact.

    Those that were `counted` before stay: Prometheus would take a bound that went for lost counts. In one
    that is new, what was counted before is in the next bucket above it.
    """
    found = {
        name: {*bounds, *(target.total_seconds() for target in targets)} for name, bounds in _ALWAYS.items()
    }
    for name, *_, bucket in counted:
        if name in found and bucket not in (SUM, INFINITY):
            found[name].add(float(bucket))
    return {name: tuple(sorted(bounds)) for name, bounds in found.items()}


def _named(bound: float) -> str:
    return str(int(bound)) if bound == int(bound) else str(bound)


def additions(measured: Measurement, bounds: Bounds) -> Iterator[tuple[Count, int]]:
    """Which counts grow by how much. Of a metric that no series shows: none."""
    labels = measured.labels
    match measured.metric:
        case MetricName.WAIT_SECONDS:
            yield from _observed((WAIT, labels.channel, labels.queue), measured.value, bounds)
        case MetricName.RESOLUTION_SECONDS:
            yield from _observed((RESOLUTION, labels.category), measured.value, bounds)
        case MetricName.CLOCK_OUTCOME if labels.clock is not None and labels.outcome is not None:
            clock, outcome, count = labels.clock, labels.outcome, int(measured.value)
            yield (OUTCOMES, clock, labels.category, labels.queue, labels.channel, outcome), count
            yield (OUTCOMES_BY_REGION, clock, labels.region, outcome), count
        case name if name in BY_QUEUE:
            yield (BY_QUEUE[name], labels.queue), int(measured.value)


def _observed(series: Count, seconds: float, bounds: Bounds) -> Iterator[tuple[Count, int]]:
    upper = bounds[series[0]]
    place = bisect_left(upper, seconds)  # a bucket includes its upper bound
    yield (*series, _named(upper[place]) if place < len(upper) else INFINITY), 1
    yield (*series, SUM), round(seconds * MICROSECONDS)


def buckets(
    counts: Mapping[Count, int], series: Count, bounds: Bounds
) -> tuple[list[tuple[str, int]], float]:
    """A histogram's cumulated buckets by upper bound, and its sum in seconds."""
    total, found = 0, []
    for bound in (*map(_named, bounds[series[0]]), INFINITY):
        total += counts.get((*series, bound), 0)
        found.append((bound, total))
    return found, counts.get((*series, SUM), 0) / MICROSECONDS
