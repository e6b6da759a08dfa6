"""What the AsyncAPI document tells people beside names and schemas."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from schemas.envelope import Code
from schemas.topics import Topic

ABOUT = """\
Tickets of a support service, from events, with a clock for each promise.

Operations are written from your side: *send* is what a channel does, *receive* what a subscriber does.

**Keys and partitions.** The record key is the ticket id. Publish to the partition that murmur2 of the key
says, as Java and kafka-python do; with librdkafka set `partitioner=murmur2_random`. A record elsewhere is a
dead letter.

**Content modes.** Values are CloudEvents 1.0. An event may be sent in structured mode (the whole CloudEvent
is the value, header `content-type: application/cloudevents+json`) or in binary mode (attributes in headers
`ce_...`, the value is `data`, header `content-type: application/json`; the messages that end in `.binary`).
Everything that the engine writes is in structured mode. Extension attributes such as `traceparent` are
taken.

**Reading.** The engine writes in transactions: read with `isolation.level=read_committed`. New fields may
appear in what you read, so ignore those that you do not know. What you send is closed: an unknown field is
refused. A breaking change gets a new version in the type (`.v2`).

**Personal data.** Fields marked `x-personal: true` may name or describe a person. Keep them out of logs.
"""

TOMBSTONE = (
    "The record has a key and no value: the ticket has left the state, for it was closed and its reopening "
    "window is over. Forget what you keep of it."
)


class TopicText(NamedTuple):
    """What is said of a topic: a title, what is on it, and why one would read it."""

    title: str
    description: str
    reading: str


TOPICS: Mapping[Topic, TopicText] = MappingProxyType(
    {
        Topic.EVENTS: TopicText(
            "Events",
            "What happened to tickets, as channels tell it; `ticket.absorbed.v1` is the engine's own. The "
            "record's timestamp is the broker's (`message.timestamp.type=LogAppendTime`): it is the arrival.",
            "For who wants what channels said, before anybody checked it. The journal has what was applied.",
        ),
        Topic.STATE: TopicText(
            "State",
            "Each ticket after its last change, people and free texts included. Compacted: the last record "
            "of a key is the ticket, and a record without a value says that it is gone.",
            "For who needs to know tickets as they are now, or the people in them.",
        ),
        Topic.JOURNAL: TopicText(
            "Journal",
            "One record for each applied event and each firing of a clock: what happened, why, and every "
            "change of a clock. `data.seq` counts from 1 without gaps within a ticket. No personal data.",
            "For audits, and for whatever follows every step of a ticket.",
        ),
        Topic.NOTIFICATIONS: TopicText(
            "Notifications",
            "Requests to tell a citizen, an operator or a supervisor something. They carry no address: a "
            "notifier knows people from the state topic.",
            "For who delivers messages. The same cause gives the same CloudEvents id: deliver each once.",
        ),
        Topic.METRICS: TopicText(
            "Metrics",
            "Measurements: waiting times, outcomes of clocks, escalations and more. No personal data.",
            "For who counts. The same cause gives the same CloudEvents id: count each once.",
        ),
        Topic.DEAD_LETTER: TopicText(
            "Dead letters",
            "Records that were refused, as they were received, with headers that say why. They may hold "
            "personal data.",
            "For channels that want to see what of theirs was refused.",
        ),
    }
)

DEAD_LETTER_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "code": f"Why. For events, in the order in which it is tested: {', '.join(Code)}.",
        "message": "The field and the rule in words, never the value.",
        "topic": "The topic that the record was on.",
        "partition": "Its partition, as decimal digits.",
        "offset": "Its offset, as decimal digits.",
        "group": "The consumer group that refused it.",
        "timestamp": "Its timestamp: RFC 3339, UTC.",
        "size": "Only where the value or key was cut: the bytes that the value had. Not replayable then.",
        "sha256": "Only where the value or key was cut: the SHA-256 of the whole value, in hexadecimal.",
    }
)
"""By what follows `dlq.errors.` in a header's name (contract, "Topics")."""
