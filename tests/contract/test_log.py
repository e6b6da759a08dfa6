"""What the engine relies on, held against every implementation of `consumers.log`."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from consumers.kafka_python import KafkaLog
from consumers.log import (
    Fenced,
    Log,
    LogError,
    Outgoing,
    Polled,
    Position,
    Reason,
    Record,
    Restart,
    Unavailable,
)
from schemas.topics import partition_for
from tests.contract.clusters import PARTITIONS, Cluster
from tests.support.system import awaited

ALL = frozenset(range(PARTITIONS))
_TRIES = 40  # polls of up to about a second each, far more than any rebalance takes


def restore(log: Log, polled: Polled) -> None:
    """Do what the engine does with what was assigned, but for the state."""
    for number in polled.assigned:
        log.seek(number, log.committed(number).offset)
        log.resume(number)


class Worker:
    """A log, what it owns as its polls told, and what it was delivered."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.owned: frozenset[int] = frozenset()
        self.records: list[Record] = []
        self.revoked: list[frozenset[int]] = []

    def poll(self, timeout_seconds: float = 0.1, max_records: int = 500) -> Polled:
        polled = self.log.poll(timeout_seconds, max_records)
        self.owned = (self.owned - polled.revoked) | polled.assigned
        self.revoked.append(polled.revoked)
        restore(self.log, polled)
        for number in sorted(polled.records):
            assert number in self.owned
            self.records += polled.records[number]
        return polled

    def values(self) -> list[bytes | None]:
        return [record.value for record in self.records]


def settle(*workers: Worker) -> None:
    """Poll until they share all partitions and none of them is rebalancing.

    A member that does not poll holds up the others: a real cluster's members poll at the same time.
    """
    with ThreadPoolExecutor(len(workers) if isinstance(workers[0].log, KafkaLog) else 1) as pool:
        for _ in range(_TRIES):
            stable = all(list(pool.map(lambda worker: worker.poll().stable, workers)))
            owned = [number for worker in workers for number in worker.owned]
            if stable and sorted(owned) == sorted(ALL) and all(worker.owned for worker in workers):
                return
    raise AssertionError(f"the group did not settle: {[sorted(worker.owned) for worker in workers]}")


def read_until(worker: Worker, count: int) -> None:
    """Poll until this many records have come."""
    for _ in range(_TRIES):
        if len(worker.records) >= count:
            return
        worker.poll()
    raise AssertionError(f"{len(worker.records)} of {count} records came")


@pytest.fixture
def worker(cluster: Cluster) -> Worker:
    """The only worker of the group, which owns all partitions."""
    made = Worker(cluster.log())
    settle(made)
    return made


def publish(cluster: Cluster, *values: bytes | None, partition: int = 0) -> None:
    for value in values:
        cluster.publisher.send(cluster.events, b"k", value, partition=partition)
    cluster.publisher.flush()


def state(cluster: Cluster, partition: int = 0) -> list[bytes | None]:
    return [record.value for record in cluster.reader.read(cluster.state, partition)]


def transact(
    cluster: Cluster, worker: Worker, position: Position, *values: bytes, partition: int = 0
) -> None:
    worker.log.begin()
    for value in values:
        worker.log.send(Outgoing(cluster.state, partition, b"k", value))
    worker.log.commit({partition: position})


# ---- transactions ----


def test_a_committed_transaction_is_seen_whole(cluster: Cluster, worker: Worker) -> None:
    """Outputs in several partitions and the positions of several inputs appear together."""
    worker.log.begin()
    for number in ALL:
        worker.log.send(Outgoing(cluster.state, number, b"k", b"%d" % number))
    worker.log.commit({0: Position(3, "a"), 2: Position(5, "b")})
    assert [state(cluster, number) for number in sorted(ALL)] == [[b"0"], [b"1"], [b"2"], [b"3"]]
    assert cluster.reader.committed(cluster.group, cluster.events) == {
        0: Position(3, "a"),
        2: Position(5, "b"),
    }


