"""One partition, decided again in the journal's own order.

The journal of a partition is the order of its decisions. Events that left no journal record have no place in
it: such a one must, somewhere between the journal records of the events before and after it, be decided as
what it became. They are tried at once and, where that fails, again after each firing of their ticket.

A life of a ticket whose first event is no longer kept cannot be decided again: it is only folded.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from pydantic import ValidationError

from consumers.log import Record
from consumers.verifier_compare import Comparison, Place
from consumers.verifier_events import Events, Met, letter_code
from consumers.verifier_report import Law
from consumers.verifier_streams import Cause
from schemas.envelope import BadRecord, Event
from schemas.instants import seconds
from schemas.records import ClockCause, EventCause, JournalEntry, read_journal
from schemas.state import Ticket
from schemas.topics import Topic
from workflow.decide import Accepted, Arrived, Duplicate, Rejected, decide, decide_due
from workflow.due import next_due
from workflow.policy import Policies
from workflow.ticket import evolve


class Mode(Enum):
    """What can be said of one life of a ticket."""

    DECIDED = auto()
    FOLDED = auto()
    BROKEN = auto()  # something of it is wrong, so that what follows proves nothing


@dataclass(frozen=True, slots=True)
class Life:
    """A ticket that is in the state, after its journal record `seq`."""

    mode: Mode
    seq: int
    ticket: Ticket | None


@dataclass(slots=True)
class Journal:
    """The journal of a partition.

    `records` up to the end as it was when they were asked for, `later` reads on from an offset; `scout` is
    `verifier_streams.scout` over the same records; `complete`: nothing was deleted from it.
    """

    records: Iterator[Record]
    later: Callable[[int], Iterator[Record]]
    scout: Iterator[tuple[int, int]]
    complete: bool


class Walk:
    """Walks through a partition once.

    `beyond`: the journal records that were left out, for they follow from later events or after them.
    `read_to`: how far the journal was read.
    """

    def __init__(
        self, place: Place, journal: Journal, events: Events, comparison: Comparison, policies: Policies
    ) -> None:
        self._place, self._journal, self._events = place, journal, events
        self._comparison, self._policies = comparison, policies
        self._lives: dict[str, Life] = {}
        self._waiting: dict[str, deque[Met]] = {}
        self._unknown: set[str] = set()
        self._supposed: dict[str, int] = {}  # the seq up to which a ticket is what it should be, and was not
        self.beyond: set[Cause] = set()
        self.read_to = 0
        self._scouted = next(journal.scout, None)

    def run(self) -> None:
        """Walk to the committed offset."""
        committed = self._place.counts.committed
        self._visit(-1)
        for record in self._journal.records:
            self.read_to = record.offset + 1
            entry = self._entry(record)
            if entry is not None and (self.beyond or _event_offset(entry) >= committed):
                self.beyond.add((entry.ticket_id, entry.seq))
            elif entry is not None:
                self._step(record, entry)
            self._visit(record.offset)
        self._give_up()
        self._events.rest(committed)
        for record in self._journal.later(self.read_to):
            self.read_to = record.offset + 1
            entry = self._entry(record)
            if entry is not None:
                self.beyond.add((entry.ticket_id, entry.seq))
        known = {name: life.seq for name, life in self._lives.items() if life.mode is not Mode.BROKEN}
        self._unknown |= {name for name, seq in self._supposed.items() if known.get(name) == seq}
        self._comparison.rest(known, self._unknown, self.beyond)

    # --- the journal ---

    def _entry(self, record: Record) -> JournalEntry | None:
        """The entry in a journal record; None where it is none of this partition, and that is said."""
        try:
            event = read_journal(record.value)
        except ValidationError:
            self._found(Law.FOLD, record, None, "it is no journal record")
            return None
        entry = event.data
        if event.id != entry.record_id or record.key != entry.ticket_id.encode():
            self._found(
                Law.SEQUENCE, record, entry.ticket_id, "its id or key is not that of its ticket and seq"
            )
            return None
        cause = entry.cause
        elsewhere = isinstance(cause, EventCause) and cause.partition != record.partition
        if elsewhere or not self._place.holds(record.key):
            self._found(Law.PLACE, record, entry.ticket_id, "it belongs into another partition")
            return None
        return entry

    def _step(self, record: Record, entry: JournalEntry) -> None:
        life = self._lives.get(entry.ticket_id)
        if entry.ticket_id in self._waiting and entry.seq > (1 if life is None else life.seq + 1):
            # The record that is missing may be that of an event which seems to have become nothing.
            self._disagree(self._waiting.pop(entry.ticket_id))
            life = self._lives.get(entry.ticket_id)
        if life is not None and entry.seq <= life.seq:
            self._found(Law.SEQUENCE, record, entry.ticket_id, f"seq {entry.seq} stands there already")
            return
        expected = 1 if life is None else life.seq + 1
        if entry.seq != expected:
            if life is not None or self._journal.complete:
                sentence = f"seq is {entry.seq} where {expected} comes next"
                self._found(Law.SEQUENCE, record, entry.ticket_id, sentence)
            life = Life(Mode.BROKEN, entry.seq, None)
        self._place.counts.journal += 1
        self._check_times(record, entry)
        if isinstance(entry.cause, EventCause):
            self._give_up()
            self._event(record, entry, entry.cause, life)
        else:
            self._place.counts.firings += 1
            self._firing(record, entry, entry.cause, life)
            self._retry(entry.ticket_id)

    def _check_times(self, record: Record, entry: JournalEntry) -> None:
        if isinstance(entry.cause, ClockCause) and entry.recorded_at < entry.cause.due:
            self._found(Law.TIME, record, entry.ticket_id, "it was recorded before it was due")
        for change in entry.clocks:
            if change.found_at is None:
                continue
            if change.found_at < change.at:
                self._found(Law.TIME, record, entry.ticket_id, f"{change.clock} fired before it was due")
            elif change.lateness_seconds != seconds(change.found_at - change.at):
                sentence = f"lateness_seconds of {change.clock} is not found_at - due"
                self._found(Law.TIME, record, entry.ticket_id, sentence)

    def _event(self, record: Record, entry: JournalEntry, cause: EventCause, life: Life | None) -> None:
        met = self._events.at(cause.offset)
        first_offset = self._place.counts.first_offset
        if met is not None:
            self._place.counts.applied += 1
            if met.letter is not None:
                sentence = f"the event at offset {cause.offset} was applied, but has a dead letter too"
                self._found(Law.CONSERVATION, record, entry.ticket_id, sentence)
        elif cause.offset >= first_offset:
            sentence = f"there is no event at offset {cause.offset}, or another record has told of it"
            self._found(Law.CONSERVATION, record, entry.ticket_id, sentence)
        if life is None:
            life = self._born(met, kept=cause.offset >= first_offset)
        if life.mode is Mode.DECIDED and met is not None:
            self._decide(record, entry, met, life.ticket)
        else:
            self._fold(record, entry, life)

    def _born(self, met: Met | None, *, kept: bool) -> Life:
        if met is not None:
            self._place.counts.decided_again += 1
            return Life(Mode.DECIDED, 0, None)
        if kept:
            return Life(Mode.BROKEN, 0, None)
        self._place.counts.only_folded += 1
        return Life(Mode.FOLDED, 0, None)

    def _decide(self, record: Record, entry: JournalEntry, met: Met, ticket: Ticket | None) -> None:
        for change in entry.clocks:
            self._policies.get(change.policy)  # under other versions nothing would agree, and that is why
        decoded = met.decoded
        if isinstance(decoded, BadRecord) or decoded.subject != entry.ticket_id:
            code = decoded.code if isinstance(decoded, BadRecord) else "an event of another ticket"
            sentence = f"the event at offset {met.record.offset} was applied; decided again it is {code}"
            self._broken(Law.DECISION, record, entry, sentence)
            return
        if self._waits_for_firing(ticket, met.arrival):
            sentence = f"the event at offset {met.record.offset} was decided before what was due before it"
            self._found(Law.ORDER, record, entry.ticket_id, sentence)
        outcome = self._decided(met, decoded, ticket, entry.recorded_at)
        if not isinstance(outcome, Accepted):
            sentence = (
                f"the event at offset {met.record.offset} was applied; decided again it is {_word(outcome)}"
            )
            self._broken(Law.DECISION, record, entry, sentence)
            return
        self._accept(outcome, record)

    def _decided(
        self, met: Met, event: Event, ticket: Ticket | None, now: datetime
    ) -> Accepted | Rejected | Duplicate:
        command = Arrived(event, met.arrival, met.record.partition, met.record.offset)
        return decide(ticket, command, now, self._policies)

    def _waits_for_firing(self, ticket: Ticket | None, arrival: datetime) -> bool:
        due = None if ticket is None else next_due(ticket, self._policies)
        return due is not None and due.at < arrival

    def _firing(self, record: Record, entry: JournalEntry, cause: ClockCause, life: Life | None) -> None:
        if life is None:
            self._broken(Law.CAUSE, record, entry, "a clock fired for a ticket that is not there")
            return
        ticket = life.ticket
        clock = None if ticket is None else ticket.clock(cause.clock)
        if clock is not None and clock.cycle == cause.cycle and cause.threshold in clock.fired:
            sentence = f"{cause.clock}, cycle {cause.cycle}, threshold {cause.threshold} had fired already"
            self._broken(Law.ONCE, record, entry, sentence)
        elif life.mode is not Mode.DECIDED or ticket is None:
            self._fold(record, entry, life)
        else:
            self._fire(record, entry, cause, ticket)

    def _fire(self, record: Record, entry: JournalEntry, cause: ClockCause, ticket: Ticket) -> None:
        due = next_due(ticket, self._policies)
        named = (cause.due, cause.clock, cause.cycle, cause.threshold)
        if due is None or (due.at, due.clock, due.cycle, due.threshold) != named:
            sentence = f"{cause.clock}, threshold {cause.threshold} is not what the ticket was due for"
            self._broken(Law.DECISION, record, entry, sentence)
            return
        # One that was recorded too early is found as such; decided again it cannot be early.
        fact = decide_due(ticket, due, max(entry.recorded_at, due.at), self._policies)
        assert fact is not None  # noqa: S101 - it was just asked what is due
        self._accept(fact, record)

    def _accept(self, fact: Accepted, record: Record | None) -> None:
        """Go on from what was decided again, also where the journal has something else."""
        self._comparison.fact(fact, record)
        self._put(fact.entry, Mode.DECIDED, fact.after)
        if fact.after is not None:
            self._comparison.state(fact.entry, fact.after, exact=True)

    def _fold(self, record: Record, entry: JournalEntry, life: Life) -> None:
        self._comparison.unknown(entry)
        mode, ticket = life.mode, life.ticket
        if mode is not Mode.BROKEN:
            try:
                ticket = evolve(ticket, entry)
            except (ValidationError, LookupError, TypeError, ValueError, AttributeError):
                self._found(Law.FOLD, record, entry.ticket_id, "it cannot follow from the records before it")
                mode = Mode.BROKEN
        self._put(entry, mode, ticket)
        if mode is Mode.FOLDED and ticket is not None:
            self._comparison.state(entry, ticket, exact=False)

    def _put(self, entry: JournalEntry, mode: Mode, ticket: Ticket | None) -> None:
        if mode is Mode.BROKEN:
            self._unknown.add(entry.ticket_id)
        if entry.to is None:
            self._lives.pop(entry.ticket_id, None)
        else:
            self._lives[entry.ticket_id] = Life(mode, entry.seq, None if mode is Mode.BROKEN else ticket)

    def _broken(self, law: Law, record: Record, entry: JournalEntry, sentence: str) -> None:
        self._found(law, record, entry.ticket_id, sentence)
        self._fold(record, entry, Life(Mode.BROKEN, entry.seq, None))

    def _found(self, law: Law, record: Record, ticket_id: str | None, sentence: str) -> None:
        self._place.found(law, Topic.JOURNAL, record.offset, ticket_id, sentence)

    # --- events that left no journal record ---

    def _visit(self, journal_offset: int) -> None:
        """Meet the events that lie before the one that the next journal record is about."""
        while self._scouted is not None and self._scouted[0] <= journal_offset:
            self._scouted = next(self._journal.scout, None)
        until = self._place.counts.committed if self._scouted is None else self._scouted[1]
        for met in self._events.before(until):
            if isinstance(met.decoded, BadRecord):
                self._events.refused(met, met.decoded.code, met.decoded.message)
                continue
            queue = self._waiting.get(met.decoded.subject)
            if queue is not None:
                queue.append(met)  # events of a ticket keep their order
            elif not self._settled(met, met.decoded):
                self._waiting[met.decoded.subject] = deque((met,))

    def _settled(self, met: Met, event: Event) -> bool:
        """Whether the event becomes here what it became."""
        counts, life = self._place.counts, self._lives.get(event.subject)
        if life is not None and life.mode is not Mode.DECIDED:
            counts.unchecked += 1
            if met.letter is None:
                counts.duplicate += 1
            else:
                counts.rejected += 1
            return True
        ticket = None if life is None else life.ticket
        if self._waits_for_firing(ticket, met.arrival):
            return False
        match self._decided(met, event, ticket, met.arrival):
            case Duplicate() if met.letter is None:
                counts.duplicate += 1
            case Rejected(code, message) if self._events.is_letter(met, code, message) or (
                met.letter is None and not self._events.missing_letters_count
            ):
                self._events.refused(met, code, message, event.subject)
            case _:
                return False
        return True

    def _retry(self, ticket_id: str) -> None:
        queue = self._waiting.get(ticket_id)
        while queue and isinstance(event := queue[0].decoded, Event) and self._settled(queue[0], event):
            queue.popleft()
        if queue is not None and not queue:
            del self._waiting[ticket_id]

    def _give_up(self) -> None:
        """No place is left for those that wait: say what is wrong with each."""
        waiting, self._waiting = self._waiting, {}
        for queue in waiting.values():
            self._disagree(queue)

    def _disagree(self, queue: deque[Met]) -> None:
        for met in queue:
            if isinstance(met.decoded, Event) and not self._settled(met, met.decoded):
                self._disagrees(met, met.decoded)

    def _disagrees(self, met: Met, event: Event) -> None:
        life = self._lives.get(event.subject)
        ticket = None if life is None else life.ticket
        outcome = self._decided(met, event, ticket, met.arrival)
        if isinstance(outcome, Rejected):
            self._events.refused(met, outcome.code, outcome.message, event.subject)
            if not self._events.is_letter(met, outcome.code, outcome.message):
                return
        law, counts = Law.CONSERVATION, self._place.counts
        if met.letter is not None and not isinstance(outcome, Rejected):
            counts.rejected += 1
            sentence = (
                f"it has a dead letter as {letter_code(met.letter)}; decided again it is {_word(outcome)}"
            )
        elif isinstance(outcome, Accepted):
            counts.lost += 1
            sentence = "it was neither applied nor rejected, and it is no duplicate"
        else:
            if isinstance(outcome, Duplicate):
                counts.duplicate += 1
            law, sentence = Law.ORDER, "it was decided before what was due before it"
        self._place.found(law, Topic.EVENTS, met.record.offset, event.subject, sentence)
        if isinstance(outcome, Accepted) and met.letter is None:
            # As if its journal record were there, so that the rest can be checked.
            self._accept(outcome, None)
            self._supposed[event.subject] = outcome.entry.seq


def _event_offset(entry: JournalEntry) -> int:
    return entry.cause.offset if isinstance(entry.cause, EventCause) else -1


def _word(outcome: Accepted | Rejected | Duplicate) -> str:
    match outcome:
        case Rejected(code, _):
            return str(code)
        case Duplicate():
            return "a duplicate"
        case _:
            return "applied"
