"""Every sample of bad input is what the contract says it is, and no message shows anybody's data."""

from collections import Counter

import pytest

from schemas.envelope import BadRecord, Code, Event, decode
from schemas.instants import parse_instant
from schemas.topics import partition_for
from tests.bad_input.samples import PERSONAL, Good, Sample, catalogue, prelude

ARRIVAL = parse_instant("2026-03-02T08:16:00Z")
PARTITIONS = 12
SAMPLES = list(catalogue())
NEED_THE_TICKET = (Code.UNKNOWN_TICKET, Code.ILLEGAL_TRANSITION, "applied", "duplicate")


def _decoded(record: Sample | Good, *, misplaced: bool = False) -> Event | BadRecord:
    partition = (partition_for(record.key or b"", PARTITIONS) + misplaced) % PARTITIONS
    return decode(
        record.key, record.value, record.headers, arrival=ARRIVAL, partition=partition, partitions=PARTITIONS
    )


@pytest.mark.parametrize(
    "sample", [s for s in SAMPLES if s.code not in NEED_THE_TICKET], ids=lambda s: s.name
)
def test_a_bad_record_has_its_code(sample: Sample):
    """A sample is refused with its code and a message that shows nobody's data."""
    decoded = _decoded(sample, misplaced=sample.misplaced)
    assert isinstance(decoded, BadRecord), sample.why
    assert decoded.code == sample.code, decoded.message
    assert not [secret for secret in PERSONAL if secret in decoded.message]


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.code in NEED_THE_TICKET], ids=lambda s: s.name)
def test_what_only_the_ticket_can_judge_is_decoded(sample: Sample):
    """A sample whose fate is the ticket's to decide is an event so far."""
    decoded = _decoded(sample)
    assert isinstance(decoded, Event), decoded


def test_the_prelude_is_good():
    """What prepares the illegal transitions is decoded."""
    assert all(isinstance(_decoded(record), Event) for record in prelude())


def test_the_catalogue_is_large_and_names_are_its_own():
    """At least 150 samples in 20 classes, each named once and explained by a sentence; six of every code."""
    assert len(SAMPLES) >= 150
    assert len({sample.group for sample in SAMPLES}) >= 20
    assert [name for name, count in Counter(sample.name for sample in SAMPLES).items() if count > 1] == []
    assert [sample.name for sample in SAMPLES if not sample.why.endswith((".", "?", "_ -"))] == []
    counts = Counter(sample.code for sample in SAMPLES)
    assert set(counts) == {*Code, "applied", "duplicate"}
    assert min(counts.values()) >= 6
