"""The engine on the in-memory log: outages, order, starvation, bad records, personal data."""

import json
from collections import Counter

import pytest

from consumers.engine import Bounds
from schemas.instants import format_instant
from tests.support.cluster import Cluster, settle
from tests.support.world import DAY, HOUR, at, written
from workflow.policy import Policies, UnknownPolicyVersion

pytestmark = pytest.mark.simulation

POLICY = """
clocks:
  - {clock: first, target: 10m, start: [created], stop: [assigned], warn: [50%],
     on_breach: [{after: 0s, do: escalate, notify: [supervisor]}]}
  - {clock: whole, target: 1h, start: [created], stop: [resolved],
     on_breach: [{after: 0s, notify: [supervisor]}]}
"""


def cluster(partitions: int = 1, policy: str = POLICY) -> Cluster:
    """A cluster whose clock stands at the beginning."""
    made = Cluster(written(policy), partitions=partitions)
    made.clock.time = at(0)
    return made


def fired(c: Cluster) -> list[tuple[str, str, str]]:
    """(due, clock, threshold) of every firing in the order of the journal."""
    return [
        (entry["cause"]["due"], entry["cause"]["clock"], entry["cause"]["threshold"])
        for entry in c.journal()
        if entry["cause"]["kind"] == "clock"
    ]


def test_an_event_becomes_state_journal_notification_and_metric() -> None:
    """What a channel publishes comes out as CloudEvents, in the partition that it came from."""
    c = cluster(partitions=3)
    c.publish("created", 0)
    c.publish("assigned", 5)
    settle(c.worker())
    (number,) = {record.partition for record in c.records("events")}
    for topic in ("state", "journal", "notifications", "metrics"):
        assert c.records(topic), topic
        for record in c.records(topic):
            assert (record.partition, record.key) == (number, b"T")
            assert record.headers == (("content-type", b"application/cloudevents+json"),)
            assert record.value is not None
            value = json.loads(record.value)
            assert (value["source"], value["subject"], value["specversion"]) == ("ticketflow", "T", "1.0")
    assert [value["id"] for value in c.values("journal")] == ["T/1", "T/2"]


def test_the_state_is_written_once_per_ticket_and_batch() -> None:
    """Of many changes in one transaction only the last is written."""
    c = cluster()
    c.publish("created", 0)
    for number in range(20):
        c.publish("contacted", number)
    settle(c.worker())
    assert len(c.records("journal")) == 21
    assert len(c.records("state")) == 1


def test_overdue_clocks_fire_once_each_in_due_order_after_an_outage() -> None:
    """A worker started late fires what is overdue once, in deadline order, with its true lateness."""
    c = cluster()
    for number in range(30):
        c.publish("created", (number * 37) % 300, ticket=f"T{number}", arrives=300)
    c.clock.time = at(301)
    settle(c.worker())
    c.clock.time = at(DAY)
    settle(c.worker(bounds=Bounds(max_firings=7)))
    settle(c.worker())
    dues = [due for due, _, _ in fired(c)]
    assert len(dues) == 30 * 3
    late = [entry for entry in c.journal() if entry["recorded_at"] == format_instant(at(DAY))]
    assert [entry["at"] for entry in late] == sorted(entry["at"] for entry in late)
    for entry in late:
        (change,) = entry["clocks"]
        assert change["found_at"] == format_instant(at(DAY))
        assert change["lateness_seconds"] == (at(DAY) - at(0)).total_seconds() - _seconds(entry["at"])
    per = Counter(
        (entry["ticket_id"], c_["clock"], c_.get("threshold")) for entry in late for c_ in entry["clocks"]
    )
    assert set(per.values()) == {1}


def _seconds(text: str) -> float:
    from schemas.instants import parse_instant

    return (parse_instant(text) - at(0)).total_seconds()