def test_an_open_transaction_is_not_seen(cluster: Cluster, worker: Worker) -> None:
    """Before the commit nobody reads what was sent."""
    worker.log.begin()
    worker.log.send(Outgoing(cluster.state, 0, b"k", b"v"))
    stable = cluster.reader.ends(cluster.state)[0]
    assert list(cluster.reader.read(cluster.state, 0, end=stable)) == []


def test_a_reset_aborts_the_open_transaction(cluster: Cluster, worker: Worker) -> None:
    """What was sent before a reset is never seen, and the positions stay; what follows is."""
    transact(cluster, worker, Position(0, "1"), b"first")
    worker.log.begin()
    worker.log.send(Outgoing(cluster.state, 0, b"k", b"lost"))
    worker.log.reset()
    settle(worker)
    transact(cluster, worker, Position(0, "2"), b"second")
    assert state(cluster) == [b"first", b"second"]
    assert worker.log.committed(0) == Position(0, "2")


def test_a_crash_leaves_nothing_of_the_open_transaction(cluster: Cluster, worker: Worker) -> None:
    """The next instance of a worker aborts what the last one left open, at once."""
    transact(cluster, worker, Position(0, "1"), b"first")
    worker.log.begin()
    worker.log.send(Outgoing(cluster.state, 0, b"k", b"lost"))
    worker.log.close(leave_group=False)
    heir = Worker(cluster.log())
    settle(heir)
    transact(cluster, heir, Position(0, "2"), b"second")
    assert state(cluster) == [b"first", b"second"]


def test_a_transaction_may_have_positions_only(cluster: Cluster, worker: Worker) -> None:
    """A batch without outputs commits its positions."""
    worker.log.begin()
    worker.log.commit({1: Position(7, "m")})
    assert cluster.reader.committed(cluster.group, cluster.events) == {1: Position(7, "m")}


def test_metadata_of_a_position_comes_back(cluster: Cluster, worker: Worker) -> None:
    """Any text beside the offset is returned as it was."""
    transact(cluster, worker, Position(0, "1700000000123456 · ё"), b"v")
    assert worker.log.committed(0) == Position(0, "1700000000123456 · ё")


def test_records_keep_their_order(cluster: Cluster, worker: Worker) -> None:
    """Within a partition records are read in the order in which they were sent, across transactions."""
    for start in range(0, 60, 20):
        transact(cluster, worker, Position(0), *(b"%d" % i for i in range(start, start + 20)))
    assert state(cluster) == [b"%d" % i for i in range(60)]
    offsets = [record.offset for record in cluster.reader.read(cluster.state, 0)]
    assert offsets == sorted(offsets)


def test_a_transaction_needs_positions(worker: Worker) -> None:
    """Without positions a commit could not be fenced, and is refused."""
    worker.log.begin()
    with pytest.raises(LogError, match="positions"):
        worker.log.commit({})


def test_no_poll_inside_a_transaction(worker: Worker) -> None:
    """Partitions must not come and go while a transaction is open."""
    worker.log.begin()
    with pytest.raises(LogError, match="inside a transaction"):
        worker.log.poll(0, 1)


def test_a_position_after_the_end_is_waited_out(cluster: Cluster, worker: Worker) -> None:
    """A topic that ends before the committed position is another one, or lost records: people must look."""
    transact(cluster, worker, Position(7))
    with pytest.raises(Unavailable, match="made anew or lost records") as refused:
        worker.log.committed(0)
    assert refused.value.reason is Reason.TOPICS_DISAGREE


def test_a_position_that_was_never_committed_is_told_from_one_that_was(
    cluster: Cluster, worker: Worker
) -> None:
    """Both may be the start of the topic."""
    assert worker.log.committed(0).found is False
    transact(cluster, worker, Position(0))
    assert worker.log.committed(0).found is True


# ---- fencing ----


