"""The fold of records to the business series."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from consumers.metrics_gauges import Deadlines
from schemas.topics import Topic
from tests.support.counted import Counted, clock, dead, measured, ticket
from tests.support.recount import Sample

KEPT = ("met", "unmet", "breached", "retracted")


@pytest.fixture
def counted(tmp_path: Path) -> Iterator[Counted]:
    """An exporter on topics in memory."""
    made = Counted(tmp_path)
    yield made
    made.kill()


def value(samples: dict[Sample, float], name: str, **labels: str) -> float:
    """A sample's value; 0 where it is not there."""
    return samples.get((name, frozenset(labels.items())), 0)


@pytest.mark.parametrize(
    ("metric", "series"),
    [
        ("repeat_contact", "repeat_contacts_total"),
        ("escalation", "escalations_total"),
        ("reopening", "reopenings_total"),
    ],
)
def test_a_count_has_the_queue(counted: Counted, metric: str, series: str) -> None:
    """Repeat contacts, escalations and reopenings are counted by queue."""
    counted.all_of(Topic.METRICS, [("A", measured(metric)), ("B", measured(metric, queue="technical"))])
    counted.count()
    assert value(counted.served(), series, queue="status") == 1
    assert value(counted.served(), series, queue="technical") == 1


def test_outcomes_add_up_to_kept_promises(counted: Counted) -> None:
    """(met - unmet) / (met - unmet + breached - retracted): withdrawn verdicts count as if never given."""
    given = ["met"] * 5 + ["unmet"] + ["breached"] * 3 + ["retracted"] * 2 + ["cancelled"]
    counted.all_of(
        Topic.METRICS,
        [("A", measured("clock_outcome", clock="resolution", outcome=outcome)) for outcome in given],
    )
    counted.count()
    labels = {"clock": "resolution", "category": "complex", "queue": "status", "channel": "phone"}
    met, unmet, breached, retracted = (
        value(counted.served(), "clock_outcomes_total", outcome=outcome, **labels) for outcome in KEPT
    )
    assert (met - unmet) / (met - unmet + breached - retracted) == 4 / 5
    assert value(counted.served(), "clock_outcomes_total", outcome="cancelled", **labels) == 1
    by_region = {"clock": "resolution", "region": "77", "outcome": "met"}
    assert value(counted.served(), "clock_outcomes_by_region_total", **by_region) == 5


def test_every_term_of_the_formula_is_there(counted: Counted) -> None:
    """Where one outcome was counted the others are 0: a sum over no series at all would be no number."""
    counted.write(Topic.METRICS, "A", measured("clock_outcome", clock="resolution", outcome="met"))
    counted.count()
    for outcome in ("unmet", "breached", "retracted", "cancelled"):
        sample = f'channel="phone",clock="resolution",outcome="{outcome}",queue="status"}} 0.0'
        assert f'clock_outcomes_total{{category="complex",{sample}' in counted.text()


@pytest.mark.parametrize(("seconds", "bound"), [(30, "30.0"), (30.000001, "60.0"), (172_800, "172800.0")])
def test_a_bucket_ends_at_the_target(counted: Counted, seconds: float, bound: str) -> None:
    """What takes exactly as long as promised is within the promise; a microsecond more is not."""
    counted.write(Topic.METRICS, "A", measured("resolution_seconds", seconds))
    counted.count()
    buckets = {dict(labels)["le"] for name, labels in counted.served() if name == "resolution_seconds_bucket"}
    assert min(buckets, key=float) == bound
    assert value(counted.served(), "resolution_seconds_sum", category="complex") == seconds


def test_every_target_of_the_policy_is_a_bound_and_an_old_one_stays(counted: Counted) -> None:
    """So the share within a target is exact under any policy, and a new policy lowers no count."""
    counted.kill()
    counted.begin([timedelta(seconds=4), timedelta(milliseconds=2_500)])
    for key, seconds in enumerate((2.4, 3.9, 4.1)):
        counted.write(Topic.METRICS, str(key), measured("wait_seconds", seconds))
    counted.count()
    assert within(counted) == {"2.5": 1, "4.0": 2, "5.0": 3, "10.0": 3}
    counted.kill()
    counted.begin([timedelta(seconds=7)])
    counted.write(Topic.METRICS, "new", measured("wait_seconds", 6.9))
    counted.count()
    assert within(counted) == {"2.5": 1, "4.0": 2, "5.0": 3, "7.0": 4, "10.0": 4}


