"""Reading one ticket's journal: one partition, and of that only the ticket's own records."""

from __future__ import annotations

from pydantic import ValidationError

from consumers.log import Reader
from ops import OperationError
from ops.progress import progress
from schemas.records import JournalEntry, read_journal
from schemas.topics import Topic, partition_for, topic_name
from workflow.history import last_life


def read_last_life(reader: Reader, prefix: str, ticket_id: str) -> list[JournalEntry]:
    """The journal records of the ticket's last life; none where the journal does not know it.

    Raises LogError, and OperationError where one of its records cannot be read.
    """
    topic, key = topic_name(prefix, Topic.JOURNAL), ticket_id.encode()
    number = partition_for(key, reader.partitions(topic))
    start, end = reader.beginnings(topic)[number], reader.ends(topic)[number]
    values = []
    with progress(f"reading {topic}", end - start) as advance:
        for record in reader.read(topic, number, start):
            advance(record.offset - start)
            if record.key == key:
                values.append((record.offset, record.value))
    return last_life(_entry(topic, number, offset, value) for offset, value in values)


def _entry(topic: str, number: int, offset: int, value: bytes | None) -> JournalEntry:
    try:
        return read_journal(value).data
    except ValidationError:
        raise OperationError(
            f"Record {offset} in partition {number} of {topic} is no journal record: "
            "`ticketflow verify` says what else is wrong."
        ) from None
