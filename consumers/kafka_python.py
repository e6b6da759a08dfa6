"""The log on a real cluster, with kafka-python. Implements `consumers.log.Log`.

Each precaution here answers a trap that was reproduced with kafka-python 3.0.12; the comments say which.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

from kafka import (
    ConsumerRebalanceListener,
    KafkaConsumer,
    KafkaProducer,
    OffsetAndMetadata,
    TopicPartition,
    errors,
)
from kafka.admin import MemberToRemove
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.structs import MemberState

from consumers import kafka_python_client as client
from consumers import kafka_python_sender
from consumers.kafka_options import KafkaOptions, Timeouts
from consumers.kafka_python_reader import KafkaReader, to_record
from consumers.kafka_python_records import NULL, install, sendable
from consumers.kafka_python_turns import Turns
from consumers.log import Fenced, LogError, Outgoing, Polled, Position, Record, Restart, checked, missing
from consumers.watchdog import Watchdog

_logger = logging.getLogger(__name__)

_LINGER_MS = 100
_REBALANCE_PATIENCE_SECONDS = 3.0  # then the engine gets a turn, to show that it lives


class _Pausing(ConsumerRebalanceListener):  # type: ignore[misc] # the client has no types
    """Pauses what is assigned before its first fetch. It runs on the client's thread and must not block."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self.fresh: set[int] = set()

    def on_partitions_assigned(self, assigned: Collection[Any]) -> None:
        self._consumer.pause(*assigned)
        for partition in assigned:
            self._consumer.seek(partition, 0)  # without a position the client would look one up, and wait
            self.fresh.add(partition.partition)

    def on_partitions_revoked(self, revoked: Collection[Any]) -> None:
        """Nothing to do: poll compares."""


