"""Golden journals: a history in Markdown, played by the engine, and its journal as a person reads it.

tests/golden/journals/README.md says how a file reads. All instants are in UTC.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from ops.cli_replay import DEFAULT_BATCH
from ops.policies import load
from ops.replay import FILES
from schemas.instants import format_instant, parse_instant
from schemas.records import JournalEntry
from tests.support.replays import Run
from tests.support.world import DEFAULTS, TYPES, written
from workflow.policy import Policies

HERE = Path(__file__).parent.parent / "golden" / "journals"

_SECTION = re.compile(r"^## (\w+)\n\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"```\w*\n(.*?)```", re.DOTALL)
_EVENT = re.compile(
    r"(?:(?P<date>\d{4}-\d\d-\d\d) )?(?P<time>[\d:.]+)(?: arrives (?P<arrives>[\d:.]+))?"
    r"(?: (?P<ticket>[A-Z])(?= ))? (?P<trigger>[a-z]+)(?P<words>.*)"
)
_TIME = re.compile(r"(?:(\d{4}-\d\d-\d\d)[T ])?(\d\d:\d\d(?::\d\d(?:\.\d+)?)?)")

_BARE: Mapping[str, tuple[str, ...]] = {
    "created": ("channel", "category"),
    "dropped": ("channel", "category"),
    "assigned": ("operator",),
    "transferred": ("queue",),
    "promised": ("deadline",),
    "scheduled": ("at",),
    "contacted": ("by",),
    "closed": ("reason", "merged_into"),
}
"""What the words without a name mean, by trigger."""

_CABINET = {"description": "The page of my application stays empty.", "consent": True}
"""What a request from the cabinet has to say, and no history is about."""


@dataclass(frozen=True)
class History:
    """A file of the book."""

    name: str
    title: str
    shows: tuple[str, ...]
    sections: Mapping[str, str] = field(repr=False)

    @property
    def policies(self) -> Policies:
        """The policy that it runs under; versions are parted by `---`."""
        block = _BLOCK.search(self.sections["Policy"])
        return _default() if block is None else written(*block.group(1).split("---\n"))

    def block(self, section: str) -> str:
        """The text of a section's block; empty where there is no such section."""
        block = _BLOCK.search(self.sections.get(section, ""))
        return "" if block is None else block.group(1).strip("\n")


@cache
def _default() -> Policies:
    return load(None)


def histories() -> list[History]:
    """All of the book, by name."""
    return [read(path) for path in sorted(HERE.glob("*.md")) if path.name != "README.md"]


def read(path: Path) -> History:
    """The history of a file."""
    text = path.read_text("utf-8")
    head, _, rest = text.partition("\n## ")
    title, shows = (
        head.splitlines()[0],
        next(line for line in head.splitlines() if line.startswith("Shows: ")),
    )
    found = dict(_SECTION.findall("## " + rest))
    names = shows.removeprefix("Shows: ").removesuffix(".").split("; ")
    return History(path.stem, title.removeprefix("# "), tuple(names), found)


# From lines to events


def played(history: History, batch: int = DEFAULT_BATCH) -> dict[str, bytes]:
    """What `replay` writes for a history, by file name, and how many duplicates it counted."""
    lines, until = _events(history.block("Events"))
    files = {name: BytesIO() for name in FILES}
    run = Run(history.policies, dict(files), batch)
    for _ in run.feed(iter(lines)):
        pass
    summary = run.finish(until)
    duplicates = b"%d" % summary.duplicate
    return {**{name: stream.getvalue() for name, stream in files.items()}, "duplicates": duplicates}


def _events(block: str) -> tuple[list[bytes], datetime]:
    *lines, last = block.splitlines()
    found, date = [], ""
    for number, line in enumerate(lines, 1):
        parts = _EVENT.fullmatch(line)
        assert parts is not None, f"no event: {line}"
        date = parts["date"] or date
        found.append(_event(number, date, parts))
    assert last.startswith("until "), "a history ends with `until`"
    return found, _instant(last.removeprefix("until "), date)


def _event(number: int, date: str, parts: "re.Match[str]") -> bytes:
    trigger, time = parts["trigger"], _instant(parts["time"], date)
    named = dict(_words(trigger, parts["words"].split(), date))
    document = {
        "specversion": "1.0",
        "id": named.pop("id", f"e{number}"),
        "source": "/test",
        "type": TYPES[trigger],
        "subject": parts["ticket"] or "T",
        "time": format_instant(time),
        "arrivaltime": format_instant(_instant(parts["arrives"] or parts["time"], date)),
        "data": _data(trigger, named),
    }
    return json.dumps(document).encode() + b"\n"


def _words(trigger: str, words: list[str], date: str) -> Iterator[tuple[str, str]]:
    bare = iter(_BARE.get(trigger, ()))
    for word in words:
        name, named, value = word.partition("=")
        if not named:
            name, value = next(bare), word
        instant = name in ("deadline", "at", "registered_at")
        yield name, format_instant(_instant(value, date)) if instant else value


def _data(trigger: str, named: dict[str, str]) -> dict[str, Any]:
    if trigger == "created" or (trigger == "dropped" and named):
        client = DEFAULTS["created"]["client"]
        if "notify" in named:
            client = {**client, "notify": named.pop("notify")}
        return {**named, "client": client, **(_CABINET if named["channel"] == "cabinet" else {})}
    return {**DEFAULTS.get(trigger, {}), **named}


