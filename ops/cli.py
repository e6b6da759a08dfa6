"""The command `ticketflow`: what each command takes, and which function does it.

Everything is imported where it is used, so that help, a version and a mistake in the arguments come at once.
"""

from __future__ import annotations

import gc
import sys
import zoneinfo
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from ops import cli_services, failures
from ops.cli_base import Json, Parent, example, failed, group, print_json, settings_of
from ops.cli_dlq import dlq
from ops.cli_groups import schemas, topics
from ops.cli_live import top
from ops.cli_policy import policy
from ops.cli_replay import EXAMPLE as REPLAY_EXAMPLE
from ops.cli_replay import replay
from ops.cli_report import EPILOG as REPORT_EPILOG
from ops.cli_report import report
from ops.cli_simulate import EXAMPLE as SIMULATE_EXAMPLE
from ops.cli_simulate import simulate
from ops.cli_ticket import ticket
from ops.completion import completion, is_question
from ops.output import own_streams

_GC_THRESHOLDS = (50_000, 20, 50)
"""Tickets are many small objects and no garbage: to look through them after every 700 new ones, as Python
does, costs a worker a seventh of its time."""

app = group()
app.add_typer(ticket, name="ticket", help="Look at tickets.")
app.add_typer(dlq, name="dlq", help="Look at dead letters, and send them again.")
app.add_typer(policy, name="policy", help="Look at the promises; check and compare policy files.")
app.add_typer(topics, name="topics", help="Create and check the topics.")
app.add_typer(schemas, name="schemas", help="Export the schemas of everything on the topics.")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit status (0 done, 1 failed, 2 wrong usage)."""
    with own_streams():
        # What is still in the buffer is written here: the interpreter itself would fail with a trace.
        return max(_ended(lambda: _perform(arguments)), _ended(sys.stdout.flush))


def _ended(act: Callable[[], None]) -> int:
    """Do it, and return the exit status."""
    try:
        act()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else failures.FAILED
    except BaseException as problem:  # noqa: BLE001 (the one place that tells people)
        return failures.report(problem)
    return 0


def _perform(arguments: list[str] | None) -> None:
    if not is_question():  # somebody waits for the answer with a finger on the key: nothing more for it
        from ops.logs import check_package_names

        check_package_names()
    gc.set_threshold(*_GC_THRESHOLDS)
    # Of the time zones that machines have no two are of the same day, and deadlines depend on them.
    zoneinfo.reset_tzpath(to=())
    app(args=arguments, prog_name="ticketflow")


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


@app.command(
    epilog=example(
        "ticketflow up", "ticketflow up --demo", "TICKETFLOW_KAFKA_BOOTSTRAP_SERVERS=kafka:9092 ticketflow up"
    )
)
def up(
    context: typer.Context,
    demo: Annotated[
        bool, typer.Option("--demo", help="Play a service day, show it live, check it, and end.")
    ] = False,
) -> None:
    """Run the whole system on this machine until Ctrl-C.

    Starts an embedded broker unless TICKETFLOW_KAFKA_BOOTSTRAP_SERVERS names a cluster, creates the topics,
    runs a worker and the exporter, starts again what dies, and says where everything is. Everything
    is kept below TICKETFLOW_DATA_DIR.

    --demo plays the service day of examples/service-day, in which 48 hours are two minutes, and ends within
    three minutes with a summary; it fails if anything in it is not right. Its data is kept apart: in the
    directory demo below the default one, or on a cluster of yours on topics with the prefix demo, unless
    you set these.
    """
    settings = settings_of(context, service=not demo)
    if demo:
        from ops.demo import perform

        if not perform(settings, context.obj):
            raise failed()
        return
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


cli_services.register(app)


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
    where that can be read, else there is none. Only what is too long to be sent at all (more than about
    4 MiB) is left out, and the status is 1.

    --json has beside the counts file, line, code and message of the lines that were not sent.
    """
    settings = settings_of(context)
    from ops import publish as publishing

    shown = 0

    def tell(refusal: publishing.Refusal) -> None:
        nonlocal shown
        if shown < publishing.MOST_REFUSALS:
            failures.say(str(refusal))
        shown += 1

    outcome = publishing.publish(settings, files, force=force, tell=tell)
    if shown > publishing.MOST_REFUSALS:
        failures.say(f"... and {shown - publishing.MOST_REFUSALS} more lines that are no events.")
    if as_json:
        print_json(outcome.as_dict())
    elif force or not outcome.withheld:
        print(f"{outcome.sent} events sent.")
    if outcome.withheld:
        failures.say(
            f"Lines that are too long and were not sent: {outcome.withheld}."
            if force
            else "Nothing was sent: mend these lines, or send everything as it is with --force."
        )
        raise failed()


app.command(epilog=REPLAY_EXAMPLE)(replay)


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
    from ops.screen import show_warning
    from ops.verify import nothing_committed
    from ops.verify import verify as verify_topics

    versions = policies.load(settings.policy)
    with closing(composition.reader(settings, composition.bootstrap_servers(settings))) as reader:
        report = verify_topics(reader, settings.topic_prefix, settings.group_id, versions)
        warning = nothing_committed(reader, settings.topic_prefix, settings.group_id)
    if warning is not None:
        show_warning(warning)
    if as_json:
        print_json(report.as_dict())
    else:
        for line in report.lines():
            print(line)
    if not report.clean:
        raise failed()


app.command(epilog=REPORT_EPILOG)(report)
app.command(epilog=SIMULATE_EXAMPLE)(simulate)
app.command(epilog=example("ticketflow top", "ticketflow top --json"))(top)
app.command(
    epilog=example(
        "source <(ticketflow completion bash)     # bash; for zsh the same with zsh",
        "ticketflow completion fish | source      # fish",
    )
)(completion)

if __name__ == "__main__":
    sys.exit(main())
