"""The clusters that the contract suite runs against."""

import uuid
from collections.abc import Iterator

import pytest

from tests.contract.clusters import Cluster, KafkaCluster, MemoryCluster


@pytest.fixture(params=["memory", pytest.param("kafka_python", marks=pytest.mark.broker)])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A cluster with empty topics and a group that nobody is in."""
    if request.param == "memory":
        yield MemoryCluster()
        return
    bootstrap = request.getfixturevalue("broker")
    made = KafkaCluster(tuple(str(bootstrap).split(",")), f"contract-{uuid.uuid4().hex[:12]}")
    yield made
    made.close()
