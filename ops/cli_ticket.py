"""The commands about one ticket. What is used is imported where it is used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from ops import failures
from ops.cli_base import Json, console, example, failed, group, print_json, settings_of

if TYPE_CHECKING:
    from consumers.log import Reader
    from ops.settings import Settings
    from schemas.records import JournalEntry

ticket = group()

Id = Annotated[str, typer.Argument(metavar="ID")]


@ticket.command("show", epilog=example("ticketflow ticket show T-1", "ticketflow ticket show T-1 --json"))
def ticket_show(
    context: typer.Context,
    ticket_id: Id,
    as_json: Json = False,
    personal: Annotated[
        bool, typer.Option("--personal", help="With --json: the client's data and free texts, too.")
    ] = False,
) -> None:
    """Show where a ticket stands: state, operator, and its clocks with what is left of each promise.

    Of the client only the id is shown. --json gives the data of the ticket's state record, without personal
    fields and free texts unless --personal asks for them.
    """
    if personal and not as_json:
        raise typer.BadParameter("--personal is only of use with --json")
    with _reading(context, ticket_id) as (settings, reader):
        from ops import show

        found = show.find_ticket(reader, settings.topic_prefix, ticket_id)
    if found is None:
        failures.say(f"There is no ticket {ticket_id}: nobody registered it, or it was closed long ago.")
        raise failed()
    if as_json:
        print_json(show.ticket_json(found, personal=personal))
    else:
        show.show_ticket(found, datetime.now(UTC), console())


@ticket.command(
    "explain", epilog=example("ticketflow ticket explain T-1", "ticketflow ticket explain T-1 --json")
)
def ticket_explain(context: typer.Context, ticket_id: Id, as_json: Json = False) -> None:
    """Explain why each deadline of a ticket is what it is.

    For each clock: the events that started, paused, changed and ended it, the rule that matched and why, the
    calendar, warnings and breaches, and the arithmetic of the deadline to check by hand. It is read from the
    journal, so it works for tickets that are long closed, too. TICKETFLOW_POLICY must have the versions that
    the clocks ran under; without them rules and arithmetic are left out.
    """
    with _reading(context, ticket_id) as (settings, reader):
        from ops import policies
        from workflow.explain import explain

        versions = policies.load(settings.policy)
        told = explain(_journal(reader, settings, ticket_id), versions)
    from ops.explain import show_explanation
    from ops.plain_data import as_data

    if as_json:
        print_json(as_data(told))
    else:
        show_explanation(told, console())


@ticket.command(
    "protocol",
    epilog=example(
        "ticketflow ticket protocol T-1 > T-1.txt", "ticketflow ticket protocol T-1 --json --personal"
    ),
)
def ticket_protocol(
    context: typer.Context,
    ticket_id: Id,
    as_json: Json = False,
    personal: Annotated[
        bool,
        typer.Option("--personal", help="The client's data and free texts, too, if they are still there."),
    ] = False,
) -> None:
    """Print the protocol of a contact: all that happened to a ticket, to read and keep.

    Registration, operators, contacts, transfers, escalations, promises and what became of them, who was told
    what. TICKETFLOW_POLICY must have the versions that the clocks ran under; one that is not there is named.

    With --json `follow_up` is the data of a ticket.created.v1 that follows this contact; with --personal,
    too, it is complete while the ticket is in the state. But consent is never taken over: feedback_form and
    cabinet have to ask for it again, and to add it.
    """
    with _reading(context, ticket_id) as (settings, reader):
        from ops import policies, show
        from workflow.protocol import protocol

        versions = policies.load(settings.policy)
        entries = _journal(reader, settings, ticket_id)
        state = show.find_ticket(reader, settings.topic_prefix, ticket_id)
        told = protocol(entries, versions, state, personal=personal)
    from ops.plain_data import as_data
    from ops.protocol import show_protocol

    if as_json:
        print_json(as_data(told))
    else:
        show_protocol(told, console())


@contextmanager
def _reading(context: typer.Context, ticket_id: str) -> Iterator[tuple[Settings, Reader]]:
    """Settings and a reader of the topics, for a ticket id that can be one.

    Raises OperationError where the ticket's journal is not whole.
    """
    from schemas.topics import valid_ticket_id

    if not valid_ticket_id(ticket_id):
        raise typer.BadParameter("a ticket id is 1 to 64 of A-Z a-z 0-9 dot underscore hyphen")
    settings = settings_of(context)
    from ops import OperationError, composition
    from workflow.history import IncompleteJournal

    with closing(composition.reader(settings, composition.bootstrap_servers(settings))) as reader:
        try:
            yield settings, reader
        except IncompleteJournal as incomplete:
            raise OperationError(str(incomplete)) from None


def _journal(reader: Reader, settings: Settings, ticket_id: str) -> list[JournalEntry]:
    from ops.ticket_journal import read_last_life

    entries = read_last_life(reader, settings.topic_prefix, ticket_id)
    if not entries:
        failures.say(f"There is no ticket {ticket_id}: the journal does not know it.")
        raise failed()
    return entries
