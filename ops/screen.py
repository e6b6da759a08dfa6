"""What `up` says to the person who started it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from schemas.cloudevents import STRUCTURED
from schemas.topics import Topic, topic_name

_EVENT: Final = (
    '{"specversion":"1.0","id":"1","source":"me","type":"ticket.created.v1","subject":"T-1",'
    '"time":"\'$(date -u +%FT%TZ)\'","data":{"channel":"phone","category":"status_check",'
    '"client":{"id":"C-1"}}}'
)
"""A shell text between single quotes; the time must be now, for the promises are minutes."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Where everything is. `data_dir` is None with a cluster of somebody else's.

    `metrics`: each program and where its figures are, None where that is not known yet.
    """

    servers: str
    data_dir: Path | None
    prefix: str
    policy: str
    metrics: tuple[tuple[str, str | None], ...]
    logs: tuple[Path, ...]


def show_start(facts: Facts) -> None:
    """Print the start screen to stdout. No line is wrapped, so that what is to be copied can be."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(Text("ticketflow is running. Ctrl-C ends it.", style="bold green"))
    console.print()
    for name, value in _places(facts):
        console.print(Text(f"  {name:<10}", style="cyan") + Text(value))
    for title, commands in _commands(facts):
        console.print()
        console.print(Text(title, style="bold"))
        for command in commands:
            console.print(Text(f"  {command}"))
    console.file.flush()


def show_warning(sentence: str) -> None:
    """Print a line to stderr."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text(sentence, style="yellow"))


def _places(facts: Facts) -> list[tuple[str, str]]:
    topics = ", ".join(topic_name(facts.prefix, topic) for topic in Topic)
    kafka = facts.servers + ("" if facts.data_dir is None else f" (embedded, data in {facts.data_dir})")
    metrics = [f"{url or 'not there yet: see the log'} ({name})" for name, url in facts.metrics]
    lists = (("metrics", metrics), ("log", [str(log) for log in facts.logs]))
    places = [("Kafka", kafka), ("topics", topics), ("policy", facts.policy)]
    return places + [
        (title if i == 0 else "", each) for title, found in lists for i, each in enumerate(found)
    ]


def _commands(facts: Facts) -> list[tuple[str, list[str]]]:
    us = "./dev" if Path("dev").is_file() and Path("pyproject.toml").is_file() else "ticketflow"
    kcat = f"kcat -b {facts.servers} -q"
    events, notifications = (topic_name(facts.prefix, topic) for topic in (Topic.EVENTS, Topic.NOTIFICATIONS))
    event = f"echo '{_EVENT}'"
    return [
        ("Publish an event, in another terminal:", [f"{event} | {us} publish -"]),
        (
            "or with kcat:",
            [
                f"{event} | {kcat} -P -t {events} -k T-1 -X partitioner=murmur2_random "
                f"-H content-type={STRUCTURED}"
            ],
        ),
        (
            "See what became of it:",
            [
                f"{us} ticket show T-1",
                f"{kcat} -C -t {notifications} -o beginning -X isolation.level=read_committed",
            ],
        ),
    ]
