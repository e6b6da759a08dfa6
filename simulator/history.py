"""One history, played and checked: what it had in it, what was found, and a digest of all that it left."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from schemas.topics import Topic
from simulator.checks import Finding, check
from simulator.outputs import journal, records
from simulator.plan import Plan
from simulator.process import Process
from simulator.world import World


@dataclass(frozen=True, slots=True)
class History:
    """What became of a plan.

    `faults` that happened, by kind; `crashes` by the boundary of a step; `told`: seconds after the start, and
    a sentence.
    """

    seed: int
    tickets: int
    events: int
    workers: int
    transactions: int
    aborted: int
    firings: int
    faults: Mapping[str, int]
    crashes: Mapping[str, int]
    digest: str
    findings: tuple[Finding, ...]
    told: tuple[tuple[float, str], ...] = field(repr=False)

    def as_dict(self) -> dict[str, Any]:
        """For machines, without what was told."""
        return {name: value for name, value in asdict(self).items() if name != "told"}


def play(plan: Plan, process: type[Process] = Process) -> History:
    """Play a plan and check what it leaves. `process`: the workers, those with a planted bug for instance."""
    world = World(plan, process)
    world.play()
    return History(
        seed=plan.seed,
        tickets=len(plan.tickets),
        events=len(world.published),
        workers=len(plan.workers),
        transactions=world.cluster.truth.commits,
        aborted=world.cluster.truth.aborts,
        firings=sum("lateness_seconds" in change for entry in journal(world) for change in entry["clocks"]),
        faults=dict(sorted(world.misfortune.happened.items())),
        crashes=dict(sorted(world.misfortune.crashed.items())),
        digest=_digest(world),
        findings=tuple(check(world)),
        told=tuple(world.told),
    )


def _digest(world: World) -> str:
    """Of every byte on the topics, and of what the workers said."""
    digest = hashlib.sha256()
    for topic in Topic:
        for record in records(world, topic):
            digest.update(repr(record).encode())
    digest.update(repr(world.told).encode())
    return digest.hexdigest()
