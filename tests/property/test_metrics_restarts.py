"""Whatever the batches and wherever it is killed, the exporter counts the same."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.log import Headers
from schemas.topics import Topic
from tests.support.counted import Counted, clock, dead, measured, ticket
from tests.support.recount import Sample

QUEUES = st.sampled_from(["status", "technical"])
SECONDS = st.sampled_from([0, 0.1, 0.2, 0.3, 30, 30.5, 172_800, 1e6])
OUTCOMES = st.sampled_from(["met", "unmet", "breached", "retracted", "cancelled"])
CLOCKS = st.builds(
    clock,
    st.sampled_from(["resolution", "callback"]),
    st.sampled_from([-10.0, 60.0, 600.0]),
    paused=st.booleans(),
    verdict=st.sampled_from([None, "breached"]),
    ended_at=st.sampled_from([None, None, "2026-03-02T09:00:00.000000Z"]),
)


class Written(NamedTuple):
    """A record to write."""

    topic: Topic
    key: str
    value: bytes | None
    headers: Headers = ()


KEYS = st.sampled_from(["A", "B", "C", "D"])
MEASURED = st.one_of(
    st.builds(measured, st.sampled_from(["wait_seconds", "resolution_seconds"]), SECONDS, queue=QUEUES),
    st.builds(measured, st.just("escalation"), queue=QUEUES),
    st.builds(measured, st.just("clock_outcome"), clock=st.just("resolution"), outcome=OUTCOMES),
)
STANDING = st.one_of(
    st.none(),
    st.builds(
        lambda state, queue, clocks: ticket(state, *clocks, queue=queue),
        st.sampled_from(["created", "assigned", "closed"]),
        QUEUES,
        st.lists(CLOCKS, max_size=2, unique_by=lambda each: str(each["clock"])),
    ),
)
RECORDS = st.one_of(
    st.builds(Written, st.just(Topic.METRICS), KEYS, MEASURED),
    st.builds(Written, st.just(Topic.STATE), KEYS, STANDING),
    st.builds(
        Written, st.just(Topic.DEAD_LETTER), KEYS, st.just(b""),
        st.sampled_from(["malformed", "unknown_type"]).map(dead),
    ),
)  # fmt: skip


class _Killed(BaseException):
    """Ends a turn as kill -9 does."""


class _Dies:
    """A projection that dies after it has written everything and before the commit."""

    def __init__(self, counted: Counted) -> None:
        self._metrics = counted.metrics

    def apply(self, records: Sequence[object]) -> None:
        self._metrics.apply(records)  # type: ignore[arg-type]
        raise _Killed

    def forget(self) -> None:
        self._metrics.forget()


def interrupted(directory: Path, records: Sequence[Written], kills: Sequence[int], most: int) -> Counted:
    """Write the records one by one; at those with these numbers the exporter is killed inside its batch."""
    counted = Counted(directory, max_records=most)
    for number, record in enumerate(records):
        counted.write(*record)
        if number in kills:
            counted.subscriber._projection = _Dies(counted)
            with suppress(_Killed):
                counted.subscriber.turn(0)
            counted.kill()
            counted.begin()
        elif number % 3 == 0:
            counted.subscriber.turn(0)
    counted.count()
    return counted


def check(records: Sequence[Written], kills: Sequence[int], most: int) -> None:
    """The series are those of a recount, before and after one more restart."""
    with TemporaryDirectory() as directory:
        counted = interrupted(Path(directory), records, kills, most)
        expected: dict[Sample, float] = counted.expected()
        assert counted.served() == pytest.approx(expected)
        before = counted.metrics.series(counted.now)
        counted.kill()
        counted.begin()
        counted.count()
        assert counted.metrics.series(counted.now) == before
        counted.kill()


@given(
    records=st.lists(RECORDS, min_size=1, max_size=30),
    kills=st.lists(st.integers(0, 29), max_size=4),
    most=st.sampled_from([1, 2, 3, 7, 2_000]),
)
@settings(max_examples=60)
def test_no_batch_and_no_kill_changes_a_count(records: list[Written], kills: list[int], most: int) -> None:
    """Any batches, and kills inside any of them, give what a plain recount of the topics gives."""
    check(records, kills, most)


def test_a_kill_at_every_record_changes_no_count() -> None:
    """Killed and started again at each record in turn, and at all of them, it counts each once."""
    records = [
        Written(Topic.METRICS, "A", measured("wait_seconds", 0.1)),
        Written(Topic.STATE, "A", ticket("assigned", clock("resolution", 60))),
        Written(Topic.METRICS, "A", measured("clock_outcome", clock="resolution", outcome="breached")),
        Written(
            Topic.STATE, "A", ticket("pending", clock("resolution", None, paused=True), queue="technical")
        ),
        Written(Topic.DEAD_LETTER, "B", b"", dead("malformed")),
        Written(Topic.STATE, "A", None),
    ]
    for number in range(len(records)):
        check(records, [number], 2_000)
    check(records, range(len(records)), 2_000)
