"""Laws: properties of whatever can be drawn; 200 examples in every run, 10,000 with `-m long`."""

from collections.abc import Callable

import pytest
from hypothesis import settings

Test = Callable[..., None]


def law(test: Test) -> Test:
    """Stands above `@given`. How many examples are tried is the run's matter: tests/conftest.py sets it."""
    return pytest.mark.law(settings.get_profile("law")(test))
