"""What a measurement adds to which count. Counts are whole numbers: in any order they add up to the same.

A histogram is a count for each of its buckets, not cumulated, and one of microseconds for its sum.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
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

# The promises' targets are 30 s, 5, 10, 15 and 30 min, and 48 h: each is a bound, so that the share within a
# target is exact. The others show how far off it was, and where the median lies.
_TARGETS: Final = (30, 300, 600, 900, 1_800, 172_800)
BOUNDS: Final[Mapping[str, tuple[int, ...]]] = {
    WAIT: tuple(sorted({*_TARGETS, 5, 10, 15, 60, 120, 3_600, 14_400, 86_400})),
    RESOLUTION: tuple(sorted({*_TARGETS, 60, 120, 3_600, 14_400, 28_800, 86_400, 259_200, 604_800})),
}
"""The upper bounds of each histogram's buckets, in seconds; beyond the last comes INFINITY."""

INFINITY: Final = "+Inf"
SUM: Final = "sum"
MICROSECONDS: Final = 1_000_000


def additions(measured: Measurement) -> Iterator[tuple[Count, int]]:
    """Which counts grow by how much. Of a metric that no series shows: none."""
    labels = measured.labels
    match measured.metric:
        case MetricName.WAIT_SECONDS:
            yield from _observed((WAIT, labels.channel, labels.queue), measured.value)
        case MetricName.RESOLUTION_SECONDS:
            yield from _observed((RESOLUTION, labels.category), measured.value)
        case MetricName.CLOCK_OUTCOME if labels.clock is not None and labels.outcome is not None:
            clock, outcome, count = labels.clock, labels.outcome, int(measured.value)
            yield (OUTCOMES, clock, labels.category, labels.queue, labels.channel, outcome), count
            yield (OUTCOMES_BY_REGION, clock, labels.region, outcome), count
        case name if name in BY_QUEUE:
            yield (BY_QUEUE[name], labels.queue), int(measured.value)


def _observed(series: Count, seconds: float) -> Iterator[tuple[Count, int]]:
    bounds = BOUNDS[series[0]]
    place = bisect_left(bounds, seconds)  # a bucket includes its upper bound
    yield (*series, str(bounds[place]) if place < len(bounds) else INFINITY), 1
    yield (*series, SUM), round(seconds * MICROSECONDS)


def buckets(counts: Mapping[Count, int], series: Count) -> tuple[list[tuple[str, int]], float]:
    """A histogram's cumulated buckets by upper bound, and its sum in seconds."""
    total, found = 0, []
    for bound in (*map(str, BOUNDS[series[0]]), INFINITY):
        total += counts.get((*series, bound), 0)
        found.append((bound, total))
    return found, counts.get((*series, SUM), 0) / MICROSECONDS