def within(counted: Counted) -> dict[str, float]:
    """How many waited so long at most, up to ten seconds."""
    found = {
        dict(labels)["le"]: count
        for (name, labels), count in counted.served().items()
        if name == "wait_seconds_bucket"
    }
    return {bound: count for bound, count in found.items() if float(bound) <= 10}


def test_what_lies_beyond_the_last_bound_is_counted(counted: Counted) -> None:
    """It is in the bucket of everything, and in count and sum."""
    counted.write(Topic.METRICS, "A", measured("wait_seconds", 1e6))
    counted.count()
    labels = {"channel": "phone", "queue": "status"}
    assert value(counted.served(), "wait_seconds_bucket", le="+Inf", **labels) == 1
    assert value(counted.served(), "wait_seconds_bucket", le="172800.0", **labels) == 0
    assert value(counted.served(), "wait_seconds_sum", **labels) == 1e6


def test_a_ticket_counts_where_it_stands_now(counted: Counted) -> None:
    """Its new state replaces the former one, in the same batch and in a later one."""
    counted.all_of(Topic.STATE, [("A", ticket("created")), ("A", ticket("assigned"))])
    counted.count()
    assert value(counted.served(), "tickets_open", state="created", queue="status") == 0
    assert value(counted.served(), "tickets_open", state="assigned", queue="status") == 1
    counted.write(Topic.STATE, "A", ticket("pending", queue="technical"))
    counted.count()
    assert value(counted.served(), "tickets_open", state="assigned", queue="status") == 0
    assert value(counted.served(), "tickets_open", state="pending", queue="technical") == 1
    counted.write(Topic.STATE, "A", ticket("closed"))
    counted.count()
    assert not [name for name, _ in counted.served() if name == "tickets_open"]


def test_a_gauge_that_fell_to_zero_is_shown(counted: Counted) -> None:
    """It is 0 and not left out: an alert on it must see that it fell."""
    counted.write(Topic.STATE, "A", ticket("assigned", clock("resolution", 60)))
    counted.write(Topic.STATE, "A", None)
    counted.count()
    for series in (
        'tickets_open{queue="status",state="assigned"}',
        'clocks_running{clock="resolution",queue="status"}',
        'clocks_due_soon{clock="resolution",queue="status"}',
        'clocks_overdue{clock="resolution",queue="status"}',
    ):
        assert f"ticketflow_{series} 0.0" in counted.text()


def test_clocks_count_by_what_they_need(counted: Counted) -> None:
    """What has not ended runs; it is due near its deadline unless paused or breached; breached is overdue."""
    clocks = [
        clock("due", 300), clock("later", 300.000001), clock("paused", None, paused=True),
        clock("breached", -60, verdict="breached"),
        clock("both", None, paused=True, verdict="breached"), clock("passed", -1),
        clock("met", 60, verdict="met", ended_at="2026-03-02T09:00:00.000000Z"),
        clock("stopped", 60, verdict="breached", ended_at="2026-03-02T09:00:00.000000Z"),
    ]  # fmt: skip
    counted.write(Topic.STATE, "A", ticket("pending", *clocks))
    counted.count()
    found: dict[str, set[str]] = {}
    for name, labels in counted.served():
        found.setdefault(name, set()).add(dict(labels).get("clock", ""))
    assert found["clocks_running"] == {"due", "later", "paused", "breached", "both", "passed"}
    assert found["clocks_due_soon"] == {"due", "passed"}
    assert found["clocks_overdue"] == {"breached", "both"}


def test_what_is_due_soon_follows_the_clock(counted: Counted) -> None:
    """Without any record a deadline comes near."""
    counted.write(Topic.STATE, "A", ticket("assigned", clock("resolution", 3600)))
    counted.count()
    labels = {"clock": "resolution", "queue": "status"}
    assert value(counted.served(), "clocks_due_soon", **labels) == 0
    counted.clock.time += counted.now.replace(hour=9, minute=55) - counted.now
    assert value(counted.served(), "clocks_due_soon", **labels) == 1


