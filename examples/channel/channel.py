"""A telephony channel: a call is registered, an operator takes it, and it is resolved.

    python channel.py 1017

1017 is the number of the call. Run it again with the same number: the ids are the same, so nothing happens
a second time. That is also what to do when an event was not acknowledged.
"""

import json
import os
import sys
from datetime import UTC, datetime

from kafka import KafkaProducer
from kafka.errors import KafkaError

SERVERS = os.environ.get("TICKETFLOW_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092")
TOPIC = os.environ.get("TICKETFLOW_TOPIC_PREFIX", "tickets") + ".events"
SOURCE = "urn:example:telephony"  # names this channel; nobody else uses it
TIMEOUT_SECONDS = 30


def publish(producer, ticket_id, event_type, event_id, happened_at, data):
    """Publish one event and wait until Kafka has it. Raises KafkaError when that is not known."""
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": SOURCE,
        "type": event_type,
        "subject": ticket_id,
        "time": happened_at.isoformat(),  # with an offset, such as +00:00
        "data": data,
    }
    written = producer.send(
        TOPIC,
        key=ticket_id.encode(),  # the same as subject; kafka-python hashes it with murmur2, as Java does
        value=json.dumps(event).encode(),
        headers=[("content-type", b"application/cloudevents+json")],
    ).get(timeout=TIMEOUT_SECONDS)
    print(f"{event_type} {event_id} is in partition {written.partition} at offset {written.offset}")


def call(producer, number):
    """Publish what happened in one call. Each id says what happened, so it is the same at every try."""
    ticket_id = f"CALL-{number}"
    # A real channel takes the time from its own records, so that it is the same at every try, too.
    now = datetime.now(UTC)
    citizen = {"id": f"C-{number}", "email": f"citizen-{number}@example.com", "notify": "email"}
    created = {"channel": "phone", "category": "status_check", "region": "77", "client": citizen}
    publish(producer, ticket_id, "ticket.created.v1", f"call-{number}/registered", now, created)
    publish(producer, ticket_id, "ticket.assigned.v1", f"call-{number}/taken-1", now, {"operator": "op-7"})
    resolved = {"summary": "The application is being looked at."}
    publish(producer, ticket_id, "ticket.resolved.v1", f"call-{number}/resolved-1", now, resolved)


def main():
    """Publish the events of the call that the argument names."""
    if len(sys.argv) != 2 or not sys.argv[1].isascii() or not sys.argv[1].isdigit():
        sys.exit("usage: python channel.py NUMBER (digits: the number of the call)")
    try:
        producer = KafkaProducer(
            bootstrap_servers=SERVERS.split(","),
            enable_idempotence=True,  # a retry neither doubles records nor changes their order
            acks="all",
            request_timeout_ms=10_000,
            delivery_timeout_ms=TIMEOUT_SECONDS * 1000,
            max_block_ms=TIMEOUT_SECONDS * 1000,
            allow_auto_create_topics=False,
        )
        try:
            call(producer, sys.argv[1])
        finally:
            producer.close()
    except KafkaError as error:
        sys.exit(f"Not acknowledged ({type(error).__name__}): run it again with the same number.")


if __name__ == "__main__":
    main()
