"""`ticket show` and `policy show`: one ticket, or the promises, for a person or as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from consumers.log import Reader
from consumers.partition import read_state
from ops.plain_data import as_data
from ops.wording import harmless
from schemas.instants import format_instant
from schemas.state import PERSONAL_FIELDS, Clock, Ticket
from schemas.topics import Topic, partition_for, topic_name
from workflow import durations
from workflow.policy import ALWAYS_IN_FORCE, Policy, Rule
from workflow.policy_diff import PolicyDiff
from workflow.policy_file import Problem
from workflow.policy_table import promises_table

_SECOND: Final = timedelta(seconds=1)
_NOTHING: Final = "–"

_FIELDS: Final = (
    ("category", "category"),
    ("queue", "queue"),
    ("priority", "priority"),
    ("channel", "channel"),
    ("region", "region"),
    ("operator", "operator"),
    ("unit", "unit"),
    ("registered", "registered_at"),
    ("assigned", "assigned_at"),
    ("promised by", "promised_deadline"),
    ("call at", "scheduled_at"),
    ("changed", "updated_at"),
    ("closed", "closed_at"),
    ("because", "close_reason"),
    ("merged into", "merged_into"),
    ("follows", "follows"),
)
"""What is shown of a ticket beside its state and clocks, in that order, where it has it."""


def find_ticket(reader: Reader, prefix: str, ticket_id: str) -> Ticket | None:
    """The ticket as the state topic has it now; None: unknown, or gone from the state. Raises LogError."""
    topic = topic_name(prefix, Topic.STATE)
    key = ticket_id.encode()
    latest: bytes | None = None
    for record in reader.read(topic, partition_for(key, reader.partitions(topic))):
        if record.key == key:
            latest = record.value
    return None if latest is None else read_state(latest)


def ticket_json(ticket: Ticket, *, personal: bool) -> dict[str, Any]:
    """The state's data, personal fields only where they are asked for; else of the client its id alone."""
    data = ticket.model_dump(mode="json", by_alias=True)
    if personal:
        return data
    kept = {name: value for name, value in data.items() if name not in PERSONAL_FIELDS}
    return {**kept, "client": None if ticket.client is None else {"id": ticket.client.id}}


def show_ticket(ticket: Ticket, now: datetime, console: Console) -> None:
    """Print a ticket: where it stands and what it still waits for. No personal data but the client's id."""
    level = f", level {ticket.level}" if ticket.level else ""
    console.print(
        Text(f"{ticket.ticket_id}  ", style="bold") + Text(f"{ticket.state}{level}", style="bold cyan")
    )
    grid = Table.grid(padding=(0, 2))
    if ticket.client is not None:
        grid.add_row("  client", Text(harmless(ticket.client.id)))
    for name, attribute in _FIELDS:
        value = getattr(ticket, attribute)
        if value is not None:
            grid.add_row(
                f"  {name}", _moment(value) if isinstance(value, datetime) else Text(harmless(str(value)))
            )
    console.print(grid)
    if ticket.clocks:
        console.print(_clock_table(ticket.clocks, now))


def _clock_table(clocks: Sequence[Clock], now: datetime) -> Table:
    table = Table(box=None, padding=(0, 2), header_style="bold")
    for heading in ("clock", "status", "target", "deadline", "remaining"):
        table.add_column(heading, no_wrap=True)
    for clock in clocks:
        style = {"breached": "red", "running": "green"}.get(clock.status, "")
        table.add_row(
            Text(clock.clock if clock.cycle == 1 else f"{clock.clock} ({clock.cycle})"),
            Text(clock.status, style=style),
            _duration(clock.target_seconds),
            _NOTHING if clock.deadline is None else _moment(clock.deadline),
            remaining(clock, now),
        )
    return table


