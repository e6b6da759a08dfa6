"""`simulate` on the command line. What is used is imported where it is used."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

from ops.cli_base import Json, example, failed, print_json

EXAMPLE = example("ticketflow simulate --seed 7", "ticketflow simulate --seed 7 --hours 24 --json")


def simulate(
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Which history: always the same.")] = 0,
    hours: Annotated[int, typer.Option(metavar="N", min=12, max=72, help="How long it takes.")] = 72,
    as_json: Json = False,
) -> None:
    """Play one history of a cluster that fails, and check the laws in it; fail with what was found.

    Over 200 tickets and 1,000 events meet two workers or three, that crash, hang, come back as zombies and
    whose clocks jump, on a cluster that goes away, moves leaders, loses answers and rebalances. Nothing of it
    is real but the engine: no broker, no network, no time. The same seed gives the same bytes on any machine.
    Where something is found, the shortest such history is told as a story.

    Exit status: 0 nothing was found, 1 something was.
    """
    logging.disable(logging.CRITICAL)  # what goes wrong in there is no news of here
    from ops.simulate import simulate as play
    from ops.simulate import summary

    history = play(seed, hours, lambda sentence: print(sentence, file=sys.stderr))
    if as_json:
        print_json(history.as_dict())
    else:
        print(summary(history))
    if history.findings:
        raise failed()
