"""The business series of the contract ("Prometheus"), counted from the topics as they come.

A projection (`consumers.subscriber`): counts and the open tickets are in the checkpoint beside the positions
up to which they were counted. The sums over the tickets are in memory, and follow from them.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from consumers.checkpoint import Checkpoint, Format
from consumers.log import Record
from consumers.metrics_counts import CLOCKS, DEAD_LETTERS, Count, additions, bounds_with
from consumers.metrics_gauges import Gauges
from consumers.metrics_records import Standing, code, measurement, standing
from consumers.metrics_series import Series, Values, shown
from schemas.instants import to_epoch
from schemas.topics import Topic, topic_name

_logger = logging.getLogger(__name__)

FORMAT: Final = Format(
    1,
    """
CREATE TABLE IF NOT EXISTS count (series TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ticket (ticket_id TEXT PRIMARY KEY, standing TEXT NOT NULL) WITHOUT ROWID;
""",
)
"""What the checkpoint keeps for this projection; no person is in it."""

TOPICS: Final = (Topic.METRICS, Topic.STATE, Topic.DEAD_LETTER)
"""The topics that are counted."""

DUE_SOON: Final = timedelta(minutes=5)
"""Contract, "Prometheus": `clocks_due_soon`."""


class BusinessMetrics:
    """Counts records in one thread; another one may ask for the `series`."""

    def __init__(self, checkpoint: Checkpoint, prefix: str, targets: Iterable[timedelta] = ()) -> None:
        """Go on from what the checkpoint has. Raises CheckpointError.

        `prefix` is that of the topics. `targets`: of the promises; histograms have a bound at each.
        """
        self._checkpoint = checkpoint
        self._topics = {topic_name(prefix, topic): topic for topic in TOPICS}
        self._lock = threading.Lock()
        self._records: Counter[tuple[str, ...]] = Counter()
        with checkpoint.transaction() as database:
            rows = database.execute("SELECT series, value FROM count")
            self._counts: Counter[Count] = Counter({tuple(json.loads(name)): value for name, value in rows})
            self._bounds = bounds_with(targets, self._counts)
            self._gauges = Gauges()
            for (text,) in database.execute("SELECT standing FROM ticket"):
                self._gauges.replace(None, Standing.from_json(text))

    @property
    def topics(self) -> tuple[str, ...]:
        """The names of the topics that are counted."""
        return tuple(self._topics)

    # ---- the subscriber's projection ----

    def apply(self, records: Sequence[Record]) -> None:
        """See `Projection.apply`. After an error memory is ahead of the checkpoint: begin anew."""
        with self._lock:
            counted: set[Count] = set()
            tickets: dict[str, Standing | None] = {}
            for record in records:
                match self._topics[record.topic]:
                    case Topic.STATE:
                        counted.update(self._ticket(record, tickets))
                    case Topic.METRICS:
                        counted.update(self._measured(record))
                    case _:
                        counted.add(self._dead_letter(record))
            self._keep(counted, tickets)

    def forget(self) -> None:
        """See `Projection.forget`: the tickets go, the counts stay."""
        with self._lock:
            self._checkpoint.database.execute("DELETE FROM ticket")
            self._gauges = Gauges()

    def _measured(self, record: Record) -> Iterator[Count]:
        measured = measurement(record)
        self._read(record, measured is not None)
        for count, number in () if measured is None else additions(measured, self._bounds):
            self._counts[count] += number
            yield count

    def _dead_letter(self, record: Record) -> Count:
        self._read(record, True)
        count = (DEAD_LETTERS, code(record))
        self._counts[count] += 1
        return count

    def _ticket(self, record: Record, changed: dict[str, Standing | None]) -> list[Count]:
        ticket_id = (record.key or b"").decode("utf-8", "backslashreplace")
        latter = standing(record)
        readable = latter is not None or record.value is None
        self._read(record, readable)
        if not readable:
            return []
        if latter is not None and latter.state is None and not latter.clocks:
            latter = None  # nothing of it is shown
        former = changed[ticket_id] if ticket_id in changed else self._former(ticket_id)
        self._gauges.replace(former, latter)
        changed[ticket_id] = latter
        return [] if latter is None else self._clocks_seen(latter)

    def _clocks_seen(self, standing: Standing) -> list[Count]:
        counts: list[Count] = [(CLOCKS, running.clock) for running in standing.clocks]
        new = [count for count in counts if count not in self._counts]
        self._counts.update(dict.fromkeys(new, 1))
        return new

    def _former(self, ticket_id: str) -> Standing | None:
        found = self._checkpoint.database.execute(
            "SELECT standing FROM ticket WHERE ticket_id = ?", (ticket_id,)
        ).fetchone()
        return None if found is None else Standing.from_json(found[0])

    def _read(self, record: Record, readable: bool) -> None:
        self._records[self._topics[record.topic].suffix, "applied" if readable else "unreadable"] += 1
        if not readable:
            _logger.warning(
                "partition %d of %s: the record at offset %d is none of the engine's and is not counted",
                record.partition,
                record.topic,
                record.offset,
            )

    def _keep(self, counted: Iterable[Count], tickets: Mapping[str, Standing | None]) -> None:
        database = self._checkpoint.database
        database.executemany(
            "INSERT OR REPLACE INTO count VALUES (?, ?)",
            [(json.dumps(count), self._counts[count]) for count in counted],
        )
        database.executemany(
            "DELETE FROM ticket WHERE ticket_id = ?", [(name,) for name, each in tickets.items() if not each]
        )
        database.executemany(
            "INSERT OR REPLACE INTO ticket VALUES (?, ?)",
            [(name, each.to_json()) for name, each in tickets.items() if each],
        )

    # ---- what is shown ----

    def records(self) -> Values:
        """How many records this process has read, by topic and whether they could be."""
        with self._lock:
            return dict(self._records)

    def series(self, now: datetime) -> Series:
        """All values as of the last batch; what is due soon, as of now."""
        with self._lock:
            counts, gauges = dict(self._counts), self._gauges
            places: dict[str, Values] = {
                "tickets_open": dict(gauges.tickets_open),
                "clocks_running": dict(gauges.clocks_running),
                "clocks_due_soon": gauges.clocks_due_until(to_epoch(now + DUE_SOON)),
                "clocks_overdue": dict(gauges.clocks_overdue),
            }
        return shown(counts, places, self._bounds)
