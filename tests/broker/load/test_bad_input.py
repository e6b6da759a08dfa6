"""The whole catalogue of bad input through a real worker on the real broker, sent by two clients."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import pytest
from confluent_kafka import KafkaError, Message

from consumers.kafka_options import KafkaOptions
from consumers.kafka_python_reader import KafkaPublisher, KafkaReader
from consumers.log import Record
from tests.bad_input.samples import PERSONAL, TIME, Sample, catalogue, dump, event, prelude
from tests.conftest import PARTITIONS
from tests.support.letters import Fates, words_of_ours
from tests.support.traffic import Sent
from tests.support.traffic_foreign import data, java_partition, producer
from tests.support.traffic_system import System

Placed = tuple[int, Sample]
"""The partition that a sample goes to, and the sample."""


@pytest.mark.timeout(900)  # 14 MiB of records, and a worker that logs everything
def test_every_sample_has_its_fate_and_the_worker_goes_on(system: System) -> None:
    """Each is applied, a duplicate or one dead letter as received; nobody's data is in what is ours."""
    with system.workers("a", log_level="debug") as (worker,):
        worker.start().ready()
        system.publish(_prelude())
        published = _publish(system, list(catalogue()))
        system.publish([_afterwards()])
        system.await_input_done(worker)
        metrics = worker.metrics()
        assert worker.stop() == 0
        log = worker.log.read_text()
    letters = _records(system, "dead-letter")
    journal = [data(message) for message in system.read("journal")]
    fates = Fates()
    for entry in journal:
        fates.take_journal(entry["cause"])
    for letter in letters:
        fates.take_letter(letter)
    for record, sample in published:
        assert (record.key, record.value, record.headers) == (sample.key, sample.value, sample.headers)
        fates.check(sample, record, system.prefix)
    assert "after-all-that" in {entry["ticket_id"] for entry in journal}
    ours = [log, metrics, *map(words_of_ours, letters)]
    ours += [(each.value() or b"").decode() for each in system.read("journal", "notifications", "metrics")]
    assert {word: text for text in ours for word in PERSONAL if word in text} == {}
    totals = system.verify()["totals"]
    assert totals["consumed"] == totals["applied"] + totals["rejected"] + totals["duplicate"]
    assert totals["rejected"] == len(letters)


def _prelude() -> list[Sent]:
    """What some samples need, happening now: a ticket closed long ago would have left the state."""
    now = datetime.now(UTC).isoformat().encode()
    return [Sent(good.key, good.value.replace(TIME.encode(), now), good.headers) for good in prelude()]


def _afterwards() -> Sent:
    ticket_id = "after-all-that"
    time = datetime.now(UTC).isoformat()
    return Sent(
        ticket_id.encode(), dump(event(id="1", source="/channels/phone", subject=ticket_id, time=time))
    )


def _publish(system: System, samples: Sequence[Sample]) -> list[tuple[Record, Sample]]:
    """Publish the samples by one client after the other; returns each with its record as it was received."""
    before = Counter(record.partition for record in _records(system, "events"))
    by_kafka_python = [each for number, each in enumerate(samples) if _is_for_kafka_python(number, each)]
    by_librdkafka = [each for number, each in enumerate(samples) if not _is_for_kafka_python(number, each)]
    sent: dict[int, list[Sample]] = {number: [] for number in range(PARTITIONS)}
    for send_all, share in ((_by_kafka_python, by_kafka_python), (_by_librdkafka, by_librdkafka)):
        placed = [
            ((java_partition(each.key or b"", PARTITIONS) + each.misplaced) % PARTITIONS, each)
            for each in share
        ]
        send_all(system, placed)
        for number, each in placed:
            sent[number].append(each)
    received = _records(system, "events")
    found = []
    for number, of_partition in sent.items():
        records = [record for record in received if record.partition == number][before[number] :]
        found += list(zip(records, of_partition, strict=True))
    return found


def _is_for_kafka_python(number: int, sample: Sample) -> bool:
    """Half of them, but by itself it sends no header without a value; librdkafka, no name but in UTF-8."""
    if any(value is None for _, value in sample.headers):
        return False
    return number % 2 == 0 or not all(_is_utf8(name) for name, _ in sample.headers)


def _is_utf8(name: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _by_kafka_python(system: System, placed: Iterable[Placed]) -> None:
    publisher = KafkaPublisher(KafkaOptions((system.servers,)))
    for number, each in placed:
        publisher.send(system.topic("events"), each.key, each.value, each.headers, number)
    publisher.flush()
    publisher.close()


def _by_librdkafka(system: System, placed: Iterable[Placed]) -> None:
    client, failed = producer(system.servers, message_max_bytes=4 * 1024 * 1024), []

    def delivered(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            failed.append(error)

    for number, each in placed:
        client.produce(
            system.topic("events"),
            key=each.key,
            value=each.value,
            headers=list(each.headers),
            partition=number,
            on_delivery=delivered,
        )
    assert client.flush(60) == 0
    assert failed == []


def _records(system: System, suffix: str) -> list[Record]:
    """All records of a topic as our reader has them: names of headers that are not UTF-8, too."""
    reader = KafkaReader(KafkaOptions((system.servers,)))
    found = [record for number in range(PARTITIONS) for record in reader.read(system.topic(suffix), number)]
    reader.close()
    return found
