"""The state machine as a picture and as a table, drawn from the transition table for the documents."""

from workflow.states import CLOSE, ESCALATE, NOTHING, TABLE, Row

_BY_ENGINE = {ESCALATE: "escalate (engine)", CLOSE: "close (engine)"}


def state_diagram() -> str:
    """A Mermaid state diagram: an arrow for each pair of states, with the triggers that lead along it."""
    lines = ["stateDiagram-v2"]
    for (source, target), triggers in _arrows().items():
        start = "[*]" if source == NOTHING else source
        lines.append(f"    {start} --> {target}: {', '.join(triggers)}")
    return "\n".join(lines) + "\n"


def transition_table() -> str:
    """A Markdown table with a row for each trigger: where it is legal, and where it leads."""
    rows = ["| trigger | from → to |", "|---|---|"]
    for trigger in dict.fromkeys(row.trigger for row in TABLE):
        steps = "; ".join(_step(row) for row in TABLE if row.trigger == trigger)
        rows.append(f"| {_BY_ENGINE.get(trigger, trigger)} | {steps} |")
    return "\n".join(rows) + "\n"


def _arrows() -> dict[tuple[str, str], list[str]]:
    """The triggers between two different states, and back to the same one where it is not the usual case."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for row in TABLE:
        if row.source != row.target or row.guard is not None:
            name = _BY_ENGINE.get(row.trigger, row.trigger)
            arrows.setdefault((row.source, row.target), []).append(_guarded(name, row.guard))
    return arrows


def _step(row: Row) -> str:
    source = "–" if row.source == NOTHING else row.source
    return _guarded(f"{source} → {row.target}", row.guard)


def _guarded(text: str, guard: str | None) -> str:
    return text if guard is None else f"{text} [{guard.replace('_', ' ')}]"