def remaining(clock: Clock, now: datetime) -> str:
    """What is left of a promise, in words: by the clock on the wall, or of business time while paused."""
    if not clock.running:
        return _NOTHING
    if clock.deadline is None:
        return f"{_duration(max(clock.target_seconds - clock.elapsed_seconds, 0.0))} when it goes on"
    left_seconds = (clock.deadline - now).total_seconds()
    return _duration(left_seconds) if left_seconds >= 0 else f"{_duration(-left_seconds)} overdue"


def _duration(seconds: float) -> str:
    whole = timedelta(seconds=seconds) // _SECOND
    parts = [
        (whole // 86_400, "d"), (whole % 86_400 // 3600, "h"), (whole % 3600 // 60, "min"), (whole % 60, "s"),
    ]  # fmt: skip
    told = [f"{count} {unit}" for count, unit in parts if count]
    return " ".join(told[:2]) or "0 s"


def _moment(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"


def policy_json(policy: Policy) -> dict[str, Any]:
    """A version of the policy: its promises as data."""
    return {
        "policy": policy.name,
        "version": policy.version,
        "effective_from": _effective_from(policy),
        "reopening_window": durations.render(policy.reopening_window),
        "clocks": [_rule_json(rule) for rule in policy.rules],
    }


def _effective_from(policy: Policy) -> str | None:
    return None if policy.effective_from == ALWAYS_IN_FORCE else format_instant(policy.effective_from)


def _rule_json(rule: Rule) -> dict[str, Any]:
    return {
        "rule": rule.number,
        "clock": rule.clock,
        "when": {name: sorted(values) for name, values in rule.when.items()},
        "target": durations.render(rule.target) if isinstance(rule.target, timedelta) else str(rule.target),
        "start": sorted(rule.start),
        "stop": sorted(rule.stop),
        "cancel": sorted(rule.cancel),
        "pause": sorted(rule.pause),
        "reopen": str(rule.reopen),
        "calendar": rule.calendar,
        "thresholds": [
            {
                "name": each.name,
                "kind": str(each.kind),
                "do": str(each.do),
                "notify": [str(r) for r in each.notify],
            }
            for each in rule.thresholds
        ],
    }


def show_policy(policy: Policy, others: Sequence[str], console: Console) -> None:
    """Print the promises. `others` are the versions that are known but not in force."""
    console.print(Text(policy.label, style="bold cyan") + Text(" is in force."))
    if others:
        console.print(Text(f"Also known: {', '.join(others)}."))
    heads, *rows = _cells(promises_table(policy))
    table = Table(header_style="bold", show_lines=True)
    used = [i for i in range(len(heads)) if any(row[i] != _NOTHING for row in rows)]
    for i in used:
        table.add_column(heads[i])
    for row in rows:
        table.add_row(*(Text(row[i].strip("`")) for i in used))
    console.print(table)


def _cells(markdown: str) -> list[list[str]]:
    lines = [line.strip("| ").split(" | ") for line in markdown.splitlines()]
    return [cells for cells in lines if set(cells) != {"---"}]


def diff_json(diff: PolicyDiff) -> dict[str, Any]:
    """What changes between two versions as data, each promise with its sentence."""
    promises = [{**as_data(each), "text": str(each)} for each in diff.promises]
    return {**as_data(diff), "changes_promises": diff.changes_promises, "promises": promises}


def diff_lines(diff: PolicyDiff) -> Iterator[str]:
    """What changes between two versions, for people: what matters first."""
    yield f"{diff.before} -> {diff.after}"
    if not diff.changes_promises:
        yield ""
        yield "No promise changes."
    told = [f"{f'{each.becomes}:':<8} {each}" for each in diff.promises]
    for heading, lines in (
        ("Promises", told),
        ("Citizens", diff.citizens),
        ("Version", diff.version),
        ("Calendars", diff.calendars),
        ("Rules", diff.rules),
    ):
        if lines:
            yield ""
            yield heading
            yield from (f"  {line}" for line in lines)


def problems_json(problems: Sequence[Problem]) -> list[Mapping[str, object]]:
    """Problems of a policy file as data."""
    return [{"file": each.source, "line": each.line, "message": each.message} for each in problems]
