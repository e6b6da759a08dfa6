"""The engine broken on purpose, in one way each: what the checkers would overlook, they cannot vouch for.

Each bug is what somebody might write who did not know of the trap beside it. `PLANTED` names them all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from consumers.engine import Engine
from consumers.log import Outgoing, Polled, Position, Record
from consumers.partition import Partition
from consumers.processor import Processor
from schemas.envelope import Code
from schemas.topics import Topic, topic_name
from simulator.kafka_python import SimulatedLog
from simulator.kafka_python_reader import Reader
from simulator.node import PREFIX
from simulator.process import Process
from workflow.decide import Accepted

_MICROSECOND: Final = timedelta(microseconds=1)
_SECOND: Final = timedelta(seconds=1)


class UncheckedFutures(SimulatedLog):
    """Commits without asking whether every record was written."""

    def _check_sent(self) -> None:
        pass


class NoSeek(SimulatedLog):
    """Reads on from wherever the client stands."""

    def seek(self, partition: int, offset: int) -> None:
        """Do nothing."""


class ReusedProducer(SimulatedLog):
    """Aborts after an error, and goes on with the same producer."""

    def _discard_producer(self) -> None:
        self._futures.clear()
        self._open = False
        self._producer.abort_transaction()

    def _ready_producer(self) -> Any:
        usable = self._producer is not None and self._producer.current
        return self._producer if usable else super()._ready_producer()


class NoOffsetsForClocks(SimulatedLog):
    """Adds no positions to a transaction in which only clocks fired."""

    def poll(self, timeout_seconds: float, max_records: int) -> Polled:
        """Note whether there is a record."""
        polled = super().poll(timeout_seconds, max_records)
        self._any = bool(polled.records)
        return polled

    def _send_offsets(self, offsets: Mapping[Any, Any]) -> None:
        if self._any:
            super()._send_offsets(offsets)


class FreshMetadata(SimulatedLog):
    """Commits with the membership as it is by then."""

    def _send_offsets(self, offsets: Mapping[Any, Any]) -> None:
        self._membership = self._consumer.group_metadata()
        super()._send_offsets(offsets)


class UnstableGroup(SimulatedLog):
    """Takes the new generation for the old assignment, while the group rebalances."""

    def _poll_once(self, timeout_seconds: float, max_records: int) -> Mapping[Any, list[Any]]:
        records = self._consumer.poll(timeout_ms=int(timeout_seconds * 1000), max_records=max_records)
        self._membership = self._consumer.group_metadata()
        return dict(records)

    def _joined(self, patience_seconds: float) -> bool:
        del patience_seconds
        return True


class _ToTheStableEnd(Reader):
    def high_watermark(self, topic: str, partition: int) -> int:
        return self._cluster.topic(topic)[partition].stable


class RestoredTooLittle(SimulatedLog):
    """Reads the state up to the last stable offset, which may lie behind the committed position."""

    def _new_reader(self) -> Any:
        return _ToTheStableEnd(self._node)


class PositionTooFar(SimulatedLog):
    """Commits the offset after the next one."""

    def commit(self, positions: Mapping[int, Position]) -> None:
        """Skip one."""
        super().commit({number: replace(p, offset=p.offset + 1) for number, p in positions.items()})


class NoArrivalKept(SimulatedLog):
    """Forgets the running arrival with the process."""

    def committed(self, partition: int) -> Position:
        """Without what was noted beside it."""
        return replace(super().committed(partition), metadata="")


class StaysPaused(SimulatedLog):
    """Lets nothing be delivered any more after an error."""

    _was_reset = False

    def reset(self) -> None:
        """Remember that there was one."""
        super().reset()
        self._was_reset = True

    def resume(self, partition: int) -> None:
        """Do nothing after an error."""
        if not self._was_reset:
            super().resume(partition)


class OutsideTheTransaction(SimulatedLog):
    """Sends notifications at once, lest they come late."""

    def send(self, outgoing: Outgoing) -> None:
        """Write some records without the transaction."""
        if outgoing.topic == topic_name(PREFIX, Topic.NOTIFICATIONS):
            out = outgoing
            self._node.cluster.append(out.topic, out.key, out.value, out.headers, partition=out.partition)
        else:
            super().send(outgoing)


class KeptOverlay(Engine):
    """After an abort goes on with what it has in memory."""

    def _start_over(self, reason: Any) -> None:
        self._kept = dict(self._partitions)
        super()._start_over(reason)

    def _follow(self, polled: Polled) -> None:
        for number in polled.revoked:
            self._partitions.pop(number, None)
        for number in polled.assigned:
            kept = getattr(self, "_kept", {}).pop(number, None)
            if kept is not None:
                self._partitions[number] = kept
                position = self._log.committed(number)
                self._log.seek(number, position.offset)
                self._log.resume(number)
        left = polled.assigned - self._partitions.keys()
        super()._follow(replace(polled, assigned=left, revoked=frozenset()))


class NotDropped(Engine):
    """Keeps working on partitions that went to another worker."""

    def _follow(self, polled: Polled) -> None:
        super()._follow(replace(polled, revoked=polled.revoked & polled.assigned))


class TooEarly(Engine):
    """Fires what will be due within a second, since it is awake."""

    def _due_at_end(self, now: datetime) -> list[int]:
        return super()._due_at_end(now + _SECOND)

    def _decide(self, records: Mapping[int, Sequence[Record]], due: Sequence[int], now: datetime) -> int:
        return super()._decide(records, due, now + _SECOND)


class NotAtTheEnd(Engine):
    """Fires by the clock although records wait that arrived before."""

    def _due_at_end(self, now: datetime) -> list[int]:
        heads = {n: p.index.head() for n, p in self._partitions.items()}
        return sorted(n for n, head in heads.items() if head is not None and head.at <= now)


class EqualFires(Processor):
    """At equality lets the clock come before the record."""

    def fire(self, partition: Partition, before: datetime, budget: int) -> int:
        """Fire what is due at the instant, too."""
        return super().fire(partition, before + _MICROSECOND, budget)


class BareClock(Processor):
    """Takes the machine's word for the time."""

    def _now(self, partition: Partition) -> datetime:
        del partition
        return self.clock.now()


