"""The command `replay`. What is used is imported where it is used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ops.cli_base import Json, console, example, print_json, settings_of

if TYPE_CHECKING:
    from ops.replay_events import Source
    from ops.replay_player import Summary
    from ops.settings import Settings

DEFAULT_BATCH: Final = 500
_UNTIL = "2026-06-01T00:00:00Z"

EXAMPLE = example(
    f"ticketflow replay events.jsonl --policy new.yaml --until {_UNTIL} --out replayed",
    f"ticketflow replay events.jsonl --until {_UNTIL} --compare new.yaml",
    f"ticketflow replay --topic --until {_UNTIL} --compare new.yaml --out compared",
)


def replay(
    context: typer.Context,
    until: Annotated[str, typer.Option(metavar="T", help="Fire what is due before this RFC 3339 instant.")],
    events: Annotated[
        list[Path] | None, typer.Argument(metavar="EVENTS", help="JSON Lines of events, in order.")
    ] = None,
    topic: Annotated[bool, typer.Option("--topic", help="Play the events topic instead of files.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the results are written; needed without --compare."),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(metavar="P", help="A policy file or a folder of versions; else TICKETFLOW_POLICY's."),
    ] = None,
    compare: Annotated[
        Path | None,
        typer.Option(metavar="P2", help="Say which verdicts this policy (or folder) would change."),
    ] = None,
    batch: Annotated[int, typer.Option(metavar="N", min=1, help="Records in a transaction.")] = DEFAULT_BATCH,
    as_json: Json = False,
) -> None:
    """Play events through the same engine apart from Kafka, on a clock of their own.

    An event of a file arrives at its time, or at its extension attribute arrivaltime, and never before the
    one before it. Writes journal.jsonl, notifications.jsonl, metrics.jsonl, state.jsonl and
    dead-letter.jsonl to DIR. The same events and policy give the same files, whatever --batch. The last two
    have people's data; nobody but you may read what is written.

    --topic plays what the events topic holds now; an event arrives when the broker took it. Nothing is
    written to Kafka. Of tickets that were registered before the oldest event that is kept, events are
    refused as unknown_ticket.

    --compare plays the events under both policies and says which verdicts change, by clock, category and
    queue, and of which tickets. With --out every change is a line of compare.jsonl, and the other files are
    those of the first policy.
    """
    settings = settings_of(context)
    if bool(events) == topic:
        raise typer.BadParameter("Name files of events, or play the topic with --topic: one of both.")
    if out is None and compare is None:
        raise typer.BadParameter("Say with --out to which folder the results are written.")
    from ops.policies import load
    from ops.replay import UntilError, until_instant, write

    try:
        end = until_instant(until)
    except UntilError as error:
        raise typer.BadParameter(str(error)) from None
    first = load(policy or settings.policy)
    second = None if compare is None else load(compare)
    with _source(settings, events or ()) as source:
        if second is not None:
            from ops import replay_compare, replay_tables

            result = replay_compare.compare_policies(source, first, second, end, batch, out)
            if as_json:
                print_json(replay_compare.as_dict(result))
            else:
                names = (str(policy or settings.policy or "the default policy"), str(compare))
                replay_tables.show(result, names, console())
        elif out is not None:
            summary = write(source, first, end, out, batch)
            if as_json:
                print_json(summary.as_dict())
            else:
                _tell(summary, out)


@contextmanager
def _source(settings: Settings, events: list[Path] | tuple[()]) -> Iterator[Source]:
    """Files, or the topic where there are none."""
    from ops.replay_events import EventsTopic, Files

    if events:
        yield Files(events)
        return
    from ops import composition
    from schemas.topics import Topic, topic_name

    with closing(composition.reader(settings, composition.bootstrap_servers(settings))) as reader:
        yield EventsTopic(reader, topic_name(settings.topic_prefix, Topic.EVENTS))


def _tell(summary: Summary, out: Path) -> None:
    codes = ", ".join(f"{count} {code}" for code, count in sorted(summary.rejected.items()))
    print(f"{summary}.")
    if codes:
        print(f"Rejected: {codes}.")
    print(f"{summary.firings} clocks fired; {summary.tickets} tickets in the state. Written to {out}.")
