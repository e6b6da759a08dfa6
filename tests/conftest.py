"""What all tests share: an environment without the settings of whoever runs them, and one real broker."""

import gc
import itertools
import os
import re
import zoneinfo
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from kafka import KafkaProducer

# The jars of Kafka are fetched once per checkout, not once per test session or home directory.
_CACHE = os.environ.get("TICKETFLOW_CACHE_DIR", str(Path(__file__).parent.parent / ".cache"))
_OURS = [name for name in os.environ if name.startswith("TICKETFLOW_")]

# At import, before any test module can read them.
for _name in _OURS:
    del os.environ[_name]
os.environ["TICKETFLOW_CACHE_DIR"] = _CACHE

# No test asserts a time, and every run tries the same examples: what is found here is found everywhere.
hypothesis.settings.register_profile("ticketflow", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ticketflow")

# As every command does, so that no test depends on whether another has run one before it.
zoneinfo.reset_tzpath(to=())

# After the environment, which they read.
from consumers.kafka_options import KafkaOptions  # noqa: E402
from ops import topics  # noqa: E402
from ops.embedded import EmbeddedBroker  # noqa: E402
from ops.settings import Settings  # noqa: E402

PARTITIONS = 3
_START_SECONDS = 240  # on a machine that is so busy that it needs them
_serial = itertools.count(1)

_MARKERS = (
    "law: a property, tried on 200 examples, and on 10,000 with `-m long` (tests/support/laws.py)",
    "long: takes many minutes; only `-m long` runs it, and every law",
)
_LONG_SECONDS = 7200


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known, and decide how many examples a law is tried on."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    examples = 10_000 if _is_long(config) else 200
    hypothesis.settings.register_profile("law", deadline=None, derandomize=True, max_examples=examples)


@pytest.hookimpl(tryfirst=True)  # before pytest itself takes what `-m` asks for
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In the long run take the laws, too; else leave out what takes long, unless it was asked for by name."""
    if _is_long(config):
        for item in items:
            if item.get_closest_marker("law"):
                item.add_marker("long")
                item.add_marker(pytest.mark.timeout(_LONG_SECONDS))
    elif not any("::" in argument for argument in config.args):
        long = [item for item in items if item.get_closest_marker("long")]
        if long:
            config.hook.pytest_deselected(items=long)
            items[:] = [item for item in items if item not in long]


def _is_long(config: pytest.Config) -> bool:
    return re.search(r"(?<!not )\blong\b", config.option.markexpr) is not None


@pytest.fixture(autouse=True)
def _collector_as_before() -> Iterator[None]:
    """A command lets garbage collections be rare, which is right for a process that ends with it."""
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


@pytest.fixture(scope="session")
def broker_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of the session's broker: its data in a directory of its own, on any free port."""
    return Settings(
        data_dir=tmp_path_factory.mktemp("data"), embedded_port=0, partitions=PARTITIONS,
        embedded_start_timeout_seconds=_START_SECONDS,
    )  # fmt: skip


@pytest.fixture(scope="session")
def broker(broker_settings: Settings) -> Iterator[str]:
    """The bootstrap servers of a broker that runs for the whole session."""
    embedded = EmbeddedBroker(broker_settings)
    servers = embedded.start()
    _warm_up(servers)
    yield servers
    embedded.stop()


def _warm_up(servers: str) -> None:
    """Let the broker make the topic of its transactions, for which short time-outs of tests leave no time."""
    most_ms = _START_SECONDS * 1000
    producer = KafkaProducer(
        bootstrap_servers=servers, transactional_id="warm-up",
        max_block_ms=most_ms, request_timeout_ms=most_ms, delivery_timeout_ms=2 * most_ms,
    )  # fmt: skip
    producer.init_transactions()
    producer.close()


@pytest.fixture
def prefix(broker: str) -> str:
    """A topic prefix of this test's own, its six topics created with `PARTITIONS` partitions."""
    own = f"t{next(_serial)}"
    topics.create(KafkaOptions((broker,)), own, PARTITIONS, 1)
    return own
