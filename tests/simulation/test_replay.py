"""`replay`: the same engine over files, whatever the batch."""

import json
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from ops import OperationError
from ops.policies import load
from ops.replay import FILES, UntilError
from ops.replay_events import read_line
from ops.replay_player import Summary
from ops.settings import SettingsError
from schemas.instants import parse_instant
from tests.simulation.histories import Step, lines, steps
from tests.support.replays import Run, replay

UNTIL = "2026-06-01T00:00:00Z"

FIXED: tuple[Step, ...] = tuple(
    (number % 4, kind, gap, late)
    for number, (kind, gap, late) in enumerate(
        [
            ("created", 0, 0), ("chat", 5, 0), ("created", 1, 0), ("dropped", 1, 0),
            ("assigned", 40, 20), ("assigned", 10, 0), ("garbage", 1, 0), ("created", 1, 0),
            ("pending", 100, 0), ("again", 1, 0), ("merged", 600, 0), ("assigned", 1, 0),
            ("resumed", 900, 0), ("resolved", 10, 0), ("again", 1, 0), ("transferred", 7200, 0),
            ("resolved", 1, 0), ("reopened", 1, 0), ("unknown_type", 1, 0), ("confirmed", 1, 0),
        ]
        * 3
    )
)  # fmt: skip


def _replay(folder: Path, content: Sequence[bytes], batch: int = 500, until: str = UNTIL) -> Summary:
    source = folder / "events.jsonl"
    source.write_bytes(b"".join(line + b"\n" for line in content))
    return replay([source], None, until, folder / "out", batch)


def _written(folder: Path) -> dict[str, bytes]:
    return {name: (folder / "out" / name).read_bytes() for name in FILES}


def _entries(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "out" / name).read_text().splitlines()]


POLICIES = load(None)


@pytest.mark.simulation
@settings(max_examples=100, deadline=None)
@given(steps)
def test_any_batch_gives_the_same_bytes(history: list[Step]) -> None:
    """A history gives the same files whether a transaction has 1, 3 or 500 records."""
    found = []
    for batch in (1, 3, 500):
        files = {name: BytesIO() for name in FILES}
        run = Run(POLICIES, files, batch)
        list(run.feed(iter(lines(history))))
        summary = run.finish(parse_instant(UNTIL))
        found.append(({name: file.getvalue() for name, file in files.items()}, summary.as_dict()))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("batch", [1, 7, 500])
def test_a_fixed_history_gives_the_same_bytes(tmp_path: Path, batch: int) -> None:
    """A history with late arrivals, duplicates, garbage and a merge comes out the same under any batch."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    _replay(tmp_path / "a", lines(FIXED), batch=13)
    _replay(tmp_path / "b", lines(FIXED), batch)
    assert _written(tmp_path / "a") == _written(tmp_path / "b")
    assert all(_written(tmp_path / "a").values())


def test_every_line_ends_once(tmp_path: Path) -> None:
    """Applied, duplicate and rejected sum up to the lines and events of the engine, and files agree."""
    summary = _replay(tmp_path, lines(FIXED))
    rejected = sum(summary.rejected.values())
    assert summary.lines == len(FIXED)
    assert summary.absorbed > 0
    assert summary.applied + summary.duplicate + rejected == summary.lines + summary.absorbed
    causes = [entry["data"]["cause"]["kind"] for entry in _entries(tmp_path, "journal.jsonl")]
    assert causes.count("event") == summary.applied
    assert causes.count("clock") == summary.firings
    assert len(_entries(tmp_path, "dead-letter.jsonl")) == rejected
    assert len(_entries(tmp_path, "state.jsonl")) == summary.tickets


def test_an_end_before_the_last_arrival_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All events are played whatever the end is, and clocks fire up to the last of them."""
    whole = _replay(tmp_path, lines(FIXED))
    assert capsys.readouterr().err == ""
    cut = _replay(tmp_path, lines(FIXED), until="2026-01-01T00:00:00Z")
    assert "--until lies before the last arrival (2026-" in capsys.readouterr().err
    assert cut.lines == whole.lines
    assert 0 < cut.firings < whole.firings


def test_what_a_survivor_learns_comes_directly_after_the_merge(tmp_path: Path) -> None:
    """An absorbed event is applied directly after the closing that caused it, with its arrival."""
    history: list[Step] = [
        (0, "created", 0, 0), (1, "created", 10, 0), (1, "merged", 10, 0), (0, "assigned", 5, 0)
    ]  # fmt: skip
    _replay(tmp_path, lines(history), until="2026-03-02T09:00:01Z")
    journal = [
        e["data"] for e in _entries(tmp_path, "journal.jsonl") if e["data"]["cause"]["kind"] == "event"
    ]
    assert [(e["ticket_id"], e["trigger"]) for e in journal] == [
        ("T-0", "created"), ("T-1", "created"), ("T-1", "closed"), ("T-0", "absorbed"), ("T-0", "assigned")
    ]  # fmt: skip
    assert journal[3]["recorded_at"] == journal[2]["recorded_at"]


