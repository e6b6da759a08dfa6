"""The command `report`. What is used is imported where it is used."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli_base import Json, example, settings_of

if TYPE_CHECKING:
    from ops.report import Format
    from ops.settings import Settings

EPILOG = example(
    "ticketflow report --from 2026-03-01 --to 2026-04-01 --by category,queue",
    "ticketflow report --from 2026-03-01 --to 2026-04-01 --format html --out march.html",
    "ticketflow report --schedule '0 8 * * mon-fri' --format html --out reports",
)

_HELP_FROM = "The period's beginning: a date, which is its midnight, or an RFC 3339 instant."
_HELP_TO = "The period's end, which does not belong to it."
_HELP_BY = "Groups: some of category, queue, channel, region and day, with commas between."
_HELP_FORMAT = "text, csv, json or html."
_HELP_ZONE = "Days, hours and dates are in this zone; else in that of the policy's calendar for regions."


def report(
    context: typer.Context,
    start: Annotated[str | None, typer.Option("--from", metavar="T", help=_HELP_FROM)] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="T", help=_HELP_TO)] = None,
    by: Annotated[str | None, typer.Option(metavar="BY", help=_HELP_BY)] = None,
    form: Annotated[str, typer.Option("--format", metavar="FORMAT", help=_HELP_FORMAT)] = "text",
    as_json: Json = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write it; with --schedule a folder.")
    ] = None,
    zone: Annotated[str | None, typer.Option(metavar="ZONE", help=_HELP_ZONE)] = None,
    journal: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Read the journal.jsonl of a replay, not the topic.")
    ] = None,
    schedule: Annotated[
        str | None,
        typer.Option(metavar="CRON", help="Run on, and at each firing write what was since the last one."),
    ] = None,
) -> None:
    """Report what the promises came to in a period, out of the journal.

    Promises kept and broken by clock, percentiles of waiting and resolution in wall and business time, repeat
    contacts and the age of their issues, reopenings, escalations, corrections, lateness of timers, and the
    worst broken promises. What counts in the period belongs to it, whenever it arrived. Of people it shows
    nothing.
    """
    settings = settings_of(context, service=schedule is not None)
    from ops.report import Format, Usage

    try:
        chosen = Format("json" if as_json else form)
    except ValueError:
        raise typer.BadParameter(f"--format is {_HELP_FORMAT}") from None
    try:
        if schedule is not None:
            if start or end or journal:
                raise Usage(
                    "--schedule takes no --from, --to or --journal: it reports each period as it ends"
                )
            _keep_writing(settings, schedule, by, chosen, out, zone)
        else:
            _once(settings, (start, end), by, chosen, out, zone, journal)
    except Usage as problem:
        raise typer.BadParameter(f"{problem}.") from None


def _once(
    settings: Settings,
    ends: tuple[str | None, str | None],
    by: str | None,
    form: Format,
    out: Path | None,
    zone: str | None,
    journal: Path | None,
) -> None:
    from ops import report as reporting

    start, end = ends
    if start is None or end is None:
        raise reporting.Usage("a report needs --from and --to, or --schedule")
    there = reporting.zone_of(settings, zone)
    frame = reporting.period(start, end, there, reporting.dimensions(by))
    made = reporting.make(settings, journal, frame)
    if out is None:
        print(reporting.rendered(made, form), end="")
    else:
        reporting.write(made, form, out)
        print(f"Written to {out}.")


def _keep_writing(
    settings: Settings, cron: str, by: str | None, form: Format, out: Path | None, zone: str | None
) -> None:
    from consumers.report_fold import Frame
    from ops import OperationError
    from ops import report as reporting
    from ops.report_schedule import Period, Schedule, file_name, keep_writing
    from ops.service import until_told

    if out is None:
        raise reporting.Usage("--schedule needs a folder: --out")
    folder, there, groups = out, reporting.zone_of(settings, zone), reporting.dimensions(by)
    schedule = Schedule(cron, there)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OperationError(f"The folder {folder} cannot be made: {error.strerror}.") from None

    def write(period: Period) -> Path:
        made = reporting.make(settings, None, Frame(*period, there, groups))
        path = folder / file_name(period, there, form)
        reporting.write(made, form, path)
        return path

    with until_told(None) as stop:
        keep_writing(schedule.periods(datetime.now(UTC)), write, stop, lambda: datetime.now(UTC))
