"""Every series that a document names is served, with these labels; and every one that is served is named."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from consumers.log import Restart
from consumers.notifier_dispatch import Happened
from consumers.processor import Tally
from ops.notifier_metrics import NotifierMetrics
from ops.observer import WorkerMetrics
from schemas.topics import Topic
from tests.support.counted import Counted, clock, dead, measured, ticket
from tests.support.documents import DOCUMENTS, ROOT, Block, blocks

_PREFIX = "ticketflow_"
_SERIES = re.compile(r"ticketflow_\w+")
_LISTED = re.compile(r"`(?:ticketflow_)?([a-z_]+)(?:\{([a-z,]+)\})?`")
_SELECTOR = re.compile(r"(ticketflow_\w+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)(=~|!=|=)"([^"]*)"')
_SUFFIXES = ("_bucket", "_sum", "_count")
_QUERIES = [block for block in blocks() if block.language == "promql"]

Served = Mapping[str, Mapping[str, frozenset[str]]]
"""By name without the prefix: the labels, and the values that they have."""


def _of(registry: CollectorRegistry) -> dict[str, dict[str, frozenset[str]]]:
    found: dict[str, dict[str, set[str]]] = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            name = sample.name.removeprefix(_PREFIX)
            if family.type == "histogram":
                name = family.name.removeprefix(_PREFIX)
            values = found.setdefault(name, {})
            for label, value in sample.labels.items():
                if label != "le":
                    values.setdefault(label, set()).add(value)
    return {
        name: {label: frozenset(values) for label, values in labels.items()} for name, labels in found.items()
    }


@cache
def worker() -> Served:
    """A worker that has seen everything once."""
    metrics = WorkerMetrics()
    metrics.lags({3: (7, 1.5)})
    metrics.restored(3, 1, 0.1)
    metrics.committed(Tally({("ticket.created.v1", "applied"): 2}, [0.25]), 0.01)
    metrics.restarted(Restart("refused"))
    return _of(metrics.registry)


@cache
def exporter() -> Served:
    """An exporter that has counted one of each kind of record."""
    with TemporaryDirectory() as directory:
        counted = Counted(Path(directory))
        counted.write(Topic.METRICS, "T-1", measured("clock_outcome", clock="resolution", outcome="met"))
        for name in ("wait_seconds", "resolution_seconds", "repeat_contact", "escalation", "reopening"):
            counted.write(Topic.METRICS, "T-1", measured(name))
        counted.write(Topic.STATE, "T-1", ticket("assigned", clock("resolution", 60)))
        counted.write(Topic.DEAD_LETTER, "T-1", b"{", dead("malformed"))
        while counted.subscriber.turn(0):
            pass
        counted.clock.time += timedelta(seconds=10)  # then it looks how far the ends are ahead
        counted.subscriber.turn(0)
        found = _of(counted.registry)
        counted.kill()
    return found


@cache
def notifier() -> Served:
    """A notifier that has met a record that is none."""
    metrics = NotifierMetrics()
    metrics.happened(None, Happened.DEAD, delay_seconds=1.0)
    return _of(metrics.registry)


def _everything() -> dict[str, Mapping[str, frozenset[str]]]:
    return {**worker(), **exporter(), **notifier()}


def _plain(name: str) -> str:
    """Without the prefix and what a histogram's parts have at their end."""
    name = name.removeprefix(_PREFIX)
    suffix = next((each for each in _SUFFIXES if name.endswith(each)), "")
    return name.removesuffix(suffix) if name.removesuffix(suffix) in _everything() else name


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_series_that_is_named_is_served(document: str) -> None:
    """In text and queries alike; the prefix alone is none."""
    named = set(_SERIES.findall((ROOT / document).read_text("utf-8"))) - {_PREFIX}
    assert {name for name in named if _plain(name) not in _everything()} == set()


def _table(section: str) -> Iterator[tuple[str, frozenset[str]]]:
    text = (ROOT / "docs" / "operating.md").read_text("utf-8").split(f"\n## {section}\n")[1].split("\n## ")[0]
    rows = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| `")]
    for name, labels in _LISTED.findall("\n".join(rows)):
        yield name, frozenset(labels.split(",")) - {""}


@pytest.mark.parametrize(("section", "serves"), [("Metrics", worker), ("The exporter", exporter)])
def test_the_table_has_every_series_with_its_labels(section: str, serves: Callable[[], Served]) -> None:
    """What a worker and an exporter serve is what their tables say, no more and no less."""
    served = {name: frozenset(labels) for name, labels in serves().items()}
    if serves is exporter:
        del served["build_info"]  # every process has it; the worker's table says what it is
    assert dict(_table(section)) == served


def test_there_are_queries() -> None:
    """The checks below have something to look at."""
    assert [len(_SELECTOR.findall(block.text)) for block in _QUERIES] == [7]


@pytest.mark.parametrize("block", _QUERIES, ids=str)
def test_a_query_asks_for_labels_and_values_that_there_are(block: Block) -> None:
    """A misspelt outcome or a label that a series has not gives no data, and no error either."""
    served = _everything()
    for name, matchers in _SELECTOR.findall(block.text):
        labels = served[_plain(name)]
        for label, operator, value in _MATCHER.findall(matchers):
            assert label in labels, f"{name}{{{label}}}"
            if operator != "!=":
                assert set(value.split("|")) <= labels[label], f"{name}{{{label}}}"
    for label, name in re.findall(r"by \((\w+)\) \((?:increase\()?(ticketflow_\w+)", block.text):
        assert label in served[_plain(name)], f"{name} by {label}"
