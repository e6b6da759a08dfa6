"""Records out of decisions: what one fact, one ticket or one refused record looks like on its topic."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from consumers.log import Excerpt, Headers, Outgoing, Record
from schemas.envelope import Code, Undeliverable, encode
from schemas.instants import format_instant, from_epoch
from schemas.records import JOURNAL_TYPE, METRIC_TYPE, NOTIFICATION_TYPE, SOURCE, STATE_TYPE
from schemas.state import Ticket
from schemas.topics import MAX_DEAD_LETTER_VALUE_BYTES as MAX_VALUE_BYTES
from schemas.topics import Topic, partition_for, topic_name
from workflow.decide import Accepted
from workflow.measures import metrics
from workflow.notices import notifications

STRUCTURED: Final[Headers] = (("content-type", b"application/cloudevents+json"),)
"""The header of a CloudEvent in structured mode (Kafka protocol binding, section 3.3)."""

EXCERPT_BYTES: Final = 64 * 1024
"""How much of a value over 1 MiB a dead letter keeps (contract, "Topics"); of an oversized key, too."""

MAX_HEADER_BYTES: Final = 1024 * 1024
"""Headers as received are kept up to this size; of larger ones nothing is, and the value is cut as well."""


@dataclass(frozen=True, slots=True)
class Outbox:
    """Renders outputs for the topics with a prefix and their number of partitions.

    `group` is the consumer group that a dead letter names.
    """

    prefix: str
    partitions: int
    group: str

    def fact(self, fact: Accepted, partition: int, told_at: datetime | None = None) -> Iterator[Outgoing]:
        """The records of a fact but for the state: journal, notifications, metrics, a survivor's news.

        `told_at`: when notifications go out, where it is not when the fact was recorded.
        """
        entry = fact.entry
        key = entry.ticket_id.encode()

        def record(topic: Topic, kind: str, record_id: str, data: bytes) -> Outgoing:
            value = encode(kind, record_id, SOURCE, entry.ticket_id, entry.at, data)
            return Outgoing(topic_name(self.prefix, topic), partition, key, value, STRUCTURED)

        yield record(Topic.JOURNAL, JOURNAL_TYPE, entry.record_id, entry.to_json())
        for record_id, notification in notifications(fact, told_at):
            yield record(Topic.NOTIFICATIONS, NOTIFICATION_TYPE, record_id, notification.to_json())
        for record_id, metric in metrics(fact):
            yield record(Topic.METRICS, METRIC_TYPE, record_id, metric.to_json())
        if fact.absorbed is not None:
            yield self._absorbed(fact)

    def _absorbed(self, fact: Accepted) -> Outgoing:
        assert fact.absorbed is not None  # noqa: S101 - the only caller has asked
        survivor, learnt = fact.absorbed
        key = survivor.encode()
        value = encode(
            learnt.type, f"{fact.entry.record_id}/absorbed", SOURCE, survivor, fact.entry.at, learnt.to_json()
        )
        partition = partition_for(key, self.partitions)
        return Outgoing(topic_name(self.prefix, Topic.EVENTS), partition, key, value, STRUCTURED)

    def state(self, ticket_id: str, ticket: Ticket | None, partition: int) -> Outgoing:
        """The state record of a ticket after its last change; a tombstone once it has left the state."""
        topic, key = topic_name(self.prefix, Topic.STATE), ticket_id.encode()
        if ticket is None:
            return Outgoing(topic, partition, key, None)
        value = encode(
            STATE_TYPE,
            f"{ticket_id}/{ticket.seq}/state",
            SOURCE,
            ticket_id,
            ticket.updated_at,
            ticket.model_dump_json(by_alias=True).encode(),
        )
        return Outgoing(topic, partition, key, value, STRUCTURED)

    def dead_letter(self, record: Record, code: Code | Undeliverable, message: str) -> Outgoing:
        """A refused record as it was received, and why. Of repeated headers the last one counts."""
        key, value, headers, cut = _bounded(record)
        why = (
            _header("code", code),
            _header("message", message),
            _header("topic", record.topic),
            _header("partition", record.partition),
            _header("offset", record.offset),
            _header("group", self.group),
            _header("timestamp", format_instant(from_epoch(record.timestamp_us))),
            *cut,
        )
        topic = topic_name(self.prefix, Topic.DEAD_LETTER)
        return Outgoing(topic, record.partition, key, value, (*headers, *why))


def _bounded(record: Record) -> tuple[bytes | None, bytes | None, Headers, Headers]:
    """Key, value and headers as received, and the headers that say what was cut.

    A compressed batch may hold more than any topic takes, in a key or in headers, too: what is over the
    bounds is cut, for a record that could not be written would stop its partition.
    """
    key, value, headers = record.key, record.value, record.headers
    header_bytes = sum(len(name) + len(content or b"") for name, content in headers)
    if header_bytes <= MAX_HEADER_BYTES and max(map(len, (key or b"", value or b""))) <= MAX_VALUE_BYTES:
        return key, value, headers, ()
    cut = _cut_headers(value or b"")
    kept = headers if header_bytes <= EXCERPT_BYTES else ()
    return key and key[:EXCERPT_BYTES], value and value[:EXCERPT_BYTES], kept, cut


def _header(name: str, value: object) -> tuple[str, bytes]:
    return f"dlq.errors.{name}", str(value).encode()


def _cut_headers(value: bytes) -> Headers:
    if isinstance(value, Excerpt):
        return _header("size", value.size), _header("sha256", value.sha256)
    return _header("size", len(value)), _header("sha256", hashlib.sha256(value).hexdigest())
