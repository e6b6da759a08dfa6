"""Batches that are small as they travel and large once inflated: all is refused, and memory has a bound."""

import hashlib

import pytest

from tests.conftest import PARTITIONS
from tests.support.system import all_committed, awaited
from tests.support.traffic_foreign import producer
from tests.support.traffic_system import System, header

MIB = 1024 * 1024
BATCHES = {
    "one of 256 MiB, gzip": ("gzip", 256 * MIB, 1),
    "one of 256 MiB, lz4": ("lz4", 256 * MIB, 1),
    "one of 256 MiB, zstd": ("zstd", 256 * MIB, 1),
    "one of 48 MiB, snappy": ("snappy", 48 * MIB, 1),
    "400 of a mebibyte and a byte, zstd": ("zstd", MIB + 1, 400),
}
"""Each is below 4 MiB as it travels; inflated they are more than a gibibyte."""
_MOST_MIB = 400
"""More than before. 50 records of a mebibyte are held at once; whole, the batches took above 1,000."""


@pytest.mark.timeout(900)
def test_what_inflates_far_above_the_limits_is_refused_and_memory_is_bounded(system: System) -> None:
    """Each record is a dead letter with size and digest; the worker's memory grows by a fraction of it."""
    with system.workers("a") as (worker,):
        worker.start().ready()
        before = worker.peak_mib()
        for number, (codec, size, count) in enumerate(BATCHES.values()):
            _publish(system, codec, b"\0" * size, count, number % PARTITIONS)
        # Not asked by librdkafka, which cannot read what inflates so far.
        awaited(lambda: all_committed(system.servers, system.prefix, system.prefix), "all are refused")
        grown = worker.peak_mib() - before
        assert worker.stop() == 0
    letters = system.read("dead-letter")
    assert len(letters) == sum(count for _, _, count in BATCHES.values())
    digests = {str(size): hashlib.sha256(b"\0" * size).hexdigest() for _, size, _ in BATCHES.values()}
    for letter in letters:
        assert header(letter, "dlq.errors.code") == "too_large"
        assert header(letter, "dlq.errors.sha256") == digests[header(letter, "dlq.errors.size")]
        assert letter.value() == bytes(64 * 1024)
    print(f"the worker's memory grew by {grown} MiB")
    assert grown < _MOST_MIB
    assert system.verify()["totals"]["rejected"] == len(letters)


def _publish(system: System, codec: str, value: bytes, count: int, partition: int) -> None:
    """Publish as many equal records as one batch."""
    limits = {"message_max_bytes": 1_000_000_000, "batch_size": 1_000_000_000, "linger_ms": 2_000}
    client, failed = producer(system.servers, compression_type=codec, **limits), []
    for _ in range(count):
        client.produce(
            system.topic("events"),
            key=b"k",
            value=value,
            partition=partition,
            on_delivery=lambda error, _: failed.append(error) if error is not None else None,
        )
    assert client.flush(60) == 0
    assert failed == []
