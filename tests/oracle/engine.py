"""The engine on a history, as `replay` runs it, and its journal in the oracle's words."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

from ops.replay import DEAD_LETTERS, FILES
from simulator.oracle.lines import line
from simulator.oracle.seconds import Line, Sent
from tests.oracle.intervals import WEEKS, Seen, Weeks
from tests.support.replays import Run
from tests.support.world import TYPES
from workflow.policy import Policies
from workflow.policy_file import PolicyError, policies

INSTANTS = ("deadline", "at", "registered_at")


def accepted(documents: Sequence[dict[str, Any]]) -> Policies | None:
    """The versions of a policy; None where the engine refuses one of them."""
    try:
        return policies([(f"{n}.yaml", json.dumps(each)) for n, each in enumerate(documents, 1)])
    except PolicyError:
        return None


def run(
    start: datetime, documents: Sequence[dict[str, Any]], events: Sequence[Sent], end: int
) -> tuple[list[Line], list[tuple[str, str]]]:
    """The journal of all tickets, and who was refused why (an event of the engine's own is "absorbed")."""
    files = {name: BytesIO() for name in FILES}
    versions = accepted(documents)
    assert versions is not None
    replay = Run(versions, files, 500)
    for _ in replay.feed(iter(_wire(start, event) for event in events)):
        pass
    replay.finish(start + timedelta(seconds=end))
    journal = [json.loads(each)["data"] for each in files["journal.jsonl"].getvalue().splitlines()]
    letters = [json.loads(each) for each in files[DEAD_LETTERS].getvalue().splitlines()]
    names = [event.id for event in events]
    names.append("absorbed")  # of the engine's own: in no line
    refused = [(names[(each["line"] or 0) - 1], each["code"]) for each in letters]
    return [line(start, data) for data in journal], refused


def seen(weeks: Weeks) -> dict[str, list[Seen]]:
    """The journal of a history of weeks, clock by clock, in the second oracle's words."""
    lines, refused = run(weeks.start, [weeks.document], [event for event, _ in weeks.events], WEEKS)
    assert refused == [], "every event of this history is legal"
    clocks: dict[str, list[Seen]] = {rule["clock"]: [] for rule in weeks.document["clocks"]}
    for each in lines:
        for c in each.clocks:
            clocks[c.clock].append(Seen(c.change, c.at, c.cycle, c.deadline, c.elapsed))
    return clocks


def _instant(start: datetime, seconds: int) -> str:
    return (start + timedelta(seconds=seconds)).astimezone(UTC).isoformat().replace("+00:00", "Z")


def _wire(start: datetime, event: Sent) -> bytes:
    data = {k: _instant(start, v) if k in INSTANTS else v for k, v in event.data.items()}
    document = {
        "specversion": "1.0", "id": event.id, "source": "/test", "type": TYPES[event.kind],
        "subject": event.ticket, "time": _instant(start, event.time),
        "arrivaltime": _instant(start, event.arrival), "data": data,
    }  # fmt: skip
    return json.dumps(document).encode()
