"""The commands against a real broker: an event in, and everything that the contract says out."""

import json
from datetime import UTC, datetime

import pytest

from consumers.kafka_options import KafkaOptions
from consumers.kafka_python_reader import KafkaPublisher
from producers.publisher import Publisher
from schemas.events import Assigned, Created
from schemas.terms import Category, Channel, Client
from tests.support.system import NAME, PHONE, System, line, registered, run

pytestmark = pytest.mark.timeout(900)  # several processes start, on a machine that may be busy


def test_an_event_comes_out_everywhere(system: System) -> None:
    """What `publish` sends becomes journal, state, notification and metric, and `ticket show` shows it."""
    events = registered("T-1") + b"\n" + line("T-1", "ticket.assigned.v1", {"operator": "op-7"}, "T-1/2")
    sent = system.run("publish", "-", stdin=events)
    assert (sent.returncode, sent.stdout, sent.stderr) == (0, b"2 events sent.\n", b"")
    totals = system.verified()["totals"]
    assert (totals["consumed"], totals["applied"]) == (2, 2)
    assert [each["data"]["trigger"] for each in system.values("journal")] == ["created", "assigned"]
    assert {each["data"]["template"] for each in system.values("notifications")} == {
        "ticket_registered",
        "ticket_assigned",
    }
    assert "wait_seconds" in {each["data"]["metric"] for each in system.values("metrics")}
    shown = system.run("ticket", "show", "T-1")
    assert (shown.returncode, shown.stderr) == (0, b"")
    assert b"assigned" in shown.stdout
    assert b"op-7" in shown.stdout
    assert NAME.encode() not in shown.stdout
    told = json.loads(system.run("ticket", "show", "T-1", "--json", "--personal").stdout)
    assert told["client"]["phone"] == PHONE
    assert NAME not in system.worker.log.read_text()
    assert (
        'ticketflow_events_total{outcome="applied",type="ticket.created.v1"} 1.0' in system.worker.metrics()
    )


def test_forced_lines_become_dead_letters(system: System) -> None:
    """What is no event is refused at first, and with --force is on the dead-letter topic with its code."""
    lines = b"{\n" + line("T-1", "ticket.exploded.v1", {}, "1")
    refused = system.run("publish", "-", stdin=lines)
    assert refused.returncode == 1
    assert [each.split()[2] for each in refused.stderr.splitlines()[:2]] == [b"malformed", b"unknown_type"]
    forced = system.run("publish", "--force", "--json", "-", stdin=lines)
    assert (forced.returncode, json.loads(forced.stdout)) == (0, {"sent": 2, "invalid": 2})
    totals = system.verified()["totals"]
    assert (totals["consumed"], totals["rejected"]) == (2, 2)


def test_publishing_again_changes_nothing(system: System) -> None:
    """The same file twice is applied once: the rest are duplicates."""
    events = registered("T-1")
    for _ in range(2):
        assert system.run("publish", "-", stdin=events).returncode == 0
    totals = system.verified()["totals"]
    assert (totals["applied"], totals["duplicate"]) == (1, 1)


def test_a_channel_publishes_types(system: System) -> None:
    """The typed publisher's events are applied, in the partition that the engine expects."""
    kafka = KafkaPublisher(KafkaOptions((system.servers,)))
    publisher = Publisher(kafka, system.prefix, "urn:test:telephony")
    created = Created(channel=Channel.PHONE, category=Category.COMPLEX, client=Client(id="c-1"))
    for number in range(10):
        publisher.publish(f"T-{number}", created, datetime.now(UTC))
        publisher.publish(f"T-{number}", Assigned(operator="op"), datetime.now(UTC))
    publisher.flush()
    publisher.close()
    totals = system.verified()["totals"]
    assert (totals["consumed"], totals["applied"]) == (20, 20)


def test_an_unknown_ticket_is_one_sentence(system: System) -> None:
    """There is nothing to show, and the exit status says so."""
    ran = system.run("ticket", "show", "T-404")
    assert (ran.returncode, ran.stdout) == (1, b"")
    assert ran.stderr.startswith(b"There is no ticket T-404")
    assert ran.stderr.count(b"\n") == 1


def test_verify_says_that_another_group_has_committed_nothing(system: System) -> None:
    """Where the group's name is wrong, that nothing was found means nothing: a warning says so."""
    assert system.run("publish", "-", stdin=registered("T-1")).returncode == 0
    system.verified()
    ran = run({**system.settings, "TICKETFLOW_GROUP_ID": "another"}, "verify")
    assert ran.returncode == 0
    assert ran.stderr.startswith(b"Group another has committed nothing of ")


def test_topics_are_created_once_and_checked(settings: dict[str, str]) -> None:
    """A second `create` finds all there; both name what another number of partitions would need."""
    fresh = {
        **settings,
        "TICKETFLOW_TOPIC_PREFIX": f"{settings['TICKETFLOW_TOPIC_PREFIX']}.x",
        "TICKETFLOW_PARTITIONS": "2",
    }
    missing = run(fresh, "topics", "check")
    assert missing.returncode == 1
    assert missing.stderr.count(b"is missing") == 6
    assert len(json.loads(run(fresh, "topics", "create", "--json").stdout)["created"]) == 6
    assert run(fresh, "topics", "create").stdout == b"All topics are there already.\n"
    assert run(fresh, "topics", "check").returncode == 0
    for command in ("check", "create"):
        other = run({**fresh, "TICKETFLOW_PARTITIONS": "3"}, "topics", command, "--json")
        assert other.returncode == 1
        assert len(json.loads(other.stdout)["problems"]) == 6


@pytest.mark.parametrize("command", [["publish", "-"], ["ticket", "show", "T-1"], ["verify"]], ids=" ".join)
def test_missing_topics_are_one_sentence(command: list[str], settings: dict[str, str]) -> None:
    """The sentence names the topic and the command that creates it, on its last line, without a traceback."""
    ran = run({**settings, "TICKETFLOW_TOPIC_PREFIX": "nowhere"}, *command, stdin=registered("T-1"))
    last = ran.stderr.decode().splitlines()[-1]
    assert ran.returncode == 1
    assert "nowhere." in last
    assert "topics create" in last
    assert "Traceback" not in ran.stderr.decode()
