"""Everything in this directory runs against the real broker."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import workers
from tests.support.system import System, environment


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this directory: it needs the real broker."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.broker)


@pytest.fixture
def settings(broker: str, prefix: str, tmp_path: Path) -> dict[str, str]:
    """Environment variables for processes on this test's topics."""
    return environment(broker, prefix, tmp_path)


@pytest.fixture
def system(settings: dict[str, str], broker: str, prefix: str, tmp_path: Path) -> Iterator[System]:
    """A worker that is ready."""
    with workers(tmp_path, settings, "a") as (worker,):
        worker.start().ready()
        yield System(settings, worker, broker, prefix)
