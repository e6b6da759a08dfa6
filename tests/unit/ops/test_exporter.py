"""What a scrape of the exporter gets: exactly the contract's series, once they are whole."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ops.service import checkpoint_file
from ops.settings import Settings
from schemas.topics import Topic
from tests.support.counted import Counted, clock, dead, measured, ticket

CONTRACT = {
    "clock_outcomes": ("counter", {"clock", "category", "queue", "channel", "outcome"}),
    "clock_outcomes_by_region": ("counter", {"clock", "region", "outcome"}),
    "tickets_open": ("gauge", {"state", "queue"}),
    "clocks_running": ("gauge", {"clock", "queue"}),
    "clocks_due_soon": ("gauge", {"clock", "queue"}),
    "clocks_overdue": ("gauge", {"clock", "queue"}),
    "wait_seconds": ("histogram", {"channel", "queue"}),
    "resolution_seconds": ("histogram", {"category"}),
    "repeat_contacts": ("counter", {"queue"}),
    "escalations": ("counter", {"queue"}),
    "reopenings": ("counter", {"queue"}),
    "dead_letters": ("counter", {"code"}),
}
"""Contract, "Prometheus": a counter's samples end in `_total`."""

OWN = {"build_info", "exporter_caught_up", "exporter_lag_records", "exporter_checkpoint_timestamp_seconds"}
OWN_COUNTER = "exporter_records"
TARGETS = {"30.0", "300.0", "600.0", "900.0", "1800.0", "172800.0"}


@pytest.fixture
def counted(tmp_path: Path) -> Iterator[Counted]:
    """An exporter that has caught up with a record of each kind, and has looked at its lag."""
    made = Counted(tmp_path)
    made.write(Topic.STATE, "T-1", ticket("assigned", clock("resolution", 60)))
    for name in ("wait_seconds", "resolution_seconds", "repeat_contact", "escalation", "reopening"):
        made.write(Topic.METRICS, "T-1", measured(name, 30))
    made.write(Topic.METRICS, "T-1", measured("clock_outcome", clock="resolution", outcome="met"))
    made.write(Topic.DEAD_LETTER, "T-1", b"", dead("malformed"))
    made.count()
    made.clock.time += timedelta(seconds=10)
    made.subscriber.turn(0)
    yield made
    made.kill()


def test_the_series_are_the_contracts(counted: Counted) -> None:
    """Names, types and labels are exactly these, beside what it says of its own work; each has a help."""
    found = {}
    for family in text_string_to_metric_families(counted.text()):
        assert family.documentation.endswith((".", "runs here."))
        labels = {name for sample in family.samples for name in sample.labels} - {"le"}
        found[family.name.removeprefix("ticketflow_")] = (family.type, labels)
    own = {name: found.pop(name) for name in (*OWN, OWN_COUNTER)}
    assert found == CONTRACT
    assert own[OWN_COUNTER] == ("counter", {"topic", "outcome"})


def test_the_targets_are_bounds(counted: Counted) -> None:
    """What is shown includes how many were within each target, exactly."""
    for family in text_string_to_metric_families(counted.text()):
        if family.type == "histogram":
            assert {sample.labels["le"] for sample in family.samples if "le" in sample.labels} >= TARGETS


def test_no_ticket_and_no_person_is_in_a_label(counted: Counted) -> None:
    """Ids stay on the topics."""
    assert not [word for word in ("T-1", "c-104", "Агафья") if word in counted.text()]


def test_nothing_is_served_before_it_has_caught_up(counted: Counted) -> None:
    """After a start only its own work is shown: half a count would look like a fall."""
    counted.kill()
    counted.begin()
    text = counted.text()
    families = {family.name.removeprefix("ticketflow_") for family in text_string_to_metric_families(text)}
    assert families <= {*OWN, OWN_COUNTER}
    assert "ticketflow_exporter_caught_up 0.0" in text
    counted.count()
    assert "ticketflow_exporter_caught_up 1.0" in counted.text()
    assert counted.served() == counted.expected()


def test_each_cluster_has_a_checkpoint_of_its_own(tmp_path: Path) -> None:
    """Positions of one cluster's topics mean nothing on another's, nor those of another prefix."""
    settings = Settings(data_dir=tmp_path, topic_prefix="desk")
    assert checkpoint_file(settings, "exporter", "abc") == tmp_path / "exporter-desk-abc.sqlite"
