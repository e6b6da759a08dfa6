"""How a reading outside the group takes records from the client: few at first."""

from typing import Any, ClassVar

import pytest
from kafka import TopicPartition

from consumers import kafka_python_reader
from consumers.kafka_options import KafkaOptions

_PLACE = TopicPartition("t", 0)


class Admin:
    """A client that is asked nothing."""

    def __init__(self, **_: Any) -> None: ...
    def close(self) -> None: ...


class Full:
    """A client's consumer whose partition never ends; `asked` is how many records each poll wanted."""

    asked: ClassVar[list[int]] = []

    def __init__(self, **_: Any) -> None:
        self._position = 0

    def assign(self, places: list[Any]) -> None: ...

    def seek(self, place: Any, offset: int) -> None:
        del place
        self._position = offset

    def position(self, place: Any) -> int:
        del place
        return self._position

    def beginning_offsets(self, places: list[Any]) -> dict[Any, int]:
        return dict.fromkeys(places, 0)

    def poll(self, timeout_ms: int, max_records: int) -> dict[Any, list[Any]]:
        del timeout_ms
        self.asked.append(max_records)
        begin, self._position = self._position, self._position + max_records
        return {_PLACE: [Received(offset) for offset in range(begin, self._position)]}


class Received:
    """A record, as the client reads it."""

    topic, partition, timestamp, key, value, headers = "t", 0, 0, b"k", b"v", ()

    def __init__(self, offset: int) -> None:
        self.offset = offset


def test_the_first_record_costs_one_and_a_long_reading_takes_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lag of a partition needs one record: thousands, inflated, would be the most that a worker holds."""
    monkeypatch.setattr(kafka_python_reader, "KafkaAdminClient", Admin)
    monkeypatch.setattr(kafka_python_reader, "KafkaConsumer", Full)
    monkeypatch.setattr(Full, "asked", [])
    reader = kafka_python_reader.KafkaReader(KafkaOptions(("localhost:1",)))
    first = next(reader.read("t", 0, 5, 10_000))
    assert first.offset == 5
    assert Full.asked == [1]
    Full.asked.clear()
    assert [record.offset for record in reader.read("t", 0, 0, 9_000)] == list(range(9_000))
    assert Full.asked == [1, 4, 16, 64, 256, 1_024, 2_000, 2_000, 2_000, 2_000]