class RememberedTooSoon(Processor):
    """Remembers ids when they are decided, not when that is committed."""

    def _decide(self, partition: Partition, record: Record, event: Any, arrival: datetime) -> None:
        self._seen: set[tuple[str, str]] = getattr(self, "_seen", set())
        if (event.source, event.id) in self._seen:
            self.tally.event(event.type, "duplicate")
            return
        self._seen.add((event.source, event.id))
        super()._decide(partition, record, event, arrival)


class NoDuplicates(Processor):
    """Takes every event for a new one."""

    def _decide(self, partition: Partition, record: Record, event: Any, arrival: datetime) -> None:
        other = replace(event, id=f"{event.id}@{record.offset}")
        super()._decide(partition, record, other, arrival)


class UnwrittenFirings(Processor):
    """Writes no state of a ticket on which only clocks fired."""

    def record(self, partition: Partition, record: Record, budget: int) -> int:
        """Note whose events there are."""
        self._heard: set[bytes | None] = {*getattr(self, "_heard", ()), record.key}
        return super().record(partition, record, budget)

    def states(self, partition: Partition) -> None:
        """Leave some out."""
        for ticket_id, ticket in partition.changed():
            if ticket_id.encode() in getattr(self, "_heard", ()):
                self.send(self.outbox.state(ticket_id, ticket, partition.number))


class LostRetraction(Processor):
    """Does not arm again what a retraction has armed."""

    def _apply(self, partition: Partition, fact: Accepted) -> None:
        super()._apply(partition, fact)
        if any(change.change == "retracted" for change in fact.entry.clocks):
            partition.index.set(fact.entry.ticket_id, None)


class LostLetters(Processor):
    """Has no dead letter for what is no event."""

    def _refuse(self, record: Record, kind: str, code: Code, message: str) -> None:
        if code is not Code.MALFORMED:
            super()._refuse(record, kind, code, message)


class Quotes(Processor):
    """Says in a dead letter what it has refused."""

    def _refuse(self, record: Record, kind: str, code: Code, message: str) -> None:
        super()._refuse(record, kind, code, f"{message}: {(record.value or b'').decode(errors='replace')}")


class LostMergers(Processor):
    """Tells no survivor."""

    def _apply(self, partition: Partition, fact: Accepted) -> None:
        super()._apply(partition, replace(fact, absorbed=None))


class NoEarlierFirings(Processor):
    """Decides a record before what was due before its arrival."""

    def _fire_ticket(self, partition: Partition, ticket_id: str, before: datetime) -> int:
        del partition, ticket_id, before
        return 0


def _planted(
    log: type[SimulatedLog] = SimulatedLog,
    engine: type[Engine] = Engine,
    processor: type[Processor] | None = None,
) -> type[Process]:
    class Planted(Process):
        log_type, engine_type = log, engine

        def make_engine(self) -> Engine:
            """An engine with the bug."""
            made = super().make_engine()
            if processor is not None:
                whole = made._processor
                made._processor = processor(
                    whole.policies, whole.clock, whole.outbox, whole.partitions, whole.send
                )
            return made

    return Planted


PLANTED: Final[Mapping[str, type[Process]]] = {
    "the futures of a transaction are not checked": _planted(log=UncheckedFutures),
    "no seek after an abort": _planted(log=NoSeek),
    "a producer is used again after an error": _planted(log=ReusedProducer),
    "no offsets with a transaction of clocks alone": _planted(log=NoOffsetsForClocks),
    "group metadata fetched at the commit": _planted(log=FreshMetadata),
    "a group that rebalances counts as stable": _planted(log=UnstableGroup),
    "state restored up to the last stable offset": _planted(log=RestoredTooLittle),
    "committed offset one too far": _planted(log=PositionTooFar),
    "running arrival forgotten at a restart": _planted(log=NoArrivalKept),
    "notifications sent outside the transaction": _planted(log=OutsideTheTransaction),
    "partitions stay paused after an error": _planted(log=StaysPaused),
    "overlay kept after an abort": _planted(engine=KeptOverlay),
    "revoked partitions not dropped": _planted(engine=NotDropped),
    "clocks fire a second early": _planted(engine=TooEarly),
    "clocks fire before records that came first": _planted(engine=NotAtTheEnd),
    "off by one at the deadline": _planted(processor=EqualFires),
    "time taken from the machine alone": _planted(processor=BareClock),
    "ids remembered before the commit": _planted(processor=RememberedTooSoon),
    "no ids remembered": _planted(processor=NoDuplicates),
    "no state after a firing": _planted(processor=UnwrittenFirings),
    "a retraction arms nothing": _planted(processor=LostRetraction),
    "no dead letter for what is no event": _planted(processor=LostLetters),
    "a dead letter quotes what it is about": _planted(processor=Quotes),
    "a survivor learns nothing": _planted(processor=LostMergers),
    "a record is decided before what was due": _planted(processor=NoEarlierFirings),
}
"""Every bug, by what it does."""
