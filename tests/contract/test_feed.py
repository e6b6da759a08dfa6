"""What subscribers rely on, held against every implementation of `consumers.log.Feed`."""

import pytest

from consumers.log import Feed, LogError, Outgoing, Place, Record
from tests.contract.clusters import PARTITIONS, Cluster

_TRIES = 100  # polls of up to 0.1 s each


@pytest.fixture
def feed(cluster: Cluster) -> Feed:
    """A feed of both topics from their beginnings."""
    made = cluster.feed()
    made.follow(made.beginnings([cluster.events, cluster.state]))
    return made


def polled(feed: Feed, count: int, max_records: int = 500) -> list[Record]:
    """Poll until there are as many records."""
    records: list[Record] = []
    for _ in range(_TRIES):
        records += feed.poll(0.1, max_records)
        if len(records) >= count:
            return records
    raise AssertionError(f"{len(records)} of {count} records came")


def until_the_end(feed: Feed) -> list[Record]:
    """Poll until all that was committed when this was called is there."""
    ends = feed.ends()
    records: list[Record] = []
    for _ in range(_TRIES):
        positions = feed.positions()
        if all(positions[place] >= end for place, end in ends.items()):
            return records
        records += feed.poll(0.1, 500)
    raise AssertionError("the feed did not reach the end")


def published(cluster: Cluster, *values: bytes, partition: int = 1) -> None:
    for value in values:
        cluster.publisher.send(cluster.events, b"k", value, partition=partition)
    cluster.publisher.flush()


def test_a_feed_brings_what_comes_in_order(cluster: Cluster, feed: Feed) -> None:
    """Records that are written while it follows arrive in the order of their partition."""
    published(cluster, b"1", b"2")
    assert [record.value for record in polled(feed, 2)] == [b"1", b"2"]
    published(cluster, b"3")
    assert [record.value for record in polled(feed, 1)] == [b"3"]


def test_a_feed_begins_where_it_is_told(cluster: Cluster) -> None:
    """Each partition is read from the given offset, and partitions that are not named are not read."""
    published(cluster, b"1", b"2", b"3")
    published(cluster, b"elsewhere", partition=2)
    feed = cluster.feed()
    feed.follow({Place(cluster.events, 1): 1})
    assert [record.value for record in until_the_end(feed)] == [b"2", b"3"]
    assert feed.positions() == {Place(cluster.events, 1): 3}


def test_following_again_replaces_what_was_followed(cluster: Cluster, feed: Feed) -> None:
    """A feed that is told to follow again reads what it is told now, from there."""
    published(cluster, b"1", b"2")
    polled(feed, 2)
    feed.follow({Place(cluster.events, 1): 0})
    assert [record.value for record in until_the_end(feed)] == [b"1", b"2"]
    assert feed.positions().keys() == {Place(cluster.events, 1)}


def test_a_feed_knows_every_partition(cluster: Cluster, feed: Feed) -> None:
    """The beginnings name each partition of each topic."""
    assert feed.beginnings([cluster.events, cluster.state]) == {
        Place(topic, number): 0 for topic in (cluster.events, cluster.state) for number in range(PARTITIONS)
    }


def test_a_poll_of_a_feed_is_bounded_and_loses_nothing(cluster: Cluster, feed: Feed) -> None:
    """At most as many records as asked for come at once, and the others later; positions say which."""
    published(cluster, b"1", b"2", b"3")
    first = polled(feed, 1, max_records=2)
    assert len(first) <= 2
    assert feed.positions()[Place(cluster.events, 1)] == len(first)
    assert [record.value for record in first + polled(feed, 3 - len(first))] == [b"1", b"2", b"3"]


def test_a_feed_hides_what_is_not_committed(cluster: Cluster, feed: Feed) -> None:
    """Records of an open or an aborted transaction do not come, and the aborted ones are passed over."""
    transaction = cluster.foreign([Outgoing(cluster.events, 1, b"k", b"never")])
    assert until_the_end(feed) == []
    assert feed.ends()[Place(cluster.events, 1)] == 0
    transaction.end(commit=False)
    published(cluster, b"1")
    assert [record.value for record in polled(feed, 1)] == [b"1"]


def test_a_feed_passes_the_marker_at_the_end(cluster: Cluster, feed: Feed) -> None:
    """The position reaches the end also where the last offset is no record but a transaction's marker."""
    cluster.foreign([Outgoing(cluster.events, 1, b"k", b"1")]).end(commit=True)
    assert [record.value for record in polled(feed, 1)] == [b"1"]
    assert until_the_end(feed) == []


def test_a_feed_refuses_an_offset_after_the_end(cluster: Cluster) -> None:
    """An offset that the topic never had means that it was made anew."""
    with pytest.raises(LogError, match="made anew"):
        cluster.feed().follow({Place(cluster.events, 1): 5})


def test_a_feed_names_a_missing_topic(cluster: Cluster, feed: Feed) -> None:
    """A topic that does not exist is an error with its name."""
    with pytest.raises(LogError, match="nowhere"):
        feed.beginnings([f"{cluster.group}.nowhere"])


def test_a_cluster_has_an_id(cluster: Cluster, feed: Feed) -> None:
    """Two feeds of one cluster agree on its id."""
    assert feed.cluster
    assert feed.cluster == cluster.feed().cluster
