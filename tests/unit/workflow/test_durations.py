"""Durations as the policy file writes them."""

from datetime import timedelta

import pytest

from workflow.durations import LONGEST, DurationError, parse, render


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0s", timedelta()),
        ("500ms", timedelta(milliseconds=500)),
        ("30s", timedelta(seconds=30)),
        ("5m", timedelta(minutes=5)),
        ("48h", timedelta(hours=48)),
        ("30d", timedelta(days=30)),
        ("3660d", LONGEST),
    ],
)
def test_a_duration_is_a_whole_number_with_a_unit(text: str, expected: timedelta) -> None:
    """Milliseconds, seconds, minutes, hours and days are read."""
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "m",
        "-5m",
        "+5m",
        "1.5h",
        "1h30m",
        "5 m",
        " 5m",
        "5m\n",
        "5M",
        "٥m",
        "1w",
        "1_0s",
        "9" * 13 + "ms",
    ],
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    """The message shows the form, and never the text."""
    with pytest.raises(DurationError, match="as in 30s, 5m or 48h"):
        parse(text)


@pytest.mark.parametrize("text", ["3661d", "99999999h", "999999999999d"])
def test_more_than_ten_years_is_refused(text: str) -> None:
    """A duration beyond the years of a calendar is a slip of the pen."""
    with pytest.raises(DurationError, match="ten years"):
        parse(text)


@pytest.mark.parametrize(
    "text", ["0s", "1ms", "1500ms", "30s", "90s", "5m", "90m", "1h", "24h", "48h", "3d", "30d"]
)
def test_a_duration_is_written_as_it_is_read(text: str) -> None:
    """Reading what was written gives the same, in the unit that people use."""
    assert render(parse(text)) == text
