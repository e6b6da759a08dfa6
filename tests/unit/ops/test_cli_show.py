"""A ticket on a screen and as JSON: what is left of its promises, and nobody's personal data."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from consumers.log import Outgoing
from consumers.memory import MemoryBroker, MemoryPublisher, MemoryReader
from ops.screen import Facts, show_start
from ops.show import find_ticket, remaining, show_ticket, ticket_json
from producers.outbox import Outbox
from schemas.state import Clock, State, Ticket, Verdict
from schemas.terms import Category, Channel, Client, Priority, Queue
from schemas.topics import partition_for

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
PARTITIONS = 3
PERSONAL = ("Vera Primerova", "+70000000104", "vera@example.org", "the bank has nothing")


def clock(**changes: object) -> Clock:
    """A running clock with ten minutes left of fifteen."""
    made = {
        "clock": "resolution", "cycle": 1, "rule": 1, "policy": "p@1", "by": "created",
        "target_seconds": 900.0,
        "elapsed_seconds": 0.0, "changed_at": NOW - timedelta(minutes=5),
        "since": NOW - timedelta(minutes=5), "deadline": NOW + timedelta(minutes=10),
    }  # fmt: skip
    return Clock.model_validate({**made, **changes})


TICKET = Ticket(
    ticket_id="T-1",
    seq=1,
    state=State.ASSIGNED,
    level=1,
    channel=Channel.PHONE,
    category=Category.TECHNICAL_FAULT,
    queue=Queue.TECHNICAL,
    priority=Priority.HIGH,
    operator="op-7",
    registered_at=NOW - timedelta(minutes=5),
    updated_at=NOW,
    clocks=(clock(), clock(clock="callback", cycle=2)),
    client=Client(id="client-104", name=PERSONAL[0], phone=PERSONAL[1], email=PERSONAL[2]),
    description=PERSONAL[3],
)


def shown(ticket: Ticket) -> str:
    """The text on the screen."""
    console = Console(file=io.StringIO(), width=120)
    show_ticket(ticket, NOW, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_screen_says_where_a_ticket_stands() -> None:
    """State, level, queue, operator and each clock with status, deadline and what is left."""
    text = shown(TICKET)
    for word in ("T-1", "assigned, level 1", "technical", "op-7", "client-104", "resolution", "callback (2)"):
        assert word in text
    assert "running" in text
    assert "2026-03-02 09:10:00 UTC" in text
    assert "10 min" in text


def test_nothing_personal_is_shown() -> None:
    """Of the client only the id is on the screen and in the JSON."""
    told = ticket_json(TICKET, personal=False)
    assert told["client"] == {"id": "client-104"}
    assert not [word for word in PERSONAL if word in shown(TICKET) + str(told)]


def test_personal_data_is_there_for_who_asks() -> None:
    """`--personal` gives the state's data as it is."""
    told = ticket_json(TICKET, personal=True)
    assert all(word in str(told) for word in PERSONAL)
    assert Ticket.model_validate_json(TICKET.model_dump_json()).model_dump(mode="json") == told


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({}, "10 min"),
        ({"deadline": NOW + timedelta(days=2, hours=3, minutes=4)}, "2 d 3 h"),
        ({"deadline": NOW}, "0 s"),
        ({"deadline": NOW - timedelta(seconds=90), "verdict": Verdict.BREACHED}, "1 min 30 s overdue"),
        ({"deadline": None, "paused": True, "elapsed_seconds": 300.0}, "10 min when it goes on"),
        ({"verdict": Verdict.MET, "ended_at": NOW}, "–"),
    ],
)
def test_what_is_left_of_a_promise(changes: dict[str, object], left: str) -> None:
    """Running: until the deadline; paused: of business time; ended: nothing."""
    assert remaining(clock(**changes), NOW) == left


@pytest.fixture
def reader() -> MemoryReader:
    """A state topic with two changes of T-1, one of T-2, and T-3 that has left the state."""
    broker = MemoryBroker({"t.state": PARTITIONS}, now_us=lambda: 0)
    publisher, outbox = MemoryPublisher(broker), Outbox("t", PARTITIONS, "g")
    for ticket_id, ticket in (
        ("T-1", TICKET),
        ("T-2", TICKET.model_copy(update={"ticket_id": "T-2"})),
        ("T-3", TICKET),
        ("T-3", None),
        ("T-1", TICKET.model_copy(update={"seq": 2})),
    ):
        record: Outgoing = outbox.state(ticket_id, ticket, partition_for(ticket_id.encode(), PARTITIONS))
        publisher.send(record.topic, record.key, record.value, record.headers, record.partition)
    return MemoryReader(broker)


def test_the_last_record_of_a_ticket_counts(reader: MemoryReader) -> None:
    """A ticket is as its last state record says; a tombstone and an unknown id are nothing."""
    found = find_ticket(reader, "t", "T-1")
    assert found is not None
    assert found.seq == 2
    assert find_ticket(reader, "t", "T-3") is None
    assert find_ticket(reader, "t", "T-4") is None


def test_the_start_screen_can_be_copied_from(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Addresses, topics and logs are there, and no command is broken over lines by a narrow terminal."""
    monkeypatch.setenv("COLUMNS", "40")
    places = (("worker", "http://127.0.0.1:9465/metrics"), ("exporter", None))
    show_start(Facts("127.0.0.1:9092", None, "tickets", "p@1", places, ()))
    text = capsys.readouterr().out
    assert "http://127.0.0.1:9465/metrics (worker)" in text
    assert "(exporter)" in text
    assert "tickets.dead-letter" in text
    (publishing,) = [line for line in text.splitlines() if line.endswith("publish -")]
    assert publishing.strip().startswith("echo '{")
    (with_kcat,) = [line for line in text.splitlines() if "kcat" in line and "echo" in line]
    assert with_kcat.endswith("-X partitioner=murmur2_random -H content-type=application/cloudevents+json")
