"""The commands that show what goes on. What is used is imported where it is used."""

from __future__ import annotations

from typing import Annotated

import typer

from ops.cli_base import Json, console, print_json, settings_of


def top(
    context: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Print one picture as text, and end.")] = False,
    as_json: Json = False,
) -> None:
    """Show live which promises are at risk: the nearest to their deadline first, overdue ones above.

    Beside them: tickets by state and queue, the latest breaches and notifications, dead letters by code, how
    late clocks were found and how far the workers are behind. Of what has happened, the last 1,000 or so
    records of each topic count, and what comes while it is shown. Of people it shows nothing.

    Where standard output is no terminal it prints one picture, as with --once. --json prints one picture as
    data.
    """
    settings = settings_of(context)
    from ops import top as topping
    from ops.live import is_live

    if as_json:
        picture, behind = topping.once(settings)
        print_json(topping.as_json(settings, picture, behind))
    elif once or not is_live(console()):
        topping.show(settings, console())
    else:
        topping.run(settings)
