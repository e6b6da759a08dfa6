"""The business series once more, counted from the topics in the plainest way, from the contract alone."""

import json
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

Sample = tuple[str, frozenset[tuple[str, str]]]
"""A sample's name without the prefix, and its labels."""

# Bounds of the histograms' buckets. The targets of the default policy are among them.
BOUNDS = {
    "wait_seconds": [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 14400, 86400, 172800, 259200],
    "resolution_seconds": [
        30, 60, 120, 300, 600, 900, 1800, 3600, 14400, 28800, 86400, 172800, 259200, 604800,
    ],
}  # fmt: skip
PLAIN = {
    "repeat_contact": "repeat_contacts_total",
    "escalation": "escalations_total",
    "reopening": "reopenings_total",
}


class Recount:
    """What the exporter must show of these records; `soon_until`: up to when a deadline is soon."""

    def __init__(self) -> None:
        self.samples: Counter[Sample] = Counter()
        self._tickets: dict[str, dict[str, Any]] = {}

    def metric(self, value: bytes) -> None:
        """A record of the metrics topic."""
        data = json.loads(value)["data"]
        labels, amount = data["labels"], data["value"]
        if data["metric"] in BOUNDS:
            wanted = ("channel", "queue") if data["metric"] == "wait_seconds" else ("category",)
            self._observe(data["metric"], {name: labels[name] for name in wanted}, amount)
        elif data["metric"] in PLAIN:
            self._add(PLAIN[data["metric"]], amount, queue=labels["queue"])
        elif data["metric"] == "clock_outcome":
            names = ("clock", "category", "queue", "channel", "outcome")
            self._add("clock_outcomes_total", amount, **{name: labels[name] for name in names})
            names = ("clock", "region", "outcome")
            self._add("clock_outcomes_by_region_total", amount, **{name: labels[name] for name in names})

    def dead_letter(self, headers: Iterable[tuple[str, bytes | None]]) -> None:
        """The headers of a dead letter."""
        self._add("dead_letters_total", 1, code=(dict(headers)["dlq.errors.code"] or b"").decode())

    def state(self, key: bytes, value: bytes | None) -> None:
        """A record of the state topic: the latest of a ticket counts."""
        self._tickets.pop(key.decode(), None)
        if value is not None:
            self._tickets[key.decode()] = json.loads(value)["data"]

    def all(self, soon_until: datetime) -> dict[Sample, float]:
        """Every sample that is not zero."""
        gauges: Counter[Sample] = Counter()
        for ticket in self._tickets.values():
            queue = ticket["queue"]
            if ticket["state"] != "closed":
                gauges[_sample("tickets_open", state=ticket["state"], queue=queue)] += 1
            for clock in ticket["clocks"]:
                if clock["ended_at"] is not None:
                    continue
                gauges[_sample("clocks_running", clock=clock["clock"], queue=queue)] += 1
                if clock["verdict"] == "breached":
                    gauges[_sample("clocks_overdue", clock=clock["clock"], queue=queue)] += 1
                elif not clock["paused"] and datetime.fromisoformat(clock["deadline"]) <= soon_until:
                    gauges[_sample("clocks_due_soon", clock=clock["clock"], queue=queue)] += 1
        return {name: count for name, count in (self.samples + gauges).items() if count}

    def _add(self, name: str, amount: float, **labels: str) -> None:
        self.samples[_sample(name, **labels)] += amount  # type: ignore[assignment]

    def _observe(self, name: str, labels: dict[str, str], seconds: float) -> None:
        self._add(f"{name}_count", 1, **labels)
        self._add(f"{name}_sum", seconds, **labels)
        self._add(f"{name}_bucket", 1, le="+Inf", **labels)
        for bound in BOUNDS[name]:
            if seconds <= bound:
                self._add(f"{name}_bucket", 1, le=f"{bound}.0", **labels)


def _sample(name: str, **labels: str) -> Sample:
    return name, frozenset(labels.items())


def parsed(text: str) -> dict[Sample, float]:
    """The business samples of an exposition that are not zero."""
    return nonzero(text_string_to_metric_families(text))


def nonzero(families: Iterable[Metric]) -> dict[Sample, float]:
    """The samples that are not zero, without the exporter's words on its own work."""
    return {
        (sample.name.removeprefix("ticketflow_"), frozenset(sample.labels.items())): sample.value
        for family in families
        if not family.name.startswith(("ticketflow_exporter_", "ticketflow_build_"))
        for sample in family.samples
        if sample.value
    }