def test_overdue_firings_and_records_do_not_starve_each_other() -> None:
    """With more of both than a transaction holds, each turn does some of either."""
    c = cluster()
    for number in range(200):
        c.publish("created", 0, ticket=f"T{number}")
    settle(c.worker())
    for number in range(60):
        c.publish("contacted", DAY, ticket=f"T{number % 5}", id=f"late-{number}")
    c.clock.time = at(DAY)
    engine = c.worker(bounds=Bounds(max_records=10, max_firings=10))
    engine.turn()
    count = len(c.journal())
    for _ in range(4):
        engine.turn()
        new = c.journal()[count:]
        count += len(new)
        kinds = {entry["cause"]["kind"] for entry in new}
        assert kinds == {"event", "clock"}
    settle(engine)
    assert len(fired(c)) == 200 * 3


def test_what_is_due_before_an_arrival_fires_before_that_record() -> None:
    """Also when the worker reads both long after: the running arrival decides, not the worker's clock."""
    c = cluster()
    c.publish("created", 0)
    c.publish("assigned", 601)
    c.publish("created", 700, ticket="U")
    c.clock.time = at(DAY)
    settle(c.worker())
    kinds = [entry["trigger"] for entry in c.journal() if entry["ticket_id"] == "T"]
    assert kinds == ["created", None, "escalated", "assigned", None]


def test_records_that_wait_are_read_before_the_workers_clock_fires() -> None:
    """While there is something to read, firing follows the arrivals: a stop in time is met."""
    c = cluster()
    c.publish("created", 0)
    c.publish("assigned", 600)
    c.clock.time = at(DAY)
    settle(c.worker(bounds=Bounds(max_records=1)))
    changes = [
        change["change"] for entry in c.journal() for change in entry["clocks"] if change["clock"] == "first"
    ]
    assert changes == ["started", "warned", "met"]


def test_arrival_survives_a_restart() -> None:
    """The running maximum is kept with the committed offset: a record stamped earlier arrives not earlier."""
    c = cluster()
    c.publish("created", 0)
    c.publish("created", 500, ticket="U")
    settle(c.worker())
    c.publish("assigned", 450, arrives=100)
    settle(c.worker())
    assigned = next(entry for entry in c.journal() if entry["trigger"] == "assigned")
    assert assigned["at"] == format_instant(at(450))
    assert c.watcher.outcomes() == {"applied": 3}


def test_lateness_is_never_negative_when_the_workers_clock_is_behind() -> None:
    """`found_at` is the later of the worker's clock and the running arrival."""
    c = cluster()
    c.publish("created", 0)
    c.publish("contacted", 2 * HOUR)
    settle(c.worker())
    late = [change["lateness_seconds"] for e in c.journal() for change in e["clocks"] if "found_at" in change]
    assert late == [2 * HOUR - 300.0, 2 * HOUR - 600.0, 2 * HOUR - 3600.0]


def test_a_merge_reaches_the_survivor_through_the_events_topic() -> None:
    """The engine publishes `absorbed` where the survivor's key hashes to, and decides it, once."""
    c = cluster(partitions=5)
    c.publish("created", 0, ticket="OLD")
    c.publish("created", 100, ticket="NEW")
    c.publish("closed", 200, ticket="OLD", reason="merged", merged_into="NEW")
    c.clock.time = at(200)
    settle(c.worker())
    absorbed = [entry for entry in c.journal() if entry["trigger"] == "absorbed"]
    assert [(entry["ticket_id"], entry["cause"]["id"], entry["cause"]["source"]) for entry in absorbed] == [
        ("NEW", "OLD/2/absorbed", "ticketflow")
    ]
    assert absorbed[0]["changed"]["registered_at"] == format_instant(at(0))


def test_a_ticket_that_left_the_state_is_a_tombstone_and_may_come_again() -> None:
    """After the reopening window the state topic has a tombstone; a reused id starts again at seq 1."""
    c = cluster(policy="reopening_window: 1d\n" + POLICY)
    c.publish("created", 0)
    c.publish("closed", 1)
    c.clock.time = at(9 * DAY)
    settle(c.worker())
    assert c.records("state")[-1].value is None
    c.publish("created", 9 * DAY, id="again")
    settle(c.worker())
    assert c.journal()[-1]["seq"] == 1


