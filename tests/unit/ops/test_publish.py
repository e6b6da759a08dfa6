"""`publish`: lines of files, why they are refused, and where they are sent."""

import io
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from consumers.log import Unavailable
from consumers.memory import MemoryBroker, MemoryPublisher, MemoryReader
from ops import OperationError, composition
from ops.cli import main
from ops.publish import MAX_LINE_BYTES, MOST_REFUSALS, STDIN, Line, Sources, refusal, send, subject_of
from schemas.topics import partition_for

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
PARTITIONS = 4


def event(ticket_id: str = "T-1", **changes: object) -> bytes:
    """An event's line."""
    data = {"channel": "phone", "category": "status_check", "client": {"id": "c"}}
    attributes = {"specversion": "1.0", "id": "1", "source": "s", "type": "ticket.created.v1"}
    return json.dumps(
        {**attributes, "subject": ticket_id, "time": "2026-03-02T09:00:00Z", "data": data, **changes}
    ).encode()


def line(value: bytes | None) -> Line:
    """A line as it is read."""
    return Line("f", 1, len(value or b""), value)


def code(value: bytes) -> str | None:
    """The code with which the line is refused."""
    refused = refusal(line(value), NOW)
    return None if refused is None else refused.code


def test_lines_keep_their_numbers(tmp_path: Path) -> None:
    """Blank lines are left out and counted, both kinds of line end are taken, the last may have none."""
    file = tmp_path / "f"
    file.write_bytes(b"\na\r\n  \nb\n\nc")
    with Sources([str(file)]) as sources:
        assert [(each.number, each.value) for each in sources.lines()] == [(2, b"a"), (4, b"b"), (6, b"c")]


def test_files_are_read_in_order_and_twice(tmp_path: Path) -> None:
    """Several files follow each other, and each pass gives the same lines."""
    for name in ("b", "a"):
        (tmp_path / name).write_text(f"{name}\n")
    with Sources([str(tmp_path / "b"), str(tmp_path / "a")]) as sources:
        first = list(sources.lines())
        assert [each.value for each in first] == [b"b", b"a"]
        assert list(sources.lines()) == first


def test_standard_input_is_read_twice_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """What can be read only once is copied first."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"x\ny\n")))
    with Sources([STDIN]) as sources:
        assert (
            [each.value for each in sources.lines()]
            == [each.value for each in sources.lines()]
            == [b"x", b"y"]
        )
        assert next(sources.lines()).source == "standard input"


def test_a_line_beyond_the_limit_is_passed_over(tmp_path: Path) -> None:
    """It has no value, it is refused, and the next line is whole."""
    file = tmp_path / "f"
    file.write_bytes(b"x" * (MAX_LINE_BYTES + 2_000_000) + b"\nshort\n")
    with Sources([str(file)]) as sources:
        long, short = sources.lines()
    assert (long.value, short.number, short.value) == (None, 2, b"short")
    refused = refusal(long, NOW)
    assert refused is not None
    assert refused.code == "too_large"


def test_a_file_that_changes_meanwhile_is_refused(tmp_path: Path) -> None:
    """What was looked at must be what is sent."""
    file = tmp_path / "f"
    file.write_text("a\n")
    with Sources([str(file)]) as sources:
        list(sources.lines())
        with file.open("a") as stream:
            stream.write("b\n")
        with pytest.raises(OperationError, match="was changed while it was read"):
            list(sources.lines())


@pytest.mark.parametrize("name", ["none", "."])
def test_a_file_that_cannot_be_read_is_named(name: str, tmp_path: Path) -> None:
    """A missing file and a folder are one sentence."""
    with pytest.raises(OperationError, match="cannot be read"):
        Sources([str(tmp_path / name)])


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (event("T-7"), b"T-7"),
        (event("не id"), "не id".encode()),
        (b'{"subject": 7}', None),
        (b'["subject"]', None),
        (b'{"subject": "T-7"', None),
        (b'{"subject": "\\ud800"}', None),
        (b"\xff", None),
    ],
)
def test_the_key_is_the_subject_where_it_is_text(value: bytes, key: bytes | None) -> None:
    """Any text is a key, whether or not the engine takes it; all else is no key."""
    assert subject_of(value) == key


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (event(), None),
        (b"{", "malformed"),
        (b"[]", "invalid_envelope"),
        (event("not an id"), "invalid_envelope"),
        (event(type="ticket.exploded.v1"), "unknown_type"),
        (event(data={"channel": "pigeon"}), "invalid_data"),
        (event(time="2026-03-02T09:06:00Z"), "future_event"),
        (event(data={"channel": "x" * 300_000}), "too_large"),
    ],
)
def test_a_line_is_refused_as_the_engine_would(value: bytes, expected: str | None) -> None:
    """The code is the dead letter's."""
    assert code(value) == expected


def test_a_refusal_quotes_nothing() -> None:
    """It names file, line, code and rule, and no value of the line."""
    refused = refusal(line(event(data={"client": {"id": "c", "name": "Vera", "age": 7}})), NOW)
    assert refused is not None
    assert str(refused).startswith("f:1 invalid_data ")
    assert "Vera" not in str(refused)


