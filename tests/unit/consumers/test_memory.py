"""The in-memory log, where it has something to itself beside the contract suite."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.log import LogError, Outgoing, Position, Restart, Unavailable
from consumers.memory import MemoryBroker, MemoryLog, MemoryPublisher, MemoryReader
from consumers.memory_group import balance


def make_broker(partitions: int = 2) -> MemoryBroker:
    return MemoryBroker({"e": partitions, "s": partitions}, now_us=lambda: 5)


def make_log(broker: MemoryBroker, worker_id: str = "1") -> MemoryLog:
    log = MemoryLog(broker, events="e", state="s", group="g", worker_id=worker_id)
    for number in sorted(log.poll(0, 1).assigned):
        log.seek(number, log.committed(number).offset)
        log.resume(number)
    return log


OWNED = st.dictionaries(st.text(min_size=1, max_size=3), st.just(frozenset[int]()), min_size=1, max_size=6)


@given(OWNED, st.integers(1, 20), st.randoms())
def test_shares_are_complete_even_and_sticky(
    owned: dict[str, frozenset[int]], partitions: int, random: Random
) -> None:
    """Every partition has one owner, shares differ by one at most, and a balanced group stays as it is."""
    for number in range(partitions):
        if random.random() < 0.7:
            lucky = random.choice(sorted(owned))
            owned[lucky] |= {number}
    shares = balance(owned, partitions)
    assert sorted(n for share in shares.values() for n in share) == list(range(partitions))
    assert max(map(len, shares.values())) - min(map(len, shares.values())) <= 1
    assert balance(shares, partitions) == shares
    assert shares == balance(dict(reversed(owned.items())), partitions)


def test_a_record_has_the_time_it_was_given() -> None:
    """An explicit timestamp is kept to the microsecond; without one the broker's clock stamps the record."""
    broker = make_broker()
    broker.append("e", b"k", b"v", timestamp_us=1_700_000_000_123_456)
    broker.append("e", b"k", b"v")
    assert [r.timestamp_us for r in MemoryReader(broker).read("e", 0)] == [1_700_000_000_123_456, 5]


def test_what_was_deleted_unread_is_skipped_and_said(caplog: pytest.LogCaptureFixture) -> None:
    """A position before the start of a partition moves there; the log says what is lost."""
    broker = make_broker()
    for value in (b"a", b"b", b"c"):
        broker.append("e", b"k", value)
    broker.delete_before("e", 0, 2)
    log = make_log(broker)
    assert log.committed(0) == Position(2)
    log.begin()
    log.commit({0: Position(1, "m")})
    assert log.committed(0) == Position(2, "m")
    assert "records from 1 to 2 were deleted before they were processed" in caplog.text
    assert [r.value for r in log.poll(0, 10).records[0]] == [b"c"]


def test_deleting_spares_open_transactions() -> None:
    """Retention never reaches past the last stable offset."""
    broker = make_broker()
    broker.append("e", b"k", b"a")
    transaction = broker.begin("t", broker.init_producer("t"))
    broker.write(transaction, Outgoing("e", 0, b"k", b"b"))
    broker.delete_before("e", 0, 99)
    broker.finish(transaction, commit=True)
    assert [(r.offset, r.value) for r in MemoryReader(broker).read("e", 0)] == [(1, b"b")]


def test_a_late_transaction_is_aborted() -> None:
    """After its time is out, the producer is fenced and its records are gone."""
    broker = make_broker()
    log = make_log(broker)
    log.begin()
    log.send(Outgoing("s", 0, b"k", b"v"))
    broker.time_out("g-worker-1")
    with pytest.raises(Restart):
        log.commit({0: Position(0)})
    assert list(MemoryReader(broker).read("s", 0)) == []


def test_readers_wait_for_open_transactions() -> None:
    """Where Kafka would wait, the in-memory log says Unavailable: nothing else can happen meanwhile."""
    broker = make_broker()
    log = make_log(broker)
    broker.write(broker.begin("t", broker.init_producer("t")), Outgoing("s", 0, b"k", b"v"))
    with pytest.raises(Unavailable):
        log.changelog(0)
    assert list(log.changelog(1)) == []


def test_committed_waits_for_a_commit_under_way() -> None:
    """A position that is about to be committed is not passed over."""
    broker = make_broker()
    log = make_log(broker)
    log.begin()
    transaction = broker._open["g-worker-1"]
    broker.stage(transaction, broker.group("g", "e"), {0: Position(0, "new")})
    with pytest.raises(Unavailable):
        log.committed(0)
    broker.finish(transaction, commit=True)
    assert log.committed(0) == Position(0, "new")


def test_nothing_works_between_an_error_and_the_reset() -> None:
    """A producer is not used again after an error."""
    broker = make_broker()
    log = make_log(broker)
    log.begin()
    broker.init_producer("g-worker-1")
    with pytest.raises(Restart):
        log.commit({0: Position(0)})
    with pytest.raises(LogError, match="reset"):
        log.send(Outgoing("s", 0, b"k", b"v"))


def test_a_member_that_does_not_poll_holds_up_the_rebalance() -> None:
    """Until every member has polled there is no new generation, and nothing is delivered."""
    broker = make_broker()
    one = make_log(broker, "1")
    two = MemoryLog(broker, events="e", state="s", group="g", worker_id="2")
    assert not two.poll(0, 1).stable
    assert not two.poll(0, 1).stable
    assert one.poll(0, 1).revoked == {1}
    gained = two.poll(0, 1)
    assert (gained.assigned, gained.stable) == ({1}, True)
    one.close()
    assert two.poll(0, 1).assigned == {0}


def test_partitions_take_turns() -> None:
    """A partition with much to read does not starve the others."""
    broker = make_broker()
    for number, count in ((0, 50), (1, 1)):
        for _ in range(count):
            broker.append("e", b"k", b"v", partition=number)
    log = make_log(broker)
    seen = [set(log.poll(0, 5).records) for _ in range(2)]
    assert {1} in seen or {0, 1} in seen


def test_a_keyless_record_goes_to_the_first_partition() -> None:
    """Without a key there is nothing to hash; the choice is the same every time."""
    broker = make_broker()
    MemoryPublisher(broker).send("e", None, b"v")
    assert [r.value for r in MemoryReader(broker).read("e", 0)] == [b"v"]