def _instant(text: str, date: str) -> datetime:
    parts = _TIME.fullmatch(text)
    assert parts is not None, f"no time: {text}"
    time = parts[2] if parts[2].count(":") == 2 else f"{parts[2]}:00"
    return parse_instant(f"{parts[1] or date}T{time}Z")


# From records to lines


def entries(output: Mapping[str, bytes]) -> list[JournalEntry]:
    """The journal as its model has it."""
    data = [json.dumps(json.loads(line)["data"]) for line in output["journal.jsonl"].splitlines()]
    return [JournalEntry.model_validate_json(each) for each in data]


def journal(history: History, output: Mapping[str, bytes]) -> str:
    """The journal, a record a line, and below it a line for each change of a clock."""
    versions = len(history.policies.labels) > 1
    records = [json.loads(line)["data"] for line in output["journal.jsonl"].splitlines()]
    several = len({entry["ticket_id"] for entry in records}) > 1
    lines = []
    for entry in records:
        name = f"{entry['ticket_id']}/{entry['seq']}" if several else str(entry["seq"])
        lines.append(f"{name} {_shown(entry['at'])} {_head(entry)}")
        lines += [f"    {_change(change, entry, versions)}" for change in entry["clocks"]]
    return "\n".join(lines)


def notices(output: Mapping[str, bytes]) -> str:
    """Who is told what, one a line."""
    records = [json.loads(line) for line in output["notifications.jsonl"].splitlines()]
    several = len({record["subject"] for record in records}) > 1
    lines = []
    for record in records:
        data = record["data"]
        ticket = f"{record['subject']} " if several else ""
        to = f"{data['recipient']['role']} {data['recipient']['ref']} by {data['channel']}"
        later = f", not before {_shown(data['not_before'])}" if "not_before" in data else ""
        clock = f" ({data['params']['clock']})" if "clock" in data["params"] else ""
        lines.append(f"{ticket}{_shown(record['time'])} {data['template']}{clock} to {to}{later}")
    return "\n".join(lines)


def refused(output: Mapping[str, bytes]) -> str:
    """What became a dead letter, by the line of the history, and how many duplicates were counted."""
    letters = [json.loads(line) for line in output["dead-letter.jsonl"].splitlines()]
    lines = [f"line {letter['line']}: {letter['code']}" for letter in letters]
    if output["duplicates"] != b"0":
        lines.append(f"duplicates: {output['duplicates'].decode()}")
    return "\n".join(lines)


def _head(entry: Mapping[str, Any]) -> str:
    cause, trigger = entry["cause"], entry["trigger"]
    if cause["kind"] == "clock":
        name = f"clock {cause['clock']} {cause['threshold']}" + (f" {trigger}" if trigger else "")
    else:
        name = trigger
    before, after = entry["from"] or "none", entry["to"] or "gone"
    state = before if before == after else f"{before} → {after}"
    level = f", level {entry['level']}" if entry["level"] else ""
    changed = " ".join(f"{name}={_value(value)}" for name, value in entry["changed"].items())
    return f"{name}: {state}{level}" + (f"; {changed}" if changed else "")


def _value(value: str | None) -> str:
    if value is None:
        return "none"
    return _shown(value).replace(" ", "T") if value.endswith("Z") else value


def _change(change: Mapping[str, Any], entry: Mapping[str, Any], versions: bool) -> str:
    cycle = f" (cycle {change['cycle']})" if change["cycle"] > 1 else ""
    threshold = change.get("threshold")
    words = f"{change['clock']}{cycle} {change['change']}"
    words += f" {threshold}" if threshold not in (None, "breach") else ""
    if change["change"] != "started" or change["elapsed_seconds"]:
        words += f" at {_duration(change['elapsed_seconds'])}"
    if change["change"] in ("started", "retargeted"):
        version = f" of {change['policy']}" if versions else ""
        words += f", {_duration(change['target_seconds'])} by rule {change['rule']}{version}"
    if change["change"] in ("started", "retargeted", "resumed"):
        deadline = change["deadline"]
        words += f", due {_shown(deadline, entry['at'])}" if deadline else ", no deadline"
    words += f", counts at {_shown(change['at'], entry['at'])}" if change["at"] != entry["at"] else ""
    told = ", ".join(f"{each['role']} {each['ref'] or ''}".rstrip() for each in change.get("told", ()))
    return words + (f"; tells {told}" if told else "")


def _shown(instant: str, beside: str = "") -> str:
    """`2026-03-02 09:00:00`; only the time of day beside an instant of the same date."""
    text = instant.removesuffix("Z").removesuffix(".000000").replace("T", " ")
    if "." in text:
        text = text.rstrip("0")
    return text.removeprefix(f"{beside[:10]} ") if beside else text


def _duration(seconds: float) -> str:
    total = timedelta(seconds=abs(seconds))
    hours, minutes = divmod(total.seconds // 60, 60)
    rest = total.seconds % 60 + total.microseconds / 1_000_000
    days = total.days if total.days > 2 else 0  # promises are of 48 hours, and of three days
    hours += (total.days - days) * 24
    parts = [(days, "d"), (hours, "h"), (minutes, "m"), (rest, "s")]
    words = " ".join(f"{number:g}{unit}" for number, unit in parts if number) or "0s"
    return f"-{words}" if seconds < 0 else words
