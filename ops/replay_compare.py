"""`replay --compare`: the same events under two policies, and which verdicts the second one changes.

One replay after the other, so that the tickets of one policy only are in memory; of the first no more is kept
than what its verdicts come to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import datetime
from json import dumps
from pathlib import Path
from typing import Any, Final

from consumers.log import Outgoing
from ops.replay import FILES, Written, play, results
from ops.replay_events import Source
from ops.replay_player import Outlet, Player, Summary
from schemas.envelope import Code
from schemas.instants import format_instant
from schemas.state import Ticket
from workflow.compare import Book, Comparison, Difference, Judged, Word, compare
from workflow.decide import Accepted
from workflow.policy import Policies
from workflow.report_figures import is_promise, kept_share

DIFFERENCES: Final = "compare.jsonl"
"""Every difference, one a line."""


@dataclass(frozen=True, slots=True)
class Side:
    """What one policy came to: the labels of its versions, what was replayed, and the verdicts."""

    labels: tuple[str, ...]
    summary: Summary
    book: Book
    verdicts: Mapping[str, Mapping[Word, int]]

    def count(self, word: Word) -> int:
        """How many verdicts on promises, which leaves `confirmation` out as the report does, are that."""
        return sum(counts.get(word, 0) for clock, counts in self.verdicts.items() if is_promise(clock))


@dataclass(frozen=True, slots=True)
class Result:
    """Both sides, and what is different."""

    before: Side
    after: Side
    comparison: Comparison


class Noted:
    """Notes what a replay decides in a book, and hands it on to another outlet. Implements `Outlet`."""

    def __init__(self, book: Book, others: Iterable[Outlet]) -> None:
        self._book, self._others = book, tuple(others)

    def applied(self, fact: Accepted, partition: int) -> None:
        """See `Outlet`."""
        self._book.add(fact)
        for each in self._others:
            each.applied(fact, partition)

    def refused(self, letter: Outgoing, place: Mapping[str, int | None], code: Code, message: str) -> None:
        """See `Outlet`."""
        for each in self._others:
            each.refused(letter, place, code, message)

    def left(self, ticket: Ticket, partition: int) -> None:
        """See `Outlet`."""
        for each in self._others:
            each.left(ticket, partition)


def compare_policies(
    source: Source, before: Policies, after: Policies, until: datetime, batch: int, out: Path | None
) -> Result:
    """Replay the events under both policies and hold the verdicts against each other.

    With `out` everything that a replay under `before` writes goes to that folder, and every difference to
    `compare.jsonl`. Shows progress on a terminal. Raises OperationError, and LogError from a topic.
    """
    names = (*FILES, DIFFERENCES)
    with ExitStack() as stack:
        files = stack.enter_context(results(out, names, source.paths)) if out else {}
        others = (Written(files, source.partitions),) if files else ()
        first = _side(source, before, until, batch, others, "under the first policy")
        second = _side(source, after, until, batch, (), "under the second policy")
        result = Result(first, second, compare(first.book, second.book))
        for difference in result.comparison.differences if files else ():
            line = dumps(difference_dict(difference), ensure_ascii=False, separators=(",", ":"))
            files[DIFFERENCES].write(line.encode() + b"\n")
        return result


def _side(
    source: Source, policies: Policies, until: datetime, batch: int, others: Iterable[Outlet], what: str
) -> Side:
    book = Book()
    player = Player(policies, Noted(book, others), batch, source.partitions)
    summary = play(player, source, until, what)
    return Side(policies.labels, summary, book, book.verdicts())


def kept(counts: Mapping[Word, int]) -> float | None:
    """The share of promises that were kept (contract, "Metric event"); None where none is decided."""
    return kept_share(counts.get(Word.MET, 0), counts.get(Word.BREACHED, 0))


def totals(side: Side) -> dict[Word, int]:
    """The verdicts on all promises together. See `Side.count`."""
    return {word: side.count(word) for word in Word}


def as_dict(result: Result) -> dict[str, Any]:
    """For machines, with every difference."""
    comparison = result.comparison
    return {
        "before": _side_dict(result.before),
        "after": _side_dict(result.after),
        "changed": {
            "verdicts": len(comparison.differences),
            "tickets": comparison.tickets,
            "breaches": asdict(comparison.breaches),
            "deadlines": asdict(comparison.deadlines),
        },
        "groups": [{**kind._asdict(), "verdicts": count} for kind, count in sorted_groups(comparison)],
        "differences": [difference_dict(each) for each in comparison.differences],
    }


def _side_dict(side: Side) -> dict[str, Any]:
    return {
        "policy": list(side.labels),
        **side.summary.as_dict(),
        "verdicts": {
            clock: {str(word): counts.get(word, 0) for word in Word}
            for clock, counts in side.verdicts.items()
        },
        "kept": kept(totals(side)),
        "escalations": side.book.escalations,
        "notifications": dict(sorted(side.book.notifications.items())),
    }


def sorted_groups(comparison: Comparison) -> list[tuple[Any, int]]:
    """The groups by clock, category and queue, and within these by what changes."""
    return sorted(comparison.groups.items(), key=lambda item: tuple(part or "" for part in item[0]))


def difference_dict(difference: Difference) -> dict[str, Any]:
    """A difference for machines."""
    kind = difference.kind
    return {
        "ticket_id": difference.ticket_id,
        "life": difference.life,
        "clock": kind.clock,
        "cycle": difference.cycle,
        "category": kind.category,
        "queue": kind.queue,
        "before": _judged_dict(difference.before),
        "after": _judged_dict(difference.after),
    }


def _judged_dict(judged: Judged | None) -> dict[str, Any] | None:
    if judged is None:
        return None
    return {
        "verdict": judged.word,
        "deadline": None if judged.deadline is None else format_instant(judged.deadline),
        "elapsed_seconds": judged.elapsed_seconds,
        "target_seconds": judged.target_seconds,
    }
