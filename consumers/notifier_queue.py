"""The notifier's durable queue: what is still to be told, to whom, and what was asked for already.

A delivery waits, or is `attempted`: then it was marked so before the attempt, and nobody knows yet how that
ended. Each recipient of a route is a line. Of a line one delivery at a time is attempted, the oldest that is
due. After a failure the line rests as long as that delivery's next attempt is away, but 30 s at most: so a
recipient gets things in order while trouble is short, and one bad delivery does not hold up the rest.

What this writes belongs in the caller's transaction.
"""

from __future__ import annotations

import json
import sqlite3
from base64 import b64decode, b64encode
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from consumers.log import Headers, Record
from consumers.notifier_request import Request
from schemas.envelope import Undeliverable
from schemas.instants import from_epoch, to_epoch

LONGEST_REST: Final = timedelta(seconds=30)
REMEMBERED: Final = timedelta(days=14)
"""As long as the topic keeps notifications (`schemas.topics`)."""
LETTERS_KEPT: Final = timedelta(days=90)
"""As long as the topic keeps dead letters."""

TABLES: Final = """
CREATE TABLE IF NOT EXISTS begun (only INTEGER PRIMARY KEY CHECK (only = 1), at_us INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS remembered (digest TEXT PRIMARY KEY, until_us INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS remembered_until ON remembered (until_us);
CREATE TABLE IF NOT EXISTS delivery (
    number INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, route TEXT NOT NULL, line TEXT NOT NULL,
    channel TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL,
    timestamp_us INTEGER NOT NULL, key BLOB, value BLOB, headers TEXT NOT NULL,
    seen_us INTEGER NOT NULL, next_us INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    attempted INTEGER NOT NULL DEFAULT 0, uncertain INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS delivery_order ON delivery (route, line, number);
CREATE INDEX IF NOT EXISTS delivery_next ON delivery (route, line, next_us);
CREATE INDEX IF NOT EXISTS delivery_attempted ON delivery (number) WHERE attempted;
CREATE INDEX IF NOT EXISTS delivery_channel ON delivery (channel);
CREATE TABLE IF NOT EXISTS line (
    route TEXT NOT NULL, line TEXT NOT NULL, rests_until_us INTEGER NOT NULL, ready_us INTEGER NOT NULL,
    PRIMARY KEY (route, line)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS line_ready ON line (route, ready_us);
CREATE TABLE IF NOT EXISTS dead (
    number INTEGER PRIMARY KEY, code TEXT NOT NULL, message TEXT NOT NULL, topic TEXT NOT NULL,
    partition INTEGER NOT NULL, offset INTEGER NOT NULL, timestamp_us INTEGER NOT NULL, key BLOB, value BLOB,
    headers TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS taken_up (
    partition INTEGER NOT NULL, offset INTEGER NOT NULL, timestamp_us INTEGER NOT NULL,
    PRIMARY KEY (partition, offset, timestamp_us)
) WITHOUT ROWID;
"""
_RECORD: Final = "topic, partition, offset, timestamp_us, key, value, headers"
_DELIVERY: Final = f"number, digest, route, line, seen_us, attempts, uncertain, {_RECORD}"
_FORGOTTEN_AT_ONCE: Final = 5_000