def test_a_fenced_producer_cannot_commit(cluster: Cluster, worker: Worker) -> None:
    """When the broker has aborted the transaction, commit raises Restart; after a reset all goes on."""
    worker.log.begin()
    worker.log.send(Outgoing(cluster.state, 0, b"k", b"lost"))
    cluster.fence_producer("1")
    with pytest.raises(Restart):
        worker.log.commit({0: Position(9)})
    worker.log.reset()
    settle(worker)
    transact(cluster, worker, Position(0, "kept"), b"kept")
    assert state(cluster) == [b"kept"]
    assert worker.log.committed(0) == Position(0, "kept")


def test_a_second_process_with_the_same_id_takes_over(cluster: Cluster, worker: Worker) -> None:
    """The older one cannot commit, and learns at its reset that it must end."""
    heir = Worker(cluster.log())
    settle(heir)
    with pytest.raises(LogError):
        transact(cluster, worker, Position(9), b"lost")
    with pytest.raises(Fenced):
        worker.log.reset()
    transact(cluster, heir, Position(0, "kept"), b"kept")
    assert state(cluster) == [b"kept"]


def test_an_idle_process_learns_that_another_has_its_id(cluster: Cluster, worker: Worker) -> None:
    """It ends within a few sessions, though nothing arrives and it commits nothing."""
    settle(Worker(cluster.log()))

    def idle() -> None:
        for _ in range(_TRIES):
            worker.log.poll(1.0, 1)

    with pytest.raises(Fenced):
        idle()


def test_an_evicted_worker_cannot_commit(cluster: Cluster, worker: Worker) -> None:
    """A worker that the group has expelled is refused, though another has not even joined yet."""
    cluster.evict("1")
    with pytest.raises(Restart):
        transact(cluster, worker, Position(9), b"lost")
    worker.log.reset()
    assert state(cluster) == []


def test_a_stale_generation_cannot_commit(cluster: Cluster, worker: Worker) -> None:
    """What another member has taken meanwhile is not overwritten by a worker that was slow."""
    worker.log.begin()
    worker.log.send(Outgoing(cluster.state, 0, b"k", b"lost"))
    cluster.evict("1")
    other = Worker(cluster.log("2"))
    settle(other)
    transact(cluster, other, Position(0, "other"), partition=0)
    with pytest.raises(Restart):
        worker.log.commit({0: Position(9)})
    assert other.log.committed(0) == Position(0, "other")
    worker.log.reset()
    assert state(cluster) == []


# ---- assignment ----


def test_a_new_partition_delivers_nothing_before_its_resume(cluster: Cluster) -> None:
    """What is assigned stays paused until the engine has restored it."""
    publish(cluster, b"a")
    log = cluster.log()
    polled = log.poll(0.1, 10)
    for _ in range(_TRIES):
        if polled.assigned:
            break
        polled = log.poll(0.1, 10)
    assert polled.assigned == ALL
    assert not log.poll(0.3, 10).records
    log.seek(0, 0)
    assert not log.poll(0.3, 10).records
    log.resume(0)
    worker = Worker(log)
    worker.owned = ALL
    read_until(worker, 1)
    assert worker.values() == [b"a"]


def test_reading_starts_at_the_earliest_offset(worker: Worker) -> None:
    """Where nothing was committed, the position is the start of the topic."""
    assert [worker.log.committed(number) for number in sorted(ALL)] == [Position(0)] * PARTITIONS


def test_a_paused_partition_waits(cluster: Cluster, worker: Worker) -> None:
    """Between pause and resume a partition delivers nothing, and loses nothing."""
    worker.log.pause(0)
    publish(cluster, b"a")
    publish(cluster, b"b", partition=1)
    read_until(worker, 1)
    worker.poll(0.3)
    assert worker.values() == [b"b"]
    worker.log.resume(0)
    read_until(worker, 2)
    assert worker.values() == [b"b", b"a"]


