"""The demo's service day, played on the in-memory log: everything happens that can, and it ends in time."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from ops.demo_day import DAY, POLICY, Sending, planned, read_day, sending
from ops.policies import load
from schemas.envelope import Code
from schemas.events import EVENT_TYPES, Absorbed, Category, Channel, Priority, Queue
from schemas.instants import parse_instant, to_epoch
from schemas.records import Change, MetricName, Outcome, Template
from schemas.topics import Topic, partition_for
from tests.simulation.worlds import World
from tests.support.replays import replay
from workflow.states import CLOSE, ESCALATE, NOTHING, TABLE, TRIGGERS

pytestmark = pytest.mark.simulation

LINES = read_day()
START = datetime(2026, 7, 3, 1, 30, tzinfo=UTC)
"""Some night: the day is played at any hour."""
TICK = timedelta(seconds=0.1)
PATIENCE = timedelta(seconds=140)
TAG = ".t"


class Played:
    """The day after it was played; everything was sent `late_seconds` later than it should have been."""

    def __init__(self, late_seconds: float = 0.0) -> None:
        self.world = World(load(POLICY))
        self.world.clock.time = START
        for line in LINES:
            record = sending(line, START, TAG)
            self._until(record.at + timedelta(seconds=late_seconds))
            self._publish(record)
        self.world.turn()
        self._until(START + PATIENCE)

    def _until(self, end: datetime) -> None:
        """Let time go by tick by tick, as a worker beside the player sees it."""
        while self.world.clock.time < end:
            self.world.clock.time = min(self.world.clock.time + TICK, end)
            self.world.turn()

    def _publish(self, sent: Sending) -> None:
        partition = partition_for(sent.key or b"", self.world.partitions)
        stamp = to_epoch(self.world.clock.time)
        topic = self.world.topic(Topic.EVENTS)
        self.world.broker.append(topic, sent.key, sent.value, sent.headers, stamp, partition=partition)

    def of(self, topic: Topic) -> list[dict[str, Any]]:
        """The data of every event of a topic of ours."""
        return [json.loads(record.value)["data"] for record in self._records(topic) if record.value]

    def _records(self, topic: Topic) -> list[Any]:
        name = self.world.topic(topic)
        return [
            record
            for number in range(self.world.partitions)
            for record in self.world.reader.read(name, number)
        ]

    @cached_property
    def journal(self) -> list[dict[str, Any]]:
        """All records of the journal."""
        return self.of(Topic.JOURNAL)

    @cached_property
    def changes(self) -> list[dict[str, Any]]:
        """All that happened to clocks."""
        return [change for entry in self.journal for change in entry["clocks"]]

    def seconds(self, instant: str) -> float:
        """Seconds after the start."""
        return (parse_instant(instant) - START).total_seconds()

    @cached_property
    def codes(self) -> Counter[str]:
        """Dead letters by code."""
        records = self._records(Topic.DEAD_LETTER)
        return Counter(dict(record.headers)["dlq.errors.code"].decode() for record in records)

    @cached_property
    def states(self) -> dict[str, dict[str, Any]]:
        """The tickets that are left."""
        found: dict[str, dict[str, Any]] = {}
        for record in self._records(Topic.STATE):
            if record.value is None:
                del found[record.key.decode()]
            else:
                found[record.key.decode()] = json.loads(record.value)["data"]
        return found

    @cached_property
    def registrations(self) -> list[dict[str, Any]]:
        """The first record of every ticket."""
        return [entry for entry in self.journal if entry["seq"] == 1]


def course(journal: list[dict[str, Any]], tag: str = "") -> Counter[tuple[str, ...]]:
    """What happened to the clocks of each ticket, but for warnings and for when it was found."""
    return Counter(
        (entry["ticket_id"] + tag, change["clock"], change["change"], str(change.get("threshold")))
        for entry in journal
        for change in entry["clocks"]
        if change["change"] != Change.WARNED
    )


@pytest.fixture(scope="module")
def day() -> Played:
    """One playing for all tests."""
    return Played()


def test_no_law_is_broken(day: Played) -> None:
    """`verify` finds nothing, and all is applied but twenty bad records and the repeated ones."""
    report = day.world.verify()
    assert list(map(str, report.findings)) == []
    assert report.totals["rejected"] == 20
    assert report.totals["duplicate"] == planned(LINES)[1] >= 10
    assert report.totals["absorbed"] >= 10


def test_each_bad_record_becomes_the_dead_letter_that_it_says(day: Played) -> None:
    """Every code of the contract is seen, as often as the day's lines name it."""
    assert day.codes == planned(LINES)[0]
    assert set(day.codes) == set(Code)


def test_every_kind_of_ticket_is_there(day: Played) -> None:
    """Over 320 tickets: every channel with every category, all queues, priorities, and types of event."""
    changed = [entry["changed"] for entry in day.registrations]
    assert len(changed) > 320
    assert {(each["channel"], each["category"]) for each in changed} == set(product(Channel, Category))
    assert {each["queue"] for each in changed} == set(Queue)
    assert {each["priority"] for each in changed} == set(Priority)
    sent = {line.document["type"] for line in LINES if line.bad is None}
    assert sent == set(EVENT_TYPES) - {Absorbed.type}  # the engine's own


def test_every_region_with_a_calendar_is_there(day: Played) -> None:
    """Each calendar of the default policy's regions has a ticket, and so has a citizen of no known region."""
    (default,) = load(None).versions
    regions = {entry["changed"].get("region") for entry in day.registrations}
    assert {
        default.region_calendars.get(region or "*", default.region_calendars["*"]) for region in regions
    } == set(default.region_calendars.values())
    assert None in regions


