"""Documents that are made of the code say what the code says."""

from pathlib import Path

import pytest

from ops.docs import pages

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("path", sorted(pages()))
def test_a_generated_page_is_current(path: str) -> None:
    """The page in the checkout is what the code would write now (`python -m ops.docs`)."""
    assert (ROOT / path).read_text(encoding="utf-8") == pages()[path]
