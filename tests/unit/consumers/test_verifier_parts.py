"""The parts of the verifier: streams with a bounded window, dead letters, differences, the report."""

from collections.abc import Iterator

import pytest

from consumers import verifier_streams
from consumers.log import Record
from consumers.verifier_compare import differences, in_words, masked
from consumers.verifier_report import Counts, Finding, Law, Report
from consumers.verifier_streams import DeadLetters, Outputs, cause_of, scout, watched


def _output(offset: int, identifier: str, key: bytes = b"T") -> Record:
    return Record("out", 0, offset, 0, key, b'{"id":"%b"}' % identifier.encode())


def _letter(offset: int, about: bytes, topic: bytes = b"tickets.events") -> Record:
    headers = (
        ("dlq.errors.topic", b"tickets.metrics"),
        ("dlq.errors.offset", b"99"),
        ("dlq.errors.code", b"malformed"),
        ("dlq.errors.message", b"the value is not JSON"),
        ("dlq.errors.topic", topic),
        ("dlq.errors.partition", b"0"),
        ("dlq.errors.offset", about),
        ("dlq.errors.group", b"ticketflow"),
        ("dlq.errors.timestamp", b"2026-03-02T09:00:00.000000Z"),
    )
    return Record("dead", 0, offset, 0, b"T", b"x", headers)


@pytest.mark.parametrize(
    ("identifier", "cause"),
    [("T/7", ("T", 7)), ("T/7/state", ("T", 7)), ("T", None), ("T/x", None), ("T/-1", None), ("T/²", None)],
)
def test_an_id_names_its_cause(identifier: str, cause: tuple[str, int] | None) -> None:
    """Ticket and seq are read from an output's id, or nothing is."""
    assert cause_of(_output(0, identifier)) == cause


@pytest.mark.parametrize("value", [None, b"", b"[]", b"{}", b'{"id":7}', b"\xff"])
def test_what_is_no_output_has_no_cause(value: bytes | None) -> None:
    """Whatever else lies in an output topic names no cause, and breaks nothing."""
    assert cause_of(Record("out", 0, 0, 0, None, value)) is None


def test_outputs_are_found_out_of_order() -> None:
    """Records of a cause are found behind those of others, and what nobody takes is left over."""
    records = [_output(0, "A/1/x"), _output(1, "B/1/x"), _output(2, "A/1/y"), _output(3, "C/1/x")]
    outputs = Outputs(iter(records), complete=True)
    assert outputs.look(("A", 1), 2) == [records[0], records[2]]
    outputs.take(("A", 1), records[2])
    outputs.take(("A", 1), records[0])
    assert [record.offset for _, record in outputs.rest()] == [1, 3]


def test_the_window_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more records are held than the window has room for."""
    monkeypatch.setattr(verifier_streams, "WINDOW", 3)
    read: list[int] = []

    def records() -> Iterator[Record]:
        for offset in range(100):
            read.append(offset)
            yield _output(offset, f"T/{offset + 1}")

    outputs = Outputs(records(), complete=True)
    assert outputs.look(("T", 50), 1) == []
    assert len(read) == 3


def test_what_was_forgotten_is_not_missing() -> None:
    """A topic that has forgotten its beginning misses nothing before its first record was met."""
    outputs = Outputs(iter([_output(0, "T/5"), _output(1, "T/6")]), complete=False)
    assert not outputs.missing_counts
    outputs.drop(("T", 4))
    assert not outputs.missing_counts
    outputs.drop(("T", 5))
    assert outputs.missing_counts
    assert [record.offset for _, record in outputs.rest()] == [1]


def test_a_tombstone_ends_what_is_alive() -> None:
    """Of each ticket the last state record counts."""
    alive: dict[str, tuple[str, int]] = {}
    records = [
        _output(0, "A/1/state", b"A"),
        _output(1, "B/2/state", b"B"),
        Record("state", 0, 2, 0, b"A", None),
    ]
    assert list(watched(iter(records), alive)) == records[:2]
    assert alive == {"B": ("B", 2)}


def test_dead_letters_are_paired_by_offset() -> None:
    """Of repeated headers the last counts; what names no record comes first; a subscriber's are left out."""
    records = [
        _letter(0, b"3"),
        _letter(1, b"5"),
        _letter(2, b"5"),
        _letter(3, b"6", b"tickets.notifications"),
        _letter(4, b"6", b"others.notifications"),
        _letter(5, b"9"),
    ]
    letters = DeadLetters(iter(records), "tickets", 0, complete=True)
    assert [letter.offset for letter in letters.before(5)] == [3]
    assert [letter.record.offset for letter in letters.about(5)] == [1, 2]
    assert letters.about(6) == []
    assert [(letter.record.offset, letter.offset) for letter in letters.before(9)] == [(4, None)]
    assert [letter.offset for letter in letters.about(9)] == [9]


def test_a_scout_tells_of_events_only() -> None:
    """The scout passes over firings, junk and other partitions, and stops at the committed offset."""

    def entry(offset: int, cause: str) -> Record:
        return Record("journal", 0, offset, 0, b"T", b'{"data":{"cause":%b}}' % cause.encode())

    records = [
        entry(0, '{"kind":"event","partition":0,"offset":4}'),
        entry(1, '{"kind":"clock","clock":"resolution"}'),
        entry(2, '{"kind":"event","partition":1,"offset":5}'),
        Record("journal", 0, 3, 0, b"T", b"junk"),
        entry(4, '{"kind":"event","partition":0,"offset":6}'),
        entry(5, '{"kind":"event","partition":0,"offset":8}'),
        entry(6, '{"kind":"event","partition":0,"offset":7}'),
    ]
    assert list(scout(iter(records), 8)) == [(0, 4), (4, 6)]


def test_differences_are_paths_without_values() -> None:
    """Two values are compared by path; names that are not ours are never shown."""
    ours = {"data": {"a": 1, "b": [1, {"c": None}], "d": "x"}}
    theirs = {"data": {"a": 1.0, "b": [1, {"c": "secret"}, 3], "secret": 1}}
    said = in_words(differences(ours, theirs))
    assert said == "data.a, data.b[1].c, data.b (its length) and more"
    assert "secret" not in " ".join(differences(ours, theirs))
    assert in_words(differences(ours, ours)) == ""


def test_the_mask_hides_engine_time_only() -> None:
    """Of a journal record the three engine-time fields are left out, and nothing else."""
    change = b'{"found_at":"f","lateness_seconds":1,"at":"a"}'
    value = b'{"id":"T/1","data":{"seq":1,"recorded_at":"r","clocks":[%b]}}' % change
    assert masked(value) == {"id": "T/1", "data": {"seq": 1, "clocks": [{"at": "a"}]}}
    assert masked(b"junk") == {}


def test_a_report_sums_up_and_shows_its_findings() -> None:
    """Totals are sums over partitions; a finding is one line with its law and place."""
    counts = (Counts(0, 0, 5, consumed=5, applied=5), Counts(1, 2, 5, consumed=3, applied=2, lost=1))
    finding = Finding(Law.CONSERVATION, "tickets.events", 1, 4, "T-1", "it was neither applied nor rejected")
    report = Report(counts, (finding,), 1)
    assert report.totals["consumed"] == 8
    assert not report.clean
    assert (
        "conservation: tickets.events partition 1 offset 4, ticket T-1: it was neither applied nor rejected"
        in list(report.lines())
    )
    assert report.as_dict()["findings"][0]["law"] == "conservation"
