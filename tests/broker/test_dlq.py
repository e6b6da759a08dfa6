"""Dead letters on the real broker: what comes back to the topic of events is what was published at first."""

import json

import pytest

from consumers.kafka_options import KafkaOptions
from consumers.kafka_python_reader import KafkaPublisher, KafkaReader
from consumers.log import Headers, Record
from schemas.topics import Topic, topic_name
from tests.support.system import System, line, registered

pytestmark = pytest.mark.timeout(900)  # several processes start, on a machine that may be busy

STRANGE: Headers = (
    ("traceparent", b"00-\xff-01"),
    ("empty", None),
    ("empty", b""),
    ("na\udcffme", b"x"),
    ("dlq.errors.code", b"forged"),
    ("dlq.errors.size", None),
)
"""Headers of a channel: not UTF-8, null, repeated, and with names of ours."""


def events(system: System) -> list[Record]:
    """Every record of the topic of events, partition by partition."""
    reader = KafkaReader(KafkaOptions((system.servers,)))
    topic = topic_name(system.prefix, Topic.EVENTS)
    found = [record for number in range(reader.partitions(topic)) for record in reader.read(topic, number)]
    reader.close()
    return found


def published(system: System, *records: tuple[bytes | None, bytes | None, Headers]) -> None:
    """Publish records as some channel might."""
    publisher = KafkaPublisher(KafkaOptions((system.servers,)))
    for key, value, headers in records:
        publisher.send(topic_name(system.prefix, Topic.EVENTS), key, value, headers, None if key else 1)
    publisher.flush()
    publisher.close()


def test_a_record_comes_back_byte_for_byte(system: System) -> None:
    """Key, value, headers and partition of what is replayed are those of the first publication."""
    sent = [
        (b"\xff\xfekey", b"{", STRANGE),
        (b"T-1", None, STRANGE),
        (None, b"\x00\xff", STRANGE),
        (None, None, ()),
    ]
    published(system, *sent)
    assert system.verified()["totals"]["rejected"] == 4
    ran = system.run("dlq", "replay", "--all")
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ran.stdout.decode().splitlines()[-1] == f"4 dead letters sent to {system.prefix}.events."
    assert system.verified()["totals"]["rejected"] == 8
    by_content: dict[object, list[int]] = {}
    for record in events(system):
        by_content.setdefault((record.key, record.value, record.headers), []).append(record.partition)
    assert set(by_content) == set(sent)
    assert all(len(places) == 2 and len(set(places)) == 1 for places in by_content.values())


def test_after_a_fix_the_event_is_applied(system: System) -> None:
    """An event that came before its ticket is listed, sent again and applied; the next time a duplicate."""
    early = line("T-1", "ticket.assigned.v1", {"operator": "op-7"}, "T-1/2")
    assert system.run("publish", "-", stdin=early).returncode == 0
    assert system.verified()["totals"]["rejected"] == 1
    listed = json.loads(system.run("dlq", "list", "--json").stdout)
    assert listed["codes"] == {"unknown_ticket": 1}
    (letter,) = listed["latest"]
    assert (letter["replayable"], letter["from"]["topic"]) == (True, f"{system.prefix}.events")
    assert b"unknown_ticket" in system.run("dlq", "list").stdout
    assert system.run("publish", "-", stdin=registered("T-1")).returncode == 0
    for selection in (("--id", "T-1/2"), ("--offset", f"{letter['partition']}:{letter['offset']}")):
        again = system.run("dlq", "replay", *selection)
        assert (again.returncode, again.stderr) == (0, b""), selection
    totals = system.verified()["totals"]
    assert (totals["applied"], totals["rejected"], totals["duplicate"]) == (2, 1, 1)


def test_a_trial_sends_nothing(system: System) -> None:
    """`--dry-run` says what would be sent, and the topic of events stays as it is."""
    published(system, (b"T-1", b"{", ()))
    assert system.verified()["totals"]["rejected"] == 1
    trial = json.loads(system.run("dlq", "replay", "--all", "--dry-run", "--json").stdout)
    assert (trial["dry_run"], trial["sent"], [each["code"] for each in trial["letters"]]) == (
        True,
        1,
        ["malformed"],
    )
    assert len(events(system)) == 1
