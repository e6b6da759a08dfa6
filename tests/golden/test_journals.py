"""The book of examples: histories whose journals never change."""

import hashlib
import re
from pathlib import Path

import pytest

from ops.cli_replay import DEFAULT_BATCH
from schemas.records import JournalEntry
from tests.support.journals import (
    HERE,
    History,
    entries,
    histories,
    journal,
    notices,
    played,
    read,
    refused,
)
from workflow.explain import explain

ALL = histories()

COMPLAINTS = tuple(f"complaint {number}" for number in range(1, 11))
ROWS = (
    "clocks", "condition matching", "calendars", "pause", "warnings", "multi-level escalation", "reopen",
    "mid-flight change", "breach kept for ever", "late and out-of-order events", "explain a deadline",
    "recalculation",
)  # fmt: skip
PROMISES = (
    "status check", "change of contact data", "recovery of access", "technical fault", "complex question",
    "telephone queue", "reply in the chat", "dropped call", "announced deadline",
)  # fmt: skip
TOPICS = {
    *COMPLAINTS, *(f"capability {name}" for name in ROWS), *(f"promise {name}" for name in PROMISES)
}  # fmt: skip
"""What the book has to show; README.md says what each of them is."""


@pytest.mark.parametrize("history", ALL, ids=lambda history: history.name)
def test_a_history_has_its_journal(history: History):
    """The engine writes the journal, the notices and the refusals that the file states."""
    output = played(history)
    assert journal(history, output) == history.block("Journal")
    assert refused(output) == history.block("Refused")
    if "Notices" in history.sections:
        assert notices(output) == history.block("Notices")


def test_the_book_shows_everything():
    """Each complaint, each capability and each promise is shown by a history, and nothing else is named."""
    shown = {name for history in ALL for name in history.shows}
    assert (TOPICS - shown, shown - TOPICS) == (set(), set())
    assert len(ALL) >= 60


def test_the_index_names_every_history_once():
    """The index of the book has each history under its own title, and no other."""
    text = (HERE / "README.md").read_text("utf-8")
    listed = re.findall(r"\[(.+?)\]\((.+?)\.md\)", text)
    assert sorted(listed) == sorted((history.title, history.name) for history in ALL)


def test_the_index_explains_every_topic():
    """What a history says it shows, the index explains."""
    text = (HERE / "README.md").read_text("utf-8")
    assert [name for name in sorted(TOPICS) if f"**{name}**" not in text] == []


@pytest.mark.parametrize("history", ALL, ids=lambda history: history.name)
def test_every_deadline_is_explained(history: History):
    """The arithmetic of `ticket explain` comes to the deadlines of the journal, clock by clock."""
    journals: dict[str, list[JournalEntry]] = {}
    for entry in entries(played(history)):
        if entry.seq == 1:
            journals[entry.ticket_id] = []  # an id that is used again
        journals[entry.ticket_id].append(entry)
    told = [explain(each, history.policies) for each in journals.values()]
    assert [cycle.clock for each in told for cycle in each.clocks if not cycle.agrees] == []


@pytest.mark.parametrize("path", sorted(HERE.glob("*.jsonl")), ids=lambda path: path.stem)
def test_a_journal_is_the_same_byte_for_byte(path: Path):
    """The same events under the same policy give the same bytes, in batches of any size."""
    history = read(path.with_suffix(".md"))
    for batch in (1, 2, DEFAULT_BATCH):
        assert played(history, batch)["journal.jsonl"] == path.read_bytes()


def test_no_stored_journal_has_changed():
    """Ten journals at least are stored, each with the digest that it was added with."""
    stored = sorted(HERE.glob("*.jsonl"))
    listed = (HERE / "SHA256SUMS").read_text().splitlines()
    assert listed == [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in stored]
    assert len(stored) >= 10
