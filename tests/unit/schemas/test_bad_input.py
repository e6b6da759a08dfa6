"""Every sample of bad input becomes the dead letter that the contract says, and nobody's data is shown."""

from collections import Counter

import pytest

from schemas.envelope import BadRecord, Code, Event, decode
from schemas.instants import parse_instant
from schemas.topics import partition_for
from tests.bad_input.samples import PERSONAL, Good, Sample, prelude, samples

ARRIVAL = parse_instant("2026-03-02T08:16:00Z")
PARTITIONS = 12
NEED_THE_TICKET = (Code.UNKNOWN_TICKET, Code.ILLEGAL_TRANSITION)
SAMPLES = list(samples())


def _decoded(record: Sample | Good) -> Event | BadRecord:
    partition = partition_for(record.key or b"", PARTITIONS)
    return decode(
        record.key, record.value, record.headers, arrival=ARRIVAL, partition=partition, partitions=PARTITIONS
    )


@pytest.mark.parametrize(
    "sample", [s for s in SAMPLES if s.code not in NEED_THE_TICKET], ids=lambda s: s.name
)
def test_a_bad_record_has_its_code(sample: Sample):
    """A sample is refused with its code and a message that shows nobody's data."""
    decoded = _decoded(sample)
    assert isinstance(decoded, BadRecord)
    assert decoded.code == sample.code, decoded.message
    assert not [secret for secret in PERSONAL if secret in decoded.message]


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.code in NEED_THE_TICKET], ids=lambda s: s.name)
def test_what_only_the_ticket_can_refuse_is_decoded(sample: Sample):
    """A sample that needs the ticket's state is an event so far."""
    decoded = _decoded(sample)
    assert isinstance(decoded, Event), decoded


def test_the_prelude_is_good():
    """What prepares the illegal transitions is decoded."""
    assert all(isinstance(_decoded(record), Event) for record in prelude())


def test_every_code_has_six_samples():
    """No code of the contract has fewer than six samples, and no two samples have one name."""
    counts = Counter(sample.code for sample in SAMPLES)
    assert set(counts) == set(Code)
    assert min(counts.values()) >= 6
    assert len({sample.name for sample in SAMPLES}) == len(SAMPLES)
