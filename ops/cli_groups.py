"""The commands about topics and schemas. What is used is imported where it is used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops import failures
from ops.cli_base import Json, example, failed, group, print_json, settings_of

if TYPE_CHECKING:
    from ops.settings import Settings
    from ops.topics import Finding

topics, schemas = group(), group()


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
    problems = _sentences(administration.check(options, settings.topic_prefix, _wanted(settings)))
    if as_json:
        print_json({"created": created, "problems": problems})
    else:
        for name in created:
            print(f"{name} created.")
        if not created:
            print("All topics are there already.")
    _tell_problems(problems, as_json=as_json)


def _wanted(settings: Settings) -> int | None:
    """The number of partitions that was asked for, if one was."""
    return settings.partitions if "partitions" in settings.model_fields_set else None


@topics.command("check", epilog=example("ticketflow topics check"))
def topics_check(context: typer.Context, as_json: Json = False) -> None:
    """Say what is wrong with the topics; fail if something is."""
    settings = settings_of(context)
    from ops import composition
    from ops import topics as administration

    options = composition.kafka_options(settings, composition.bootstrap_servers(settings))
    problems = _sentences(administration.check(options, settings.topic_prefix, _wanted(settings)))
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
def schemas_export(context: typer.Context, directory: Annotated[Path, typer.Argument(metavar="DIR")]) -> None:
    """Write a JSON Schema of every event and record to a folder, and asyncapi.json about all topics.

    Personal fields are marked x-personal. In asyncapi.json topics have your settings' prefix and partitions.
    """
    from importlib.metadata import version

    from ops import OperationError
    from schemas.asyncapi import asyncapi
    from schemas.export import json_schemas

    settings = settings_of(context)
    documents = json_schemas()
    documents["asyncapi.json"] = asyncapi(settings.topic_prefix, settings.partitions, version("ticketflow"))
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, schema in documents.items():
            text = json.dumps(schema, ensure_ascii=False, indent=2)
            (directory / name).write_text(f"{text}\n", "utf-8")
    except OSError as problem:
        raise OperationError(f"{directory} cannot be written: {problem.strerror}.") from None
    print(f"{len(documents) - 1} schemas and asyncapi.json written to {directory}.")
