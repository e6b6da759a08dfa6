"""`ticket explain` and `ticket protocol` on a real broker."""

import json
from pathlib import Path

import pytest

from tests.support.system import NAME, PHONE, System, environment, line, registered, run

pytestmark = pytest.mark.timeout(900)  # a worker starts, on a machine that may be busy


def test_a_contact_is_explained_told_and_followed_up(system: System) -> None:
    """The deadline's arithmetic agrees, the protocol names nobody unasked, and its follow-up is applied."""
    events = registered("T-1") + line("T-1", "ticket.assigned.v1", {"operator": "op-7"}, "T-1/2")
    assert system.run("publish", "-", stdin=events).returncode == 0
    system.verified()

    explained = system.run("ticket", "explain", "T-1")
    assert (explained.returncode, explained.stderr) == (0, b"")
    assert b"as the journal has it" in explained.stdout
    data = json.loads(system.run("ticket", "explain", "T-1", "--json").stdout)
    assert {cycle["clock"]: cycle["agrees"] for cycle in data["clocks"]} == {
        "first_response": True,
        "resolution": True,
    }

    protocol = system.run("ticket", "protocol", "T-1")
    assert (protocol.returncode, protocol.stderr) == (0, b"")
    assert b"an operator took the ticket: op-7" in protocol.stdout
    assert NAME.encode() not in protocol.stdout + explained.stdout
    told = json.loads(system.run("ticket", "protocol", "T-1", "--json", "--personal").stdout)
    assert (told["personal"]["client"]["phone"], told["follow_up_complete"]) == (PHONE, True)

    follow_up = line("T-2", "ticket.created.v1", told["follow_up"], "T-2/1")
    assert system.run("publish", "-", stdin=follow_up).returncode == 0
    system.verified()
    shown = json.loads(system.run("ticket", "show", "T-2", "--json", "--personal").stdout)
    assert (shown["follows"], shown["client"]["name"]) == ("T-1", NAME)


@pytest.mark.parametrize("command", ["explain", "protocol"])
def test_a_ticket_that_is_not_there_is_one_sentence(
    command: str, broker: str, prefix: str, tmp_path: Path
) -> None:
    """Unknown: status 1; an id that cannot be one: status 2."""
    settings = environment(broker, prefix, tmp_path)
    ran = run(settings, "ticket", command, "T-404")
    assert (ran.returncode, ran.stdout) == (1, b"")
    assert ran.stderr.startswith(b"There is no ticket T-404")
    assert ran.stderr.count(b"\n") == 1
    assert run(settings, "ticket", command, "no such id").returncode == 2
