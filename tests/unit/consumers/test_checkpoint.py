"""What a subscriber keeps: all of a transaction or nothing, and a sentence for what can be wrong."""

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from consumers.checkpoint import Checkpoint, CheckpointError, Format
from consumers.log import Place
from tests.support.world import START

FORMAT = Format(1, "CREATE TABLE IF NOT EXISTS kept (what TEXT);")
PLACE = Place("t", 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the checkpoint is, in a directory that is not there yet."""
    return tmp_path / "data" / "x.sqlite"


@pytest.fixture
def checkpoint(path: Path) -> Iterator[Checkpoint]:
    """A new checkpoint."""
    made = Checkpoint(path, FORMAT)
    yield made
    made.close()


def kept(checkpoint: Checkpoint) -> list[str]:
    return [what for (what,) in checkpoint.database.execute("SELECT what FROM kept")]


def test_a_new_one_is_empty(checkpoint: Checkpoint) -> None:
    """It has no position and was never complete."""
    assert (checkpoint.positions(), checkpoint.complete_at(), kept(checkpoint)) == ({}, None, [])


def test_what_is_kept_outlives_the_process(checkpoint: Checkpoint, path: Path) -> None:
    """Data and positions are there again; of a position the latest counts."""
    for offset, at in ((3, START), (5, START + timedelta(microseconds=1))):
        with checkpoint.transaction() as database:
            database.execute("INSERT INTO kept VALUES (?)", (str(offset),))
            checkpoint.save({PLACE: offset}, at)
    checkpoint.close()
    again = Checkpoint(path, FORMAT)
    assert kept(again) == ["3", "5"]
    assert again.positions() == {PLACE: 5}
    assert again.complete_at() == START + timedelta(microseconds=1)
    again.close()


def test_a_transaction_that_fails_leaves_nothing(checkpoint: Checkpoint) -> None:
    """After an exception in its body neither data nor position is changed, and the next one works."""
    with suppress(ZeroDivisionError), checkpoint.transaction() as database:
        database.execute("INSERT INTO kept VALUES ('x')")
        checkpoint.save({PLACE: 3}, START)
        raise ZeroDivisionError
    assert (checkpoint.positions(), kept(checkpoint)) == ({}, [])
    with checkpoint.transaction():
        checkpoint.save({PLACE: 4}, START)
    assert checkpoint.positions() == {PLACE: 4}


def test_only_its_owner_can_read_it(checkpoint: Checkpoint, path: Path) -> None:
    """The file, and what SQLite puts beside it, may hold personal data."""
    with checkpoint.transaction():
        checkpoint.save({PLACE: 1}, START)
    found = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    assert found == {"x.sqlite": 0o600, "x.sqlite-wal": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_two_at_once_are_refused(checkpoint: Checkpoint, path: Path) -> None:
    """The second is told which file it is, and the first goes on."""
    with pytest.raises(CheckpointError, match=r"Another process works on .*x\.sqlite: end that one first\."):
        Checkpoint(path, FORMAT)
    with checkpoint.transaction():
        checkpoint.save({PLACE: 1}, START)


def test_a_damaged_one_is_named(path: Path) -> None:
    """The sentence says what to do, and nothing of the file is in it."""
    path.parent.mkdir()
    path.write_bytes(b"no database " * 100)
    with pytest.raises(CheckpointError, match=r"x\.sqlite is damaged \(SQLITE_NOTADB\): move it away"):
        Checkpoint(path, FORMAT)


def test_a_page_that_is_damaged_is_named(checkpoint: Checkpoint, path: Path) -> None:
    """It is found when it is read, too."""
    with checkpoint.transaction() as database:
        database.executemany("INSERT INTO kept VALUES (?)", [("x" * 1000,)] * 100)
        checkpoint.save({Place("t", number): 1 for number in range(2_000)}, START)
    checkpoint.close()
    content = bytearray(path.read_bytes())
    content[3 * 4096 :] = b"\xff" * (len(content) - 3 * 4096)
    path.write_bytes(content)
    damaged = Checkpoint(path, FORMAT)
    with pytest.raises(CheckpointError, match=r"is damaged \(SQLITE_CORRUPT\w*\)"):
        damaged.positions()
    damaged.close()


def test_one_of_another_version_is_left_alone(checkpoint: Checkpoint, path: Path) -> None:
    """The sentence names both formats and what to do, and what is in the file stays as it was."""
    with checkpoint.transaction() as database:
        database.execute("INSERT INTO kept VALUES ('x')")
    checkpoint.close()
    said = (
        r"x\.sqlite is of another version .*format is 1, .* reads 2\): start that .*, or move the file away"
    )
    with pytest.raises(CheckpointError, match=said):
        Checkpoint(path, Format(2, FORMAT.tables))
    again = Checkpoint(path, FORMAT)
    assert kept(again) == ["x"]
    again.close()


def test_one_without_a_version_is_left_alone(path: Path) -> None:
    """A database that has tables and says of no version what they mean is not ours to write to."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE kept (other INTEGER)")
    with pytest.raises(CheckpointError, match=r"its format is 0"):
        Checkpoint(path, FORMAT)


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("INSERT INTO kept VALUES (?)", sqlite3.ProgrammingError),
        ("INSERT INTO nowhere VALUES (1)", sqlite3.OperationalError),
        ("INSERT INTO complete VALUES (2, 0)", sqlite3.IntegrityError),
    ],
)
def test_a_mistake_of_ours_is_none_of_the_file(
    checkpoint: Checkpoint, statement: str, error: type[sqlite3.Error]
) -> None:
    """It comes through as it is, and nobody is told to move a good file away."""
    with pytest.raises(error), checkpoint.transaction() as database:
        database.execute(statement)
    assert kept(checkpoint) == []


def test_where_nothing_can_be_written_the_setting_is_named(tmp_path: Path) -> None:
    """A path below a file cannot be made."""
    (tmp_path / "data").write_text("")
    with pytest.raises(CheckpointError, match=r"Nothing can be written to .*: set TICKETFLOW_DATA_DIR to"):
        Checkpoint(tmp_path / "data" / "x.sqlite", FORMAT)


def test_a_full_disk_is_a_sentence(checkpoint: Checkpoint) -> None:
    """What cannot be written is told as such, and nothing of the transaction stays."""
    checkpoint.database.execute("PRAGMA max_page_count = 10")
    rows = [("x" * 4000,)] * 100
    full = pytest.raises(CheckpointError, match=r"cannot be used \(SQLITE_FULL\): make room")
    with full, checkpoint.transaction() as database:
        database.executemany("INSERT INTO kept VALUES (?)", rows)
    assert kept(checkpoint) == []


def test_what_was_deleted_is_overwritten(checkpoint: Checkpoint, path: Path) -> None:
    """Once the file is closed no trace of it is left in it."""
    with checkpoint.transaction() as database:
        database.execute("INSERT INTO kept VALUES ('somebody-s-name')")
    with checkpoint.transaction() as database:
        database.execute("DELETE FROM kept")
    checkpoint.close()
    assert b"somebody-s-name" not in path.read_bytes()
