"""The typed publisher for channels."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from consumers.log import Record
from consumers.memory import MemoryBroker, MemoryPublisher, MemoryReader
from producers.publisher import InvalidEvent, Publisher
from schemas.envelope import Event, decode
from schemas.events import Assigned, Created, EventData, Promised
from schemas.terms import Category, Channel, Client
from schemas.topics import partition_for

NOW = datetime.now(UTC)
PARTITIONS = 5
REGISTERED = Created(channel=Channel.PHONE, category=Category.COMPLEX, client=Client(id="c-1", name="Vera"))


@pytest.fixture
def broker() -> MemoryBroker:
    """A broker with the events topic."""
    return MemoryBroker({"tickets.events": PARTITIONS}, now_us=lambda: 0)


@pytest.fixture
def publisher(broker: MemoryBroker) -> Publisher:
    """The publisher of a channel."""
    return Publisher(MemoryPublisher(broker), "tickets", "urn:test:channel")


def published(broker: MemoryBroker) -> list[Record]:
    """Every record of the events topic."""
    reader = MemoryReader(broker)
    return [record for number in range(PARTITIONS) for record in reader.read("tickets.events", number)]


def decoded(record: Record) -> Event:
    """The event as the engine reads it."""
    event = decode(
        record.key,
        record.value,
        record.headers,
        arrival=NOW,
        partition=record.partition,
        partitions=PARTITIONS,
    )
    assert isinstance(event, Event)
    return event


def test_the_engine_reads_what_was_published(broker: MemoryBroker, publisher: Publisher) -> None:
    """Subject, type, data, time, id, source and extensions arrive, under the ticket's key and partition."""
    moscow = NOW.astimezone(timezone(timedelta(hours=3)))
    publisher.publish("T-1", REGISTERED, moscow, "call-1", {"traceparent": "00-1"})
    (record,) = published(broker)
    event = decoded(record)
    assert (record.key, record.partition) == (b"T-1", partition_for(b"T-1", PARTITIONS))
    assert (event.subject, event.type, event.data) == ("T-1", "ticket.created.v1", REGISTERED)
    assert (event.id, event.source, event.time) == ("call-1", "urn:test:channel", NOW)
    assert event.extensions == {"traceparent": "00-1"}


def test_an_id_is_made_where_none_is_given(broker: MemoryBroker, publisher: Publisher) -> None:
    """Two events without an id of their own are two events, and their ids are told."""
    ids = {publisher.publish("T-1", Assigned(operator="op"), NOW) for _ in range(2)}
    assert {decoded(record).id for record in published(broker)} == ids
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("ticket_id", "data", "time", "code"),
    [
        ("no id", REGISTERED, NOW, "invalid_envelope"),
        ("T-1", REGISTERED, NOW + timedelta(hours=1), "future_event"),
        ("T-1", Promised(deadline=NOW - timedelta(days=1), by="op"), NOW, "invalid_data"),
    ],
)
def test_what_the_engine_would_refuse_is_not_published(
    ticket_id: str, data: EventData, time: datetime, code: str, broker: MemoryBroker, publisher: Publisher
) -> None:
    """The channel hears the dead letter's code at once."""
    with pytest.raises(InvalidEvent) as raised:
        publisher.publish(ticket_id, data, time, "1")
    assert raised.value.code == code
    assert published(broker) == []


def test_a_time_needs_a_zone(publisher: Publisher) -> None:
    """A time without a zone could be any of 24, so it is refused."""
    with pytest.raises(ValueError, match="time zone"):
        publisher.publish("T-1", REGISTERED, NOW.replace(tzinfo=None), "1")
