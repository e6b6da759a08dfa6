"""The plan of a history: all that will arrive and all that will go wrong, drawn from its seed beforehand.

A plan is plain data, so that it can be made smaller while the fault that it shows stays.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from simulator.agenda import SECOND
from simulator.node import POINTS
from simulator.policies import DOCUMENTS
from simulator.traffic import Arriving, life

TICKETS: Final = 204
LEAST_EVENTS: Final = 1_000
LEAST_FAULTS: Final = 20
_FAULTS: Final = 34
_HOUR: Final = 3600
WORKERS: Final = ("a", "b", "c")

_WHERE_IT_STANDS_STILL: Final = (
    *("polled", "begin", "send", "flush", "flushed", "offsets", "commit sent", "commit done") * 2,
    "poll", "ends", "assigned", "committed", "restore", "restoring", "resume", "reset",
)  # fmt: skip
"""Each as often as it stands here; most of the last line are reached at a restore or a reset only."""
_AFTER_A_START: Final = ("start", "committed", "restore", "restoring", "resume", "assigned")
_AT_AN_END: Final = ("close", "left")
_KINDS: Final = (
    ("crash",) * 8 + ("pause",) * 2 + ("stall",) + ("zombie",) * 2 + ("stop",) * 2 + ("commit",) * 4
    + ("leader",) * 3 + ("clock",) * 2 + ("cut",) * 2 + ("expel",) * 2
    + ("cluster clock", "outage", "scale", "compact")
)  # fmt: skip
"""Each as often as it stands here."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong with a worker or the cluster, `at_seconds` after START.

    `point`: the step at which it happens, for those that wait for one; at the `nth` time that the worker
    comes there. `seconds`: how long it lasts, or by how much a clock jumps. `detail`: what becomes of a
    commit, or how many leaders move.
    """

    at_seconds: int
    kind: str
    worker: str = ""
    point: str = ""
    nth: int = 1
    seconds: float = 0.0
    detail: str = ""

    @property
    def said(self) -> str:
        """The fault in words."""
        parts = [self.kind]
        parts += [f"of worker {self.worker}"] if self.worker else []
        parts += [f"at {self.point!r} (time {self.nth})"] if self.point else []
        parts += [self.detail] if self.detail else []
        parts += [f"{self.seconds:g} s"] if self.seconds else []
        return " ".join(parts)


@dataclass(frozen=True, slots=True)
class Plan:
    """A history. `max_records`, `max_firings`, `max_restored`: the bounds of a worker's turn."""

    seed: int
    hours: int
    policy: int
    partitions: int
    workers: tuple[str, ...]
    eager: bool
    max_records: int
    max_firings: int
    max_restored: int
    arriving: tuple[Arriving, ...]
    faults: tuple[Fault, ...]

    @property
    def tickets(self) -> tuple[str, ...]:
        """Every ticket of which a record arrives."""
        return tuple(dict.fromkeys(each.ticket for each in self.arriving))


def plan(seed: int, hours: int = 72) -> Plan:
    """The history of a seed: always the same, on any machine."""
    chance = Random(f"{seed}/plan")  # noqa: S311 (seeded on purpose)
    arriving: list[Arriving] = []
    number = 0
    while number < TICKETS or len(arriving) < LEAST_EVENTS:
        arriving += (each for each in life(seed, number, hours) if each.at_seconds < hours * _HOUR)
        number += 1
    workers = WORKERS[: chance.choice((2, 2, 3))]
    return Plan(
        seed=seed,
        hours=hours,
        policy=chance.randrange(len(DOCUMENTS)),
        partitions=chance.choice((2, 3, 4, 6)),
        workers=workers,
        eager=chance.random() < 0.25,
        max_records=chance.choice((1, 3, 10, 50, 500)),
        max_firings=chance.choice((1, 4, 20, 500)),
        max_restored=chance.choice((10, 50, 2000)),
        arriving=tuple(sorted(arriving, key=lambda each: each.at_seconds)),
        faults=tuple(sorted(_faults(chance, hours, workers), key=lambda each: each.at_seconds)),
    )


def _faults(chance: Random, hours: int, workers: tuple[str, ...]) -> Iterator[Fault]:
    for _ in range(_FAULTS):
        at = chance.randrange(int(0.9 * hours * _HOUR))
        yield from _fault(chance, at, chance.choice(_KINDS), chance.choice(workers))


def _fault(chance: Random, at: int, kind: str, worker: str) -> Iterator[Fault]:
    restart = chance.choice((0.1, 1.0, 5.0, 20.0, 120.0))
    match kind:
        case "crash":
            yield from _crash(chance, at, worker, restart)
        case "pause" | "stall" | "zombie":
            lasts = chance.choice((0.05, 3.0, 11.0, 13.0, 16.0, 40.0, 130.0, 400.0))
            yield Fault(at, kind, worker, *_somewhere(chance), lasts)
        case "stop":
            yield Fault(at, kind, worker, chance.choice(("polled", "commit done")), seconds=restart)
        case "commit":
            yield Fault(at, kind, worker, detail=chance.choice(("lost", "late", "unanswered")))
        case "leader":
            away = chance.choice((0.5, 4.0, 9.0, 11.0))
            yield Fault(at, kind, worker, seconds=away, detail=chance.choice(("half", "all")))
        case "clock":
            yield Fault(at, kind, worker, seconds=_jump(chance))
        case "cluster clock":
            yield Fault(at, kind, seconds=_jump(chance))
        case "outage":
            yield Fault(at, kind, seconds=chance.choice((2.0, 20.0, 90.0, 300.0)))
        case "cut":
            yield Fault(at, kind, worker, *_somewhere(chance), chance.choice((2.0, 9.0, 20.0, 90.0)))
        case "expel":
            yield Fault(at, kind, worker, *_somewhere(chance))
        case "scale":
            yield Fault(at, kind, "d", seconds=chance.choice((5.0, 60.0, 900.0)))
        case _:
            yield Fault(at, kind, worker)


def _jump(chance: Random) -> float:
    return chance.choice((-48.0, -1.0, 1.0, 48.0)) * _HOUR


def _somewhere(chance: Random) -> tuple[str, int]:
    point = chance.choice(_WHERE_IT_STANDS_STILL)
    return point, chance.choice((1, 1, 2, 5)) if point == "send" else 1


def _crash(chance: Random, at: int, worker: str, restart: float) -> Iterator[Fault]:
    """At any boundary of a step; at one that is seldom reached, with what leads there."""
    point = chance.choice(POINTS)
    nth = chance.choice((1, 2, 3, 8)) if point == "send" else 1
    if point in _AFTER_A_START:
        yield Fault(at, "crash", worker, "polled", seconds=restart)
    elif point in _AT_AN_END:
        yield Fault(at, "stop", worker, "polled", seconds=restart)
    elif point == "reset":
        yield Fault(at, "commit", worker, detail="lost")
    elif point == "revoked":
        yield Fault(at + 1, "scale", "d", seconds=60.0)
    yield Fault(at, "crash", worker, point, nth, restart)


def at_us(seconds: float) -> int:
    """Microseconds after START."""
    return int(seconds * SECOND)
