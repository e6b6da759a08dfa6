"""Bad records of every code, and the people in them."""

from collections.abc import Sequence
from datetime import UTC, datetime

from confluent_kafka import Message

from tests.bad_input import samples as bad
from tests.support.traffic import Sent
from tests.support.traffic_foreign import java_partition, producer
from tests.support.traffic_system import System, header

OURS = "dlq.errors."


def test_every_sample_is_one_dead_letter_and_the_worker_goes_on(system: System) -> None:
    """Six records or more of each code: a dead letter each, as received; no person's data in what is ours."""
    samples = list(bad.samples())
    assert min(sum(each.code == code for each in samples) for code in {each.code for each in samples}) >= 6
    with system.workers("a", log_level="debug") as (worker,):
        worker.start().ready()
        system.publish(_prelude())
        places = _publish(system, samples)
        system.publish([_afterwards()])
        system.await_records("journal", 4, worker)
        letters = system.await_records("dead-letter", len(samples), worker)
        system.await_input_done(worker)
        metrics = worker.metrics()
        assert worker.stop() == 0
        log = worker.log.read_text()
    assert len(letters) == len(samples)
    for letter in letters:
        _check(letter, places[int(header(letter, f"{OURS}partition")), int(header(letter, f"{OURS}offset"))])
    ours = [log, metrics, *(_text_of(letter) for letter in letters)]
    ours += [
        (message.value() or b"").decode() for message in system.read("journal", "notifications", "metrics")
    ]
    assert not [found for found in bad.PERSONAL if any(found in text for text in ours)]
    assert system.verify()["totals"]["rejected"] == len(samples)


def _prelude() -> list[Sent]:
    """What the last samples need, happening now: a ticket closed long ago would have left the state."""
    now = datetime.now(UTC).isoformat().encode()
    return [
        Sent(good.key, good.value.replace(bad.TIME.encode(), now), good.headers) for good in bad.prelude()
    ]


def _afterwards() -> Sent:
    ticket_id = "after-all-that"
    value = bad.dump(
        bad.event(id="after", source="/channels/phone", subject=ticket_id, time=datetime.now(UTC).isoformat())
    )
    return Sent(ticket_id.encode(), value)


def _publish(system: System, samples: Sequence[bad.Sample]) -> dict[tuple[int, int], bad.Sample]:
    """Publish the samples; returns where each of them is."""
    client, topic = producer(system.servers), system.topic("events")
    partitions = len(client.list_topics(topic, timeout=10).topics[topic].partitions)
    places: dict[tuple[int, int], bad.Sample] = {}

    def delivered_as(sample: bad.Sample, message: Message) -> None:
        assert message.error() is None, f"{sample.name}: {message.error()}"
        places[int(message.partition() or 0), int(message.offset() or 0)] = sample

    for sample in samples:
        client.produce(
            topic,
            key=sample.key,
            value=sample.value,
            headers=list(sample.headers),
            # The key's own, which librdkafka would not choose for an empty key.
            partition=java_partition(sample.key or b"", partitions),
            on_delivery=lambda _, message, sample=sample: delivered_as(sample, message),
        )
    assert client.flush(60) == 0
    assert len(places) == len(samples)
    return places


def _check(letter: Message, sample: bad.Sample) -> None:
    """One dead letter: what was received, and why it was refused."""
    assert header(letter, f"{OURS}code") == sample.code, sample.name
    assert header(letter, f"{OURS}message"), sample.name
    received = tuple((name, value) for name, value in letter.headers() or () if not name.startswith(OURS))
    assert (letter.key(), letter.value(), received) == (sample.key, sample.value, sample.headers), sample.name


def _text_of(letter: Message) -> str:
    """The headers that we add."""
    return "\n".join(value.decode() for name, value in letter.headers() or () if name.startswith(OURS))
