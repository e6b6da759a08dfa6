"""How a reading outside the group takes records from the client: few at first, and few that are large."""

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from kafka import TopicPartition

from consumers import kafka_python_reader
from consumers.kafka_options import KafkaOptions
from consumers.kafka_python_reader import KafkaReader

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


class Slow(Full):
    """One that gives nothing at the first three polls, as while it waits for the broker."""

    def poll(self, timeout_ms: int, max_records: int) -> dict[Any, list[Any]]:
        if len(self.asked) < 3:
            self.asked.append(max_records)
            return {}
        return super().poll(timeout_ms, max_records)


Reading = Callable[[type[Full]], KafkaReader]


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> Reading:
    """Makes a reader of such a client."""

    def read(kind: type[Full]) -> KafkaReader:
        monkeypatch.setattr(kafka_python_reader, "KafkaAdminClient", Admin)
        monkeypatch.setattr(kafka_python_reader, "KafkaConsumer", kind)
        monkeypatch.setattr(Full, "asked", [])
        return KafkaReader(KafkaOptions(("localhost:1",)))

    return read


def test_the_first_record_costs_one_and_a_long_reading_takes_many(reading: Reading) -> None:
    """The lag of a partition needs one record: thousands, inflated, would be the most that a worker holds."""
    reader = reading(Full)
    first = next(reader.read("t", 0, 5, 10_000))
    assert first.offset == 5
    assert Full.asked == [1]
    Full.asked.clear()
    assert [record.offset for record in reader.read("t", 0, 0, 9_000)] == list(range(9_000))
    assert Full.asked == [1, 4, 16, 64, 256, 1_024, 2_000, 2_000, 2_000, 2_000]


def test_a_poll_that_gives_nothing_does_not_make_the_next_one_larger(reading: Reading) -> None:
    """Else who waits for the broker is then given thousands, of which he wanted one."""
    assert next(reading(Slow).read("t", 0, 5, 10_000)).offset == 5
    assert Full.asked == [1, 1, 1, 1]


def test_of_large_records_few_are_taken_at_once(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that inflates to gibibytes is held in parts."""
    monkeypatch.setattr(Received, "value", bytes(1024 * 1024))
    assert len(list(reading(Full).read("t", 0, 0, 60))) == 60
    assert Full.asked == [1, 4, 15, 15, 15, 15]