class KafkaLog:
    """A static member of a group on the events topic, with a transactional producer of a stable id."""

    def __init__(
        self,
        options: KafkaOptions,
        *,
        events: str,
        state: str,
        group: str,
        worker_id: str,
        timeouts: Timeouts | None = None,
        watchdog: Watchdog | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Connect, and take over from an earlier instance of this worker. Raises Unavailable, LogError.

        `monotonic` tells seconds.
        """
        install()
        kafka_python_sender.install()
        self._options = options
        self._timeouts = timeouts or Timeouts()
        self._events, self._state, self._group, self._worker_id = events, state, group, worker_id
        self._client_id = f"ticketflow-{worker_id}"
        self._producer: Any = None
        self._open = False
        self._futures: list[Any] = []
        self._membership: Any = None  # as it was at the last poll; None: not in a stable group
        self._told: frozenset[int] = frozenset()
        self._forget = False
        self._monotonic = monotonic
        self._asked_at = monotonic()
        self._written: set[str] = {state}
        self._watchdog = watchdog or Watchdog()
        with client.cured("connecting to Kafka"), ExitStack() as undo:
            undo.callback(self._watchdog.close)
            self._reader = self._new_reader()
            undo.callback(self._reader.close)
            with self._guarded("asking for the partitions"):
                self._partitions = self._reader.partitions(events)
            self._consumer = self._new_consumer()
            undo.callback(self._consumer.close, autocommit=False, timeout_ms=0)
            self._producer = self._ready_producer()
            undo.callback(self._discard_producer)
            self._listener, self._turns = _Pausing(self._consumer), Turns(self._consumer)
            self._consumer.subscribe(topics=[events], listener=self._listener)
            with self._guarded("asking for the topics"):
                self._consumer.topics()  # whoever leads its group without knowing the topic assigns nothing
            undo.pop_all()

    def _new_reader(self) -> KafkaReader:
        return KafkaReader(self._options, timeouts=self._timeouts, client_id=f"{self._client_id}-reader")

    def _new_consumer(self) -> Any:
        settings = client.consumer(self._options, self._timeouts, self._client_id)
        return client.connect(
            KafkaConsumer,
            **settings,
            group_id=self._group,
            group_instance_id=self._worker_id,
            partition_assignment_strategy=(CooperativeStickyAssignor,),
            session_timeout_ms=client.milliseconds(self._timeouts.session_seconds),
            heartbeat_interval_ms=client.milliseconds(self._timeouts.session_seconds / 5),
            max_poll_interval_ms=client.milliseconds(self._timeouts.max_poll_seconds),
            auto_offset_reset="none",  # a position that does not exist is to be seen, not skipped
        )

    def _new_producer(self) -> Any:
        settings = client.producer(self._options, self._timeouts, self._client_id)
        return client.connect(
            KafkaProducer,
            **settings,
            transactional_id=f"{self._group}-worker-{self._worker_id}",
            transaction_timeout_ms=client.milliseconds(self._timeouts.transaction_seconds),
            linger_ms=self._linger_ms(),
        )

    def _ready_producer(self) -> Any:
        """A new producer; what an earlier one of this worker had open is aborted, and that one fenced."""
        producer = self._new_producer()
        try:
            producer.init_transactions()
        except BaseException:
            _discard(producer)
            raise
        return producer

    def _linger_ms(self) -> int:
        """How long a batch waits for more records; `commit` flushes, so that it never waits for this.

        Without it every few records wake the client's thread, which takes the interpreter from ours each
        time: a third of a busy worker's time. The client wants it below what delivery has beyond a request.
        """
        spare_seconds = self._timeouts.delivery_seconds - self._timeouts.request_seconds
        return min(_LINGER_MS, client.milliseconds(spare_seconds) // 2)

    @property
    def partitions(self) -> int:
        """The number of partitions of the events topic."""
        return self._partitions

    def _guarded(self, what: str) -> Any:
        return self._watchdog.guard(what, self._timeouts.stall_seconds)

    # ---- polling ----

    def poll(self, timeout_seconds: float, max_records: int) -> Polled:
        """See `Log.poll`."""
        if self._open:
            raise LogError("poll inside a transaction: commit or reset first")
        with client.cured("polling"), self._guarded("poll"):
            if self._monotonic() - self._asked_at > self._timeouts.session_seconds:
                # Also to notice that nobody answers: the client says nothing, as if there were no records.
                self._check_not_fenced()
            records = self._poll_stable(timeout_seconds, max_records)
            if not self._consumer.partitions_for_topic(self._events):
                raise missing(self._events)  # the group would only have nothing to give us
        owned = frozenset(p.partition for p in self._consumer.assignment())
        kept = frozenset() if self._forget else (self._told & owned) - self._listener.fresh
        self._listener.fresh.clear()
        self._turns.keep(kept)
        polled = Polled(
            records={
                p.partition: [to_record(r) for r in rs] for p, rs in records.items() if p.partition in kept
            },
            assigned=owned - kept,
            revoked=self._told - kept,
            stable=self._membership is not None,
        )
        self._told, self._forget = owned, False
        return polled

    def _poll_stable(self, timeout_seconds: float, max_records: int) -> Mapping[Any, list[Any]]:
        """Poll, after waiting for a rebalance to end; a short poll may have begun one."""
        deadline = self._monotonic() + _REBALANCE_PATIENCE_SECONDS
        while True:
            if self._joined(deadline - self._monotonic()):
                records = self._poll_once(timeout_seconds, max_records)
                if self._membership is not None:
                    return records
            if self._monotonic() >= deadline:
                self._membership = None
                return {}

    def _joined(self, patience_seconds: float) -> bool:
        """Wait until the group is stable. It is the first step of the client's own poll.

        The client forgets a rebalance that ends between two polls, and begins another (polls of 20 ms
        burned six generations); or, when new metadata had caused it, none, and then it never polls again.
        So the wait is long, and whoever is left without a stable group is made to join anew.
        """
        coordinator = self._consumer._coordinator
        if self._consumer.group_metadata().state == MemberState.STABLE and not coordinator.need_rejoin():
            return True
        if coordinator.poll(timeout_ms=max(client.milliseconds(patience_seconds), 1)):
            return True
        coordinator.request_rejoin()
        return False

    def _poll_once(self, timeout_seconds: float, max_records: int) -> Mapping[Any, list[Any]]:
        records = self._turns.poll(client.milliseconds(timeout_seconds), max_records, self._listener.fresh)
        # Taken now, and used for the commit: after an eviction a fresh one is (-1, ''), and the broker
        # takes that.
        membership = self._consumer.group_metadata()
        if membership.state == MemberState.STABLE and membership.generation_id > 0:
            self._membership = membership
            return dict(records)
        self._membership = None
        for partition, unread in records.items():  # not delivered: read them again, if they stay ours
            if partition in self._consumer.assignment():
                self._consumer.seek(partition, unread[0].offset)
        return {}

    # ---- reading ----

    def _partition(self, number: int) -> Any:
        if number not in self._told:
            raise LogError(f"partition {number} is not assigned to worker {self._worker_id!r}")
        return TopicPartition(self._events, number)

    def committed(self, partition: int) -> Position:
        """See `Log.committed`. The consumer reads committed data only: that is what makes the broker wait."""
        topic_partition = TopicPartition(self._events, partition)
        timeout_ms = client.milliseconds(self._timeouts.stall_seconds / 2)
        with client.cured("reading the committed position"), self._guarded("reading the committed position"):
            found = self._consumer.committed(topic_partition, metadata=True, timeout_ms=timeout_ms)
            start = self._consumer.beginning_offsets([topic_partition])[topic_partition]
            end = self._consumer.end_offsets([topic_partition])[topic_partition]
        if found is None:
            return Position(start, found=False)
        return checked(Position(found.offset, found.metadata or ""), self._events, partition, start, end)

    def changelog(self, partition: int, start: int = 0) -> Iterator[Record]:
        """See `Log.changelog`.

        The end is the high watermark: the last stable offset may lie before records that `committed`
        reflects.
        """
        end = self._reader.high_watermark(self._state, partition)
        return self._reader.read(self._state, partition, start, end)

    def at_end(self, partitions: Collection[int]) -> frozenset[int]:
        """See `Log.at_end`. The end offsets of a read_committed consumer are the last stable offsets."""
        if not partitions:
            return frozenset()
        asked = [self._partition(number) for number in partitions]
        with (
            client.cured("asking for the end of the events"),
            self._guarded("asking for the end of the events"),
        ):
            ends = self._consumer.end_offsets(asked)
            return frozenset(p.partition for p in asked if self._consumer.position(p) >= ends[p])

    def seek(self, partition: int, offset: int) -> None:
        """See `Log.seek`."""
        self._consumer.seek(self._partition(partition), offset)

    def pause(self, partition: int) -> None:
        """See `Log.pause`."""
        self._consumer.pause(self._partition(partition))
        self._turns.keep(self._told - {partition})

    def resume(self, partition: int) -> None:
        """See `Log.resume`."""
        self._consumer.resume(self._partition(partition))

    # ---- writing ----

    def begin(self) -> None:
        """See `Log.begin`."""
        if self._producer is None or self._open:
            raise LogError("begin after a failed transaction or inside one: reset or commit first")
        with client.cured("beginning a transaction"):
            self._open = True
            self._producer.begin_transaction()

    def send(self, outgoing: Outgoing) -> None:
        """See `Log.send`."""
        self._written.add(outgoing.topic)
        value = NULL if outgoing.value is None and outgoing.key is None else outgoing.value
        try:  # not `cured`: a context manager a record would cost a tenth of the call
            future = self._producer.send(
                outgoing.topic,
                value=value,
                key=outgoing.key,
                headers=sendable(outgoing.headers),
                partition=outgoing.partition,  # hashing the key again would cost a quarter of the call
            )
        except errors.KafkaError as error:
            raise client.cure(error, f"sending to {outgoing.topic}") from error
        except ValueError as error:  # the client's own, for a partition that is not there
            raise Restart(f"sending to {outgoing.topic} failed ({type(error).__name__})") from error
        self._futures.append(future)

    def commit(self, positions: Mapping[int, Position]) -> None:
        """See `Log.commit`."""
        if not self._open or not positions:
            raise LogError("commit outside a transaction, or without positions: it could not be fenced")
        if self._membership is None:
            raise Restart("the group was rebalancing at the last poll: the positions would be refused")
        offsets = {
            TopicPartition(self._events, number): OffsetAndMetadata(position.offset, position.metadata, -1)
            for number, position in positions.items()
        }
        with client.cured("committing a transaction"), self._guarded("committing a transaction"):
            self._producer.flush(timeout=self._timeouts.session_seconds)
            self._check_sent()
            self._send_offsets(offsets)
            self._producer.commit_transaction()
        self._futures.clear()
        self._open = False

    def _check_sent(self) -> None:
        """Batches that were not sent, or were dropped, do not keep a commit from succeeding without them."""
        for future in self._futures:
            if not future.succeeded():
                raise future.exception or errors.KafkaTimeoutError("a record was not acknowledged")

    def _send_offsets(self, offsets: Mapping[Any, Any]) -> None:
        try:
            self._producer.send_offsets_to_transaction(offsets, self._membership)
        except errors.CommitFailedError:  # not a member any more; the client would find out at a heartbeat
            self._consumer._coordinator.request_rejoin()
            raise

    def reset(self) -> None:
        """See `Log.reset`. A producer is never used again after an error: it leaks offsets and counters."""
        self._discard_producer()
        with client.cured("starting anew"), self._guarded("starting anew"):
            self._check_not_fenced()
            # What is missing is named here: the producer only waits for it, and calls that a time-out.
            self._reader.require({self._events, *self._written}, self._partitions)
            self._consumer.pause(*self._consumer.assignment())
            self._turns.keep(())
            self._forget = True
            self._producer = self._ready_producer()

    def _discard_producer(self) -> None:
        producer, self._producer = self._producer, None
        self._futures.clear()
        self._open = False
        if producer is not None:
            _discard(producer)

    def _check_not_fenced(self) -> None:
        """Find out whether another process has our place before we would fence its producer.

        The client keeps a fenced heartbeat to itself, so an idle worker would never notice.
        """
        self._asked_at = self._monotonic()
        mine = self._consumer.group_metadata().member_id
        if mine and any(mine != other for other in self._reader.members(self._group, self._worker_id)):
            raise Fenced(
                f"another process runs as worker {self._worker_id!r}: give each worker an id of its own"
            )

    def close(self, *, leave_group: bool = True) -> None:
        """See `Log.close`. A static member does not leave by closing: the group is asked to let it go."""
        member_id = self._consumer.group_metadata().member_id
        with self._guarded("closing"):
            self._discard_producer()
            self._consumer.close(
                autocommit=False, timeout_ms=client.milliseconds(self._timeouts.request_seconds)
            )
            if leave_group and member_id:
                self._reader.remove_member(
                    self._group, MemberToRemove(member_id=member_id, group_instance_id=self._worker_id)
                )
            self._reader.close()
        self._watchdog.close()


def _discard(producer: Any) -> None:
    """Close a producer without sending what it holds, and without waiting for a cluster that may be down.

    Its own close() first flushes, and does not close at all when that fails.
    """
    producer._sender.force_close()
    try:
        producer.close(timeout=1)
    except errors.KafkaError as error:
        _logger.info("a discarded producer did not close cleanly (%s)", type(error).__name__)
