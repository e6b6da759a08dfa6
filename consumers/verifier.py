"""Checks the laws on the topics themselves: conservation, order, firing once, fold, the same decisions.

What is read is cut so that a worker may go on meanwhile. The committed offsets are asked for first, then the
end of the journal; then its open transactions are waited for, and then every other topic is read to its end
as of then, so that all outputs of what is in the journal are among what is read. The journal is walked up to
the first record that follows from a later event, and read to its end once more after everything else, so that
outputs of later causes are known as such.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from consumers.log import Position, Reader, Record
from consumers.processor import Renderer
from consumers.verifier_compare import Absorption, Absorptions, Comparison, Place
from consumers.verifier_events import Events
from consumers.verifier_report import Counts, Findings, Law, Report
from consumers.verifier_streams import Cause, DeadLetters, Outputs, attributes, scout, watched
from consumers.verifier_walk import Journal, Walk
from schemas.topics import Topic, partition_for, topic_name
from workflow.policy import Policies

_CLOCKS_APART_US: Final = 5 * 60 * 1_000_000
"""How far the worker's clock and the broker's may be apart, where one is compared with the other."""


@dataclass(frozen=True, slots=True)
class _Walked:
    """What is remembered of a partition: `beyond` and `read_to` as in `Walk`, `kept` where topics begin."""

    place: Place
    beyond: set[Cause]
    read_to: int
    kept: Mapping[Topic, int]
    kept_since_us: int | None


class Verifier:
    """Verifies the topics with a prefix that a group's workers write. Use it once."""

    def __init__(
        self, reader: Reader, prefix: str, group: str, policies: Policies, renderer: Renderer
    ) -> None:
        """Read through `reader`; `renderer` and `policies` are those that the workers have."""
        self._reader, self._prefix, self._policies, self._renderer = reader, prefix, policies, renderer
        self._events, self._group = topic_name(prefix, Topic.EVENTS), group
        self._findings, self._absorptions = Findings(), Absorptions()
        self._walked: dict[int, _Walked] = {}

    def run(self) -> Report:
        """Verify all partitions, one after another.

        Raises LogError where the topics cannot be read, UnknownPolicyVersion where a clock runs under a
        version that is not among the policies.
        """
        positions = self._reader.committed(self._group, self._events)
        beginnings = {topic: self._reader.beginnings(topic_name(self._prefix, topic)) for topic in Topic}
        for number in range(self._reader.partitions(self._events)):
            kept = {topic: beginnings[topic][number] for topic in Topic}
            self._partition(number, positions.get(number), kept)
        self._check_absorbed()
        counts = tuple(each.place.counts for each in self._walked.values())
        return Report(counts, tuple(self._findings.kept), self._findings.total)

    def _partition(self, number: int, position: Position | None, kept: Mapping[Topic, int]) -> None:
        first = kept[Topic.EVENTS]
        counts = Counts(number, first, first if position is None else position.offset)
        place = Place(self._prefix, number, self._reader.partitions(self._events), counts, self._findings)
        journal = self._journal(number, counts.committed, complete=kept[Topic.JOURNAL] == 0)
        self._settle(number)
        alive: dict[str, Cause] = {}
        outputs = {
            Topic.NOTIFICATIONS: self._outputs(Topic.NOTIFICATIONS, number, kept),
            Topic.METRICS: self._outputs(Topic.METRICS, number, kept),
            Topic.STATE: Outputs(watched(self._read(Topic.STATE, number), alive), complete=False),
        }
        letters = DeadLetters(
            self._read(Topic.DEAD_LETTER, number), self._prefix, number, kept[Topic.DEAD_LETTER] == 0
        )
        records = self._read(Topic.EVENTS, number, first)
        events = Events(place, records, letters, self._renderer, self._absorptions)
        comparison = Comparison(place, self._renderer, outputs, alive, self._absorptions)
        walk = Walk(place, journal, events, comparison, self._policies)
        walk.run()
        self._walked[number] = _Walked(place, walk.beyond, walk.read_to, kept, events.first_timestamp_us)

    def _read(self, topic: Topic, number: int, start: int = 0) -> Iterator[Record]:
        return self._reader.read(topic_name(self._prefix, topic), number, start)

    def _outputs(self, topic: Topic, number: int, kept: Mapping[Topic, int]) -> Outputs:
        return Outputs(self._read(topic, number), complete=kept[topic] == 0)

    def _journal(self, number: int, committed: int, *, complete: bool) -> Journal:
        # The scout's reading begins first and so may end first; it needs only what was committed before that.
        ahead = scout(self._read(Topic.JOURNAL, number), committed)
        return Journal(
            self._read(Topic.JOURNAL, number),
            lambda start: self._read(Topic.JOURNAL, number, start),
            ahead,
            complete,
        )

    def _settle(self, number: int) -> None:
        """Wait for the transactions that are open in the journal: their other records may be written yet."""
        stable = self._reader.ends(topic_name(self._prefix, Topic.JOURNAL))[number]
        for _ in self._read(Topic.JOURNAL, number, stable):
            pass

    def _check_absorbed(self) -> None:
        """Compare the absorbed events of all partitions with the merges that give them."""
        found = self._absorptions.found
        for identifier, all_expected in self._absorptions.expected.items():
            there = found.pop(identifier, [])
            made = {(each.partition, each.digest) for each in all_expected}
            for expected in all_expected:
                is_there = any(
                    (where[0], where[2]) == (expected.partition, expected.digest) for where in there
                )
                expected.place.counts.absorbed += is_there
                if not is_there and self._is_kept(expected):
                    sentence = f"the absorbed event for partition {expected.partition} is missing"
                    law, place = Law.DECISION, expected.place
                    place.found(law, Topic.JOURNAL, expected.offset, expected.ticket_id, sentence)
            found[identifier] = [where for where in there if (where[0], where[2]) not in made]
        for identifier in sorted(found.keys() - self._absorptions.pardoned):
            if found[identifier] and not self._explained(identifier):
                self._forged(found[identifier])

    def _forged(self, places: list[tuple[int, int, bytes]]) -> None:
        for partition, offset, _ in places:
            sentence = "it says that it is of the engine, but nothing in the journal gives such an event"
            self._walked[partition].place.found(Law.CAUSE, Topic.EVENTS, offset, None, sentence)

    def _is_kept(self, expected: Absorption) -> bool:
        target = self._walked[expected.partition]
        if target.kept[Topic.EVENTS] == 0:
            return True
        since = target.kept_since_us
        return since is not None and expected.recorded_at_us > since + _CLOCKS_APART_US

    def _explained(self, identifier: str) -> bool:
        """Whether a journal record that was not walked over may have given an absorbed event."""
        ticket_id, _, rest = identifier.partition("/")
        seq = rest.removesuffix("/absorbed")
        number = partition_for(ticket_id.encode(), len(self._walked))
        walked = self._walked[number]
        if walked.kept[Topic.JOURNAL] > 0:
            return True
        record_id = f"{ticket_id}/{seq}"
        if any(f"{cause[0]}/{cause[1]}" == record_id for cause in walked.beyond):
            return True
        later = self._read(Topic.JOURNAL, number, walked.read_to)
        return any(attributes(record.value).get("id") == record_id for record in later)
