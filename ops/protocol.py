"""`ticket protocol` for people: the history of a contact as a text to read and keep."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from ops.wording import HAPPENED, duration, plain, wrapped
from schemas.records import Template
from workflow.protocol import Announcement, Happening, Promise, Protocol

_INDENT: Final = 16
_NOTHING: Final = "–"

_SAYS: Final[Mapping[Template, str]] = {
    Template.TICKET_REGISTERED: "the contact is registered",
    Template.TICKET_REGISTERED_OUT_OF_HOURS: "the contact is registered, out of hours",
    Template.TICKET_ASSIGNED: "the ticket is theirs",
    Template.DEADLINE_ANNOUNCED: "a deadline is promised",
    Template.CALLBACK_OFFERED: "a callback is offered",
    Template.CALL_SCHEDULED: "a call is arranged",
    Template.SLA_WARNING: "a deadline comes near",
    Template.SLA_BREACHED: "a deadline has passed",
    Template.SLA_RETRACTED: "the deadline was kept after all",
    Template.TICKET_ESCALATED: "the ticket is escalated",
    Template.TICKET_RESOLVED: "the question is resolved",
    Template.TICKET_REOPENED: "the ticket is open again",
    Template.TICKET_CLOSED: "the ticket is closed",
}
"""What each notification says, in short."""


def show_protocol(told: Protocol, console: Console) -> None:
    """Print it. No line is longer than WIDTH columns."""
    for line in _lines(told):
        heading = line.endswith(":") and not line.startswith(" ")
        console.print(Text(line, style="bold" if heading else ""), soft_wrap=True)


def _lines(told: Protocol) -> Iterator[str]:
    yield f"Protocol of contact {told.ticket_id}. All times are UTC."
    yield ""
    for name, value in _facts(told):
        yield from _entry(name, value)
    if told.personal is not None:
        yield from _section("The citizen's data", _personal(told.personal))
    yield from _section("What happened", (line for each in told.happenings for line in _happening(each)))
    yield from _section("What was promised", _promises(told.promises))
    yield from _section("Who was told", (line for each in told.announcements for line in _announcement(each)))
    for label in told.missing_policies:
        yield from wrapped(_without(label), 2)
    if told.client is None:
        yield from wrapped("The ticket has left the state: what the citizen was told is no longer known.", 2)
    yield ""
    yield from wrapped(_following(told), 0)


def _following(told: Protocol) -> str:
    how = f"`ticketflow ticket protocol {told.ticket_id} --json --personal`"
    consent = (
        ' First ask the citizen for consent to the new request, and add it: `"consent": true`.'
        if told.follow_up_needs_consent
        else ""
    )
    publish = f"publish `follow_up` of {how} as the data of a ticket.created.v1"
    return f"To follow this contact up, {publish}.{consent}"


def _without(label: str) -> str:
    return (
        f"The policy version {label} is not here: whether the contact was registered out of hours is told by "
        "another one. Put its file into the folder that TICKETFLOW_POLICY names."
    )


def _facts(told: Protocol) -> Iterator[tuple[str, str]]:
    level = f", level {told.level}" if told.level else ""
    closed = f", {told.close_reason}, {plain(told.closed_at)}" if told.closed_at else ""
    state = told.state or "closed, and its reopening window is over"
    values: tuple[tuple[str, Any], ...] = (
        ("Registered", f"{plain(told.registered_at)}, by {told.registered_by}"),
        ("Citizen", told.client),
        ("Category", told.category),
        ("Request", told.request_type),
        ("Queue", told.queue),
        ("Priority", told.priority),
        ("Region", told.region),
        ("Operator", told.operator),
        ("Unit", told.unit),
        ("State", f"{state}{level}{closed}"),
        ("Promised by", told.promised_deadline),
        ("Call at", told.scheduled_at),
        ("Merged into", told.merged_into),
        ("Follows", told.follows),
    )
    for name, value in values:
        if value is not None:
            yield name, plain(value) if isinstance(value, datetime) else str(value)


def _section(heading: str, lines: Iterator[str]) -> Iterator[str]:
    yield ""
    yield f"{heading}:"
    first = next(lines, None)
    if first is None:
        yield "  nothing"
        return
    yield first
    yield from lines


def _entry(name: str, value: str) -> Iterator[str]:
    first, *rest = wrapped(value, _INDENT) or [" " * _INDENT]
    yield f"  {name:<{_INDENT - 2}}{first[_INDENT:]}"
    yield from rest


_PEOPLE: Final = {("callback_window", "from"): "call from", ("callback_window", "to"): "call to"}


def _personal(personal: Mapping[str, Any]) -> Iterator[str]:
    for name, value in personal.items():
        if isinstance(value, Mapping):
            told = {inner: each for inner, each in value.items() if each is not None}
            for inner, each in told.items():
                yield from _entry(_PEOPLE.get((name, inner), inner), str(each))
        else:
            yield from _entry(name, ", ".join(value) if isinstance(value, list) else str(value))


def _dated(at: datetime, text: str) -> Iterator[str]:
    when = f"  {plain(at)}  "
    column = 2 + _MOMENT_COLUMNS
    first, *rest = wrapped(text, column)
    yield f"{when:<{column}}{first[column:]}"
    yield from rest


_MOMENT_COLUMNS: Final = 25


def _happening(each: Happening) -> Iterator[str]:
    words = HAPPENED.get(each.what, "the reopening window is over") + _WITH.get(each.what, _nothing)(each)
    if each.what == "contacted" and each.changed.get("contacted_by"):
        words = HAPPENED[f"contacted.{each.changed['contacted_by']}"]
    elif each.what == "dropped" and each.seq == 1:
        words = f"{HAPPENED['created']}, and the call broke off"
    by = f"by the engine, for {each.clock}" if each.source is None else f"from {each.source}"
    yield from _dated(each.at, f"{words} ({by})")


def _nothing(each: Happening) -> str:
    del each
    return ""


def _operator(each: Happening) -> str:
    return f": {each.changed.get('operator')}"


def _transfer(each: Happening) -> str:
    unit = each.changed.get("unit")
    return f": {each.changed.get('queue', 'the same')}{f', unit {unit}' if unit else ''}"


def _level(each: Happening) -> str:
    unit = each.changed.get("unit")
    return f" to level {each.level}{f', unit {unit}' if unit else ''}"


def _named(field: str) -> Callable[[Happening], str]:
    def words(each: Happening) -> str:
        value = each.changed.get(field)
        return f": {plain(datetime.fromisoformat(value))}" if value else ""

    return words


def _reclassified(each: Happening) -> str:
    return ": " + (", ".join(f"{name} {value}" for name, value in each.changed.items()) or "as it was")


def _closed(each: Happening) -> str:
    into = each.changed.get("merged_into")
    return f" as {each.changed.get('close_reason')}{f' into {into}' if into else ''}"


_WITH: Final[Mapping[str, Callable[[Happening], str]]] = {
    "assigned": _operator,
    "transferred": _transfer,
    "escalated": _level,
    "promised": _named("promised_deadline"),
    "scheduled": _named("scheduled_at"),
    "reclassified": _reclassified,
    "closed": _closed,
}
"""What a trigger says beside its name."""


def _promises(promises: Sequence[Promise]) -> Iterator[str]:
    rows = [_PROMISE_HEADINGS, *(_promise(each) for each in promises)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_PROMISE_HEADINGS))]
    for number, row in enumerate(rows if promises else ()):
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        yield f"  {'  '.join(cells)}".rstrip()
        late = "" if number == 0 else _late(promises[number - 1])
        if late:
            yield f"  {' ' * widths[0]}  {late}"


_PROMISE_HEADINGS: Final = ("clock", "outcome", "target", "deadline", "ended")


def _promise(each: Promise) -> tuple[str, ...]:
    again = f" ({each.cycle})" if each.cycle > 1 else ""
    instants = (_NOTHING if at is None else plain(at)[4:] for at in (each.deadline, each.ended_at))
    return f"{each.clock}{again}", each.outcome, duration(each.target_seconds), *instants


def _late(each: Promise) -> str:
    if each.outcome != "broken" or each.deadline is None or each.ended_at is None:
        return ""
    return f"ended {duration((each.ended_at - each.deadline).total_seconds())} after the deadline"


def _announcement(each: Announcement) -> Iterator[str]:
    clock = each.params.get("clock")
    about = f" ({clock} {each.params.get('threshold') or ''})".replace(" )", ")") if clock else ""
    yield from _dated(each.at, f"{each.role} {each.ref}, by {each.channel}: {_SAYS[each.template]}{about}")
