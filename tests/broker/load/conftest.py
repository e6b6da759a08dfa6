"""What the issue's "Must hold" asks of the whole system, on the real broker with real workers."""

from pathlib import Path

import pytest

from tests.support.traffic_system import System

LOAD = "load: takes minutes; only `-m load` runs it"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", LOAD)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes minutes unless markers or tests were asked for."""
    if config.option.markexpr or any("::" in argument for argument in config.args):
        return
    heavy = [item for item in items if item.get_closest_marker("load")]
    if heavy:
        config.hook.pytest_deselected(items=heavy)
        items[:] = [item for item in items if item not in heavy]


@pytest.fixture
def system(broker: str, prefix: str, tmp_path: Path) -> System:
    """Topics of this test's own on the session's broker."""
    return System(broker, prefix, tmp_path)
