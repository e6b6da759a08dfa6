"""What everybody in a history shares: the plan, the time, the cluster, and what is noted about it."""

from random import Random
from typing import Final

from schemas.instants import to_epoch
from schemas.topics import Topic, topic_name
from simulator.agenda import SECOND, Agenda
from simulator.broker import Cluster
from simulator.node import PREFIX
from simulator.plan import Plan
from simulator.policies import START, engines

START_US: Final = to_epoch(START)
_TOMBSTONES_KEPT_US: Final = 3600 * SECOND


class Stage:
    """Set for one plan. `told`: what happened, seconds after START and a sentence; `bugs`: what must not."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.policies = plan, engines(plan.policy)
        self.agenda = Agenda(START_US)
        self.topics = {topic: topic_name(PREFIX, topic) for topic in Topic}
        names = dict.fromkeys(self.topics.values(), plan.partitions)
        self.cluster = Cluster(names, self.agenda, self.chance("cluster"))
        self.cluster.eager = plan.eager
        self.told: list[tuple[float, str]] = []
        self.bugs: list[str] = []

    def chance(self, purpose: str) -> Random:
        """Chance of its own for each purpose, so that leaving one thing out changes as little as may be."""
        return Random(f"{self.plan.seed}/{purpose}")  # noqa: S311 (seeded on purpose)

    def compact(self) -> None:
        """Let the cluster clean the state topic; tombstones stay as long as readers may need them."""
        self.cluster.compact(self.topics[Topic.STATE], self.agenda.now_us - _TOMBSTONES_KEPT_US)

    def tell(self, sentence: str) -> None:
        """Note what happens now."""
        self.told.append(((self.agenda.now_us - START_US) / SECOND, sentence))
