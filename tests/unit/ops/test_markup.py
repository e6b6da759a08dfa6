"""What somebody else wrote is shown as it is: no screen takes it for markup."""

import io
import sys
from collections import Counter

import pytest
from rich.console import Console

from consumers.board import Board, Breach, Letter, Notice
from ops import cli_dlq, live, replay_tables
from ops.dlq import Listing
from ops.progress import progress
from ops.replay_compare import Result, Side
from ops.replay_player import Summary
from ops.show import show_ticket
from tests.support.boards import PREFIX
from tests.support.world import at
from tests.unit.ops.test_cli_show import NOW, TICKET, clock
from workflow.compare import Book, Judged, Life, Word, compare

HOSTILE = pytest.mark.parametrize(
    "text", ["[/red]", "[/]", "[bold]", "[red]x[/red]", "[@click=q]x", ":warning:", "a\\[b]", "[[x]]", "\\"]
)


def _console() -> Console:
    return Console(file=io.StringIO(), width=200, highlight=False)


def _text(console: Console) -> str:
    return console.file.getvalue() if isinstance(console.file, io.StringIO) else ""


@HOSTILE
def test_on_the_screen_of_a_ticket(text: str) -> None:
    """The client's id, the operator and a clock of another version's state are shown as they are."""
    assert TICKET.client is not None
    client = TICKET.client.model_copy(update={"id": text})
    clocks = (clock().model_copy(update={"clock": text}),)
    console = _console()
    show_ticket(
        TICKET.model_copy(update={"client": client, "operator": text, "clocks": clocks}), NOW, console
    )
    assert _text(console).count(text) == 3


def test_a_terminal_is_not_steered() -> None:
    """A sequence that begins with the one character U+009B moves nothing on the screen of a ticket."""
    assert TICKET.client is not None
    client = TICKET.client.model_copy(update={"id": "c\u009b2J"})
    console = _console()
    show_ticket(TICKET.model_copy(update={"client": client, "operator": "op\u009b2J"}), NOW, console)
    assert "c 2J" in _text(console)
    assert "op 2J" in _text(console)
    assert "\u009b" not in _text(console)


@HOSTILE
def test_on_the_list_of_dead_letters(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The code of a letter that is none of ours is whatever its writer put there."""
    cli_dlq._show(Listing(codes=Counter({text: 7})))
    assert text in capsys.readouterr().out


@HOSTILE
def test_on_the_picture(text: str) -> None:
    """Tickets, templates and codes of `top` and the demo come from topics that others may write."""
    board = Board(PREFIX)
    board.breaches.append(Breach(at(0), "T-1", text, 0.1))
    board.notices.append(Notice(at(0), "T-1", text, "client", "sms", waits=False))
    board.letters.append(Letter(at(0), text, "tickets.events", 0, 0))
    console = _console()
    live.show(live.take(board, at(1)), (), console)
    assert _text(console).count(text) == 3


@HOSTILE
def test_on_the_tables_of_a_comparison(text: str) -> None:
    """Paths of policies, tickets and clocks are shown as they are."""
    console = _console()
    books = [
        Book({"T-1": [Life("complex", "tier2", {(text, 1): Judged(word, None, 1.0, 2.0)})]})
        for word in (Word.MET, Word.BREACHED)
    ]
    books[1].notifications[text] = 1
    before, after = (Side((text,), Summary(), book, book.verdicts()) for book in books)
    result = Result(before, after, compare(*books))
    replay_tables.show(result, (text, text), console)
    # Twice in the label and the path of each side, and in each of four tables.
    assert _text(console).count(text) == 8


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@HOSTILE
def test_beside_a_bar(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is being read may be a file of any name."""
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    with progress(text, 2) as advance:
        advance(1)
    assert text in terminal.getvalue()