def test_a_clock_on_a_closed_ticket_counts(counted: Counted) -> None:
    """A dropped call about a closed ticket starts a callback: the ticket is not open, its clock runs."""
    counted.write(Topic.STATE, "A", ticket("closed", clock("callback", 60)))
    counted.count()
    assert {name for name, _ in counted.served()} == {"clocks_running", "clocks_due_soon"}


def test_a_dead_letter_counts_by_the_writers_own_code(counted: Counted) -> None:
    """A header of the same name that came with the record is not believed; other codes become `unknown`."""
    forged = ("dlq.errors.code", b"tombstone")
    counted.write(Topic.DEAD_LETTER, "A", b"", dead("malformed", forged))
    counted.write(Topic.DEAD_LETTER, "A", b"", dead("undeliverable_refused"))
    counted.broker.append("tickets.dead-letter", b"A", b"", dead("made_up"))
    counted.broker.append("tickets.dead-letter", None, None, ())
    counted.count()
    found = {
        labels: number for (name, labels), number in counted.served().items() if name == "dead_letters_total"
    }
    codes = {dict(labels)["code"]: number for labels, number in found.items()}
    assert codes == {"malformed": 1, "undeliverable_refused": 1, "unknown": 2}


@pytest.mark.parametrize(
    "record",
    [
        None, b"", b"{", b"[]", b'{"data": 1}', measured("escalation", -1), measured("wait_seconds", 1e300),
        measured("escalation", queue="nowhere"), measured("escalation", channel="A"),
        measured("clock_outcome", clock="c" * 65, outcome="met"), measured("clock_outcome", outcome="maybe"),
    ],
)  # fmt: skip
def test_a_foreign_measurement_makes_no_label(
    counted: Counted, record: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    """It is passed over with a line in the log that has its place and nothing of it."""
    counted.broker.append("tickets.metrics", b"A", record)
    counted.count()
    assert counted.served() == {}
    assert caplog.messages == [
        "partition 0 of tickets.metrics: the record at offset 0 is none of the engine's and is not counted"
    ]
    assert 'exporter_records_total{outcome="unreadable",topic="metrics"} 1.0' in counted.text()


def test_a_foreign_state_leaves_the_ticket_as_it_was(counted: Counted) -> None:
    """What cannot be read changes nothing."""
    counted.write(Topic.STATE, "A", ticket("assigned"))
    counted.broker.append("tickets.state", b"A", b'{"data": {"state": "lost"}}')
    counted.count()
    assert counted.served() == counted.expected()


def test_a_region_that_is_none_is_called_so(counted: Counted) -> None:
    """The label has two digits, `abroad` or `none`."""
    for region in ("77", "abroad", "none", "", "Moscow"):
        counted.write(Topic.METRICS, "A", measured("clock_outcome", clock="c", outcome="met", region=region))
    counted.count()
    regions = {
        dict(labels)["region"]: number
        for (name, labels), number in counted.served().items()
        if name == "clock_outcomes_by_region_total"
    }
    assert regions == {"77": 1, "abroad": 1, "none": 3}


def test_no_series_for_what_the_contract_does_not_show(counted: Counted) -> None:
    """Corrections, and metrics of a later version, are read and not counted."""
    counted.all_of(Topic.METRICS, [("A", measured("correction")), ("A", measured("patience_seconds", 3))])
    counted.count()
    assert counted.served() == {}


def test_the_checkpoint_keeps_no_person(counted: Counted) -> None:
    """Of a state record only state, queue and running clocks are kept."""
    counted.write(Topic.STATE, "A", ticket("assigned", clock("resolution", 60)))
    counted.count()
    counted.kill()
    kept = b"".join(path.read_bytes() for path in counted.path.parent.iterdir())
    assert b"assigned" in kept
    assert "Агафья".encode() not in kept
    assert b"c-104" not in kept


def test_deadlines_are_counted_up_to_an_instant() -> None:
    """The instant itself counts, what was taken away does not, in whichever minute they lie."""
    deadlines = Deadlines()
    minute = 60_000_000
    for at_us in (0, 1, minute - 1, minute, minute, 5 * minute):
        deadlines.add(at_us)
    assert [deadlines.until(at_us) for at_us in (-1, 0, minute - 1, minute, 9 * minute)] == [0, 1, 3, 5, 6]
    deadlines.remove(minute)
    deadlines.remove(5 * minute)
    assert [deadlines.until(at_us) for at_us in (minute, 9 * minute)] == [4, 4]
