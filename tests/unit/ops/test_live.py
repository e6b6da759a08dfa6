"""The live picture: it fits every terminal, and says what the board says."""

import io
from datetime import timedelta

import pytest
from rich.console import Console
from rich.text import Text

from consumers.board import Board
from ops import live
from schemas.envelope import Code
from schemas.terms import Queue
from tests.support.boards import PREFIX, board, busy, dead_letters, records
from tests.support.world import at

_MANY = 10_000


def _console(width: int, height: int) -> Console:
    return Console(width=width, height=height, file=io.StringIO(), record=True, force_terminal=True)


def _drawn(picture: live.Picture, width: int, height: int) -> list[str]:
    console = _console(width, height)
    heading = Text("first row"), Text("second row")
    console.print(live.screen(picture, heading, width, height), end="")
    return console.export_text().splitlines()


@pytest.fixture(scope="module")
def crowded() -> live.Picture:
    """A picture of ten thousand tickets, of which some hundred are overdue."""
    letters = list(dead_letters([Code.MALFORMED, Code.ILLEGAL_TRANSITION] * 400))
    few = board([*records(busy(100)), *letters])
    for number, standing in enumerate(list(few._tickets.values()) * (_MANY // 100)):
        few._tickets[b"%d" % number] = standing
        few.counts[standing.state, standing.queue] += 1
    return live.take(few, at(100))


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (140, 50), (250, 70)])
def test_a_crowd_fits_the_terminal(crowded: live.Picture, width: int, height: int) -> None:
    """However many tickets there are, every row fits, and there are as many as the terminal has."""
    rows = _drawn(crowded, width, height)
    assert len(rows) == height
    assert {len(row) for row in rows} <= {width}
    assert rows[:2] == ["first row".ljust(width), "second row".ljust(width)]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (140, 50)])
def test_nothing_to_show_is_shown(width: int, height: int) -> None:
    """Without a single ticket the picture has its titles and heads, and every queue."""
    rows = _drawn(live.take(Board(PREFIX), at(0)), width, height)
    text = "\n".join(rows)
    assert len(rows) == height
    for word in (
        "0 overdue, 0 running",
        "Tickets  0 open",
        "Broken promises",
        "Notifications",
        "Dead letters",
    ):
        assert word in text
    assert all(queue in text for queue in Queue)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (20, 5), (80, 12)])
def test_a_terminal_that_is_too_small_shows_what_fits(width: int, height: int) -> None:
    """A tiny terminal crashes nothing."""
    assert len(_drawn(live.take(board(records(busy(9))), at(40)), width, height)) <= height


def test_overdue_promises_stand_above_the_nearest(crowded: live.Picture) -> None:
    """Overdue promises have at most half of the room, and after them the nearest deadlines come first."""
    shown = crowded.at_risk(10)
    left = [promise.left_seconds(crowded.now) for promise in shown]
    assert sum(seconds < 0 for seconds in left) == 5
    assert left == sorted(left)


def test_either_kind_takes_the_room_of_the_other() -> None:
    """Where few are overdue, the nearest fill the rest of the room."""
    picture = live.take(board(records(busy(30))), at(31))
    shown = picture.at_risk(12)
    assert len(shown) == 12
    assert sum(promise.deadline < picture.now for promise in shown) == picture.overdue_count < 6


def test_the_text_has_everything_the_screen_has() -> None:
    """Printed once, the picture has no control character and all its parts, within 100 columns."""
    console = Console(width=240, file=io.StringIO(), highlight=False)
    made = board([*records(busy(30)), *dead_letters([Code.MALFORMED])])
    live.show(live.take(made, at(45)), (Text("first row"),), console)
    text = console.file.getvalue() if isinstance(console.file, io.StringIO) else ""
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 100
    for word in (
        "first row",
        "phone-00000-k3f9",
        "first_response",
        "malformed",
        "ticket_registered",
        "reference",
    ):
        assert word in text


def test_a_breach_says_how_late_it_was_found() -> None:
    """Beside a broken promise stands how long after its deadline that was found."""
    history = busy(1)
    history.until(30.25)
    console = _console(140, 40)
    console.print(live.breaches(live.take(board(records(history)), at(31)), 5, full=True))
    assert "+250 ms" in console.export_text()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 ms"), (0.0042, "4 ms"), (1.25, "1.2 s"), (59.9, "59 s"), (61, "1m 01"), (7_260, "2h 01")],
)
def test_spans_are_short(seconds: float, text: str) -> None:
    """A duration is as exact as a person needs it."""
    assert live.span(seconds) == text


@pytest.mark.parametrize(
    ("kept", "broken", "text"), [(1, 0, "100%"), (399, 1, "99%"), (0, 0, "–"), (0, 3, "0%")]
)
def test_only_all_is_a_hundred_percent(kept: int, broken: int, text: str) -> None:
    """One promise in four hundred is broken: that is not all of them."""
    assert live.share(kept, broken) == text


@pytest.mark.parametrize(("kept", "broken"), [(5, -2), (-1, 3), (-1, -1), (2, -2)])
def test_more_withdrawn_than_decided_has_no_share(kept: int, broken: int) -> None:
    """`top` reads the last metrics only: a withdrawal among them may be of a verdict that is not."""
    assert live.share(kept, broken) == "–"


def test_a_deadline_on_another_day_shows_its_date() -> None:
    """A time of day alone would be taken for today's."""
    history = busy(1)
    picture = live.take(board(records(history)), at(0) - timedelta(days=2))
    assert "02 Mar" in "\n".join(_drawn(picture, 80, 24))
