"""What a subscriber keeps and how far it has read, in one SQLite database and so in one transaction.

A kill at any moment leaves both as they were at the last commit (SQLite, "Atomic Commit In SQLite"). The
file may hold personal data: only its owner can read it, and what is deleted is overwritten, in SQLite's
write-ahead log when `overwrite` is called.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from consumers.log import LogError, Place
from schemas.instants import from_epoch, to_epoch

_OWN_TABLES: Final = """
CREATE TABLE IF NOT EXISTS position (
    topic TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL, PRIMARY KEY (topic, partition)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS complete (only INTEGER PRIMARY KEY CHECK (only = 1), at_us INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS topic (name TEXT PRIMARY KEY, id TEXT NOT NULL) WITHOUT ROWID;
"""


_PRAGMAS: Final = (
    "locking_mode = EXCLUSIVE",  # two processes would overwrite each other's counts
    "journal_mode = WAL",
    "synchronous = FULL",  # what was noted as sent stays so after a loss of power
    "secure_delete = ON",
)


class CheckpointError(LogError):
    """The checkpoint cannot be used; the sentence says what to do."""


class Format(NamedTuple):
    """What a subscriber keeps: `tables` in SQL (CREATE … IF NOT EXISTS).

    `version`, at least 1, is raised with every change of tables, or of what their rows mean, that the version
    before could not go on with.
    """

    version: int
    tables: str


class Checkpoint:
    """The database of one subscriber; used in one thread, and by one process at a time.

    `path` is where it is.
    """

    def __init__(self, path: Path, form: Format) -> None:
        """Open the database at `path`, or make it.

        Raises CheckpointError where it cannot be opened, is in use, or is of another version of its format.
        """
        self.path = path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as problem:
            raise CheckpointError(
                f"Nothing can be written to {path} ({problem.strerror}): set TICKETFLOW_DATA_DIR to a "
                "directory that can be written."
            ) from None
        with self._explained(), ExitStack() as opened:
            self._database = sqlite3.connect(path, timeout=0, isolation_level=None)
            opened.callback(self._database.close)
            for pragma in _PRAGMAS:
                self._database.execute(f"PRAGMA {pragma}")
            self._check(form.version)
            self._database.executescript(
                f"BEGIN EXCLUSIVE; {_OWN_TABLES} {form.tables} PRAGMA user_version = {form.version}; COMMIT;"
            )
            opened.pop_all()

    def _check(self, version: int) -> None:
        (tables,) = self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        (found,) = self._database.execute("PRAGMA user_version").fetchone()
        if tables and found != version:
            raise CheckpointError(
                f"The checkpoint {self.path} is of another version of ticketflow (its format is {found}, "
                f"this one reads {version}): start that version, or move the file away to begin anew from "
                "the topics."
            )

    @property
    def database(self) -> sqlite3.Connection:
        """For reading; and, inside `transaction`, for writing."""
        return self._database

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit what the body writes, or nothing of it. Raises CheckpointError."""
        with self._explained():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:  # some errors, such as a full disk, have ended it already
                    self._database.execute("ROLLBACK")
                raise

    def positions(self) -> dict[Place, int]:
        """Return where each partition is to be read on; empty in a new checkpoint. Raises CheckpointError."""
        with self._explained():
            rows = self._database.execute("SELECT topic, partition, offset FROM position").fetchall()
        return {Place(topic, partition): offset for topic, partition, offset in rows}

    def topic_ids(self) -> dict[str, str]:
        """Return the id of each topic that was read, as told to `identify`. Raises CheckpointError."""
        with self._explained():
            return dict(self._database.execute("SELECT name, id FROM topic").fetchall())

    def identify(self, topic_ids: Mapping[str, str]) -> None:
        """Note, inside a transaction, which topics the positions are of."""
        self._database.executemany("INSERT OR REPLACE INTO topic VALUES (?, ?)", topic_ids.items())

    def complete_at(self) -> datetime | None:
        """Return up to when all was read, as told to `save`; None in a new one. Raises CheckpointError."""
        with self._explained():
            row = self._database.execute("SELECT at_us FROM complete").fetchone()
        return None if row is None else from_epoch(row[0])

    def save(self, positions: Mapping[Place, int], complete_at: datetime) -> None:
        """Note, inside a transaction, where to read on, and an instant up to which nothing was missed."""
        rows = [(*place, offset) for place, offset in positions.items()]
        self._database.executemany("INSERT OR REPLACE INTO position VALUES (?, ?, ?)", rows)
        self._database.execute("INSERT OR REPLACE INTO complete VALUES (1, ?)", (to_epoch(complete_at),))

    def overwrite(self) -> None:
        """Empty the log beside the file: what was deleted is in it until then. Raises CheckpointError."""
        with self._explained():
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as problem:
            sentence = self._sentence(problem)
            if sentence is None:  # a mistake of ours, such as wrong SQL
                raise
            raise CheckpointError(sentence) from None

    def _sentence(self, problem: sqlite3.DatabaseError) -> str | None:
        """What to do about it; None where it is not the file, the disk or another process."""
        name = getattr(problem, "sqlite_errorname", "")  # Python's own errors have none
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return f"Another process works on {self.path}: end that one first."
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            return (
                f"The checkpoint {self.path} is damaged ({name}): move it away to begin anew from the topics."
            )
        if name in ("", "SQLITE_ERROR") or not isinstance(problem, sqlite3.OperationalError):
            return None
        return (
            f"The checkpoint {self.path} cannot be used ({name}): make room on its disk and let this user "
            "write there."
        )
