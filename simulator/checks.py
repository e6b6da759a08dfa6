"""What must hold after a history, whatever went wrong in it; each checker says what it found in sentences.

The laws are checked twice: by `verify`, which takes every decision again, and here from the records alone,
so that a fault of the one is no fault of the other. What every clock should have done the oracle says
(`simulator.oracle_check`), and what the log itself must not do is Jepsen's list for Kafka.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from consumers.log import Record
from consumers.verifier import Verifier
from producers.outbox import Outbox
from schemas.topics import Topic
from simulator.agenda import SECOND
from simulator.node import GROUP, PREFIX
from simulator.oracle_check import against_the_oracle
from simulator.outputs import Outcome, Place, journal, outcomes, records, refused
from simulator.traffic import PERSON
from simulator.world import World

_PERSONAL: Final = (PERSON, json.dumps(PERSON)[1:-1], "+79995550123")
_NEVER_US: Final = -1
"""Before all arrivals."""
_LATEST_US: Final = 120 * SECOND
"""Markers come late, so that records of the engine's own may stay unreadable for more than a minute."""
_VERDICTS: Final = ("met", "breached")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must not be. `ticket`: whose it is, where it is one ticket's."""

    checker: str
    sentence: str
    ticket: str | None = None

    def __str__(self) -> str:
        return f"{self.checker}: {self.sentence}"


def check(world: World) -> list[Finding]:
    """Everything that is wrong with what a history has left on the topics."""
    found = [Finding("engine", sentence) for sentence in world.bugs]
    for name, checker in CHECKERS.items():
        found += [Finding(name, sentence, ticket) for ticket, sentence in checker(world)]
    return found


Said = Iterator[tuple[str | None, str]]


def laws(world: World) -> Said:
    """What `verify` says of the topics."""
    outbox = Outbox(PREFIX, world.plan.partitions, GROUP)
    report = Verifier(world.reader, PREFIX, GROUP, world.policies, outbox).run()
    for finding in report.findings:
        yield finding.ticket_id, str(finding)


def conservation(world: World) -> Said:
    """No event has two outcomes, and what is refused whatever happens is refused with its code.

    Which events may have none, as duplicates, the oracle says.
    """
    outcomes: Counter[Place] = Counter()
    for entry in journal(world):
        if entry["cause"]["kind"] == "event":
            outcomes[entry["cause"]["partition"], entry["cause"]["offset"]] += 1
    codes = {}
    for where, code in refused(world):
        outcomes[where] += 1
        codes[where] = code
    for where, count in sorted(outcomes.items()):
        if count > 1:
            yield None, f"the event at partition {where[0]}, offset {where[1]} has {count} outcomes"
    for each in world.published:
        expected = each.arriving.code
        if expected is not None and codes.get((each.partition, each.offset)) != expected:
            found = codes.get((each.partition, each.offset))
            yield each.arriving.ticket, f"{each.arriving.said} became {found}"


def once_and_in_order(world: World) -> Said:
    """Of each life of a ticket: seq without gaps, each threshold once a cycle, one verdict, nothing early."""
    seqs: dict[str, int] = {}
    fired: set[tuple[str, str, int, str]] = set()
    verdicts: dict[tuple[str, str, int], str] = {}
    for entry in journal(world):
        ticket = entry["ticket_id"]
        expected = seqs.get(ticket, 0) + 1
        if entry["seq"] != expected:
            yield ticket, f"{ticket}: seq {entry['seq']} stands where {expected} comes next"
        seqs[ticket] = entry["seq"]
        for change in entry["clocks"]:
            for sentence in _of_a_change(ticket, change, fired, verdicts):
                yield ticket, f"{ticket}/{entry['seq']}: {sentence}"
        if entry["to"] is None:  # the ticket has left the state: a life is over
            seqs.pop(ticket)
            fired = {each for each in fired if each[0] != ticket}
            verdicts = {each: word for each, word in verdicts.items() if each[0] != ticket}


def _of_a_change(
    ticket: str,
    change: dict[str, Any],
    fired: set[tuple[str, str, int, str]],
    verdicts: dict[tuple[str, str, int], str],
) -> Iterator[str]:
    cycle = (ticket, change["clock"], change["cycle"])
    name = f"{change['clock']} #{change['cycle']}"
    if change["change"] == "retracted":
        if verdicts.pop(cycle, None) is None:
            yield f"{name} is retracted without a verdict"
        armed = [each for each in fired if each[:3] == cycle and each[3][0] in "b+"]
        fired.difference_update(armed)
    if change["change"] in _VERDICTS:
        if cycle in verdicts:
            yield f"{name} has a second verdict: {verdicts[cycle]}, then {change['change']}"
        verdicts[cycle] = change["change"]
    if "threshold" in change:
        if (*cycle, change["threshold"]) in fired:
            yield f"{name} fires {change['threshold']} a second time"
        fired.add((*cycle, change["threshold"]))
        if datetime.fromisoformat(change["found_at"]) < datetime.fromisoformat(change["at"]):
            yield f"{name} fires {change['threshold']} early"
        if change["lateness_seconds"] < 0:
            yield f"{name} has a negative lateness"


