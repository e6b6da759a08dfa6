"""The command `ticketflow`: what each command takes, and which function does it.

Everything is imported where it is used, so that help, a version and a mistake in the arguments come at once.
"""

from __future__ import annotations

import gc
import io
import sys
import zoneinfo
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from ops import failures
from ops.cli_base import Json, example, failed, group, print_json, settings_of
from ops.cli_groups import policy, schemas, ticket, topics

_MOST_REFUSALS_SHOWN = 100

_GC_THRESHOLDS = (50_000, 20, 50)
"""Tickets are many small objects and no garbage: to look through them after every 700 new ones, as Python
does, costs a worker a seventh of its time."""

app = group()
app.add_typer(ticket, name="ticket", help="Look at tickets.")
app.add_typer(policy, name="policy", help="Look at the promises, and check policy files.")
app.add_typer(topics, name="topics", help="Create and check the topics.")
app.add_typer(schemas, name="schemas", help="Export the schemas of everything on the topics.")

Parent = Annotated[int | None, typer.Option(hidden=True, help="End when this process, our parent, ends.")]


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit status (0 done, 1 failed, 2 wrong usage)."""
    try:
        from ops.logs import check_package_names

        check_package_names()
        gc.set_threshold(*_GC_THRESHOLDS)
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


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"ticketflow {version('ticketflow')}")
        raise typer.Exit


@app.callback(epilog=example("ticketflow up"))
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


@app.command(epilog=example("ticketflow up", "TICKETFLOW_KAFKA_BOOTSTRAP_SERVERS=kafka:9092 ticketflow up"))
def up(context: typer.Context) -> None:
    """Run the whole system on this machine until Ctrl-C.

    Starts an embedded broker unless TICKETFLOW_KAFKA_BOOTSTRAP_SERVERS names a cluster, creates the topics,
    runs a worker, starts again what dies, and says where everything is. Everything is kept below
    TICKETFLOW_DATA_DIR.
    """
    settings = settings_of(context, service=True)
    from ops.up import run

    run(settings, context.obj)


@app.command(epilog=example("TICKETFLOW_WORKER_ID=b ticketflow worker"))
def worker(context: typer.Context, parent: Parent = None) -> None:
    """Run one engine process until Ctrl-C or SIGTERM.

    It shares the partitions with all workers of its group. TICKETFLOW_WORKER_ID names it: give each worker on
    a machine an id of its own, and the same one again after a restart. When it is told to end it finishes its
    transaction and leaves the group.
    """
    settings = settings_of(context, service=True)
    from ops.worker import run

    run(settings, parent)


@app.command(epilog=example("TICKETFLOW_EMBEDDED_PORT=0 ticketflow broker"))
def broker(context: typer.Context) -> None:
    """Run the embedded Kafka broker alone until Ctrl-C.

    Prints its address as soon as it answers. While it runs all other commands find it by TICKETFLOW_DATA_DIR.
    """
    settings = settings_of(context, service=True)
    from ops.up import run_broker

    run_broker(settings, lambda servers: print(servers, flush=True))


@app.command(epilog=example("ticketflow publish events.jsonl", "generate-events | ticketflow publish -"))
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
    settings = settings_of(context)
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
        print_json({"sent": outcome.sent, "invalid": outcome.invalid})
    if outcome.invalid and not force:
        failures.say("Nothing was sent: mend these lines, or send everything as it is with --force.")
        raise failed()
    if not as_json:
        print(f"{outcome.sent} events sent.")


@app.command(
    epilog=example(
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
    settings = settings_of(context)
    from ops.replay import UntilError
    from ops.replay import replay as replay_files

    try:
        summary = replay_files(events, policy or settings.policy, until, out, batch)
    except UntilError as error:
        raise typer.BadParameter(str(error)) from None
    if as_json:
        print_json(summary.as_dict())
        return
    rejected = sum(summary.rejected.values())
    codes = ", ".join(f"{count} {code}" for code, count in sorted(summary.rejected.items()))
    ends = f"{summary.applied} applied, {summary.duplicate} duplicate, {rejected} rejected"
    print(f"{summary.lines} events: {ends}.")
    if rejected:
        print(f"Rejected: {codes}.")
    print(f"{summary.firings} clocks fired; {summary.tickets} tickets in the state. Written to {out}.")


@app.command(epilog=example("ticketflow verify", "TICKETFLOW_POLICY=policies ticketflow verify --json"))
def verify(context: typer.Context, as_json: Json = False) -> None:
    """Read the topics and check the laws; fail with what was found.

    Every event is applied, rejected or a duplicate; a ticket's records are numbered without gaps; a clock
    fires once per threshold; the journal adds up to the state; every decision, taken again, gives the same
    bytes. As far back as events are kept, and up to what was committed when this began. Workers may go on
    meanwhile.
    """
    settings = settings_of(context)
    from ops import composition, policies
    from ops.verify import verify as verify_topics

    versions = policies.load(settings.policy)
    with closing(composition.reader(settings, composition.bootstrap_servers(settings))) as reader:
        report = verify_topics(reader, settings.topic_prefix, settings.group_id, versions)
    if as_json:
        print_json(report.as_dict())
    else:
        for line in report.lines():
            print(line)
    if not report.clean:
        raise failed()


if __name__ == "__main__":
    sys.exit(main())
