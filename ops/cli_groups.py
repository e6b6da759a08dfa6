"""The commands about tickets, policies, topics and schemas. What is used is imported where it is used."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops import failures
from ops.cli_base import Json, console, example, failed, group, print_json, settings_of

if TYPE_CHECKING:
    from ops.topics import Finding

ticket, policy, topics, schemas = (group() for _ in range(4))


@ticket.command("show", epilog=example("ticketflow ticket show T-1", "ticketflow ticket show T-1 --json"))
def ticket_show(
    context: typer.Context,
    ticket_id: Annotated[str, typer.Argument(metavar="ID")],
    as_json: Json = False,
    personal: Annotated[
        bool, typer.Option("--personal", help="With --json: the client's data and free texts, too.")
    ] = False,
) -> None:
    """Show where a ticket stands: state, operator, and its clocks with what is left of each promise.

    Of the client only the id is shown. --json gives the data of the ticket's state record, without personal
    fields and free texts unless --personal asks for them.
    """
    from schemas.topics import valid_ticket_id

    if not valid_ticket_id(ticket_id):
        raise typer.BadParameter("a ticket id is 1 to 64 of A-Z a-z 0-9 dot underscore hyphen")
    if personal and not as_json:
        raise typer.BadParameter("--personal is only of use with --json")
    settings = settings_of(context)
    from ops import composition, show

    with closing(composition.reader(settings, composition.bootstrap_servers(settings))) as reader:
        found = show.find_ticket(reader, settings.topic_prefix, ticket_id)
    if found is None:
        failures.say(f"There is no ticket {ticket_id}: nobody registered it, or it was closed long ago.")
        raise failed()
    if as_json:
        print_json(show.ticket_json(found, personal=personal))
    else:
        show.show_ticket(found, datetime.now(UTC), console())


@policy.command("check", epilog=example("ticketflow policy check policies/2026-06.yaml"))
def policy_check(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A policy file, or a folder of versions.")],
    as_json: Json = False,
) -> None:
    """Name every problem of a policy file as FILE:LINE: message; fail if there is one."""
    from ops import policies, show
    from workflow.policy_file import PolicyError, Problem

    problems: tuple[Problem, ...] = ()
    labels: tuple[str, ...] = ()
    try:
        labels = policies.load(path).labels
    except PolicyError as error:
        problems = error.problems
    if as_json:
        print_json({"problems": show.problems_json(problems)})
    else:
        for problem in problems:
            print(problem)
    if problems:
        raise failed()
    if not as_json:
        print(f"{', '.join(labels)}: no problems.")


@policy.command("show", epilog=example("TICKETFLOW_POLICY=policies ticketflow policy show --json"))
def policy_show(context: typer.Context, as_json: Json = False) -> None:
    """Show the promises that are in force now, of the policy that TICKETFLOW_POLICY names."""
    settings = settings_of(context)
    from ops import policies, show

    versions = policies.load(settings.policy)
    current = versions.in_force(datetime.now(UTC))
    if as_json:
        print_json(show.policy_json(current))
    else:
        show.show_policy(current, [label for label in versions.labels if label != current.label], console())


@topics.command("create", epilog=example("TICKETFLOW_PARTITIONS=48 ticketflow topics create"))
def topics_create(context: typer.Context, as_json: Json = False) -> None:
    """Create those of the six topics that are missing, and check all.

    TICKETFLOW_PARTITIONS is how many partitions each gets; it is never changed in place.
    """
    settings = settings_of(context)
    from ops import composition
    from ops import topics as administration

    options = composition.kafka_options(settings, composition.bootstrap_servers(settings))
    created = administration.create(
        options, settings.topic_prefix, settings.partitions, settings.replication_factor
    )
    problems = _sentences(administration.check(options, settings.topic_prefix))
    if as_json:
        print_json({"created": created, "problems": problems})
    else:
        for name in created:
            print(f"{name} created.")
        if not created:
            print("All topics are there already.")
    _tell_problems(problems, as_json=as_json)


@topics.command("check", epilog=example("ticketflow topics check"))
def topics_check(context: typer.Context, as_json: Json = False) -> None:
    """Say what is wrong with the topics; fail if something is."""
    settings = settings_of(context)
    from ops import composition
    from ops import topics as administration

    options = composition.kafka_options(settings, composition.bootstrap_servers(settings))
    wanted = settings.partitions if "partitions" in settings.model_fields_set else None
    problems = _sentences(administration.check(options, settings.topic_prefix, wanted))
    if as_json:
        print_json({"problems": problems})
    elif not problems:
        print("All topics are as they should be.")
    _tell_problems(problems, as_json=as_json)


def _sentences(findings: list[Finding]) -> list[str]:
    return [finding.sentence for finding in findings]


def _tell_problems(problems: list[str], *, as_json: bool) -> None:
    if not as_json:
        for problem in problems:
            failures.say(problem)
    if problems:
        raise failed()


@schemas.command("export", epilog=example("ticketflow schemas export build/schemas"))
def schemas_export(directory: Annotated[Path, typer.Argument(metavar="DIR")]) -> None:
    """Write a JSON Schema of every event and record to a folder. Personal fields are marked x-personal."""
    from ops import OperationError
    from schemas.export import json_schemas

    documents = json_schemas()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, schema in documents.items():
            text = json.dumps(schema, ensure_ascii=False, indent=2)
            (directory / name).write_text(f"{text}\n", "utf-8")
    except OSError as problem:
        raise OperationError(f"{directory} cannot be written: {problem.strerror}.") from None
    print(f"{len(documents)} schemas written to {directory}.")
