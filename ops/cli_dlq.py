"""The commands `dlq list` and `dlq replay`. What is used is imported where it is used."""

from __future__ import annotations

import re
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops import failures
from ops.cli_base import Json, console, example, failed, group, print_json, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from ops.dlq import Letter, Listing, Place
    from ops.dlq_replay import Outcome, Selection

_MOST_SHOWN = 100

dlq = group()

Since = Annotated[
    str | None, typer.Option("--since", metavar="T", help="Only those written since this RFC 3339 instant.")
]


@dlq.command(
    "list", epilog=example("ticketflow dlq list", "ticketflow dlq list --code unknown_ticket --json")
)
def dlq_list(
    context: typer.Context,
    code: Annotated[
        list[str] | None, typer.Option("--code", metavar="CODE", help="Only this code; may be repeated.")
    ] = None,
    since: Since = None,
    limit: Annotated[int, typer.Option(metavar="N", min=0, max=10_000, help="So many are shown.")] = 20,
    as_json: Json = False,
) -> None:
    """Count the dead letters by code, and show the latest: what was refused, why, and where it came from.

    A letter's place is PARTITION:OFFSET on the topic of dead letters. Nothing that came with a record is
    shown, for it may be somebody's personal data.
    """
    earliest = None if since is None else _instant(since)
    settings = settings_of(context)
    from ops import composition
    from ops.dlq import DeadLetters, listing

    with closing(composition.reader(settings, composition.bootstrap_servers(settings))) as reader:
        letters = DeadLetters(reader, settings.topic_prefix)
        found = listing(letters, frozenset(code or ()), earliest, limit)
    if as_json:
        print_json(found.as_dict())
    else:
        _show(found)