def test_a_clock_due_at_the_end_does_not_fire(tmp_path: Path) -> None:
    """What is due before the end fires, at the end itself nothing does."""
    created = lines([(0, "created", 0, 0)])
    _replay(tmp_path, created, until="2026-03-02T09:30:00Z")
    assert "resolution" not in _breached(tmp_path)
    _replay(tmp_path, created, until="2026-03-02T09:30:00.000001Z")
    assert "resolution" in _breached(tmp_path)


def _breached(folder: Path) -> list[str]:
    return [
        change["clock"]
        for entry in _entries(folder, "journal.jsonl")
        for change in entry["data"]["clocks"]
        if change["change"] == "breached"
    ]


def test_a_dead_letter_names_its_line(tmp_path: Path) -> None:
    """Blank lines and the lines of earlier files count; the value is the line, also where it is no text."""
    first, second = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    first.write_bytes(b"\n" + lines([(0, "created", 0, 0)])[0] + b"\n\n")
    second.write_bytes(b"\xff{}\r\nnot JSON")
    replay([first, second], None, UNTIL, tmp_path / "out")
    entries = _entries(tmp_path, "dead-letter.jsonl")
    assert [(e["code"], e["line"], e["value"]) for e in entries] == [
        ("malformed", 4, "\\xff{}"),
        ("malformed", 5, "not JSON"),
    ]
    assert set(entries[0]) == {"code", "message", "line", "value"}


def test_an_arrival_is_read_from_the_line() -> None:
    """`arrivaltime` is before `time`; where neither can be read there is none."""
    early, late = "2026-03-02T09:00:00Z", "2026-03-02T12:00:00+03:00"
    assert read_line(b'{"time": "%b"}' % early.encode()).arrival == parse_instant(early)
    both = b'{"time": "2026-03-02T10:00:00Z", "arrivaltime": "%b"}' % late.encode()
    assert read_line(both).arrival == parse_instant(late)
    for line in (b"no", b"[]", b'{"time": 7}', b'{"time": "soon"}', b'{"time": "%b", "time": 1}'):
        assert read_line(line).arrival is None


def test_arrivals_never_go_back(tmp_path: Path) -> None:
    """A line that is earlier than the one before it arrives with that one."""
    history = lines([(0, "created", 1000, 0), (1, "created", 0, 0)])
    document = json.loads(history[1])
    del document["arrivaltime"]
    document["time"] = "2026-03-01T00:00:00Z"
    _replay(tmp_path, [history[0], json.dumps(document).encode()], until="2026-03-01T00:00:00Z")
    recorded = {entry["data"]["recorded_at"] for entry in _entries(tmp_path, "journal.jsonl")}
    assert recorded == {"2026-03-02T09:16:40.000000Z"}


def test_a_replay_that_fails_leaves_what_the_last_one_wrote(tmp_path: Path) -> None:
    """Results are there once all is done, and for nobody else to read: they have people's data."""
    history = tmp_path / "events.jsonl"
    history.write_bytes(b"no event\n")
    replay([history], None, UNTIL, tmp_path / "out")
    before = _written(tmp_path)
    assert before["dead-letter.jsonl"]
    with pytest.raises(OperationError, match="cannot be read"):
        replay([history, tmp_path], None, UNTIL, tmp_path / "out")
    assert _written(tmp_path) == before
    assert {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "out").iterdir()} == dict.fromkeys(
        FILES, 0o600
    )


def test_mistakes_are_sentences(tmp_path: Path) -> None:
    """A missing file, a wrong end, a missing policy and a folder that cannot be: one sentence each."""
    source = tmp_path / "events.jsonl"
    source.write_bytes(b"")
    with pytest.raises(OperationError, match=r"gone\.jsonl cannot be read"):
        replay([tmp_path / "gone.jsonl"], None, UNTIL, tmp_path / "out")
    with pytest.raises(UntilError, match="RFC 3339"):
        replay([source], None, "tomorrow", tmp_path / "out")
    with pytest.raises(SettingsError, match=r"gone\.yaml"):
        replay([source], tmp_path / "gone.yaml", UNTIL, tmp_path / "out")
    with pytest.raises(OperationError, match="cannot be written"):
        replay([source], None, UNTIL, source)
    (tmp_path / "journal.jsonl").write_bytes(b"")
    with pytest.raises(OperationError, match="is an input"):
        replay([tmp_path / "journal.jsonl"], None, UNTIL, tmp_path)
