"""Figures of a journal that a test has made."""

import json
from collections.abc import Iterable, Iterator, Sequence
from zoneinfo import ZoneInfo

from consumers.report_fold import Dimension, Frame
from ops.report_source import Line, report_figures
from schemas.records import JournalEntry
from tests.support.world import World, at
from workflow.report_figures import Figures

MOSCOW = ZoneInfo("Europe/Moscow")
FOR_EVER = 10**9
"""Seconds after START: later than anything in a test."""

POLICY = """
calendars:
  office: {timezone: Europe/Moscow, hours: {mon: [["08:00","13:00"]], tue: [["08:00","13:00"]]}}
clocks:
  - {clock: first_response, target: 10m, start: [created], stop: [assigned, closed], cancel: [dropped],
     calendar: office, on_breach: [{after: 0s, notify: [supervisor]}]}
  - {clock: resolution, target: 1h, start: [created], stop: [resolved, closed], pause: [pending],
     reopen: continue, calendar: office, on_breach: [{after: 0s, do: escalate, notify: [supervisor]}]}
  - {clock: confirmation, target: 1h, start: [resolved], stop: [closed], cancel: [reopened],
     on_breach: [{after: 0s, do: close}]}
"""
"""START is 12:00 in Moscow: the office closes an hour later, and opens 20 hours after START again."""


class Listed:
    """The journal as lists of records, a list a partition."""

    def __init__(self, partitions: Iterable[Iterable[JournalEntry]]) -> None:
        self._partitions = [[_written(entry) for entry in part] for part in partitions]

    def parts(self, doing: str) -> Iterator[Iterator[Line]]:
        del doing
        for values in self._partitions:
            yield (Line(value, number, "in a test", "mend it") for number, value in enumerate(values))


def _written(entry: JournalEntry) -> bytes:
    # As the engine writes it: without spaces.
    data = json.loads(entry.to_json())
    return json.dumps({"id": entry.record_id, "data": data}, separators=(",", ":")).encode()


def frame(
    start: float = -FOR_EVER / 10, end: float = FOR_EVER, by: Sequence[str] = (), zone: ZoneInfo = MOSCOW
) -> Frame:
    """A period in seconds after START."""
    return Frame(at(start), at(end), zone, tuple(Dimension(name) for name in by))


def figures(partitions: Iterable[Iterable[JournalEntry]], of: Frame) -> Figures:
    """The figures of a journal."""
    return report_figures(Listed(partitions), of)


def figures_of(w: World, of: Frame) -> Figures:
    """The figures of a world, which is one partition."""
    return figures([[fact.entry for fact in w.facts]], of)
