"""The services beside the workers. What is used is imported where it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli_base import Parent, example, settings_of

if TYPE_CHECKING:
    from schemas.envelope import Undeliverable


def register(app: typer.Typer) -> None:
    """Add the services to the command."""
    app.command(epilog=example("ticketflow exporter", "TICKETFLOW_EXPORTER_PORT=0 ticketflow exporter"))(
        exporter
    )
    app.command(
        epilog=example(
            "TICKETFLOW_NOTIFIER_LANGUAGE=en ticketflow notifier",
            "ticketflow --config notifier.yaml notifier",
            "ticketflow --config notifier.yaml notifier --retry undeliverable_refused",
        )
    )(notifier)


def exporter(context: typer.Context, parent: Parent = None) -> None:
    """Run the exporter until Ctrl-C or SIGTERM: the figures that supervisors want, for Prometheus.

    Counts kept and broken promises, waits, and open tickets from the topics. Run one for each topic prefix:
    its counts are kept below TICKETFLOW_DATA_DIR, and go on from there after a restart.
    """
    settings = settings_of(context, service=True)
    from ops.exporter import run

    run(settings, parent)


def notifier(
    context: typer.Context,
    retry: Annotated[
        list[str] | None,
        typer.Option(
            "--retry",
            metavar="CODE",
            help="First take up its own dead letters with this code; may be repeated.",
        ),
    ] = None,
    parent: Parent = None,
) -> None:
    """Run the notifier until Ctrl-C or SIGTERM: it tells people what the notifications topic asks for.

    E-mail leaves by SMTP; text messages and the inboxes of operators and supervisors by a signed webhook.
    Needs TICKETFLOW_NOTIFIER_SMTP_HOST, TICKETFLOW_NOTIFIER_SMTP_FROM, TICKETFLOW_NOTIFIER_WEBHOOK_URL and
    TICKETFLOW_NOTIFIER_WEBHOOK_SECRET. Run one for each topic prefix: what is still to be told is kept below
    TICKETFLOW_DATA_DIR.

    After what made notifications undeliverable was mended, start it once with --retry: each letter is taken
    up once, unless it is older than TICKETFLOW_NOTIFIER_MAX_AGE_SECONDS.
    """
    codes = _codes(retry)
    settings = settings_of(context, service=True)
    from ops.notifier import run

    run(settings, parent, codes)


def _codes(words: list[str] | None) -> frozenset[Undeliverable]:
    from consumers.dead_letters import RETRIABLE

    for word in words or ():
        if word not in RETRIABLE:
            raise typer.BadParameter(f"--retry must be one of {', '.join(sorted(RETRIABLE))}")
    return frozenset(code for code in RETRIABLE if code in (words or ()))
