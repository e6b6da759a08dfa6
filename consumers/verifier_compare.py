"""What a fact gives when it is rendered again, beside what the topics of one partition have of it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice
from typing import Any, Final

from pydantic import ValidationError

from consumers.log import Outgoing, Record
from consumers.partition import read_state
from consumers.processor import Renderer
from consumers.verifier_report import Counts, Finding, Findings, Law
from consumers.verifier_streams import Cause, Outputs, attributes
from schemas.instants import to_epoch
from schemas.records import JournalEntry
from schemas.state import Ticket
from schemas.topics import Topic, partition_for, topic_name
from workflow.decide import Accepted
from workflow.ticket import public

_SHOWN: Final = 3
"""More differences than this are not named."""


@dataclass(slots=True)
class Place:
    """One partition of all topics: where findings and counts of it go."""

    prefix: str
    partition: int
    partitions: int
    counts: Counts
    findings: Findings

    def found(self, law: Law, topic: Topic, offset: int | None, ticket_id: str | None, sentence: str) -> None:
        """Note a broken law."""
        name = topic_name(self.prefix, topic)
        self.findings.add(Finding(law, name, self.partition, offset, ticket_id, sentence))

    def holds(self, key: bytes | None) -> bool:
        """Whether a key belongs into this partition."""
        return key is not None and partition_for(key, self.partitions) == self.partition


@dataclass(frozen=True, slots=True)
class Absorption:
    """An absorbed event that a fact gives, and where to say so if it is not there."""

    place: Place
    offset: int | None
    ticket_id: str
    partition: int
    digest: bytes
    recorded_at_us: int


@dataclass(slots=True)
class Absorptions:
    """Absorbed events of all partitions, for they may go from any one to any other.

    By id, which a later life of a reused ticket id may have again. `pardoned`: ids of those that may be
    there, but cannot be made again.
    """

    expected: dict[str, list[Absorption]] = field(default_factory=dict)
    found: dict[str, list[tuple[int, int, bytes]]] = field(default_factory=dict)
    pardoned: set[str] = field(default_factory=set)


def fingerprint(key: bytes | None, value: bytes | None) -> bytes:
    """What stands for a record's key and value."""
    return blake2b(b"%b/%b" % (key or b"", value or b""), digest_size=16).digest()


def same(record: Record, outgoing: Outgoing) -> bool:
    """Whether a record is what would be written again, byte for byte."""
    return (
        record.value == outgoing.value
        and record.key == outgoing.key
        and record.headers == outgoing.headers
        and record.partition == outgoing.partition
    )


def masked(value: bytes | None) -> dict[str, Any]:
    """A journal record without the three engine-time fields (law 3 of the design)."""
    document = attributes(value)
    data = document.get("data")
    if isinstance(data, dict):
        data.pop("recorded_at", None)
        changes = data.get("clocks")
        for change in changes if isinstance(changes, list) else ():
            if isinstance(change, dict):
                change.pop("found_at", None)
                change.pop("lateness_seconds", None)
    return document


