"""The demo's day: read as it was written, moved to now, and sent in time."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from consumers.clock import VirtualClock
from consumers.memory import MemoryBroker, MemoryPublisher, MemoryReader
from ops import OperationError
from ops.demo_day import (
    NOMINAL_START,
    Line,
    Player,
    last_arrival_seconds,
    planned,
    read_day,
    sending,
)
from producers.outbox import STRUCTURED
from schemas.envelope import BadRecord, Code, decode
from schemas.instants import from_epoch, parse_instant, to_epoch

START = datetime(2026, 11, 23, 8, 30, 0, 250_000, tzinfo=UTC)
SHIFT = START - NOMINAL_START
TAG = "-k3f9"


def _event(**changes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": "phone-0001/1",
        "source": "/channels/phone",
        "type": "ticket.closed.v1",
        "subject": "phone-0001",
        "time": "2026-01-01T00:00:10Z",
        "data": {"reason": "merged", "merged_into": "phone-0002"},
        **changes,
    }


def _line(document: Mapping[str, Any], seconds: float = 10) -> Line:
    return Line(NOMINAL_START + timedelta(seconds=seconds), document, document.get("bad"))


def _sent(document: Mapping[str, Any]) -> Any:
    return json.loads(sending(_line(document), START, TAG).value or b"null")


def test_an_event_is_moved_and_tagged() -> None:
    """Times move by one constant and ticket ids get the run's tag; nothing else changes."""
    made = sending(_line(_event()), START, TAG)
    assert (made.at, made.key, made.headers) == (
        START + timedelta(seconds=10),
        b"phone-0001-k3f9",
        STRUCTURED,
    )
    event = json.loads(made.value or b"")
    assert event["time"] == "2026-11-23T08:30:10.250000Z"
    assert event["subject"] == "phone-0001-k3f9"
    assert event["data"] == {"reason": "merged", "merged_into": "phone-0002-k3f9"}
    kept = ("specversion", "id", "source", "type")
    assert {name: event[name] for name in kept} == {name: _event()[name] for name in kept}


@pytest.mark.parametrize("field", ["deadline", "at"])
def test_instants_in_the_data_are_moved(field: str) -> None:
    """What was promised or arranged moves with the day."""
    event = _sent(_event(data={field: "2026-01-01T00:01:00Z"}))
    assert parse_instant(event["data"][field]) == START + timedelta(minutes=1)


def test_the_followed_ticket_is_tagged() -> None:
    """A repeat contact follows a ticket of the same run."""
    assert _sent(_event(data={"follows": "chat-0007"}))["data"] == {"follows": "chat-0007-k3f9"}


def test_a_late_event_keeps_its_distance() -> None:
    """An event that is sent later than it happened is, by as much."""
    event = _sent(_event(arrivaltime="2026-01-01T00:00:25Z"))
    late = parse_instant(event["arrivaltime"]) - parse_instant(event["time"])
    assert late == timedelta(seconds=15)


def test_bad_bytes_are_sent_as_they_are() -> None:
    """What is no event is sent byte for byte, with its key and headers."""
    document = {"bad": "malformed", "key": "T 1", "headers": [["a", None], ["b", "c"]], "base64": "AP8="}
    made = sending(_line(document), START, TAG)
    assert (made.key, made.value, made.headers) == (b"T 1", b"\x00\xff", (("a", None), ("b", b"c")))


def test_a_null_value_and_a_null_key_stay_null() -> None:
    """A record without a value has none, and so with the key."""
    made = sending(_line({"bad": "tombstone", "key": None}), START, TAG)
    assert (made.key, made.value) == (None, None)


def test_a_bad_event_is_moved_as_far_as_it_can_be() -> None:
    """What is missing or no time stays so, and the padding is appended."""
    event = {key: value for key, value in _event(time="soon").items() if key != "data"}
    made = sending(_line({"bad": "invalid_envelope", "event": event, "padding": 3}), START, TAG)
    assert made.key == b"phone-0001-k3f9"
    assert (made.value or b"").endswith(b"}   ")
    assert json.loads(made.value or b"") == {**event, "subject": "phone-0001-k3f9"}


def test_the_bad_records_of_the_day_are_what_they_are_called() -> None:
    """Every bad record whose fault shows in itself is refused with the code that the file names."""
    for line in read_day():
        if line.bad in (None, Code.UNKNOWN_TICKET, Code.ILLEGAL_TRANSITION):
            continue
        made = sending(line, START, TAG)
        found = decode(made.key, made.value, made.headers, arrival=made.at, partition=0, partitions=1)
        assert isinstance(found, BadRecord)
        assert found.code == line.bad


def test_an_installation_without_examples_says_so(tmp_path: Path) -> None:
    """Where the day is not there, the demo says where it is to be had."""
    with pytest.raises(OperationError, match="get the source"):
        read_day(tmp_path / "day.jsonl")


def test_the_plan_counts_bad_records_and_repetitions() -> None:
    """What is to be rejected is known by code; an event that is there again is a duplicate."""
    day = [_line(_event()), _line(_event()), _line(_event(id="2")), _line({"bad": "tombstone"}, seconds=12)]
    assert planned(day) == ({"tombstone": 1}, 1)
    assert last_arrival_seconds(day) == 12


class _Stage:
    """A broker in memory, and time that passes only while the player waits."""

    def __init__(self, waits: int = 10**9) -> None:
        self.clock = VirtualClock(START - timedelta(seconds=1))
        self.broker = MemoryBroker({"tickets.events": 2}, lambda: to_epoch(self.clock.time))
        self._waits = waits
        self.player = Player(MemoryPublisher(self.broker), "tickets.events", self.clock, self._wait)

    def _wait(self, seconds: float) -> bool:
        self.clock.time += timedelta(seconds=seconds)
        self._waits -= 1
        return self._waits < 0

    def records(self) -> list[tuple[float, bytes | None, bytes | None]]:
        """Seconds after the start, key and value of what was sent, as it was sent."""
        reader = MemoryReader(self.broker)
        found = [each for number in range(2) for each in reader.read("tickets.events", number)]
        rows = [((from_epoch(r.timestamp_us) - START).total_seconds(), r.key, r.value) for r in found]
        return sorted(rows, key=lambda row: row[0])


def test_every_line_is_sent_at_its_time() -> None:
    """Played on a virtual clock, every line of the day is sent at its arrival, and none is left out."""
    stage = _Stage()
    sendings = [sending(line, START, TAG) for line in read_day()]
    stage.player.play(sendings)
    sent = stage.records()
    due = [((each.at - START).total_seconds(), each.key, each.value) for each in sendings]
    assert stage.player.sent == len(sent) == len(due)
    assert sorted(sent, key=repr) == sorted(due, key=repr)


def test_a_player_that_is_ended_stops() -> None:
    """Between two lines the player can be ended."""
    stage = _Stage(waits=1)
    stage.player.play([sending(_line(_event(), seconds), START, TAG) for seconds in (0, 10, 20)])
    assert stage.player.sent == 1
