"""The exporter's series for Prometheus: name, type, labels and meaning of each, and its own work beside."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import Final, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from consumers.clock import Clock
from consumers.metrics import BusinessMetrics
from consumers.metrics_series import Series
from consumers.subscriber import Subscriber
from schemas.instants import EARLIEST

_PREFIX: Final = "ticketflow_"


class _Described(NamedTuple):
    """A series: its name without the prefix, its labels, and what it means."""

    name: str
    labels: tuple[str, ...]
    text: str


_SERIES: Final = (
    _Described(
        "clock_outcomes_total",
        ("clock", "category", "queue", "channel", "outcome"),
        "How promises turned out. Kept promises = (met - unmet) / (met - unmet + breached - retracted): "
        "unmet withdraws a met, retracted withdraws a breach. cancelled ended without a verdict.",
    ),
    _Described(
        "clock_outcomes_by_region_total",
        ("clock", "region", "outcome"),
        "The same as clock_outcomes_total, by the citizen's region; none: no region is known.",
    ),
    _Described(
        "repeat_contacts_total",
        ("queue",),
        "Citizens who came back about a closed ticket, and tickets that follow another.",
    ),
    _Described("escalations_total", ("queue",), "Escalations, by people and by broken promises."),
    _Described("reopenings_total", ("queue",), "Tickets that were opened again."),
    _Described(
        "dead_letters_total",
        ("code",),
        "Records on the dead-letter topic, by why they were refused; unknown: it does not say.",
    ),
    _Described("tickets_open", ("state", "queue"), "Tickets that are not closed."),
    _Described(
        "clocks_running",
        ("clock", "queue"),
        "Promises that are still to be kept or made good: clocks that have not ended, with those that are "
        "paused or breached.",
    ),
    _Described(
        "clocks_due_soon",
        ("clock", "queue"),
        "Clocks, neither paused nor breached, whose deadline is at most 5 minutes away; one that has just "
        "passed counts until the breach is declared.",
    ),
    _Described(
        "clocks_overdue",
        ("clock", "queue"),
        "Clocks that are breached and have not been stopped; paused or not.",
    ),
    _Described(
        "wait_seconds", ("channel", "queue"), "From the registration until an operator has taken the ticket."
    ),
    _Described("resolution_seconds", ("category",), "From the registration until the ticket was resolved."),
)


class BusinessCollector(Collector):
    """Makes metric families of the counts at every scrape, once they are caught up with the topics.

    Families of our own making and not the client library's counters: these would begin with nothing at every
    start, and ours go on from the checkpoint.
    """

    def __init__(self, metrics: BusinessMetrics, subscriber: Subscriber, clock: Clock) -> None:
        self._metrics, self._subscriber, self._clock = metrics, subscriber, clock

    def collect(self) -> Iterator[Metric]:
        """All families as of now."""
        if self._subscriber.caught_up:  # half a count would look like a fall
            series = self._metrics.series(self._clock.now())
            yield from (_family(each, series) for each in _SERIES)
        yield from self._own()

    def _own(self) -> Iterator[Metric]:
        """What the exporter says of its own work."""
        subscriber = self._subscriber
        build = GaugeMetricFamily(
            f"{_PREFIX}build_info", "1, with what runs here.", labels=["version", "python"]
        )
        build.add_metric([version("ticketflow"), platform.python_version()], 1)
        yield build
        yield GaugeMetricFamily(
            f"{_PREFIX}exporter_caught_up",
            "1 while the business series are served; 0 after a start or an outage, until all is counted.",
            float(subscriber.caught_up),
        )
        if subscriber.lag_records is not None:
            yield GaugeMetricFamily(
                f"{_PREFIX}exporter_lag_records",
                "How far the topics' ends are ahead of what is counted; looked at every 10 s.",
                subscriber.lag_records,
            )
        if subscriber.saved_at is not None:
            yield GaugeMetricFamily(
                f"{_PREFIX}exporter_checkpoint_timestamp_seconds",
                "When the checkpoint was written last.",
                (subscriber.saved_at - EARLIEST).total_seconds(),
            )
        records = CounterMetricFamily(
            f"{_PREFIX}exporter_records_total",
            "Records read since this process started; unreadable ones are not counted anywhere else.",
            labels=["topic", "outcome"],
        )
        for labels, count in sorted(self._metrics.records().items()):
            records.add_metric(labels, count)
        yield records


def _family(described: _Described, series: Series) -> Metric:
    name, text, labels = f"{_PREFIX}{described.name}", described.text, described.labels
    if described.name in series.distributions:
        return _histogram(name, text, labels, series, described.name)
    kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
    family = kind(name, text, labels=labels)
    for values, count in sorted(series.values[described.name].items()):
        family.add_metric(values, count)
    return family


def _histogram(name: str, text: str, labels: Sequence[str], series: Series, key: str) -> Metric:
    family = HistogramMetricFamily(name, text, labels=labels)
    for values, (buckets, total_seconds) in sorted(series.distributions[key].items()):
        # As the client library writes bounds, and so as Prometheus compares them: 30.0, not 30.
        cumulated = [(bound if bound == "+Inf" else f"{float(bound)}", count) for bound, count in buckets]
        family.add_metric(values, cumulated, total_seconds)
    return family