@dataclass(frozen=True, slots=True)
class Delivery:
    """A notification that is still to be told. `uncertain`: an earlier attempt may have reached somebody."""

    number: int
    digest: str
    route: str
    line: str
    record: Record = field(repr=False)
    seen_at: datetime
    attempts: int
    uncertain: bool


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that becomes a dead letter, and why."""

    number: int
    code: Undeliverable
    message: str
    record: Record = field(repr=False)


class Queue:
    """The tables of deliveries, of what is remembered, and of dead letters that are not written yet."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def begun_at(self, now: datetime) -> datetime:
        """Return when a notifier first started on this queue, UTC: now, if this is the first time."""
        self._database.execute("INSERT OR IGNORE INTO begun VALUES (1, ?)", (to_epoch(now),))
        return from_epoch(self._database.execute("SELECT at_us FROM begun").fetchone()[0])

    def attempted(self) -> list[Delivery]:
        """Return what was being attempted when the process died: it may have reached somebody."""
        rows = self._database.execute(f"SELECT {_DELIVERY} FROM delivery WHERE attempted ORDER BY number")  # noqa: S608
        return [_delivery(row) for row in rows]

    def add(self, record: Record, request: Request, route: str, now: datetime) -> bool:
        """Let a notification wait until it is due; False where the same one was asked for before."""
        remembered = self._database.execute(
            "INSERT OR IGNORE INTO remembered VALUES (?, ?)", (request.digest, to_epoch(now + REMEMBERED))
        )
        if not remembered.rowcount:
            return False
        return self._let_wait(record, request, route, now, uncertain=False)

    def add_again(
        self, letter: Record, record: Record, request: Request, route: str, now: datetime, *, uncertain: bool
    ) -> bool:
        """Let a notification wait that has become this dead letter.

        False where the letter was taken up before, or the notification waits already. `uncertain`: an earlier
        attempt may have reached somebody.
        """
        taken_up = self._database.execute(
            "INSERT OR IGNORE INTO taken_up VALUES (?, ?, ?)",
            (letter.partition, letter.offset, letter.timestamp_us),
        )
        return bool(taken_up.rowcount) and self._let_wait(record, request, route, now, uncertain=uncertain)

    def forget_letters(self, now: datetime) -> None:
        """Forget which letters were taken up that are not on their topic any more."""
        self._database.execute("DELETE FROM taken_up WHERE timestamp_us < ?", (to_epoch(now - LETTERS_KEPT),))

    def _let_wait(
        self, record: Record, request: Request, route: str, now: datetime, *, uncertain: bool
    ) -> bool:
        recipient = request.data.recipient
        line = f"{recipient.role}/{recipient.ref}"
        next_us = to_epoch(request.data.not_before or now)
        added = self._database.execute(
            "INSERT OR IGNORE INTO delivery "  # noqa: S608 (names of columns)
            f"(digest, route, line, channel, {_RECORD}, seen_us, next_us, uncertain) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                request.digest,
                route,
                line,
                request.data.channel,
                *_columns(record),
                to_epoch(now),
                next_us,
                uncertain,
            ),
        )
        if not added.rowcount:
            return False
        self._database.execute(
            "INSERT INTO line VALUES (?1, ?2, 0, ?3) ON CONFLICT DO UPDATE SET "
            "ready_us = max(rests_until_us, min(ready_us, excluded.ready_us))",
            (route, line, next_us),
        )
        return True

    def due(self, route: str, now: datetime, count: int, busy: Collection[str]) -> list[Delivery]:
        """Return the oldest due delivery of up to `count` lines that are ready, and not in `busy`."""
        now_us = to_epoch(now)
        rows = self._database.execute(
            "SELECT line FROM line WHERE route = ? AND ready_us <= ? ORDER BY ready_us LIMIT ?",
            (route, now_us, count + len(busy)),
        )
        lines = [line for (line,) in rows if line not in busy][:count]
        return [each for line in lines if (each := self._first(route, line, now_us)) is not None]

    def _first(self, route: str, line: str, now_us: int) -> Delivery | None:
        row = self._database.execute(
            f"SELECT {_DELIVERY} FROM delivery "  # noqa: S608
            "WHERE route = ? AND line = ? AND next_us <= ? ORDER BY number LIMIT 1",
            (route, line, now_us),
        ).fetchone()
        return None if row is None else _delivery(row)

    def attempt(self, delivery: Delivery) -> None:
        """Mark that it is about to be attempted."""
        self._database.execute(
            "UPDATE delivery SET attempted = 1, attempts = attempts + 1 WHERE number = ?", (delivery.number,)
        )

    def postpone(self, delivery: Delivery, until: datetime, now: datetime, *, uncertain: bool) -> None:
        """Let it wait for another attempt. `uncertain`: this one may have reached somebody."""
        self._database.execute(
            "UPDATE delivery SET attempted = 0, uncertain = ?, next_us = ? WHERE number = ?",
            (uncertain, to_epoch(until), delivery.number),
        )
        self._refresh(delivery, to_epoch(min(until, now + LONGEST_REST)))

    def put_off(self, delivery: Delivery, until: datetime) -> None:
        """Let it wait where nothing has failed: the others of its line need not."""
        self._database.execute(
            "UPDATE delivery SET next_us = ? WHERE number = ?", (to_epoch(until), delivery.number)
        )
        self._refresh(delivery, 0)

    def done(self, delivery: Delivery) -> None:
        """Take it out: it was delivered."""
        self._database.execute("DELETE FROM delivery WHERE number = ?", (delivery.number,))
        self._refresh(delivery, 0)

    def give_up(self, delivery: Delivery, code: Undeliverable, message: str) -> None:
        """Take it out: it becomes a dead letter."""
        self.bury(delivery.record, code, message)
        self.done(delivery)

    def bury(self, record: Record, code: Undeliverable, message: str) -> None:
        """Let a record become a dead letter."""
        self._database.execute(
            f"INSERT INTO dead (code, message, {_RECORD}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            (code, message, *_columns(record)),
        )

    def dead(self, count: int) -> list[DeadLetter]:
        """Return the oldest dead letters that are not written yet."""
        rows = self._database.execute(
            f"SELECT number, code, message, {_RECORD} FROM dead ORDER BY number LIMIT ?",  # noqa: S608
            (count,),
        )
        return [
            DeadLetter(number, Undeliverable(code), message, _record(record))
            for number, code, message, *record in rows
        ]

    def written(self, letters: Sequence[DeadLetter]) -> None:
        """Take dead letters out: they are on their topic."""
        numbers = [(letter.number,) for letter in letters]
        self._database.executemany("DELETE FROM dead WHERE number = ?", numbers)

    def put_last(self, letter: DeadLetter) -> None:
        """Let a dead letter wait behind all others."""
        self._database.execute(
            "UPDATE dead SET number = (SELECT max(number) + 1 FROM dead) WHERE number = ?", (letter.number,)
        )

    def forget(self, now: datetime) -> bool:
        """Forget what was asked for longer ago than the topic keeps notifications; a bounded part of it.

        Returns whether that was all.
        """
        forgotten = self._database.execute(
            "DELETE FROM remembered WHERE digest IN "
            "(SELECT digest FROM remembered WHERE until_us < ? LIMIT ?)",
            (to_epoch(now), _FORGOTTEN_AT_ONCE),
        )
        return forgotten.rowcount < _FORGOTTEN_AT_ONCE

    def waiting(self) -> Mapping[str, int]:
        """Return how many deliveries wait, by channel."""
        return dict(self._database.execute("SELECT channel, count(*) FROM delivery GROUP BY channel"))

    def _refresh(self, delivery: Delivery, rests_until_us: int) -> None:
        """Work out anew when the line of a delivery is ready."""
        where = (delivery.route, delivery.line)
        next_us = self._database.execute(
            "SELECT min(next_us) FROM delivery WHERE route = ? AND line = ?", where
        ).fetchone()[0]
        if next_us is None:
            self._database.execute("DELETE FROM line WHERE route = ? AND line = ?", where)
            return
        self._database.execute(
            "UPDATE line SET rests_until_us = ?, ready_us = ? WHERE route = ? AND line = ?",
            (rests_until_us, max(rests_until_us, next_us), *where),
        )


def _columns(record: Record) -> tuple[Any, ...]:
    headers = [
        (name, None if content is None else b64encode(content).decode()) for name, content in record.headers
    ]
    place = (record.topic, record.partition, record.offset, record.timestamp_us)
    return (*place, record.key, record.value, json.dumps(headers))


def _delivery(columns: Sequence[Any]) -> Delivery:
    number, digest, route, line, seen_us, attempts, uncertain, *record = columns
    return Delivery(
        number, digest, route, line, _record(record), from_epoch(seen_us), attempts, bool(uncertain)
    )


def _record(columns: Sequence[Any]) -> Record:
    topic, partition, offset, timestamp_us, key, value, headers = columns
    read: Headers = tuple(
        (name, None if content is None else b64decode(content)) for name, content in json.loads(headers)
    )
    return Record(topic, partition, offset, timestamp_us, key, value, read)