def records_first(world: World) -> Said:
    """A clock fires before a record that arrived after it was due, or at the end of the partition.

    Where that is it has asked in the same turn; and what it fires was due by then. (Contract, "Time".)
    """
    for number in range(world.plan.partitions):
        arrivals = _running_arrivals(world.reader.read(world.topics[Topic.EVENTS], number))
        following: int | None = None  # the event that became something next, be it a dead letter
        for outcome in reversed(outcomes(world, number)):
            if outcome.due_us is None:
                following = outcome.event
            elif outcome.due_us >= arrivals.get(following, _NEVER_US):
                sentence = _at_the_end(world, outcome, following)
                if sentence is not None:
                    yield outcome.ticket, f"{outcome.record.offset} in {number} fired {sentence}"


def _at_the_end(world: World, fired: Outcome, following: int | None) -> str | None:
    """What is wrong with a firing by the clock; None: the worker had seen the end, and nothing waited."""
    seen = world.cluster.seen[fired.record.topic, fired.record.partition, fired.record.offset]
    if seen is None:
        return "at an end that nobody had asked for"
    if following is not None and following < seen.end:
        return f"although the event at offset {following} waited"
    if fired.due_us is not None and fired.due_us > seen.at_us:
        return "by a later time than that at which the end was seen"
    return None


def on_time(world: World) -> Said:
    """As long as nothing is wrong with workers and cluster, nothing waits for long, and nothing is early.

    An event waits from when it was written; a firing from when it was due, or since its ticket's last
    record. While clocks are wrong nobody can say what is early: from the first wrong one on it is not asked.
    """
    truth = world.cluster.truth
    for number in range(world.plan.partitions):
        latest: dict[str | None, int] = {}
        for outcome in outcomes(world, number):
            if outcome.due_us is None:
                place = (world.topics[Topic.EVENTS], number, outcome.event or 0)
                what, since_us = f"the event at offset {outcome.event}", truth.written[place].at_us
            else:
                what, since_us = "a firing", max(outcome.due_us, latest.get(outcome.ticket, 0))
                if outcome.at_us < min(outcome.due_us, world.misfortune.clocks_wrong_since_us):
                    yield outcome.ticket, f"{what} is early in partition {number}, at {outcome.record.offset}"
            latest[outcome.ticket] = outcome.at_us
            waited_us = outcome.at_us - since_us
            if waited_us > _LATEST_US and not truth.was_troubled(since_us, outcome.at_us):
                yield outcome.ticket, f"{what} of partition {number} has waited for {waited_us / SECOND:g} s"


def _running_arrivals(events: Iterable[Record]) -> dict[int | None, int]:
    """By offset, the arrival of each record; under None that of the last one."""
    arrivals: dict[int | None, int] = {}
    arrival = _NEVER_US
    for record in events:
        arrival = arrivals[record.offset] = max(arrival, record.timestamp_us)
    return {**arrivals, None: arrival}


def nothing_twice(world: World) -> Said:
    """Every record and output has an id of its own, as often as its ticket has lived."""
    ended: Counter[str] = Counter()
    stands: Counter[str] = Counter()
    lives: set[tuple[str, int]] = set()
    for entry in journal(world):
        ticket = entry["ticket_id"]
        identifier = f"{ticket}/{entry['seq']}"
        stands[identifier] += 1
        lives.add((identifier, ended[ticket]))
        ended[ticket] += entry["to"] is None
    allowed = Counter(identifier for identifier, _ in lives)
    yield from _too_often(stands, allowed, Topic.JOURNAL)
    for topic in (Topic.NOTIFICATIONS, Topic.METRICS):
        ids = Counter(json.loads(record.value or b"")["id"] for record in records(world, topic))
        yield from _too_often(ids, allowed, topic)


def _too_often(stands: Counter[str], allowed: Counter[str], topic: Topic) -> Said:
    for identifier, count in stands.items():
        cause = "/".join(identifier.split("/")[:2])
        if count > allowed[cause]:
            yield cause.split("/")[0], f"{identifier} stands {count} times in {topic.suffix}"


def committed_reads(world: World) -> Said:
    """Jepsen's list: a follower has read nothing that was taken back, missed nothing, and all in order."""
    for sentence in world.follower.differences(world.topics[Topic.STATE]):
        yield None, sentence


def positions(world: World) -> Said:
    """A committed position never goes back, and nobody commits one of a partition that it does not own.

    The cluster would let both pass, and neither need show at once in what is on the topics.
    """
    for sentence in world.cluster.truth.wrong_positions:
        yield None, sentence


def nobody_named(world: World) -> Said:
    """No person in the journal, notifications, metrics, or in what a dead letter says in our own words."""
    for topic in (Topic.JOURNAL, Topic.NOTIFICATIONS, Topic.METRICS):
        for record in records(world, topic):
            if _names_somebody((record.value or b"").decode()):
                yield None, f"{topic.suffix} names a person at offset {record.offset}"
    for record in records(world, Topic.DEAD_LETTER):
        ours = (value or b"" for name, value in record.headers if name.startswith("dlq.errors."))
        if any(_names_somebody(value.decode()) for value in ours):
            yield None, f"a dead letter's header names a person at offset {record.offset}"
    if any(_names_somebody(sentence) for _, sentence in world.told):
        yield None, "a sentence of a worker names a person"


def _names_somebody(text: str) -> bool:
    return any(each in text for each in _PERSONAL)


CHECKERS: Final[dict[str, Callable[[World], Said]]] = {
    "verify": laws,
    "conservation": conservation,
    "once": once_and_in_order,
    "twice": nothing_twice,
    "records first": records_first,
    "on time": on_time,
    "reads": committed_reads,
    "positions": positions,
    "persons": nobody_named,
    "oracle": against_the_oracle,
}
