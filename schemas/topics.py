"""The six topics: their names, how long they are kept, and which partition a ticket belongs to."""

import re
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from types import MappingProxyType

_DAY_MS = 24 * 60 * 60 * 1000
_MIB = 1024 * 1024

MAX_EVENT_BYTES = 256 * 1024
"""The largest value that the engine takes for an event (contract, "Dead-letter codes": `too_large`)."""

MAX_DEAD_LETTER_VALUE_BYTES = _MIB
"""Up to this size a dead letter carries the value as received (contract, "Topics")."""

_LARGEST_RECORD_BATCH_BYTES = 4 * _MIB
"""More than an event may have, so that a `too_large` one arrives and can be dead-lettered; and more than a
dead letter's 1 MiB with key, headers and batch framing. One limit for all topics: output follows input."""

TICKET_ID_PATTERN = "^[A-Za-z0-9._-]{1,64}$"
"""Contract, "Topics": `subject` = key = ticket id."""

_TICKET_ID = re.compile("[A-Za-z0-9._-]{1,64}", re.ASCII)


class Topic(Enum):
    """A topic of ours. The value is the suffix of its name."""

    EVENTS = "events"
    STATE = "state"
    JOURNAL = "journal"
    NOTIFICATIONS = "notifications"
    METRICS = "metrics"
    DEAD_LETTER = "dead-letter"

    @property
    def suffix(self) -> str:
        """What follows the prefix and a dot."""
        return self.value

    @property
    def config(self) -> Mapping[str, str]:
        """Kafka's topic settings, as strings, for the topic's creation."""
        return _CONFIGS[self]


def _config(**settings: str) -> Mapping[str, str]:
    named = {name.replace("_", "."): value for name, value in settings.items()}
    # What is kept is kept by time alone, whatever the cluster's default says.
    kept = {"max.message.bytes": str(_LARGEST_RECORD_BATCH_BYTES), "retention.bytes": "-1"}
    return MappingProxyType({**kept, **named})


def _deleted_after(days: int) -> str:
    return str(days * _DAY_MS)


_CONFIGS: Mapping[Topic, Mapping[str, str]] = MappingProxyType(
    {
        # The broker's clock is the only one that all channels share: it says when an event arrived.
        Topic.EVENTS: _config(
            cleanup_policy="delete",
            retention_ms=_deleted_after(days=14),
            message_timestamp_type="LogAppendTime",
        ),
        # Small segments and an eager cleaner keep a restore short: it reads the whole partition.
        Topic.STATE: _config(
            cleanup_policy="compact",
            min_cleanable_dirty_ratio="0.1",
            segment_bytes=str(64 * _MIB),
            segment_ms=str(_DAY_MS),
            delete_retention_ms=str(_DAY_MS),
        ),
        Topic.JOURNAL: _config(cleanup_policy="delete", retention_ms="-1"),
        Topic.NOTIFICATIONS: _config(cleanup_policy="delete", retention_ms=_deleted_after(days=14)),
        Topic.METRICS: _config(cleanup_policy="delete", retention_ms=_deleted_after(days=14)),
        Topic.DEAD_LETTER: _config(cleanup_policy="delete", retention_ms=_deleted_after(days=90)),
    }
)


def topic_name(prefix: str, topic: Topic) -> str:
    """The topic's name on the broker, such as `tickets.events`."""
    return f"{prefix}.{topic.suffix}"


def valid_ticket_id(text: str) -> bool:
    """Whether it is 1 to 64 of `A-Z`, `a-z`, `0-9`, dot, underscore and hyphen."""
    return _TICKET_ID.fullmatch(text) is not None


# MurmurHash2 with the seed and constants of Java's `org.apache.kafka.common.utils.Utils.murmur2`.
_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(key: bytes) -> int:
    """Kafka's 32-bit hash of a key, as an unsigned number (Java shows the same bits signed)."""
    length = len(key)
    whole = length & ~3
    hashed = _SEED ^ length
    for start in range(0, whole, 4):
        word = int.from_bytes(key[start : start + 4], "little") * _M & _MASK
        word = (word ^ word >> 24) * _M & _MASK
        hashed = (hashed * _M & _MASK) ^ word
    if whole != length:
        hashed = (hashed ^ int.from_bytes(key[whole:], "little")) * _M & _MASK
    hashed = (hashed ^ hashed >> 13) * _M & _MASK
    return hashed ^ hashed >> 15


@lru_cache(maxsize=65_536)
def partition_for(key: bytes, partitions: int) -> int:
    """Where Java's default partitioner sends a key: `toPositive(murmur2(key)) % partitions`."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
