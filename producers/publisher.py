"""For developers of channels: publishes typed events, checked as the engine will check them.

    from consumers.kafka_options import KafkaOptions
    from consumers.kafka_python_reader import KafkaPublisher
    from producers.publisher import Publisher
    from schemas.events import Assigned

    kafka = KafkaPublisher(KafkaOptions(("127.0.0.1:9092",)))
    publisher = Publisher(kafka, "tickets", "urn:example:telephony")
    publisher.publish("T-1", Assigned(operator="op-7"), time=happened_at, id="call-812/assigned")
    publisher.flush()

`(source, id)` identifies an event. When it is not known whether an event arrived, publish it again with the
same id and time: the engine applies it once. So take the id from what happened (a call's number, a row's
key) and not from the moment of publishing.
"""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from consumers import log
from producers.outbox import STRUCTURED
from schemas.cloudevents import Extension
from schemas.envelope import BadRecord, Code, decode, encode
from schemas.events import EventData
from schemas.topics import Topic, topic_name

_NO_EXTENSIONS: Final[Mapping[str, Extension]] = MappingProxyType({})


class InvalidEvent(ValueError):  # noqa: N818 (named as a dead letter is)
    """The engine would refuse this event whatever its ticket is like; `code` is its dead letter's.

    The message names the field and the rule, and no value.
    """

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Publisher:
    """Publishes the events of one channel. As thread-safe as the publisher below it."""

    def __init__(self, publisher: log.Publisher, prefix: str, source: str) -> None:
        """Publish to `<prefix>.events`. `source` names the channel: a URI that no other publisher uses."""
        self._publisher, self._source = publisher, source
        self._topic = topic_name(prefix, Topic.EVENTS)

    def publish(
        self,
        ticket_id: str,
        data: EventData,
        time: datetime,
        id: str | None = None,
        extensions: Mapping[str, Extension] = _NO_EXTENSIONS,
    ) -> str:
        """Queue an event and return its id.

        `ticket_id`: 1 to 64 of `A-Z a-z 0-9 . _ -`; it is the record's key, and murmur2 of it the partition.
        `time`: when it happened, with a time zone, at most 5 minutes ahead. `id`: what identifies the event
        within the source; without one it is random, and publishing again is then another event.
        `extensions`: CloudEvents attributes such as `traceparent`, named in a-z and 0-9.

        Raises InvalidEvent, and ValueError for a time without a zone; Unavailable where too much is queued
        and the cluster does not answer.
        """
        if time.tzinfo is None:
            raise ValueError("time must have a time zone")
        event_id = str(uuid.uuid4()) if id is None else id
        value = encode(
            data.type, event_id, self._source, ticket_id, time.astimezone(UTC), data.to_json(), extensions
        )
        key = ticket_id.encode()
        decoded = decode(key, value, STRUCTURED, arrival=datetime.now(UTC), partition=0, partitions=1)
        if isinstance(decoded, BadRecord):
            raise InvalidEvent(decoded.code, decoded.message)
        self._publisher.send(self._topic, key, value, STRUCTURED)
        return event_id

    def flush(self) -> None:
        """Wait until all that was published is written. Raises Unavailable if an event was not."""
        self._publisher.flush()

    def close(self) -> None:
        """Let go of the connections; what was not flushed may be lost."""
        self._publisher.close()