def test_what_was_read_ahead_of_a_pause_is_delivered_after_it(cluster: Cluster, worker: Worker) -> None:
    """Also beside a partition that is polled all the time and gives nothing more."""
    publish(cluster, *(b"%d" % number for number in range(9)))
    while not worker.records:
        worker.poll(max_records=1)  # and the others have arrived, too
    worker.log.pause(0)
    publish(cluster, b"other", partition=1)
    while b"other" not in worker.values():
        worker.poll()
    worker.log.resume(0)
    read_until(worker, 10)
    assert sorted(worker.values(), key=str) == sorted([b"other", *(b"%d" % n for n in range(9))], key=str)


def test_a_poll_is_bounded(cluster: Cluster, worker: Worker) -> None:
    """No poll brings more records than were asked for, over all partitions."""
    for number in ALL:
        publish(cluster, *(b"%d" % i for i in range(5)), partition=number)
    seen = 0
    for _ in range(_TRIES):
        polled = worker.poll(0.1, max_records=3)
        assert sum(map(len, polled.records.values())) <= 3
        seen += sum(map(len, polled.records.values()))
        if seen == 5 * PARTITIONS:
            return
    raise AssertionError(f"{seen} records came")


def test_nothing_is_redelivered_without_a_seek(cluster: Cluster, worker: Worker) -> None:
    """A reset pauses every partition and reports it as lost and gained; only a seek brings records again."""
    publish(cluster, b"a", b"b")
    read_until(worker, 2)
    worker.log.begin()
    worker.log.reset()
    polled = worker.log.poll(0.1, 10)
    assert (polled.assigned, polled.revoked) == (ALL, ALL)
    assert not polled.records
    assert not worker.log.poll(0.3, 10).records


def test_everything_since_the_committed_position_is_redelivered(cluster: Cluster, worker: Worker) -> None:
    """After a reset and a seek to the committed position, the records after it come again."""
    publish(cluster, b"a", b"b", b"c")
    read_until(worker, 3)
    transact(cluster, worker, Position(1))
    worker.log.reset()
    worker.records.clear()
    read_until(worker, 2)
    assert worker.values() == [b"b", b"c"]


def test_a_partition_that_was_read_in_part_before_a_reset_goes_on(cluster: Cluster, worker: Worker) -> None:
    """Also when the others are resumed and read to their end before it."""
    for number in ALL:
        publish(cluster, *(b"%d" % i for i in range(100)), partition=number)
    while len(worker.records) < 150:
        last = worker.poll(max_records=10)
    read_in_part = max(last.records)
    worker.log.reset()
    worker.records.clear()
    assert worker.log.poll(0.1, 10).assigned == ALL
    for count, number in enumerate(sorted(ALL, key=lambda number: number == read_in_part), 1):
        worker.log.seek(number, 0)
        worker.log.resume(number)
        read_until(worker, 100 * count)
    assert len(worker.records) == 100 * PARTITIONS


def test_a_reset_may_be_repeated(cluster: Cluster, worker: Worker) -> None:
    """A reset after a reset does no harm."""
    worker.log.reset()
    worker.log.reset()
    settle(worker)
    transact(cluster, worker, Position(0), b"v")
    assert state(cluster) == [b"v"]


def test_two_members_share_the_partitions(cluster: Cluster, worker: Worker) -> None:
    """A second member takes half of the partitions, and each reads only its own."""
    other = Worker(cluster.log("2"))
    settle(worker, other)
    assert len(worker.owned) == len(other.owned) == PARTITIONS // 2
    for number in ALL:
        publish(cluster, b"%d" % number, partition=number)
    read_until(worker, 2)
    read_until(other, 2)
    assert sorted(worker.values()) == [b"%d" % number for number in sorted(worker.owned)]
    assert sorted(other.values()) == [b"%d" % number for number in sorted(other.owned)]


