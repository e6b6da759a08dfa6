"""What all commands share: how they are declared, how they get their settings, how they print."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ops import failures

if TYPE_CHECKING:
    from rich.console import Console

    from ops.settings import Settings

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def group() -> typer.Typer:
    """Return a command or a group of commands with our ways: plain text, no completion, our own errors."""
    return typer.Typer(
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings=_CONTEXT,
    )


def example(*lines: str) -> str:
    r"""Return the end of a help text; after a \b nothing is wrapped."""
    return "\n".join(["\b", "Example:", *(f"  {line}" for line in lines)])


Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Parent = Annotated[int | None, typer.Option(hidden=True, help="End when this process, our parent, ends.")]


def settings_of(context: typer.Context, *, service: bool = False) -> Settings:
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


def print_json(data: object) -> None:
    """Print data for programs."""
    print(json.dumps(data, ensure_ascii=False, indent=2))


def console() -> Console:
    """Return where tables for people are printed."""
    from rich.console import Console

    # Where nobody looks a table is not cut to the width of a terminal that is not there.
    return Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else 240)


def failed() -> typer.Exit:
    """Return what ends a command that has said already why it failed."""
    return typer.Exit(failures.FAILED)
