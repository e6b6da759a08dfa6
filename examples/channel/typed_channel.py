"""The same call through ticketflow's typed publisher, for channels that have ticketflow installed.

    python typed_channel.py 1017

Every event is checked as the engine will check it, before it is sent.
"""

import os
import sys
from contextlib import closing
from datetime import UTC, datetime

from consumers.kafka_options import KafkaOptions
from consumers.kafka_python_reader import KafkaPublisher
from consumers.log import LogError
from producers.publisher import InvalidEvent, Publisher
from schemas.events import Assigned, Created, Resolved
from schemas.terms import Category, Channel, Client, Notify

SERVERS = os.environ.get("TICKETFLOW_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092")
PREFIX = os.environ.get("TICKETFLOW_TOPIC_PREFIX", "tickets")


def call(publisher: Publisher, number: str) -> None:
    """Publish what happened in one call. Each id says what happened, so it is the same at every try."""
    ticket_id, now = f"CALL-{number}", datetime.now(UTC)
    citizen = Client(id=f"C-{number}", email=f"citizen-{number}@example.com", notify=Notify.EMAIL)
    created = Created(channel=Channel.PHONE, category=Category.STATUS_CHECK, region="77", client=citizen)
    publisher.publish(ticket_id, created, time=now, id=f"call-{number}/registered")
    publisher.publish(ticket_id, Assigned(operator="op-7"), time=now, id=f"call-{number}/taken-1")
    publisher.publish(ticket_id, Resolved(), time=now, id=f"call-{number}/resolved-1")
    publisher.flush()
    print(f"the three events of {ticket_id} are written")


def main() -> None:
    """Publish the events of the call that the argument names."""
    if len(sys.argv) != 2 or not sys.argv[1].isascii() or not sys.argv[1].isdigit():
        sys.exit("usage: python typed_channel.py NUMBER (digits: the number of the call)")
    try:
        kafka = KafkaPublisher(KafkaOptions(tuple(SERVERS.split(","))))
        with closing(Publisher(kafka, PREFIX, "urn:example:telephony")) as publisher:
            call(publisher, sys.argv[1])
    except InvalidEvent as error:
        sys.exit(f"Not sent: {error}")
    except LogError as error:
        sys.exit(f"Not acknowledged: {error}. Run it again with the same number.")


if __name__ == "__main__":
    main()
