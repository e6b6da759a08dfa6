"""What the issue's "Must hold" asks of the whole system, on the real broker with real workers."""

from pathlib import Path

import pytest

from tests.support.traffic_system import System


@pytest.fixture
def system(broker: str, prefix: str, tmp_path: Path) -> System:
    """Topics of this test's own on the session's broker."""
    return System(broker, prefix, tmp_path)