def test_conservation() -> None:
    """Applied, rejected and duplicate sum to what was consumed."""
    c = cluster(partitions=3)
    for number in range(40):
        c.publish("created", number, ticket=f"T{number % 25}", id=f"e{number % 35}")
    settle(c.worker())
    outcomes = c.watcher.outcomes()
    assert sum(outcomes.values()) == 40
    assert outcomes["applied"] == len([e for e in c.journal() if e["cause"]["kind"] == "event"])
    assert outcomes["illegal_transition"] == len(c.records("dead-letter"))


def test_a_huge_dead_letter_is_cut() -> None:
    """Above 1 MiB the first 64 KiB are kept, with the size and the sha256 of the whole."""
    import hashlib

    c = cluster()
    value = b"x" * (1024 * 1024 + 1)
    c.append(b"T", value, (), 0)
    c.append(b"T", value[:-1], (), 0)
    settle(c.worker())
    cut, whole = c.records("dead-letter")
    headers = dict(cut.headers)
    assert cut.value == value[: 64 * 1024]
    assert headers["dlq.errors.size"] == str(len(value)).encode()
    assert headers["dlq.errors.sha256"] == hashlib.sha256(value).hexdigest().encode()
    assert whole.value == value[:-1]
    assert "dlq.errors.size" not in dict(whole.headers)


def test_a_worker_without_the_policy_of_a_running_clock_stops() -> None:
    """It cannot decide what it does not know, and says which version it needs."""
    newer = 'version: "9"\n' + POLICY
    c = cluster()
    c.publish("created", 0)
    settle(c.worker())
    c.policies = Policies(written(newer).versions)
    engine = c.worker()
    with pytest.raises(UnknownPolicyVersion, match="test@1"):
        settle(engine)


def test_a_duplicate_is_told_after_a_restart_too() -> None:
    """The remembered ids are part of the state; a duplicate leaves nothing but a count."""
    c = cluster()
    c.publish("created", 0, id="1")
    settle(c.worker())
    c.publish("created", 5, id="1")
    settle(c.worker())
    assert c.watcher.outcomes() == {"applied": 1, "duplicate": 1}
    assert (len(c.records("journal")), len(c.records("dead-letter"))) == (1, 0)


def test_the_time_of_every_output_is_when_its_cause_counts() -> None:
    """The CloudEvents `time` of journal, notifications and metrics is the journal's `at`."""
    c = cluster()
    c.publish("created", 0)
    c.publish("assigned", 5, arrives=100)
    c.clock.time = at(DAY)
    settle(c.worker())
    times = {value["id"]: value["data"]["at"] for value in c.values("journal")}
    for topic in ("journal", "notifications", "metrics"):
        for value in c.values(topic):
            assert value["time"] == times["/".join(value["id"].split("/")[:2])], value["id"]


def test_a_dead_letter_says_where_the_record_stood() -> None:
    """Its headers name topic, partition, offset, group and timestamp of the record as it was received."""
    c = cluster()
    c.publish("created", 0)
    c.append(b"T", b"{", (("traceparent", b"x"),), 7)
    settle(c.worker())
    (letter,) = c.records("dead-letter")
    headers = dict(letter.headers)
    assert headers.pop("dlq.errors.message")
    assert headers == {
        "traceparent": b"x",
        "dlq.errors.code": b"malformed",
        "dlq.errors.topic": b"tickets.events",
        "dlq.errors.partition": b"0",
        "dlq.errors.offset": b"1",
        "dlq.errors.group": b"ticketflow",
        "dlq.errors.timestamp": b"2026-03-02T09:00:07.000000Z",
    }


def test_the_backlog_of_one_partition_does_not_hold_up_another() -> None:
    """With more overdue than a transaction holds, every partition's clocks fire in turn."""
    c = cluster(partitions=2)
    for number in range(120):
        c.publish("created", 0, ticket=f"T{number}")
    settle(c.worker())
    c.clock.time = at(DAY)
    engine = c.worker(bounds=Bounds(max_firings=10))
    for _ in range(8):
        engine.turn()
    counts = Counter(r.partition for r in c.records("journal") if b'"kind":"clock"' in (r.value or b""))
    assert counts[0] > 0, counts
    assert counts[1] > 0, counts
    settle(engine)
