"""One embedded broker for the whole session, and topics of its own for every test."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops import topics
from ops.embedded import EmbeddedBroker
from ops.settings import Settings

PARTITIONS = 3
_serial = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this directory: it needs the real broker."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.broker)


@pytest.fixture(scope="session")
def broker_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of the session's broker: its data in a directory of its own, on any free port."""
    return Settings(data_dir=tmp_path_factory.mktemp("data"), embedded_port=0, partitions=PARTITIONS)


@pytest.fixture(scope="session")
def broker(broker_settings: Settings) -> Iterator[str]:
    """The bootstrap servers of a broker that runs for the whole session."""
    embedded = EmbeddedBroker(broker_settings)
    yield embedded.start()
    embedded.stop()


@pytest.fixture
def prefix(broker: str, broker_settings: Settings) -> str:
    """A topic prefix of this test's own, its six topics created with `PARTITIONS` partitions."""
    own = f"t{next(_serial)}"
    topics.create(broker_settings.kafka_python_options(broker), own, PARTITIONS, 1)
    return own
