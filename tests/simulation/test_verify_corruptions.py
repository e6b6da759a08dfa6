"""`verify` finds what is wrong: each law is broken on purpose, and the finding names it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from consumers.engine import Bounds
from consumers.log import Position, Record
from consumers.verifier_report import MOST_FINDINGS, Law
from consumers.verifier_streams import attributes
from ops.policies import load
from schemas.topics import Topic
from tests.simulation.histories import Step
from tests.simulation.worlds import GROUP, World

POLICIES = load(None)

HISTORY: tuple[Step, ...] = (
    (0, "created", 0, 0), (1, "created", 1, 0), (2, "chat", 1, 0), (0, "assigned", 10, 0),
    (1, "assigned", 50, 0), (1, "again", 1, 0), (2, "garbage", 1, 0), (2, "resumed", 1, 0),
    (3, "assigned", 1, 0), (0, "pending", 60, 0), (1, "merged", 60, 0), (0, "resumed", 60, 0),
    (2, "assigned", 600, 0), (2, "resolved", 2000, 0), (0, "resolved", 60, 0), (2, "confirmed", 60, 0),
    (0, "reopened", 60, 0), (0, "client", 1, 0),
)  # fmt: skip


def _world() -> World:
    """Tickets with breaches, warnings, a merge, duplicates and dead letters, in one partition of two."""
    world = World(POLICIES, 2, Bounds(4, 4))
    world.play(HISTORY, range(len(HISTORY)))
    world.wait(timedelta(days=31))
    return world


Found = tuple[int, int, Record]


def _records(world: World, topic: Topic) -> Iterator[Found]:
    """Partition, index and record of all that a topic has."""
    for partition in range(world.partitions):
        for index, record in enumerate(world.slots(topic, partition)):
            if record is not None:
                yield partition, index, record


def _first(world: World, topic: Topic, where: Callable[[dict[str, Any]], bool] = lambda _: True) -> Found:
    """The first record of which the data fit."""
    for found in _records(world, topic):
        document = _document(found[2])
        if document and where(document["data"]):
            return found
    raise AssertionError("the world has no such record")


def _document(record: Record) -> dict[str, Any]:
    return attributes(record.value)


def _rewritten(record: Record, change: Callable[[dict[str, Any]], None]) -> Record:
    document = _document(record)
    change(document)
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    return replace(record, value=text.encode())


def _rewrite(
    world: World,
    topic: Topic,
    where: Callable[[dict[str, Any]], bool],
    change: Callable[[dict[str, Any]], None],
) -> None:
    partition, index, record = _first(world, topic, where)
    world.slots(topic, partition)[index] = _rewritten(record, change)


def _remove(world: World, topic: Topic, where: Callable[[dict[str, Any]], bool] = lambda _: True) -> None:
    partition, index, _ = _first(world, topic, where)
    world.slots(topic, partition)[index] = None


def _append(world: World, topic: Topic, record: Record, partition: int | None = None) -> None:
    target = record.partition if partition is None else partition
    world.broker.append(
        world.topic(topic), record.key, record.value, record.headers, record.timestamp_us, partition=target
    )


def _double(world: World, topic: Topic, where: Callable[[dict[str, Any]], bool] = lambda _: True) -> None:
    _append(world, topic, _first(world, topic, where)[2])


def _trigger(name: str) -> Callable[[dict[str, Any]], bool]:
    return lambda data: data["trigger"] == name


def _fired(data: dict[str, Any]) -> bool:
    return data["cause"]["kind"] == "clock" and any("found_at" in change for change in data["clocks"])


def _latest(world: World, ticket_id: str) -> Found:
    return [found for found in _records(world, Topic.JOURNAL) if found[2].key == ticket_id.encode()][-1]


def _set(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        *steps, last = path.split(".")
        place: Any = document
        for step in steps:
            place = place[int(step) if step.isdigit() else step]
        place[int(last) if last.isdigit() else last] = value

    return change


def _fired_again(world: World) -> None:
    *_, record = _first(world, Topic.JOURNAL, lambda data: _fired(data) and data["ticket_id"] == "T-0")
    seq = _document(_latest(world, "T-0")[2])["data"]["seq"] + 1

    def change(document: dict[str, Any]) -> None:
        document["id"], document["data"]["seq"] = f"T-0/{seq}", seq

    _append(world, Topic.JOURNAL, _rewritten(record, change))


def _early(world: World) -> None:
    def change(document: dict[str, Any]) -> None:
        document["data"]["recorded_at"] = "2026-03-02T09:00:00.000000Z"
        for each in document["data"]["clocks"]:
            if "found_at" in each:
                each["found_at"], each["lateness_seconds"] = "2026-03-02T09:00:00.000000Z", -15.0

    _rewrite(world, Topic.JOURNAL, _fired, change)


def _never_decided(world: World) -> None:
    """An event that the group has passed over."""
    partition, _, record = _first(world, Topic.EVENTS)
    value = json.dumps({**_document(record), "id": "never"}).encode()
    _append(world, Topic.EVENTS, replace(record, value=value))
    end = len(world.slots(Topic.EVENTS, partition))
    world.broker.group(GROUP, world.topic(Topic.EVENTS)).positions[partition] = Position(end)


def _another_partition(topic: Topic) -> Callable[[World], None]:
    def corrupt(world: World) -> None:
        partition, index, record = _first(world, topic)
        world.slots(topic, partition)[index] = None
        _append(world, topic, record, 1 - partition)

    return corrupt


def _letter(world: World, change: Callable[[Record], Record | None]) -> None:
    partition, index, record = next(_records(world, Topic.DEAD_LETTER))
    world.slots(Topic.DEAD_LETTER, partition)[index] = change(record)


def _header(name: str, value: bytes) -> Callable[[Record], Record]:
    def change(record: Record) -> Record:
        return replace(record, headers=tuple((n, value if n == name else v) for n, v in record.headers))

    return change


def _applied_and_rejected(world: World) -> None:
    partition, _, event = _first(world, Topic.EVENTS)
    _, index, letter = next(found for found in _records(world, Topic.DEAD_LETTER) if found[0] == partition)
    forged = _header("dlq.errors.offset", str(event.offset).encode())(letter)
    world.slots(Topic.DEAD_LETTER, partition).insert(index, forged)


def _tombstone(world: World) -> Found:
    return next(found for found in _records(world, Topic.STATE) if found[2].value is None)


def _no_tombstone(world: World) -> None:
    partition, index, _ = _tombstone(world)
    world.slots(Topic.STATE, partition)[index] = None


def _tombstone_of_the_living(world: World) -> None:
    partition, _, record = _latest(world, "T-0")
    _append(world, Topic.STATE, replace(record, value=None), partition)


def _stale_state(world: World) -> None:
    partition, index, _ = [f for f in _records(world, Topic.STATE) if f[2].key == b"T-0"][-1]
    world.slots(Topic.STATE, partition)[index] = None


def _later_arrival(world: World) -> None:
    partition, index, record = _first(world, Topic.EVENTS, lambda data: data.get("operator") == "op-1")
    later = replace(record, timestamp_us=record.timestamp_us + 600_000_000)
    world.slots(Topic.EVENTS, partition)[index] = later


def _absorbed(data: dict[str, Any]) -> bool:
    return "registered_at" in data


def _junk(world: World) -> None:
    partition, _, record = _latest(world, "T-0")
    _append(world, Topic.JOURNAL, replace(record, value=b"{}"), partition)


def _surplus_absorbed(world: World) -> None:
    *_, record = _first(world, Topic.EVENTS, _absorbed)
    _append(world, Topic.EVENTS, _rewritten(record, _set("id", "T-7/3/absorbed")))


def _forged_seq(document: dict[str, Any]) -> None:
    document["data"]["seq"] += 1
    document["id"] = f"{document['data']['ticket_id']}/{document['data']['seq']}"


CORRUPTIONS: dict[str, tuple[Callable[[World], None], Law, str]] = {
    "the journal record of an event lost": (
        lambda w: _remove(w, Topic.JOURNAL, _trigger("assigned")),
        Law.CONSERVATION,
        "neither applied nor rejected",
    ),
    "the journal record of a creation lost": (
        lambda w: _remove(w, Topic.JOURNAL, _trigger("created")),
        Law.CONSERVATION,
        "neither applied nor rejected",
    ),
    "the journal record of a firing lost": (
        lambda w: _remove(w, Topic.JOURNAL, _fired),
        Law.SEQUENCE,
        "comes next",
    ),
    "a journal record doubled": (
        lambda w: _double(w, Topic.JOURNAL, _trigger("reopened")),
        Law.SEQUENCE,
        "stands there already",
    ),
    "a gap in seq": (
        lambda w: _rewrite(w, Topic.JOURNAL, _trigger("pending"), _forged_seq),
        Law.SEQUENCE,
        "comes next",
    ),
    "an id that is not that of the seq": (
        lambda w: _rewrite(w, Topic.JOURNAL, _trigger("pending"), _set("id", "T-0/77")),
        Law.SEQUENCE,
        "id or key",
    ),
    "junk in the journal": (_junk, Law.FOLD, "no journal record"),
    "a deadline changed": (
        lambda w: _rewrite(
            w,
            Topic.JOURNAL,
            _trigger("created"),
            _set("data.clocks.0.deadline", "2026-03-02T10:00:00.000000Z"),
        ),
        Law.DECISION,
        "data.clocks[0].deadline",
    ),
    "another rule": (
        lambda w: _rewrite(w, Topic.JOURNAL, _trigger("created"), _set("data.clocks.0.rule", 1000)),
        Law.DECISION,
        "data.clocks[0].rule",
    ),
    "an offset that does not exist": (
        lambda w: _rewrite(w, Topic.JOURNAL, _trigger("reopened"), _set("data.cause.offset", 1)),
        Law.CONSERVATION,
        "there is no event at offset 1",
    ),
    "a threshold fired twice": (_fired_again, Law.ONCE, "had fired already"),
    "an early firing": (_early, Law.TIME, "before it was due"),
    "a wrong lateness": (
        lambda w: _rewrite(w, Topic.JOURNAL, _fired, _set("data.clocks.0.lateness_seconds", 0.5)),
        Law.TIME,
        "lateness_seconds",
    ),
    "another recorded_at than found_at": (
        lambda w: _rewrite(w, Topic.JOURNAL, _fired, _set("data.recorded_at", "2027-03-02T09:00:00.000000Z")),
        Law.TIME,
        "do not fit together",
    ),
    "an event decided before what was due": (_later_arrival, Law.ORDER, "before what was due"),
    "a notification missing": (
        lambda w: _remove(w, Topic.NOTIFICATIONS),
        Law.DECISION,
        "ticket_registered/client of seq 1 is missing",
    ),
    "a notification changed": (
        lambda w: _rewrite(w, Topic.NOTIFICATIONS, lambda _: True, _set("data.channel", "email")),
        Law.DECISION,
        "differs in data.channel",
    ),
    "a notification doubled": (lambda w: _double(w, Topic.NOTIFICATIONS), Law.CAUSE, "or not again"),
    "a notification in the wrong partition": (
        _another_partition(Topic.NOTIFICATIONS),
        Law.PLACE,
        "another partition",
    ),
    "a metric missing": (lambda w: _remove(w, Topic.METRICS), Law.DECISION, "is missing"),
    "a metric changed": (
        lambda w: _rewrite(w, Topic.METRICS, lambda d: d["unit"] == "s", _set("data.value", 1)),
        Law.DECISION,
        "differs in data.value",
    ),
    "a metric without a cause": (
        lambda w: _append(
            w, Topic.METRICS, _rewritten(_first(w, Topic.METRICS)[2], _set("id", "T-0/99/escalation/1"))
        ),
        Law.CAUSE,
        "seq 99",
    ),
    "a metric without a readable id": (
        lambda w: _append(w, Topic.METRICS, _rewritten(_first(w, Topic.METRICS)[2], _set("id", "T-0"))),
        Law.CAUSE,
        "names no journal record",
    ),
    "a state forged": (
        lambda w: _rewrite(w, Topic.STATE, lambda _: True, _set("data.queue", "reference")),
        Law.FOLD,
        "not what the journal gives",
    ),
    "the last state missing": (_stale_state, Law.FOLD, "its last state record is of seq"),
    "a state in the wrong partition": (_another_partition(Topic.STATE), Law.PLACE, "another partition"),
    "a tombstone missing": (_no_tombstone, Law.FOLD, "stands there still"),
    "a tombstone of a ticket that is there": (
        _tombstone_of_the_living,
        Law.FOLD,
        "there is no state record",
    ),
    "a dead letter missing": (
        lambda w: _letter(w, lambda _: None),
        Law.CONSERVATION,
        "there is no dead letter",
    ),
    "a dead letter with another code": (
        lambda w: _letter(w, _header("dlq.errors.code", b"tombstone")),
        Law.DECISION,
        "it says tombstone",
    ),
    "a dead letter with another message": (
        lambda w: _letter(w, _header("dlq.errors.message", b"no")),
        Law.DECISION,
        "its message",
    ),
    "a dead letter that names nothing": (
        lambda w: _letter(w, _header("dlq.errors.offset", b"x")),
        Law.CAUSE,
        "does not say which record",
    ),
    "a dead letter about no topic of ours": (
        lambda w: _letter(w, _header("dlq.errors.topic", b"others.notifications")),
        Law.CAUSE,
        "does not say which record",
    ),
    "a dead letter without headers of ours": (
        lambda w: _letter(w, lambda letter: replace(letter, headers=())),
        Law.CAUSE,
        "does not say which record",
    ),
    "a dead letter doubled": (
        lambda w: _append(w, Topic.DEAD_LETTER, next(_records(w, Topic.DEAD_LETTER))[2]),
        Law.CAUSE,
        "one about that record already",
    ),
    "an event applied and rejected": (_applied_and_rejected, Law.CONSERVATION, "has a dead letter too"),
    "an event neither applied nor rejected": (
        _never_decided,
        Law.CONSERVATION,
        "neither applied nor rejected",
    ),
    "an absorbed event changed": (
        lambda w: _rewrite(
            w, Topic.EVENTS, _absorbed, _set("data.registered_at", "2026-03-01T09:00:00.000000Z")
        ),
        Law.CAUSE,
        "nothing in the journal gives such an event",
    ),
    "an absorbed event lost": (
        lambda w: _remove(w, Topic.EVENTS, _absorbed),
        Law.DECISION,
        "absorbed event for partition",
    ),
    "an absorbed event without a cause": (
        _surplus_absorbed,
        Law.CAUSE,
        "nothing in the journal gives such an event",
    ),
}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_corruption_is_found_and_named(name: str) -> None:
    """What was broken is found under its law, at its place, in words that show nobody's data."""
    corrupt, law, words = CORRUPTIONS[name]
    world = _world()
    corrupt(world)
    report = world.verify()
    said = list(map(str, report.findings))
    assert any(each.law is law and words in each.sentence for each in report.findings), said
    assert not report.clean
    assert "+7" not in "\n".join(said)
    assert "c-1" not in "\n".join(said)


def test_the_world_is_clean_before_anything_is_broken() -> None:
    """What is found below was planted."""
    world = _world()
    assert list(map(str, world.verify().findings)) == []


def test_one_lost_record_is_one_finding() -> None:
    """A lost journal record of an event does not make all that follows look wrong."""
    world = _world()
    _remove(world, Topic.JOURNAL, _trigger("assigned"))
    assert world.verify().total_findings == 1


def test_findings_are_capped_and_counted() -> None:
    """Beyond the first hundred findings are only counted, and the report says how many."""
    world = _world()
    for _ in range(MOST_FINDINGS + 5):
        _double(world, Topic.METRICS)
    report = world.verify()
    assert len(report.findings) == MOST_FINDINGS
    assert report.total_findings == MOST_FINDINGS + 5
    assert "and 5 more findings" in list(report.lines())
    assert report.as_dict()["total_findings"] == MOST_FINDINGS + 5
    json.dumps(report.as_dict())
