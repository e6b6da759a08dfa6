"""The documents that are made of the code: `python -m ops.docs` writes them, a test keeps them current."""

from collections.abc import Mapping
from pathlib import Path

from ops.policies import load
from workflow.policy_table import promises_table
from workflow.state_diagram import state_diagram, transition_table

_MADE = "<!-- Made by `python -m ops.docs`; a test keeps it current. -->"


def pages() -> Mapping[str, str]:
    """The text of every generated page, by its path below the checkout."""
    return {"docs/states.md": _states(), "docs/promises.md": _promises()}


def _states() -> str:
    return f"""{_MADE}
# The states of a ticket

Drawn from the one table in `workflow/states.py`. Triggers that change no state are left out of the picture
and stand in the table; a guard stands in brackets. What the engine does by itself is marked so.

```mermaid
{state_diagram()}```

## Every transition

Anything that has no row here goes to the dead letter as `illegal_transition`.

{transition_table()}"""


def _promises() -> str:
    policies = load(None)
    policy = policies.versions[-1]
    return f"""{_MADE}
# The promises of the default policy

`{policy.label}`, from `workflow/policies/gosuslugi.yaml`, where each has its source beside it. For a clock
the first rule that applies counts. `ticketflow policy show` prints the one in force.

{promises_table(policy)}"""


def main() -> None:
    """Write the pages into the checkout that this file belongs to."""
    root = Path(__file__).resolve().parent.parent
    for path, text in pages().items():
        (root / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
