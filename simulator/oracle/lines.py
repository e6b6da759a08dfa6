"""Records of a journal in the oracle's words, and what two of them may differ in and still say the same."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import zip_longest
from typing import Any, Final

from simulator.oracle.acts import Change
from simulator.oracle.seconds import Line
from simulator.oracle.stretches import FAR, PASSED

MICRO: Final = timedelta(microseconds=1)


def line(start: datetime, data: Mapping[str, Any]) -> Line:
    """The data of a journal record; instants in seconds after `start`."""
    cause = data["cause"]
    why: tuple[Any, ...]
    if cause["kind"] == "event":
        why = ("absorbed" if cause["source"] == "ticketflow" else cause["id"],)
    else:
        why = (cause["clock"], cause["cycle"], cause["threshold"], _seconds(start, cause["due"]))
    return Line(
        data["ticket_id"], data["seq"], why, _seconds(start, data["at"]), data["trigger"], data["from"],
        data["to"], data["level"], tuple(_change(start, each) for each in data["clocks"]),
    )  # fmt: skip


def _change(start: datetime, data: Mapping[str, Any]) -> Change:
    deadline = None if data["deadline"] is None else _seconds(start, data["deadline"])
    return Change(
        data["clock"], data["cycle"], data["change"], _seconds(start, data["at"]), deadline,
        _exact(data["elapsed_seconds"]), _exact(data["target_seconds"]), data["rule"], data["policy"],
        data.get("threshold"), None if "found_at" not in data else _seconds(start, data["found_at"]),
    )  # fmt: skip


def _seconds(start: datetime, text: str) -> Fraction:
    return Fraction((datetime.fromisoformat(text) - start) // MICRO, 10**6)


def _exact(number: float) -> Fraction:
    return Fraction(round(number * 10**6), 10**6)


def alike(ours: Sequence[Line], theirs: Sequence[Line]) -> list[Line]:
    """Theirs, with a deadline that ours calls passed called so too if it lies before the change.

    A retraction stands at the time of the event that came late: what it brings back may have passed since.
    """
    alike = []
    for number, line in enumerate(theirs):
        mine = ours[number].clocks if number < len(ours) else ()
        pairs = zip_longest(line.clocks, mine[: len(line.clocks)])
        back = {(each.clock, each.cycle) for each in line.clocks if each.change == "retracted"}
        alike.append(line._replace(clocks=tuple(_passed(its, own, back) for its, own in pairs)))
    return alike


def _passed(its: Change, own: Change | None, back: Collection[tuple[str, int]]) -> Change:
    if own is None or own.deadline != PASSED or its.deadline is None:
        return its
    lies_before = its.deadline <= its.at or (its.clock, its.cycle) in back
    return its._replace(deadline=PASSED) if lies_before else its


def tidy(line: Line, horizon: int) -> Line:
    """Changes of one record stand in the order of their clocks: the contract names no other."""
    changes = tuple(
        sorted((_near(change, horizon) for change in line.clocks), key=lambda change: change.clock)
    )
    return line._replace(clocks=changes)


def _near(change: Change, horizon: int) -> Change:
    if change.deadline is None or change.deadline < horizon:
        return change
    return change._replace(deadline=FAR)