def test_the_partitions_of_a_leaving_member_move_with_their_positions(
    cluster: Cluster, worker: Worker
) -> None:
    """The heir goes on where the leaving member committed."""
    other = Worker(cluster.log("2"))
    settle(worker, other)
    moving = min(other.owned)
    publish(cluster, b"a", b"b", partition=moving)
    read_until(other, 2)
    transact(cluster, other, Position(1, "m"), partition=moving)
    other.log.close()
    settle(worker)
    assert worker.log.committed(moving) == Position(1, "m")
    read_until(worker, 1)
    assert worker.values() == [b"b"]


def test_a_restarted_member_keeps_its_partitions(cluster: Cluster, worker: Worker) -> None:
    """A worker that comes back within its session has what it had, and the others do not notice."""
    other = Worker(cluster.log("2"))
    settle(worker, other)
    before = other.owned
    other.log.close(leave_group=False)
    worker.revoked.clear()
    back = Worker(cluster.log("2"))
    settle(worker, back)
    assert back.owned == before
    assert not any(worker.revoked)


def test_an_evicted_member_is_told_and_comes_back(cluster: Cluster, worker: Worker) -> None:
    """What was lost is reported as revoked, and as assigned when it is regained."""
    cluster.evict("1")
    for _ in range(_TRIES):
        worker.poll(0.5)
        if any(worker.revoked):
            break
    settle(worker)
    assert ALL in worker.revoked
    transact(cluster, worker, Position(0), b"v")
    assert state(cluster) == [b"v"]


def test_only_what_is_assigned_can_be_sought(cluster: Cluster) -> None:
    """Seeking a partition of another worker is refused."""
    with pytest.raises(LogError, match="not assigned"):
        cluster.log().seek(0, 0)


# ---- the end of things ----


def test_a_changelog_is_read_to_its_end(cluster: Cluster, worker: Worker) -> None:
    """Aborted records and control records are passed over, at the end too, and `start` is honoured."""
    transact(cluster, worker, Position(0), b"a", b"b")
    worker.log.begin()
    worker.log.send(Outgoing(cluster.state, 0, b"k", b"lost"))
    worker.log.reset()
    settle(worker)
    transact(cluster, worker, Position(0), b"c")
    worker.log.begin()
    worker.log.send(Outgoing(cluster.state, 0, b"k", b"lost"))
    worker.log.reset()
    settle(worker)
    records = list(worker.log.changelog(0))
    assert [record.value for record in records] == [b"a", b"b", b"c"]
    assert [record.value for record in worker.log.changelog(0, records[1].offset)] == [b"b", b"c"]
    assert list(worker.log.changelog(1)) == []


def test_the_end_is_the_last_stable_offset(cluster: Cluster, worker: Worker) -> None:
    """Records of an open transaction do not keep a partition from its end; committed, they do until read."""
    publish(cluster, b"a")
    read_until(worker, 1)
    foreign = cluster.foreign([Outgoing(cluster.events, 0, b"k", b"later")])
    assert worker.log.at_end([0]) == {0}
    foreign.end(commit=True)
    awaited(  # the commit is certain before its marker is written
        lambda: cluster.reader.ends(cluster.events)[0] > 1, "the marker of the foreign transaction is there"
    )
    assert worker.log.at_end([0, 1]) == {1}
    read_until(worker, 2)
    worker.poll()
    assert worker.log.at_end([0]) == {0}
    assert worker.values() == [b"a", b"later"]


def test_aborted_records_do_not_keep_a_partition_from_its_end(cluster: Cluster, worker: Worker) -> None:
    """The position passes over what was aborted, though it brings no record."""
    cluster.foreign([Outgoing(cluster.events, 0, b"k", b"no")]).end(commit=False)
    for _ in range(_TRIES):
        worker.poll()
        if worker.log.at_end([0]):
            break
    assert worker.log.at_end([0]) == {0}
    assert worker.values() == []


# ---- records ----