@dlq.command(
    "replay",
    epilog=example(
        "ticketflow dlq replay --code unknown_ticket --since 2026-03-02T09:00:00Z --dry-run",
        "ticketflow dlq replay --offset 3:812 --offset 3:815",
    ),
)
def dlq_replay(
    context: typer.Context,
    code: Annotated[
        list[str] | None,
        typer.Option("--code", metavar="CODE", help="Those with this code; may be repeated."),
    ] = None,
    offset: Annotated[
        list[str] | None,
        typer.Option(
            "--offset",
            metavar="PARTITION:OFFSET",
            help="The one at this place, as `dlq list` shows it; may be repeated.",
        ),
    ] = None,
    identifier: Annotated[
        list[str] | None,
        typer.Option("--id", metavar="ID", help="Those of events with this id; may be repeated."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    since: Since = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Send nothing, and say what would be sent.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Send the records of dead letters again, after what made the engine refuse them was mended.

    Key, value and headers are as they were received; the partition is the one that the key hashes to.
    With several options only letters that fit all of them are sent. What is refused again is a dead letter
    again; the old one stays until the topic forgets it. Of equal records one is sent.

    An event that was applied and is sent again is recognised by its source and id while its ticket is in the
    state, and among its last 256 events. Later it would be applied once more, and a registration would begin
    the ticket anew: leave out with --since what an earlier replay has sent.

    A letter that was too large to be kept whole cannot be sent. Those that subscribers wrote, such as the
    notifier, are left out: they are no events. The status is 1 if something that was asked for was not sent.
    """
    earliest = None if since is None else _instant(since)
    selection = _selection(code, offset, identifier, earliest, everything=everything)
    settings = settings_of(context)
    from ops import composition
    from ops.dlq import DeadLetters
    from ops.dlq_replay import Replay

    told = _Told(say=not as_json)
    servers = composition.bootstrap_servers(settings)
    with ExitStack() as stack:
        reader = stack.enter_context(closing(composition.reader(settings, servers)))
        letters = DeadLetters(reader, settings.topic_prefix)
        publisher = (
            None if dry_run else stack.enter_context(closing(composition.publisher(settings, servers)))
        )
        outcome = Replay(letters, publisher, told.letter).run(selection)
    if as_json:
        print_json({"dry_run": dry_run} | outcome.as_dict() | {"letters": told.kept})
    else:
        told.summary(
            outcome, f"would be sent to {letters.events}" if dry_run else f"sent to {letters.events}"
        )
    if not outcome.complete:
        raise failed()


def _instant(text: str) -> datetime:
    from schemas.instants import parse_instant

    try:
        return parse_instant(text)
    except ValueError as error:
        raise typer.BadParameter(f"--since {error}") from None


def _selection(
    codes: list[str] | None,
    offsets: list[str] | None,
    ids: list[str] | None,
    since: datetime | None,
    *,
    everything: bool,
) -> Selection:
    if everything == bool(codes or offsets or ids):
        raise typer.BadParameter("say which: by --code, --offset or --id, or --all of them")
    from ops.dlq_replay import Selection
    from schemas.envelope import Code

    for code in codes or ():
        if code not in set(Code):
            known = ", ".join(Code)
            raise typer.BadParameter(f"--code must be one of the engine's, for only events are sent: {known}")
    places = frozenset(map(_place, offsets or ()))
    return Selection(frozenset(codes or ()), places, frozenset(ids or ()), since)


def _place(text: str) -> Place:
    from ops.dlq import Place

    if re.fullmatch("[0-9]{1,9}:[0-9]{1,18}", text, re.ASCII) is None:
        raise typer.BadParameter("--offset must be PARTITION:OFFSET, such as 3:812")
    partition, _, offset = text.partition(":")
    return Place(int(partition), int(offset))


def _show(found: Listing) -> None:
    if not found.total:
        print("There are no such dead letters.")
        return
    rows = [(code, count) for code, count in found.codes.most_common()]
    rows += [("(other codes)", found.more_codes), ("(unreadable)", found.unreadable)]
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2), header_style="bold")
    table.add_column("code", no_wrap=True)
    table.add_column("letters", justify="right")
    for code, count in rows:
        if count:
            table.add_row(Text(code), str(count))  # whoever wrote the letter wrote the code
    console().print(table)
    for letter in found.latest:
        print()
        for line in _lines(letter):
            print(line)
    if len(found.latest) < found.total:
        print(f"\nThese are the latest {len(found.latest)} of {found.total}; --limit shows more.")


def _lines(letter: Letter) -> Iterator[str]:
    yield f"{letter.place}  {letter.at:%Y-%m-%d %H:%M:%S} UTC  {letter.code}, {letter.size_bytes} bytes"
    if (said := letter.said) is not None:
        yield f"  {said.message}"
        yield f"  from {said.topic}, partition {said.partition}, offset {said.offset}, by {said.group}"
    if letter.obstacle is not None:
        yield f"  It cannot be sent again: {letter.obstacle}."


class _Told:
    """What a replay says of each letter, for the first hundred that were sent and that were not."""

    def __init__(self, *, say: bool) -> None:
        self._say = say
        self._counts = {True: 0, False: 0}
        self.kept: list[dict[str, Any]] = []

    def letter(self, letter: Letter) -> None:
        """Say what became of a letter, as soon as that is known."""
        sent = letter.obstacle is None
        self._counts[sent] += 1
        if self._counts[sent] > _MOST_SHOWN:
            return
        if not self._say:
            place = {"partition": letter.place.partition, "offset": letter.place.offset}
            self.kept.append(place | {"code": letter.code, "sent": sent, "obstacle": letter.obstacle})
        elif sent:
            print(f"{letter.place} {letter.code}")
        else:
            failures.say(f"{letter.place} {letter.code}: not sent, for {letter.obstacle}.")

    def summary(self, outcome: Outcome, done: str) -> None:
        """Say what became of all."""
        for sent, stream in ((True, print), (False, failures.say)):
            if self._counts[sent] > _MOST_SHOWN:
                stream(f"... and {self._counts[sent] - _MOST_SHOWN} more.")
        for name in outcome.missing:
            failures.say(f"{name}: there is no such dead letter, or it does not fit the other options.")
        if outcome.left_out:
            failures.say(
                f"{outcome.left_out} left out: they are not about events, and only the subscriber that wrote "
                "them knows what to do with them (the notifier: `ticketflow notifier --retry`)."
            )
        again = f", {outcome.repeated} more were the same records again" if outcome.repeated else ""
        refused = f", {outcome.refused} cannot be sent" if outcome.refused else ""
        print(f"{outcome.sent} dead letter{'' if outcome.sent == 1 else 's'} {done}{again}{refused}.")
