"""What a history has left on the topics, as the checkers read it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from consumers.log import Record
from schemas.instants import to_epoch
from schemas.topics import Topic
from simulator.world import World

Place = tuple[int, int]
"""Partition and offset of an event."""


def records(world: World, topic: Topic) -> Iterator[Record]:
    """All committed records of a topic, partition by partition."""
    for number in range(world.plan.partitions):
        yield from world.reader.read(world.topics[topic], number)


@lru_cache(maxsize=1)
def _entries(world: World) -> tuple[tuple[Record, dict[str, Any]], ...]:
    """The journal once its history has been played, read once for all checkers."""
    found = records(world, Topic.JOURNAL)
    return tuple((record, json.loads(record.value or b"")["data"]) for record in found)


def journal(world: World) -> Iterator[dict[str, Any]]:
    """The data of every record of the journal."""
    return (entry for _, entry in _entries(world))


def refused(world: World) -> Iterator[tuple[Place, str]]:
    """The event that each dead letter is about, and its code."""
    for record in records(world, Topic.DEAD_LETTER):
        code = dict(record.headers)["dlq.errors.code"] or b""
        yield (record.partition, _refused_offset(record)), code.decode()


def _refused_offset(letter: Record) -> int:
    return int(dict(letter.headers)["dlq.errors.offset"] or b"")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an event, or a firing: the record, when it was written, and after how many others.

    `event` is the offset of an event that was applied or refused; a firing has `due_us` instead. `ticket`:
    whose it is, and None where it was refused.
    """

    record: Record
    at_us: int
    serial: int
    ticket: str | None
    event: int | None
    due_us: int | None = None


def outcomes(world: World, number: int) -> list[Outcome]:
    """Those of a partition, in the order in which they were written."""
    found = []
    for record, entry in _entries(world):
        if record.partition == number:
            cause = entry["cause"]
            fired = cause["kind"] != "event"
            due_us = to_epoch(datetime.fromisoformat(cause["due"])) if fired else None
            event = None if fired else cause["offset"]
            found.append(Outcome(*_when(world, record), entry["ticket_id"], event, due_us))
    for record in world.reader.read(world.topics[Topic.DEAD_LETTER], number):
        found.append(Outcome(*_when(world, record), None, _refused_offset(record)))
    return sorted(found, key=lambda each: each.serial)


def _when(world: World, record: Record) -> tuple[Record, int, int]:
    written = world.cluster.truth.written[record.topic, record.partition, record.offset]
    return record, written.at_us, written.serial
