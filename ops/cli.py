"""The command `ticketflow`: what each command takes, and which function does it.

Everything is imported where it is used, so that help, a version and a mistake in the arguments come at once.
"""

from __future__ import annotations

import io
import json
import sys
import zoneinfo
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops import failures

if TYPE_CHECKING:
    from rich.console import Console

    from ops.settings import Settings

_MOST_REFUSALS_SHOWN = 100

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def _group() -> typer.Typer:
    return typer.Typer(
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings=_CONTEXT,
    )


def _example(*lines: str) -> str:
    r"""Return the end of a help text; after a \b nothing is wrapped."""
    return "\n".join(["\b", "Example:", *(f"  {line}" for line in lines)])


app, ticket, policy, topics, schemas = (_group() for _ in range(5))
app.add_typer(ticket, name="ticket", help="Look at tickets.")
app.add_typer(policy, name="policy", help="Look at the promises, and check policy files.")
app.add_typer(topics, name="topics", help="Create and check the topics.")
app.add_typer(schemas, name="schemas", help="Export the schemas of everything on the topics.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Parent = Annotated[int | None, typer.Option(hidden=True, help="End when this process, our parent, ends.")]


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit status (0 done, 1 failed, 2 wrong usage)."""
    try:
        from ops.logs import check_package_names

        check_package_names()
        # Of the time zones that machines have no two are of the same day, and deadlines depend on them.
        zoneinfo.reset_tzpath(to=())
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        app(args=arguments, prog_name="ticketflow")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else failures.FAILED
    except BaseException as problem:  # noqa: BLE001 (the one place that tells people)
        return failures.report(problem)
    return 0


def _settings(context: typer.Context, *, service: bool = False) -> Settings:
    """Return the settings, with logging set up: for a service as they say, for a command only errors."""
    from ops.kafka_noise import limit
    from ops.logs import configure_logging
    from ops.settings import load_settings, unknown_variables

    settings = load_settings(context.obj)
    failures.keep_traces_in(settings.data_dir / "logs")
    configure_logging(settings.log_level if service else "error", settings.log_format)
    if not service:
        limit()
    else:
        import structlog

        for sentence in unknown_variables():
            structlog.get_logger(__name__).warning(sentence)
    return settings


def _print_json(data: object) -> None:
    print(json.dumps(data, ensure_ascii=False, indent=2))


def _console() -> Console:
    from rich.console import Console

    # Where nobody looks a table is not cut to the width of a terminal that is not there.
    return Console(highlight=False, width=None if sys.stdout.isatty() else 240)


def _failed() -> typer.Exit:
    return typer.Exit(failures.FAILED)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"ticketflow {version('ticketflow')}")
        raise typer.Exit


@app.callback(epilog=_example("ticketflow up"))
def _global(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A YAML file with settings; the environment comes before it."),
    ] = None,
    version: Annotated[  # noqa: ARG001 (it is done when it is read)
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Support tickets on Apache Kafka: events in; states, promises kept or broken, and notifications out.

    Settings are environment variables TICKETFLOW_* or lines of the file of --config. Without
    TICKETFLOW_KAFKA_BOOTSTRAP_SERVERS every command finds the embedded broker that runs under
    TICKETFLOW_DATA_DIR.

    Exit status: 0 done, 1 failed, 2 wrong usage.
    """
    context.obj = config


@app.command(epilog=_example("ticketflow up", "TICKETFLOW_KAFKA_BOOTSTRAP_SERVERS=kafka:9092 ticketflow up"))
def up(context: typer.Context) -> None:
    """Run the whole system on this machine until Ctrl-C.

    Starts an embedded broker unless TICKETFLOW_KAFKA_BOOTSTRAP_SERVERS names a cluster, creates the topics,
    runs a worker, starts again what dies, and says where everything is. Everything is kept below
    TICKETFLOW_DATA_DIR.
    """
    settings = _settings(context, service=True)
    from ops.up import run

    run(settings, context.obj)


@app.command(epilog=_example("TICKETFLOW_WORKER_ID=b ticketflow worker"))
def worker(context: typer.Context, parent: Parent = None) -> None:
    """Run one engine process until Ctrl-C or SIGTERM.

    It shares the partitions with all workers of its group. TICKETFLOW_WORKER_ID names it: give each worker on
    a machine an id of its own, and the same one again after a restart. When it is told to end it finishes its
    transaction and leaves the group.
    """
    settings = _settings(context, service=True)
    from ops.worker import run

    run(settings, parent)


@app.command(epilog=_example("TICKETFLOW_EMBEDDED_PORT=0 ticketflow broker"))
def broker(context: typer.Context) -> None:
    """Run the embedded Kafka broker alone until Ctrl-C.

    Prints its address as soon as it answers. While it runs all other commands find it by TICKETFLOW_DATA_DIR.
    """
    settings = _settings(context, service=True)
    from ops.up import run_broker

    run_broker(settings, lambda servers: print(servers, flush=True))


@app.command(epilog=_example("ticketflow publish events.jsonl", "generate-events | ticketflow publish -"))
def publish(
    context: typer.Context,
    files: Annotated[list[str], typer.Argument(metavar="FILE...|-", help="JSON Lines; - is standard input.")],
    force: Annotated[bool, typer.Option("--force", help="Send lines that are no events, too.")] = False,
    as_json: Json = False,
) -> None:
    """Publish files of events: CloudEvents in structured mode, one a line.

    All lines are looked at first. Those that the engine would refuse are named with their code, and then
    nothing is sent. With --force everything is sent as it is, to become dead letters; the key is the subject
    where that can be read, else there is none.
    """
    settings = _settings(context)
    from ops import publish as publishing

    shown = 0

    def tell(refusal: publishing.Refusal) -> None:
        nonlocal shown
        if shown < _MOST_REFUSALS_SHOWN:
            failures.say(str(refusal))
        shown += 1

    outcome = publishing.publish(settings, files, force=force, tell=tell)
    if shown > _MOST_REFUSALS_SHOWN:
        failures.say(f"... and {shown - _MOST_REFUSALS_SHOWN} more lines that are no events.")
    if as_json:
        _print_json({"sent": outcome.sent, "invalid": outcome.invalid})
    if outcome.invalid and not force:
        failures.say("Nothing was sent: mend these lines, or send everything as it is with --force.")
        raise _failed()
    if not as_json:
        print(f"{outcome.sent} events sent.")


@app.command(
    epilog=_example(
        "ticketflow replay events.jsonl --policy new.yaml --until 2026-06-01T00:00:00Z --out replayed"
    )
)
def replay(
    context: typer.Context,
    events: Annotated[
        list[Path], typer.Argument(metavar="EVENTS...", help="JSON Lines of events, in order.")
    ],
    until: Annotated[str, typer.Option(metavar="T", help="Fire what is due before this RFC 3339 instant.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the results are written.")],
    policy: Annotated[
        Path | None,
        typer.Option(metavar="P", help="A policy file or a folder of versions; else TICKETFLOW_POLICY's."),
    ] = None,
    batch: Annotated[int, typer.Option(metavar="N", min=1, help="Records in a transaction.")] = 500,
    as_json: Json = False,
) -> None:
    """Play files of events through the same engine without Kafka, on a clock of their own.

    An event arrives at its time, or at its extension attribute arrivaltime, and never before the one before
    it. Writes journal.jsonl, notifications.jsonl, metrics.jsonl, state.jsonl and dead-letter.jsonl to DIR.
    The same events and policy give the same files, whatever --batch.
    """
    settings = _settings(context)
    from ops.replay import UntilError
    from ops.replay import replay as replay_files

    try:
        summary = replay_files(events, policy or settings.policy, until, out, batch)
    except UntilError as error:
        raise typer.BadParameter(str(error)) from None
    if as_json:
        _print_json(summary.as_dict())
        return
    rejected = sum(summary.rejected.values())
    codes = ", ".join(f"{count} {code}" for code, count in sorted(summary.rejected.items()))
    ends = f"{summary.applied} applied, {summary.duplicate} duplicate, {rejected} rejected"
    print(f"{summary.lines} events: {ends}.")
    if rejected:
        print(f"Rejected: {codes}.")
    print(f"{summary.firings} clocks fired; {summary.tickets} tickets in the state. Written to {out}.")


@ticket.command("show", epilog=_example("ticketflow ticket show T-1", "ticketflow ticket show T-1 --json"))
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
    settings = _settings(context)
    from ops import composition, show

    with closing(composition.reader(settings, composition.bootstrap_servers(settings))) as reader:
        found = show.find_ticket(reader, settings.topic_prefix, ticket_id)
    if found is None:
        failures.say(f"There is no ticket {ticket_id}: nobody registered it, or it was closed long ago.")
        raise _failed()
    if as_json:
        _print_json(show.ticket_json(found, personal=personal))
    else:
        show.show_ticket(found, datetime.now(UTC), _console())


@policy.command("check", epilog=_example("ticketflow policy check policies/2026-06.yaml"))
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
        _print_json({"problems": show.problems_json(problems)})
    else:
        for problem in problems:
            print(problem)
    if problems:
        raise _failed()
    if not as_json:
        print(f"{', '.join(labels)}: no problems.")


@policy.command("show", epilog=_example("TICKETFLOW_POLICY=policies ticketflow policy show --json"))
def policy_show(context: typer.Context, as_json: Json = False) -> None:
    """Show the promises that are in force now, of the policy that TICKETFLOW_POLICY names."""
    settings = _settings(context)
    from ops import policies, show

    versions = policies.load(settings.policy)
    current = versions.in_force(datetime.now(UTC))
    if as_json:
        _print_json(show.policy_json(current))
    else:
        show.show_policy(current, [label for label in versions.labels if label != current.label], _console())


@topics.command("create", epilog=_example("TICKETFLOW_PARTITIONS=48 ticketflow topics create"))
def topics_create(context: typer.Context, as_json: Json = False) -> None:
    """Create those of the six topics that are missing, and check all.

    TICKETFLOW_PARTITIONS is how many partitions each gets; it is never changed in place.
    """
    settings = _settings(context)
    from ops import composition
    from ops import topics as administration

    options = settings.kafka_python_options(composition.bootstrap_servers(settings))
    created = administration.create(
        options, settings.topic_prefix, settings.partitions, settings.replication_factor
    )
    problems = administration.check(options, settings.topic_prefix)
    if as_json:
        _print_json({"created": created, "problems": problems})
    else:
        for name in created:
            print(f"{name} created.")
        if not created:
            print("All topics are there already.")
    _tell_problems(problems, as_json=as_json)


@topics.command("check", epilog=_example("ticketflow topics check"))
def topics_check(context: typer.Context, as_json: Json = False) -> None:
    """Say what is wrong with the topics; fail if something is."""
    settings = _settings(context)
    from ops import composition
    from ops import topics as administration

    options = settings.kafka_python_options(composition.bootstrap_servers(settings))
    wanted = settings.partitions if "partitions" in settings.model_fields_set else None
    problems = administration.check(options, settings.topic_prefix, wanted)
    if as_json:
        _print_json({"problems": problems})
    elif not problems:
        print("All topics are as they should be.")
    _tell_problems(problems, as_json=as_json)


def _tell_problems(problems: list[str], *, as_json: bool) -> None:
    if not as_json:
        for problem in problems:
            failures.say(problem)
    if problems:
        raise _failed()


@schemas.command("export", epilog=_example("ticketflow schemas export build/schemas"))
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


if __name__ == "__main__":
    sys.exit(main())
