"""The files of the demo's service day: made as they say, in the form that they promise, about nobody."""

import json
import re
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ops.policies import default_text, load
from schemas.envelope import BadRecord, Code, decode
from schemas.instants import parse_instant
from workflow.policy import Policy, Rule
from workflow.policy_file import problems

FOLDER = Path(__file__).parents[2] / "examples" / "service-day"
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
LINES: list[dict[str, Any]] = [
    json.loads(line) for line in (FOLDER / "day.jsonl").read_text(encoding="utf-8").splitlines()
]
EVENTS = [line for line in LINES if "bad" not in line]
BAD = [line for line in LINES if "bad" in line]
(DEMO,), (DEFAULT,) = load(FOLDER / "policy.yaml").versions, load(None).versions

SHORTER = {
    "30s": 3, "2m": 5, "5m": 8, "10m": 12, "15m": 16, "30m": 25, "60m": 35,
    "2h": 5, "4h": 10, "24h": 60, "48h": 120, "3d": 20, "30d": 15,
}  # fmt: skip
"""How many seconds a duration of the default policy takes in the demo."""


def arrival(line: dict[str, Any]) -> datetime:
    return parse_instant(line.get("arrivaltime") or line["time"])


def test_the_day_is_what_its_maker_makes() -> None:
    """The file is the output of the script beside it, byte for byte."""
    made = subprocess.run([sys.executable, str(FOLDER / "make.py")], capture_output=True, check=True)
    assert made.stdout == (FOLDER / "day.jsonl").read_bytes()
    assert len(made.stdout) < 900_000


def test_lines_are_sent_in_order_within_two_minutes() -> None:
    """Arrivals never go back, what happened before the begin comes late, and the last line at second 111."""
    arrivals = [arrival(line) for line in LINES]
    assert all(first <= second for first, second in pairwise(arrivals))
    first = BEGIN - timedelta(seconds=7)
    assert all(first <= parse_instant(line["time"]) <= arrival(line) for line in EVENTS)
    assert arrivals[0] >= BEGIN
    assert timedelta(seconds=109) < arrivals[-1] - BEGIN <= timedelta(seconds=111.5)


def test_events_are_good_and_only_repeated_ones_share_an_id() -> None:
    """Every plain line is an event of the contract; an id stands twice only where all else is the same."""
    seen: dict[str, dict[str, Any]] = {}
    for line in EVENTS:
        key, value = line["subject"].encode(), json.dumps(line).encode()
        event = decode(key, value, (), arrival=arrival(line), partition=0, partitions=1)
        assert not isinstance(event, BadRecord), event
        content = {name: value for name, value in line.items() if name != "arrivaltime"}
        assert seen.setdefault(line["id"], content) == content
    assert 10 <= len(EVENTS) - len(seen) <= 30


def test_twenty_bad_records_have_every_code() -> None:
    """Bad records have the form that the maker describes, and name a code of the contract each."""
    assert len(BAD) == 20
    assert Counter(line["bad"] for line in BAD) == dict.fromkeys(Code, 2)
    for line in BAD:
        assert line.keys() <= {"bad", "arrivaltime", "key", "headers", "event", "base64", "padding"}
        assert not {"event", "base64"} <= line.keys()
        assert "key" in line or "subject" in line["event"]


def test_ticket_ids_leave_room_for_a_tag_and_say_where_they_come_from() -> None:
    """An id names its channel and a number."""
    ids = {line["subject"] for line in EVENTS}
    assert all(re.fullmatch(r"(phone|chat|form|cabinet|app)-[0-9]{4}", each) for each in ids)


def test_nobody_in_it_exists() -> None:
    """Addresses are of domains for examples, and numbers of no network."""
    text = (FOLDER / "day.jsonl").read_text(encoding="utf-8")
    assert set(re.findall(r"@([^\"]+)", text)) == {"example.com", "example.ru"}
    numbers = set(re.findall(r"\+[0-9 -]+", text))
    assert numbers
    assert all(number.startswith("+7 000 000-") for number in numbers)


def test_the_policy_has_no_problem() -> None:
    """The lint finds nothing in it."""
    assert problems((FOLDER / "policy.yaml").read_text(encoding="utf-8")) == []


def test_it_is_the_default_policy_in_a_hurry() -> None:
    """The same clocks and rules in the same order, with every duration shortened in the same way."""

    def shape(policy: Policy) -> list[tuple[Any, ...]]:
        return [_shape(rule) for rule in policy.rules]

    assert shape(DEMO) == shape(DEFAULT)
    demo, default = (FOLDER / "policy.yaml").read_text(encoding="utf-8"), default_text()
    assert [_seconds(text) for text in _durations(demo)] == [SHORTER[text] for text in _durations(default)]
    ascending = [SHORTER[text] for text in ("30s", "2m", "5m", "10m", "15m", "30m", "60m", "24h", "48h")]
    assert ascending == sorted(ascending)


def _shape(rule: Rule) -> tuple[Any, ...]:
    thresholds = [(each.kind, each.do, each.notify) for each in rule.thresholds]
    return rule.clock, rule.when, rule.start, rule.stop, rule.cancel, rule.pause, rule.reopen, thresholds


def _durations(text: str) -> list[str]:
    """The durations in a policy's text, in their order; `0s` and what stands in comments are left out."""
    bare = "\n".join(line.partition("#")[0] for line in text.splitlines())
    return [each for each in re.findall(r"(?<![\w:.])([0-9]+[smhd])\b", bare) if each != "0s"]


def _seconds(text: str) -> int:
    return int(text[:-1]) * {"s": 1, "m": 60}[text[-1]]


@given(st.integers(0, 38_000_000))
def test_whenever_it_is_played_somebody_is_out_of_hours_and_somebody_is_not(minutes: int) -> None:
    """The form's desk is shut, the others are open; citizens of one region at least wait, and most do not."""
    instant = BEGIN + timedelta(minutes=minutes)
    assert not DEMO.service_calendar("feedback_form", None).is_open(instant)
    assert DEMO.service_calendar("phone", None).is_open(instant)
    assert not all(DEMO.citizen_calendar(region).is_open(instant) for region in ("abroad", "87"))
    assert DEMO.citizen_calendar("77").is_open(instant)
    assert all(DEMO.calendar_of(rule, "87").is_open(instant) for rule in DEMO.rules)
