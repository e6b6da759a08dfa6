"""kafka-python as the worker's adapter sees it, on the simulated cluster, with its reproduced traps.

The adapter (`consumers.kafka_python.KafkaLog`) is the real one; consumer, producer and reader below it are
these. The numbers of the traps are those of the team's notes on kafka-python 3.0.12, in short:

1. A commit may return normally with nothing committed: batches had failed before it.
2. A batch that was dropped does not keep the commit from succeeding without it.
3. Offsets that could not be added stay in the producer, and go into its next transaction.
4. After an eviction fresh metadata has no generation, and the broker takes offsets that name none.
5. The broker never asks whether the partitions of the offsets are the member's.
6. The generation moves while the old assignment is still visible.
"""

from typing import Any

from consumers.kafka_options import KafkaOptions
from consumers.kafka_python import KafkaLog
from consumers.log import Polled
from consumers.watchdog import Watchdog
from schemas.topics import Topic, topic_name
from simulator.kafka_python_consumer import Consumer
from simulator.kafka_python_producer import Producer
from simulator.kafka_python_reader import Reader
from simulator.node import GROUP, PREFIX, TIMEOUTS, Node


class _Patient(Watchdog):
    """Nothing hangs here for longer than virtual time says, so there is nothing to watch and no thread."""

    def __init__(self) -> None:
        self._guarded = None

    def close(self) -> None:
        """Nothing to end."""


class SimulatedLog(KafkaLog):
    """The real adapter on simulated clients."""

    def __init__(self, node: Node) -> None:
        self._node = node
        super().__init__(
            KafkaOptions(("simulated",)),
            events=topic_name(PREFIX, Topic.EVENTS),
            state=topic_name(PREFIX, Topic.STATE),
            group=GROUP,
            worker_id=node.worker_id,
            timeouts=TIMEOUTS,
            watchdog=_Patient(),
            monotonic=node.monotonic,
        )

    def poll(self, timeout_seconds: float, max_records: int) -> Polled:
        """See `Log.poll`. Here whoever polls waits afterwards, but not before it restores what it has got."""
        polled = super().poll(timeout_seconds, max_records)
        if polled.assigned:
            self._node.idle_us = 0
        return polled

    def resume(self, partition: int) -> None:
        """See `Log.resume`: the partition is restored, and nothing of it was delivered yet."""
        self._node.step("resume")
        super().resume(partition)

    def _new_reader(self) -> Any:
        return Reader(self._node)

    def _new_consumer(self) -> Any:
        return Consumer(self._node)

    def _new_producer(self) -> Any:
        return Producer(self._node)
