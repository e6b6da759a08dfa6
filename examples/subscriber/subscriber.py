"""A subscriber: receives the requests to tell somebody something, and tells them (here: it prints).

    python subscriber.py inbox.sqlite

What comes from Kafka is first kept in a database of its own, each notification once; then the position is
committed; then what is due is delivered. So nothing is lost when it ends at any moment, nothing is delivered
early, and a notification that comes again is known. Ctrl-C or SIGTERM ends it.
"""

import contextlib
import json
import os
import signal
import sqlite3
import sys
import time
from datetime import UTC, datetime, timedelta

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import CommitFailedError, KafkaError

SERVERS = os.environ.get("TICKETFLOW_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092").split(",")
PREFIX = os.environ.get("TICKETFLOW_TOPIC_PREFIX", "tickets")
GROUP = os.environ.get("SUBSCRIBER_GROUP", "example-subscriber")
TOO_OLD = timedelta(days=1)  # the topic keeps 14 days; nobody wants to be told of them on the first start
KEPT = timedelta(days=15)  # a day longer than the topic, so that whatever comes again is known
RETRY_SECONDS = 5.0
COMMITTED = {
    "bootstrap_servers": SERVERS,
    "isolation_level": "read_committed",  # what a transaction took back never happened
    "enable_auto_commit": False,
    "auto_offset_reset": "earliest",
    "allow_auto_create_topics": False,
}


class People:
    """Who a ticket's citizen is, from the state topic: the last record of a key counts, none means gone."""

    def __init__(self):
        """Read the whole topic. It is compacted: about one record for each ticket that is not over."""
        topic = f"{PREFIX}.state"
        self._consumer = KafkaConsumer(**COMMITTED, group_id=None)
        numbers = self._consumer.partitions_for_topic(topic)
        if not numbers:
            sys.exit(f"There is no topic {topic}: check the servers and the topic prefix.")
        places = [TopicPartition(topic, number) for number in numbers]
        self._consumer.assign(places)
        self._consumer.seek_to_beginning(*places)
        self._clients = {}
        ends = self._consumer.end_offsets(places)
        while any(self._consumer.position(place) < end for place, end in ends.items()):
            self.refresh(timeout_ms=500)

    def refresh(self, timeout_ms=0):
        """Take in what has come since."""
        for records in self._consumer.poll(timeout_ms=timeout_ms, max_records=5_000).values():
            for record in records:
                if record.value is None:  # a tombstone: the ticket is over, and the person is forgotten
                    self._clients.pop(record.key, None)
                else:
                    self._clients[record.key] = json.loads(record.value)["data"].get("client")

    def find(self, ticket_id, client_id):
        """Return the citizen with id, name, phone, email as far as known; None where there is no such one."""
        client = self._clients.get(ticket_id.encode())
        return client if client and client["id"] == client_id else None

    def close(self):
        """Let go of the connection."""
        self._consumer.close()


class Inbox:
    """Every notification of the last days, once. Its key is id and time: a ticket id may be used again."""

    def __init__(self, path):
        """Open the file, or make it."""
        self._database = sqlite3.connect(path)
        self._database.execute("PRAGMA synchronous = FULL")  # what is committed survives a power cut
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS notification (id TEXT, time TEXT, due TEXT, next_try_at REAL,"
            " value BLOB, outcome TEXT, PRIMARY KEY (id, time))"
        )

    def keep(self, values):
        """Keep what is new, durably; what is there already is left as it is."""
        with self._database:
            for value in values:
                event = json.loads(value)
                due = event["data"].get("not_before", event["time"])
                row = (event["id"], event["time"], due, datetime.fromisoformat(due).timestamp(), value)
                self._database.execute("INSERT OR IGNORE INTO notification VALUES (?, ?, ?, ?, ?, NULL)", row)

    def due(self):
        """Return what is to be delivered now, the oldest first, a hundred at a time."""
        query = (
            "SELECT value FROM notification WHERE outcome IS NULL AND next_try_at <= ? ORDER BY due LIMIT 100"
        )
        return [json.loads(value) for (value,) in self._database.execute(query, (time.time(),))]

    def done(self, event, outcome):
        """Remember that this one is over."""
        self._change("outcome = ?", outcome, event)

    def later(self, event):
        """Remember to try this one again."""
        self._change("next_try_at = ?", time.time() + RETRY_SECONDS, event)

    def _change(self, assignment, value, event):
        with self._database:
            query = f"UPDATE notification SET {assignment} WHERE id = ? AND time = ?"  # noqa: S608 (ours)
            self._database.execute(query, (value, event["id"], event["time"]))

    def forget(self):
        """Drop what the topic keeps no longer, too."""
        with self._database:
            oldest = (datetime.now(UTC) - KEPT).timestamp()
            query = "DELETE FROM notification WHERE outcome IS NOT NULL AND next_try_at < ?"
            self._database.execute(query, (oldest,))


def tell(notification_id, notification, client):
    """Tell somebody: put your mail server or SMS provider here. Raise OSError to be called again.

    If the process ends between this and the note that it is done, this is called again. So hand the id on,
    as the e-mail's Message-ID or the provider's idempotency key, by which the other side knows a repeat.
    """
    recipient = notification["recipient"]
    known = "known" if client else "not needed"
    print(
        f"{notification_id}: {notification['template']} to {recipient['role']} {recipient['ref']}"
        f" by {notification['channel']}, address {known}",
        flush=True,
    )


def deliver(event, people):
    """Deliver one notification; returns what became of it."""
    notification = event["data"]
    due = datetime.fromisoformat(notification.get("not_before", event["time"]))
    if datetime.now(UTC) - due > TOO_OLD:
        return "too old"
    client = None
    if notification["recipient"]["role"] == "client":
        client = people.find(notification["ticket_id"], notification["recipient"]["ref"])
        if client is None:  # its state record may come a moment after the notification
            raise OSError("nobody is known by that id")
    tell(event["id"], notification, client)
    return "delivered"


def run(inbox, people, consumer, stopping):
    """Receive and deliver until told to end."""
    while not stopping:
        polled = consumer.poll(timeout_ms=500, max_records=500)
        inbox.keep(record.value for records in polled.values() for record in records)
        # If another member has the partitions by now, it reads these records again.
        with contextlib.suppress(CommitFailedError):
            consumer.commit()
        people.refresh()
        for event in inbox.due():
            try:
                inbox.done(event, deliver(event, people))
            except OSError:
                inbox.later(event)
        inbox.forget()


def main():
    """Connect, and run until a signal comes."""
    if len(sys.argv) != 2:
        sys.exit("usage: python subscriber.py FILE (the database of what was received)")
    stopping = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: stopping.append(number))
    try:
        people = People()
        consumer = KafkaConsumer(f"{PREFIX}.notifications", **COMMITTED, group_id=GROUP)
        run(Inbox(sys.argv[1]), people, consumer, stopping)
        consumer.close()
        people.close()
    except KafkaError as error:
        sys.exit(
            f"Kafka cannot be read ({type(error).__name__}): check the servers and the topic prefix,"
            " and start it again; nothing is lost."
        )


if __name__ == "__main__":
    main()
