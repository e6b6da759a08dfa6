"""A what-if over a million events: it fits, and says how far it is."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from ops.demo_day import DAY, NOMINAL_START, POLICY, Line, read_day, sending
from schemas.instants import format_instant
from tests.support.processes import ROOT

_DAY = timedelta(minutes=10)
_MOST_MIB = 2 * 1024
"""What stays is the verdicts of each ticket, under both policies: 613 MiB for 200,000 tickets."""


@pytest.mark.parametrize(
    "count", [5_000, pytest.param(1_000_000, marks=[pytest.mark.long, pytest.mark.timeout(7_200)])]
)
def test_two_policies_are_compared_over_many_events_within_bounded_memory(tmp_path: Path, count: int) -> None:
    """Service days, one after another: every event is counted, verdicts change, and memory has a bound."""
    events, draft = tmp_path / "events.jsonl", tmp_path / "draft.yaml"
    with events.open("wb") as file:
        written = sum(file.write(line) > 0 for line in _days(count))
    assert written >= count
    draft.write_text(POLICY.read_text().replace("target: 16s", "target: 12s").replace('"1"', '"2"'))
    command = ["replay", str(events), "--until", "2030-01-01T00:00:00Z", "--policy", str(POLICY)]
    command += ["--compare", str(draft), "--out", str(tmp_path / "out")]
    code = (  # not getrusage's maximum: that of a child begins with what its parent, pytest, has in use
        "import re, sys; from ops.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: print('PEAK', re.search(r'VmHWM:\\s+(\\d+) kB', open('/proc/self/status').read())[1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    assert f"{written} events" in done.stdout
    peak_mib = int(done.stdout.rpartition("PEAK ")[2]) // 1024
    print(f"{peak_mib} MiB at the most")
    assert peak_mib < _MOST_MIB


def _days(count: int) -> Iterator[bytes]:
    """Whole service days that follow each other, of at least so many sound events."""
    day = [line for line in read_day(DAY) if line.bad is None]
    for number in range(-(-count // len(day))):
        yield from (_line(line, number * _DAY, f"-{number}") for line in day)


def _line(line: Line, by: timedelta, tag: str) -> bytes:
    """A line as `replay` reads it, with its arrival."""
    moved = sending(line, NOMINAL_START + by, tag)
    arrival = format_instant(moved.at)
    return (moved.value or b"").rstrip()[:-1] + f',"arrivaltime":"{arrival}"}}\n'.encode()
