"""An embedded broker of the benchmarks' own, with topics of its own for each of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from consumers.kafka_options import KafkaOptions
from ops import topics
from ops.embedded import EmbeddedBroker
from ops.settings import Settings
from tests.support.traffic_system import System

PARTITIONS = 12


@dataclass(frozen=True)
class Cluster:
    """A broker that runs."""

    settings: Settings
    servers: str
    directory: Path

    def system(self, prefix: str) -> System:
        """A system with topics of its own."""
        topics.create(KafkaOptions((self.servers,)), prefix, PARTITIONS, 1)
        directory = self.directory / prefix
        directory.mkdir()
        return System(self.servers, prefix, directory)


@contextmanager
def running() -> Iterator[Cluster]:
    """Run a broker while the body does."""
    with TemporaryDirectory(prefix="ticketflow-bench-", ignore_cleanup_errors=True) as name:
        settings = Settings(data_dir=Path(name), embedded_port=0)
        with EmbeddedBroker(settings) as servers:
            yield Cluster(settings, servers, Path(name))
