"""The commands about policies. What is used is imported where it is used."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ops.cli_base import Json, console, example, failed, group, print_json, settings_of

policy = group()


@policy.command("check", epilog=example("ticketflow policy check policies/2026-06.yaml"))
def policy_check(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A policy file, or a folder of versions.")],
    as_json: Json = False,
) -> None:
    """Name every problem of a policy file as FILE:LINE: message; fail if there is one.

    Where there is none, what has no effect is told as FILE:LINE: hint: message. A worker refuses a policy
    with problems, and starts with one that has hints.
    """
    from ops import policies, show
    from workflow.policy_file import PolicyError, Problem

    problems: tuple[Problem, ...] = ()
    hints: tuple[Problem, ...] = ()
    labels: tuple[str, ...] = ()
    try:
        versions, hints = policies.reviewed(path)
        labels = versions.labels
    except PolicyError as error:
        problems = error.problems
    if as_json:
        print_json({"problems": show.problems_json(problems), "hints": show.problems_json(hints)})
    else:
        for problem in (*problems, *hints):
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


@policy.command("diff", epilog=example("ticketflow policy diff policies/2026-01.yaml policies/2026-06.yaml"))
def policy_diff(
    context: typer.Context,
    before: Annotated[str, typer.Argument(metavar="A", help="A policy file, a folder or a version.")],
    after: Annotated[str, typer.Argument(metavar="B", help="The same, of what is to be compared with A.")],
    as_json: Json = False,
) -> None:
    """Say in words what changes from one policy to another: whose promises become shorter or longer.

    Of a folder it is the version that comes into force last; a version, as gosuslugi@2026.1, is one of the
    policy that TICKETFLOW_POLICY names. What is only written in another way is no change.
    """
    settings = settings_of(context)
    from ops import policies, show
    from workflow.policy_diff import diff

    found = diff(*(policies.last_version(name, settings.policy) for name in (before, after)))
    if as_json:
        print_json(show.diff_json(found))
    else:
        for line in show.diff_lines(found):
            print(line)