def differences(expected: Any, actual: Any, path: str = "") -> Iterator[str]:
    """The paths at which two JSON values differ. Names come from what is expected only."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for name, value in expected.items():
            within = f"{path}.{name}" if path else name
            if name in actual:
                yield from differences(value, actual[name], within)
            else:
                yield within
        if actual.keys() - expected.keys():
            yield f"{path} (a field too many)" if path else "a field too many"
    elif isinstance(expected, list) and isinstance(actual, list):
        for number, (one, other) in enumerate(zip(expected, actual, strict=False)):
            yield from differences(one, other, f"{path}[{number}]")
        if len(expected) != len(actual):
            yield f"{path} (its length)"
    elif type(expected) is not type(actual) or expected != actual:
        yield path


def in_words(paths: Iterable[str]) -> str:
    """Some paths, for a sentence; empty where there are none."""
    shown = list(islice(paths, _SHOWN + 1))
    more = " and more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more


def _where(paths: str) -> str:
    return f"in {paths}" if paths else "in its key, its headers or the way in which it is written"


class Comparison:
    """The outputs of one partition, taken one cause after another."""

    def __init__(
        self,
        place: Place,
        renderer: Renderer,
        outputs: dict[Topic, Outputs],
        alive: dict[str, Cause],
        absorptions: Absorptions,
    ) -> None:
        """Compare notifications, metrics and state; `alive` as `verifier_streams.watched` fills it."""
        self._place, self._renderer, self._outputs = place, renderer, outputs
        self._alive, self._absorptions = alive, absorptions

    def fact(self, fact: Accepted, record: Record | None) -> None:
        """Compare all but the state with a fact; `record`: its journal record, None if that is lost."""
        journal, *outputs = self._renderer.fact(fact, self._place.partition)
        if record is not None:
            self._journal(journal, record)
        entry = fact.entry
        for topic in (Topic.NOTIFICATIONS, Topic.METRICS):
            name = topic_name(self._place.prefix, topic)
            self._of(topic, entry, [each for each in outputs if each.topic == name])
        events = topic_name(self._place.prefix, Topic.EVENTS)
        for each in outputs:
            if each.topic == events:
                self._absorbed(entry, each, record)

    def _journal(self, expected: Outgoing, record: Record) -> None:
        if same(record, expected):
            return
        ticket_id = (expected.key or b"").decode()
        ours, theirs = attributes(expected.value), attributes(record.value)
        decided = in_words(differences(masked(expected.value), masked(record.value)))
        if not decided and ours != theirs:
            sentence = "recorded_at, found_at and lateness_seconds do not fit together"
            self._place.found(Law.TIME, Topic.JOURNAL, record.offset, ticket_id, sentence)
            return
        sentence = f"decided again it differs {_where(decided)}"
        self._place.found(Law.DECISION, Topic.JOURNAL, record.offset, ticket_id, sentence)

    def _of(self, topic: Topic, entry: JournalEntry, expected: list[Outgoing]) -> None:
        if not expected:
            return
        stream, cause = self._outputs[topic], (entry.ticket_id, entry.seq)
        held = stream.look(cause, len(expected))
        for outgoing in expected:
            record = next((each for each in held if same(each, outgoing)), None)
            if record is None:
                record = self._changed(topic, entry, outgoing, held)
            if record is not None:
                stream.take(cause, record)
                held.remove(record)
                if topic is Topic.METRICS:
                    self._place.counts.metrics += 1
                else:
                    self._place.counts.notifications += 1

    def _changed(
        self, topic: Topic, entry: JournalEntry, outgoing: Outgoing, held: list[Record]
    ) -> Record | None:
        """Say that an output is missing or not as it should be; returns it where it is there."""
        wanted = attributes(outgoing.value)
        record = next((each for each in held if attributes(each.value).get("id") == wanted["id"]), None)
        ticket_id = entry.ticket_id
        which = wanted["id"].removeprefix(f"{ticket_id}/{entry.seq}/")
        if record is not None:
            where = _where(in_words(differences(wanted, attributes(record.value))))
            sentence = f"{which} of seq {entry.seq}: decided again it differs {where}"
            self._place.found(Law.DECISION, topic, record.offset, ticket_id, sentence)
        elif self._outputs[topic].missing_counts:
            sentence = f"{which} of seq {entry.seq} is missing"
            self._place.found(Law.DECISION, topic, None, ticket_id, sentence)
        return record

    def _absorbed(self, entry: JournalEntry, outgoing: Outgoing, record: Record | None) -> None:
        absorption = Absorption(
            self._place,
            None if record is None else record.offset,
            entry.ticket_id,
            outgoing.partition,
            fingerprint(outgoing.key, outgoing.value),
            to_epoch(entry.recorded_at),
        )
        self._absorptions.expected.setdefault(f"{entry.record_id}/absorbed", []).append(absorption)

    def unknown(self, entry: JournalEntry) -> None:
        """Let go of the outputs of a fact that cannot be decided again."""
        cause = (entry.ticket_id, entry.seq)
        for topic in (Topic.NOTIFICATIONS, Topic.METRICS):
            self._outputs[topic].drop(cause)
        self._absorptions.pardoned.add(f"{entry.record_id}/absorbed")

    def state(self, entry: JournalEntry, ticket: Ticket, *, exact: bool) -> None:
        """Compare the state after a journal record, if a transaction ended with it.

        What is there and different stays: a reused id may have a later life with the same seq. `exact`: to
        the byte; else but for what only state records carry.
        """
        stream, cause = self._outputs[Topic.STATE], (entry.ticket_id, entry.seq)
        for record in stream.look(cause, 1):
            if self._is_state(record, ticket, exact=exact):
                stream.take(cause, record)
                self._place.counts.states += 1
                return

    def _is_state(self, record: Record, ticket: Ticket, *, exact: bool) -> bool:
        if exact:
            return same(record, self._renderer.state(ticket.ticket_id, ticket, self._place.partition))
        try:
            return public(read_state(record.value or b"")) == public(ticket)
        except ValidationError:
            return False

    def rest(self, known: dict[str, int], unknown: set[str], beyond: set[Cause]) -> None:
        """Say what is left over when all causes were seen.

        `known`: the seq of every ticket in the state. `unknown`: tickets of which nothing can be said.
        `beyond`: journal records that the verifier leaves out.
        """
        for topic, stream in self._outputs.items():
            for cause, record in stream.rest():
                if not self._place.holds(record.key):
                    sentence = "its key belongs into another partition"
                    self._place.found(Law.PLACE, topic, record.offset, cause and cause[0], sentence)
                elif cause is None or (cause not in beyond and cause[0] not in unknown):
                    self._left(topic, cause, record)
        later = {ticket_id for ticket_id, _ in beyond} | unknown
        for ticket_id in sorted((known.keys() | self._alive.keys()) - later):
            self._last(ticket_id, known.get(ticket_id), self._alive.get(ticket_id))

    def _left(self, topic: Topic, cause: Cause | None, record: Record) -> None:
        if cause is None:
            sentence = "its id names no journal record"
        elif topic is Topic.STATE:
            sentence = f"it is not what the journal gives after seq {cause[1]}"
        else:
            sentence = f"seq {cause[1]} of the journal does not give it, or not again"
        law = Law.FOLD if topic is Topic.STATE else Law.CAUSE
        self._place.found(law, topic, record.offset, cause and cause[0], sentence)

    def _last(self, ticket_id: str, seq: int | None, state: Cause | None) -> None:
        if state is not None and seq == state[1]:
            return
        if seq is None:
            sentence = "its last state record stands there still, but the journal says that it left the state"
        elif state is None:
            sentence = f"there is no state record, but the journal goes on to seq {seq}"
        else:
            sentence = f"its last state record is of seq {state[1]}, but the journal goes on to seq {seq}"
        self._place.found(Law.FOLD, Topic.STATE, None, ticket_id, sentence)