def test_lines_go_where_their_key_hashes_to() -> None:
    """Key, value and content type are as a channel's, and the partition is murmur2's."""
    broker = MemoryBroker({"t.events": PARTITIONS}, now_us=lambda: 0)
    values = [event(f"T-{i}") for i in range(20)]
    assert send(map(line, values), MemoryPublisher(broker), "t.events", PARTITIONS) == len(values)
    reader = MemoryReader(broker)
    found = [record for number in range(PARTITIONS) for record in reader.read("t.events", number)]
    assert {record.value for record in found} == set(values)
    assert all(
        record.key is not None and record.partition == partition_for(record.key, PARTITIONS)
        for record in found
    )
    assert all(record.headers == (("content-type", b"application/cloudevents+json"),) for record in found)


def test_what_is_no_event_is_sent_as_it_is() -> None:
    """With --force a line without a subject has no key, and one that is too long is left out."""
    broker = MemoryBroker({"t.events": 1}, now_us=lambda: 0)
    assert send([line(b"{"), line(None)], MemoryPublisher(broker), "t.events", 1) == 1
    (record,) = MemoryReader(broker).read("t.events", 0)
    assert (record.key, record.value) == (None, b"{")


def test_a_cluster_that_goes_away_says_that_publishing_again_is_safe() -> None:
    """The sentence says what to do, for nobody knows how many arrived."""

    class Gone(MemoryPublisher):
        def flush(self) -> None:
            raise Unavailable("the cluster does not answer")

    publisher = Gone(MemoryBroker({"t.events": 1}, now_us=lambda: 0))
    with pytest.raises(OperationError, match="Publish the same again"):
        send([line(event())], publisher, "t.events", 1)


def test_an_event_may_be_as_far_ahead_as_the_contract_says() -> None:
    """Five minutes ahead of now is no refusal."""
    ahead = (NOW + timedelta(minutes=5)).isoformat()
    assert code(event(time=ahead)) is None


TOO_LONG = b"x" * (MAX_LINE_BYTES + 1)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, nothing_runs_here: None) -> MemoryReader:  # noqa: ARG001
    """A log in memory that `publish` finds, and its reader."""
    broker = MemoryBroker({"tickets.events": PARTITIONS}, now_us=lambda: 0)
    monkeypatch.setattr(composition, "bootstrap_servers", lambda _: "memory")
    monkeypatch.setattr(composition, "reader", lambda *_: MemoryReader(broker))
    monkeypatch.setattr(composition, "publisher", lambda *_: MemoryPublisher(broker))
    return MemoryReader(broker)


def lines_of(path: Path, *values: bytes) -> str:
    """The name of a file with these lines."""
    path.write_bytes(b"\n".join(values) + b"\n")
    return str(path)


def arrived(cluster: MemoryReader) -> int:
    """How many records are on the topic."""
    return sum(len(list(cluster.read("tickets.events", number))) for number in range(PARTITIONS))


def test_what_force_cannot_send_is_said_and_fails(
    cluster: MemoryReader, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Everything else is sent, the lines that stay behind are counted, and the status is 1."""
    file = lines_of(tmp_path / "f", event(), TOO_LONG, b"{", TOO_LONG)
    assert main(["publish", "--force", file]) == 1
    out, err = capsys.readouterr()
    assert (out, arrived(cluster)) == ("2 events sent.\n", 2)
    assert err.splitlines()[-1] == "Lines that are too long and were not sent: 2."


def test_programs_are_told_what_force_cannot_send(
    cluster: MemoryReader, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The refusals are those of the lines that stayed here, not of those that were sent as they are."""
    file = lines_of(tmp_path / "f", b"{", TOO_LONG)
    assert main(["publish", "--force", "--json", file]) == 1
    told = json.loads(capsys.readouterr().out)
    (refused,) = told.pop("refusals")
    assert told == {"sent": 1, "invalid": 2, "refusals_left_out": 0}
    assert (refused["file"], refused["line"], refused["code"]) == (file, 2, "too_large")
    assert arrived(cluster) == 1


@pytest.mark.usefixtures("cluster")
def test_where_all_was_sent_programs_get_the_counts_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What becomes a dead letter by --force is counted, and no refusal."""
    assert main(["publish", "--force", "--json", lines_of(tmp_path / "f", b"{", event())]) == 0
    assert json.loads(capsys.readouterr().out) == {"sent": 2, "invalid": 1}


def test_programs_are_told_why_lines_are_refused(
    cluster: MemoryReader, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each refusal has file, line, code and message, without a value of the line."""
    wrong = event(data={"client": {"id": "c", "name": "Vera", "age": 7}})
    file = lines_of(tmp_path / "f", event(), wrong)
    assert main(["publish", "--json", file]) == 1
    out, err = capsys.readouterr()
    (refused,) = json.loads(out)["refusals"]
    assert (refused["file"], refused["line"], refused["code"]) == (file, 2, "invalid_data")
    assert f"{file}:2 invalid_data {refused['message']}" == err.splitlines()[0]
    assert "Vera" not in out
    assert arrived(cluster) == 0


@pytest.mark.usefixtures("cluster")
def test_programs_are_told_of_some_refusals_and_how_many_more_there_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file of which nothing is an event does not come back as its list of refusals."""
    assert main(["publish", "--json", lines_of(tmp_path / "f", *[b"{"] * (MOST_REFUSALS + 3))]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (len(told["refusals"]), told["refusals_left_out"]) == (MOST_REFUSALS, 3)
