"""The simulated group, as its members know it: who owns what, and who asks again."""

from itertools import combinations
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from schemas.topics import Topic, topic_name
from simulator.agenda import SECOND, Agenda
from simulator.broker import Cluster, Group
from simulator.kafka_python_consumer import HEARTBEAT_US, Consumer
from simulator.node import PREFIX, Node

_PARTITIONS = 6
_ROUNDS = 20

_HAPPENINGS = st.lists(
    st.tuples(st.sampled_from(["join", "sync", "leave"]), st.sampled_from("abc")), max_size=40
)


def _happen(group: Group, what: str, worker_id: str) -> None:
    if what == "join":
        group.join(worker_id)
    elif worker_id in group.members:
        getattr(group, what)(group.members[worker_id])


@given(eager=st.booleans(), happenings=_HAPPENINGS)
def test_no_partition_has_two_owners_and_in_the_end_each_has_one(
    eager: bool, happenings: list[tuple[str, str]]
) -> None:
    """Whoever joins, goes, or sleeps through a generation, and however the group rebalances."""
    group = Group(_PARTITIONS)
    group.eager = eager
    group.join("a")
    for what, worker_id in happenings:
        _happen(group, what, worker_id)
        for one, other in combinations(group.members.values(), 2):
            assert not one.owned & other.owned
    group.join("a")
    for _ in range(_ROUNDS):
        stable = [group.sync(member) for member in group.members.values()]
    assert all(stable)
    assert sorted(n for member in group.members.values() for n in member.owned) == list(range(_PARTITIONS))


def test_who_does_not_hear_of_its_group_asks_again_after_a_heartbeat() -> None:
    """However long it was to wait for records: the group may have moved meanwhile."""
    agenda = Agenda(0)
    cluster = Cluster({topic_name(PREFIX, Topic.EVENTS): _PARTITIONS}, agenda, Random(0))
    node = Node("a", 1, cluster, agenda, Random(0), lambda *_: None)
    consumer = Consumer(node)
    consumer.must_join = False
    consumer.poll(600_000, 500)
    in_touch_us = node.idle_us
    node.cut.until_us = 60 * SECOND
    agenda.pass_time(HEARTBEAT_US)
    consumer.poll(600_000, 500)
    assert (in_touch_us, node.idle_us) == (600 * SECOND, HEARTBEAT_US)
