"""What sending a record costs: kafka-python as it comes, ours on top of it, librdkafka."""

import time
from collections.abc import Callable

from confluent_kafka import Producer
from kafka import KafkaProducer

from benchmarks.cluster import PARTITIONS, Cluster
from benchmarks.report import Result, Row
from consumers.kafka_options import KafkaOptions
from consumers.kafka_python_reader import KafkaPublisher
from producers.outbox import STRUCTURED
from tests.support.traffic_foreign import java_partition

_VALUE = b"x" * 900
"""About as long as a journal record."""


def measure(cluster: Cluster, records: int) -> Result:
    """Send the same records in four ways to a topic that nobody reads."""
    topic = cluster.system("clients").topic("metrics")
    keys = [f"T-{number % 997}".encode() for number in range(records)]
    placed = [(key, java_partition(key, PARTITIONS)) for key in keys]
    plain, ours = (
        _plain(cluster.servers),
        KafkaPublisher(KafkaOptions((cluster.servers,)), linger_seconds=0.005),
    )
    foreign = Producer({"bootstrap.servers": cluster.servers, "enable.idempotence": True, "linger.ms": 5})
    headers = list(STRUCTURED)

    def foreign_send(key: bytes, partition: int) -> None:
        while True:
            try:
                foreign.produce(topic, key=key, value=_VALUE, headers=headers, partition=partition)
                return
            except BufferError:
                foreign.poll(0.01)

    ways: dict[str, tuple[Callable[[bytes, int], object], Callable[[], object]]] = {
        "kafka-python, hashing the key": (
            lambda key, _: plain.send(topic, key=key, value=_VALUE, headers=headers),
            plain.flush,
        ),
        "kafka-python, partition given": (
            lambda key, partition: plain.send(
                topic, key=key, value=_VALUE, headers=headers, partition=partition
            ),
            plain.flush,
        ),
        "ours on kafka-python": (
            lambda key, partition: ours.send(topic, key, _VALUE, STRUCTURED, partition),
            ours.flush,
        ),
        "librdkafka": (foreign_send, foreign.flush),
    }
    rows = []
    for name, (send, flush) in ways.items():
        flush()
        calling, whole = time.thread_time(), time.process_time()
        for key, partition in placed:
            send(key, partition)
        calling = time.thread_time() - calling
        flush()
        whole = time.process_time() - whole
        note = f"{1e6 * whole / records:.1f} with its threads"
        rows.append(Row(name, 1e6 * calling / records, "µs", note))
    plain.close()
    ours.close()
    what = f"Processor time of a send in the calling thread; {records:,} records of {len(_VALUE)} bytes."
    return Result("Sending", what, tuple(rows))


def _plain(servers: str) -> KafkaProducer:
    return KafkaProducer(
        bootstrap_servers=servers, enable_idempotence=True, acks="all", batch_size=256 * 1024, linger_ms=5
    )
