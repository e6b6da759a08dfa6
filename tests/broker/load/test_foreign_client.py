"""Any Kafka client will do: librdkafka publishes and reads, and finds what the contract says."""

import json
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from confluent_kafka import Message, Producer

from tests.conftest import PARTITIONS
from tests.support.processes import Worker
from tests.support.traffic import STRUCTURED, Sent
from tests.support.traffic_foreign import data, java_partition
from tests.support.traffic_system import System, header

CREATED = {
    "channel": "chat",
    "category": "technical_fault",
    "region": "77",
    "client": {"id": "client-104", "name": "Агафья Небывалая", "email": "agafya@nebyvalaya.example"},
}


@pytest.fixture
def worker(system: System) -> Iterator[Worker]:
    """A worker that is at work."""
    with system.workers("a") as (worker,):
        yield worker.start().ready()


@pytest.fixture
def at() -> str:
    """When the events happened: just now, so that nothing is due before the test has ended."""
    instant = datetime.now(UTC) - timedelta(seconds=1)
    return instant.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _attributes(ticket_id: str, kind: str, time: str) -> dict[str, str]:
    return {
        "specversion": "1.0", "id": f"{ticket_id}.{kind}", "source": "/channels/chat", "type": kind,
        "subject": ticket_id, "time": time, "traceparent": "00-4bf92f3577b34da6-00f067aa0ba902b7-01",
    }  # fmt: skip


def structured(ticket_id: str, kind: str, time: str, content: dict[str, Any]) -> Sent:
    """An event in structured mode."""
    value = json.dumps({**_attributes(ticket_id, kind, time), "data": content}).encode()
    return Sent(ticket_id.encode(), value, STRUCTURED)


def binary(ticket_id: str, kind: str, time: str, content: dict[str, Any]) -> Sent:
    """The same in binary mode."""
    carried = ((f"ce_{name}", text.encode()) for name, text in _attributes(ticket_id, kind, time).items())
    headers = (("content-type", b"application/json"), *carried)
    return Sent(ticket_id.encode(), json.dumps(content).encode(), headers)


def _envelope(message: Message) -> dict[str, Any]:
    """The record's CloudEvent without its data, after a look at what every output has in common."""
    document: dict[str, Any] = json.loads(message.value() or b"")
    assert message.headers() == [("content-type", b"application/cloudevents+json")]
    assert message.key() == document["subject"].encode()
    assert message.partition() == java_partition(message.key() or b"", PARTITIONS)
    del document["data"]
    return document


def _output(at: str, kind: str, suffix: str) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": f"GU-1/{suffix}", "source": "ticketflow", "type": kind,
        "subject": "GU-1", "time": at, "datacontenttype": "application/json",
    }  # fmt: skip


@pytest.mark.parametrize("mode", [structured, binary])
def test_an_event_gives_what_the_contract_says(system: System, worker: Worker, mode: Any, at: str) -> None:
    """In both CloudEvents modes: journal, state, notifications and metrics of a ticket that is taken."""
    events = [
        mode("GU-1", "ticket.created.v1", at, CREATED),
        mode("GU-1", "ticket.assigned.v1", at, {"operator": "op-7"}),
    ]
    system.publish(events)
    journal = system.await_records("journal", 2, worker)
    _check_journal(journal, at)
    _check_notifications(system.await_records("notifications", 2, worker), at)
    _check_metrics(system.await_records("metrics", 2, worker))
    state = system.read("state")[-1]
    assert _envelope(state) == _output(at, "ticket.state.v1", "2/state")
    ticket = data(state)
    person = {name: value for name, value in ticket["client"].items() if value is not None}
    assert person == CREATED["client"]
    assert (ticket["ticket_id"], ticket["seq"], ticket["state"]) == ("GU-1", 2, "assigned")
    assert (ticket["operator"], ticket["region"]) == ("op-7", "77")
    assert worker.stop() == 0
    assert system.verify()["totals"]["applied"] == 2


def _check_journal(journal: list[Message], at: str) -> None:
    entries = [data(message) for message in journal]
    assert [_envelope(message) for message in journal] == [
        _output(at, "ticket.journal.v1", "1"), _output(at, "ticket.journal.v1", "2"),
    ]  # fmt: skip
    taken = entries[1]
    assert taken.pop("recorded_at") >= at
    (met,) = taken.pop("clocks")
    assert taken == {
        "ticket_id": "GU-1", "seq": 2, "at": at,
        "cause": {
            "kind": "event", "id": "GU-1.ticket.assigned.v1", "source": "/channels/chat",
            "type": "ticket.assigned.v1", "partition": journal[0].partition(), "offset": 1,
        },
        "trigger": "assigned", "from": "created", "to": "assigned", "level": 0,
        "changed": {"operator": "op-7"},
    }  # fmt: skip
    assert (met["clock"], met["change"], met["at"], met["target_seconds"]) == (
        "first_response", "met", at, 300.0,
    )  # fmt: skip
    started = {each["clock"]: each["target_seconds"] for each in entries[0]["clocks"]}
    assert started == {"first_response": 300.0, "resolution": 1800.0}


def _check_notifications(notifications: list[Message], at: str) -> None:
    kind = "notification.requested.v1"
    assert [_envelope(message) for message in notifications] == [
        _output(at, kind, "1/ticket_registered/client"),
        _output(at, kind, "2/ticket_assigned/operator"),
    ]
    told = [data(message) for message in notifications]
    assert [(each["template"], each["recipient"], each["channel"]) for each in told] == [
        ("ticket_registered", {"role": "client", "ref": "client-104"}, "email"),
        ("ticket_assigned", {"role": "operator", "ref": "op-7"}, "inbox"),
    ]


def _check_metrics(metrics: list[Message]) -> None:
    labels = {
        "category": "technical_fault", "queue": "technical", "channel": "chat", "priority": "normal",
        "region": "77",
    }  # fmt: skip
    assert [_envelope(message)["id"] for message in metrics] == [
        "GU-1/2/wait_seconds/1",
        "GU-1/2/clock_outcome/1",
    ]
    assert [data(message) for message in metrics] == [
        {"metric": "wait_seconds", "value": 0.0, "unit": "s", "labels": labels},
        {
            "metric": "clock_outcome", "value": 1, "unit": "1",
            "labels": {"clock": "first_response", "outcome": "met", **labels},
        },
    ]  # fmt: skip


def test_the_default_partitioner_of_librdkafka_is_a_key_mismatch(
    system: System, worker: Worker, at: str
) -> None:
    """Its CRC32 sends most keys where Java's hash does not: they are dead letters that say what to do."""
    ticket_id = next(
        name
        for name in (f"GU-{number}" for number in range(100))
        if zlib.crc32(name.encode()) % PARTITIONS != java_partition(name.encode(), PARTITIONS)
    )
    client = Producer({"bootstrap.servers": system.servers})
    sent = structured(ticket_id, "ticket.created.v1", at, CREATED)
    client.produce(system.topic("events"), key=sent.key, value=sent.value, headers=list(sent.headers))
    assert client.flush(30) == 0
    (letter,) = system.await_records("dead-letter", 1, worker)
    assert header(letter, "dlq.errors.code") == "key_mismatch"
    assert "murmur2" in header(letter, "dlq.errors.message")
    assert (letter.key(), letter.value()) == (sent.key, sent.value)
    assert system.read("journal") == []