_ODD = [
    (None, b"v", ()),
    (b"k", None, ()),
    (None, None, (("h", b""),)),
    (b"", b"", (("", b"x"), ("same", b"1"), ("same", b"2"))),
    (b"k\xff", b"\xff\x00", (("none", None), ("ё", b"\xff"), ("\udcff\udcfe", b"x"), ("\udc80", None))),
]


def test_whatever_kafka_allows_is_read_as_it_was(cluster: Cluster, worker: Worker) -> None:
    """Missing keys and values, odd header names, headers without a value: unchanged, stopping nothing."""
    for key, value, headers in _ODD:
        cluster.publisher.send(cluster.events, key, value, headers, partition=0)
    cluster.publisher.flush()
    read_until(worker, len(_ODD))
    assert [(r.key, r.value, r.headers) for r in worker.records] == _ODD
    assert [r.offset for r in worker.records] == list(range(len(_ODD)))


def test_whatever_was_read_can_be_written(cluster: Cluster, worker: Worker) -> None:
    """A dead letter carries key, value and headers as received."""
    worker.log.begin()
    for key, value, headers in _ODD:
        worker.log.send(Outgoing(cluster.state, 0, key, value, headers))
    worker.log.commit({0: Position(0)})
    assert [(r.key, r.value, r.headers) for r in cluster.reader.read(cluster.state, 0)] == _ODD


def test_a_record_has_its_time_in_microseconds(cluster: Cluster, worker: Worker) -> None:
    """The timestamp is in microseconds since the epoch: a time in this millennium."""
    publish(cluster, b"a")
    read_until(worker, 1)
    assert 1_600_000_000_000_000 < worker.records[0].timestamp_us < 4_000_000_000_000_000


def test_a_large_record_passes(cluster: Cluster, worker: Worker) -> None:
    """A value of 900 kB is read, and does not hold up what follows it."""
    publish(cluster, b"x" * 900_000, b"after")
    read_until(worker, 2)
    assert [len(r.value or b"") for r in worker.records] == [900_000, 5]


# ---- reader and publisher ----


def test_a_reader_reads_a_span(cluster: Cluster) -> None:
    """From `start` up to `end`, which is the end as of now unless it is given."""
    publish(cluster, *(b"%d" % i for i in range(10)))
    values = [r.value for r in cluster.reader.read(cluster.events, 0, start=3, end=6)]
    assert values == [b"3", b"4", b"5"]
    assert len(list(cluster.reader.read(cluster.events, 0))) == 10
    assert cluster.reader.ends(cluster.events) == {0: 10, 1: 0, 2: 0, 3: 0}
    assert cluster.reader.beginnings(cluster.events) == {0: 0, 1: 0, 2: 0, 3: 0}
    assert cluster.reader.partitions(cluster.events) == PARTITIONS


def test_the_readings_of_one_reader_do_not_disturb_each_other(cluster: Cluster) -> None:
    """Two partitions can be read in step."""
    publish(cluster, b"a", b"b")
    publish(cluster, b"c", b"d", partition=1)
    both = zip(cluster.reader.read(cluster.events, 0), cluster.reader.read(cluster.events, 1), strict=True)
    assert [(one.value, two.value) for one, two in both] == [(b"a", b"c"), (b"b", b"d")]


def test_a_publisher_partitions_by_the_key(cluster: Cluster) -> None:
    """Without a partition a record goes where every publisher's murmur2 sends its key."""
    keys = [b"T-%d" % i for i in range(20)]
    for key in keys:
        cluster.publisher.send(cluster.events, key, b"v")
    cluster.publisher.flush()
    found = {r.key: r.partition for number in ALL for r in cluster.reader.read(cluster.events, number)}
    assert found == {key: partition_for(key, PARTITIONS) for key in keys}


def test_a_missing_topic_is_named(cluster: Cluster) -> None:
    """Whoever reads a topic that does not exist is told which, and what to do."""
    with pytest.raises(Unavailable, match=r"no topic nowhere.*create it"):
        cluster.reader.partitions("nowhere")