def test_every_transition_is_taken(day: Played) -> None:
    """All rows of the table but those that this policy cannot take: it closes only what is resolved."""
    names = {ESCALATE: "escalated", CLOSE: "closed"}
    taken = {
        (entry["trigger"], entry["from"] or NOTHING, entry["to"], entry["cause"]["kind"])
        for entry in day.journal
    }
    missing = {
        (row.trigger, row.source)
        for row in TABLE
        if (
            names.get(row.trigger, row.trigger),
            row.source,
            row.target,
            "clock" if row.trigger in names else "event",
        )
        not in taken
    }
    assert missing == {(CLOSE, source) for source in ("created", "assigned", "escalated", "pending")}


def test_every_trigger_is_seen(day: Played) -> None:
    """Every trigger that a policy may name happens, contacts of citizens and of operators too."""
    seen = {entry["trigger"] for entry in day.journal}
    seen |= {
        f"contacted.{entry['changed']['contacted_by']}"
        for entry in day.journal
        if entry["trigger"] == "contacted"
    }
    assert seen >= set(TRIGGERS)


def test_everything_happens_to_clocks(day: Played) -> None:
    """Every change of the contract, and for every clock each outcome; a met is withdrawn too."""
    assert {change["change"] for change in day.changes} == set(Change)
    (policy,) = day.world.policies.versions
    found = {
        (metric["labels"]["clock"], metric["labels"]["outcome"])
        for metric in day.of(Topic.METRICS)
        if metric["metric"] == MetricName.CLOCK_OUTCOME
    }
    always = [Outcome.MET, Outcome.BREACHED, Outcome.CANCELLED, Outcome.RETRACTED]
    assert found == {*product(policy.clock_ids, always), ("resolution", Outcome.UNMET)}


def test_every_threshold_fires(day: Played) -> None:
    """Of every rule all warnings and steps are seen, but for the step a minute after the two minutes."""
    (policy,) = day.world.policies.versions
    fired = {
        (change["rule"], change["threshold"]) for change in day.changes if change.get("threshold") is not None
    }
    expected = {(rule.number, each.name) for rule in policy.rules for each in rule.thresholds}
    complex_one = policy.match("resolution", {"category": "complex"})
    assert complex_one is not None
    assert expected - fired == {(complex_one.number, "+1m")}


def test_everybody_is_told_and_everything_measured(day: Played) -> None:
    """All templates and metrics; citizens by e-mail, SMS or inbox, some later, and some not at all."""
    told = day.of(Topic.NOTIFICATIONS)
    assert {notice["template"] for notice in told} == set(Template)
    assert {metric["metric"] for metric in day.of(Topic.METRICS)} == set(MetricName)
    to_clients = [notice for notice in told if notice["recipient"]["role"] == "client"]
    assert {notice["channel"] for notice in to_clients} == {"email", "sms", "inbox"}
    waiting = [notice for notice in to_clients if "not_before" in notice]
    assert 0 < len(waiting) < len(to_clients) / 4
    registered = {n["ticket_id"] for n in told if n["template"].startswith("ticket_registered")}
    assert len(registered) < len(day.registrations)


def test_something_happens_every_second(day: Played) -> None:
    """The first promise is broken within ten seconds, no second is silent, and there are peaks."""
    found = [day.seconds(c["found_at"]) for c in day.changes if c["change"] == Change.BREACHED]
    assert min(found) < 10
    busy = Counter(int(day.seconds(entry["recorded_at"])) for entry in day.journal)
    assert [second for second in range(125) if not busy[second]] == []
    begun = Counter(int(day.seconds(entry["at"])) for entry in day.registrations)
    peak = sum(begun[second] for second in (*range(45, 60), *range(90, 105))) / 30
    assert peak > 1.5 * sum(begun[second] for second in range(45)) / 45


def test_the_day_ends_when_it_should(day: Played) -> None:
    """48 hours are kept, or broken and escalated again, all before second 128, and few tickets stay open."""
    ends = [
        (change["change"], day.seconds(change["at"]))
        for entry in day.journal
        for change in entry["clocks"]
        if change["clock"] == "resolution" and change["target_seconds"] == 120
    ]
    assert sum(change == Change.MET for change, _ in ends) > 20
    assert sum(change == Change.BREACHED for change, _ in ends) >= 5
    assert {change for change, seconds in ends if seconds > 112} == {"breached", "stepped"}
    assert max(day.seconds(entry["recorded_at"]) for entry in day.journal) < 128
    assert 15 <= len(day.states) <= 25
    assert {state["state"] for state in day.states.values()} == {"assigned", "escalated", "pending"}


def test_a_slow_computer_plays_the_same_day(day: Played) -> None:
    """When everything is sent 0.4 seconds late each clock has the same course all the same."""
    assert course(Played(late_seconds=0.4).journal) == course(day.journal)


def test_the_plain_events_can_be_replayed(day: Played, tmp_path: Path) -> None:
    """Without the bad records the file is one for `replay`, which comes to the same."""
    events = tmp_path / "events.jsonl"
    kept = [line for line in DAY.read_bytes().splitlines() if not line.startswith(b'{"bad"')]
    events.write_bytes(b"\n".join(kept))
    summary = replay([events], POLICY, "2026-01-01T00:02:30Z", tmp_path / "out")
    assert summary.rejected == {}
    assert summary.tickets == len(day.states)
    journal = [
        json.loads(line)["data"] for line in (tmp_path / "out" / "journal.jsonl").read_bytes().splitlines()
    ]
    assert course(journal, TAG) == course(day.journal)
