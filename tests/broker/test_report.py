"""`report` over the journal of a real broker, and its schedule as a process."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import ROOT
from tests.support.system import NAME, PHONE, System, awaited, environment, line, registered

pytestmark = pytest.mark.timeout(900)  # a worker starts, on a machine that may be busy

PERIOD = ("report", "--from", "2020-01-01", "--to", "2099-01-01")
TICKETS = 8


def test_a_report_agrees_with_the_metrics_topic(system: System, tmp_path: Path) -> None:
    """Tickets in many partitions: the report's counts are those of the metrics, and name nobody."""
    events = b""
    for number in range(TICKETS):
        ticket = f"T-{number}"
        events += registered(ticket)
        events += line(ticket, "ticket.assigned.v1", {"operator": "op-7"}, f"{ticket}/2")
        events += line(ticket, "ticket.resolved.v1", {}, f"{ticket}/3")
    assert system.run("publish", "-", stdin=events).returncode == 0
    system.verified()

    ran = system.run(*PERIOD, "--by", "queue", "--json")
    assert (ran.returncode, ran.stderr) == (0, b"")
    total = json.loads(ran.stdout)["total"]
    measured = [event["data"] for event in system.values("metrics")]
    met = [each for each in measured if each["labels"].get("outcome") == "met"]
    assert total["counts"]["registered"] == TICKETS
    assert sum(each["met"] for each in total["promises"]) == len(met)
    waits = [each["value"] for each in measured if each["metric"] == "wait_seconds"]
    assert (total["times"]["wait_seconds"]["count"], total["times"]["wait_seconds"]["max"]) == (
        TICKETS,
        max(waits),
    )

    page = tmp_path / "report.html"
    ran = system.run(*PERIOD, "--format", "html", "--out", str(page))
    assert (ran.returncode, ran.stderr) == (0, b"")
    text = page.read_text()
    assert "<svg" in text
    assert NAME not in text
    assert PHONE not in text


def test_a_schedule_ends_when_it_is_told(broker: str, prefix: str, tmp_path: Path) -> None:
    """SIGTERM while it waits for the next firing: status 0, and no half of a report."""
    folder, log = tmp_path / "reports", tmp_path / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "ops.cli", "report", "--schedule", "0 8 1 jan *", "--out", str(folder)],
            cwd=ROOT,
            env={**os.environ, **environment(broker, prefix, tmp_path)},
            stdout=stream,
            stderr=stream,
        )
    try:
        awaited(lambda: b"the next report is due" in log.read_bytes(), "it waits")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
    assert list(folder.iterdir()) == []
