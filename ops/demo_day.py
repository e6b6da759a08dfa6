"""The service day of the demo: read from `examples/service-day`, moved to now, and sent line by line."""

from __future__ import annotations

import json
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from consumers.clock import Clock
from consumers.log import Headers, Publisher
from ops import OperationError
from producers.outbox import STRUCTURED
from schemas.instants import format_instant, parse_instant

DIRECTORY: Final = Path(__file__).parent.parent / "examples" / "service-day"
POLICY: Final = DIRECTORY / "policy.yaml"
DAY: Final = DIRECTORY / "day.jsonl"

NOMINAL_START: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""The begin of the day in the file. The line format is described at the head of `make.py` there."""

HOUR_SECONDS: Final = 5.0
"""An hour of the day lasts so long."""

_TICKET_IDS: Final = ("follows", "merged_into")
_INSTANTS: Final = ("deadline", "at")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the file. `bad`: the dead-letter code that comes of it; None: it is a sound event."""

    arrival: datetime
    document: Mapping[str, Any]
    bad: str | None


@dataclass(frozen=True, slots=True)
class Sending:
    """A record that is to be sent at an instant."""

    at: datetime
    key: bytes | None
    value: bytes | None
    headers: Headers


def read_day(path: Path = DAY) -> tuple[Line, ...]:
    """Read the lines in the order in which they arrive. Raises OperationError where there is no such file."""
    try:
        text = path.read_text("utf-8")
    except OSError:
        raise OperationError(
            "The demo plays the service day of a checkout of ticketflow, and this installation has none: get "
            "the source, and run ./dev up --demo in it."
        ) from None
    return tuple(_line(json.loads(line)) for line in text.splitlines())


def _line(document: Mapping[str, Any]) -> Line:
    arrival = parse_instant(document.get("arrivaltime") or document["time"])
    return Line(arrival, document, document.get("bad"))


def planned(day: Sequence[Line]) -> tuple[Counter[str], int]:
    """What is to become of the lines: dead letters by code, and how many events are there a second time."""
    codes = Counter(line.bad for line in day if line.bad is not None)
    identities = Counter(
        tuple(line.document[name] for name in ("source", "id", "subject")) for line in day if line.bad is None
    )
    return codes, sum(identities.values()) - len(identities)


def last_arrival_seconds(day: Sequence[Line]) -> float:
    """When the last line is sent, counted from the begin of the day."""
    return max((line.arrival - NOMINAL_START).total_seconds() for line in day)


def sending(line: Line, start: datetime, tag: str) -> Sending:
    """The record of a line in a day that begins at `start`, with `tag` at the end of its ticket ids."""
    by = start - NOMINAL_START
    at = line.arrival + by
    if line.bad is None:
        event = _moved(line.document, by, tag)
        return Sending(at, str(event["subject"]).encode(), _written(event), STRUCTURED)
    return _bad_sending(line.document, at, by, tag)


def _bad_sending(document: Mapping[str, Any], at: datetime, by: timedelta, tag: str) -> Sending:
    value: bytes | None = None
    subject: object = None
    if "event" in document:
        event = _moved(document["event"], by, tag)
        value, subject = _written(event), event.get("subject")
    elif "base64" in document:
        value = b64decode(document["base64"])
    if value is not None:
        value += b" " * document.get("padding", 0)
    key = document.get("key", subject)
    headers = STRUCTURED
    if "headers" in document:
        headers = tuple((name, _encoded(text)) for name, text in document["headers"])
    return Sending(at, _encoded(key), value, headers)


def _moved(event: Mapping[str, Any], by: timedelta, tag: str) -> dict[str, Any]:
    """The event with its times moved and its ticket ids tagged. What is not there, or no text, stays so."""
    data = event.get("data")
    moved = {**event, **_each(event, ("time", "arrivaltime"), lambda text: _later(text, by))}
    moved |= _each(event, ("subject",), lambda text: text + tag)
    if isinstance(data, dict):
        moved["data"] = {
            **data,
            **_each(data, _INSTANTS, lambda text: _later(text, by)),
            **_each(data, _TICKET_IDS, lambda text: text + tag),
        }
    return moved


def _each(fields: Mapping[str, Any], names: Sequence[str], change: Callable[[str], str]) -> dict[str, str]:
    return {name: change(fields[name]) for name in names if isinstance(fields.get(name), str)}


def _later(text: str, by: timedelta) -> str:
    try:
        return format_instant(parse_instant(text) + by)
    except ValueError:  # what is no time is sent as it is
        return text


def _written(event: Mapping[str, Any]) -> bytes:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def _encoded(text: object) -> bytes | None:
    return text.encode() if isinstance(text, str) else None


class Player:
    """Sends each record when its instant comes. `sent` may be read by any thread."""

    def __init__(
        self,
        publisher: Publisher,
        topic: str,
        clock: Clock,
        wait: Callable[[float], bool],
    ) -> None:
        """`wait` lets so many seconds pass, and says whether to end before all is sent."""
        self._publisher, self._topic, self._clock, self._wait = publisher, topic, clock, wait
        self.sent = 0

    def play(self, sendings: Sequence[Sending]) -> None:
        """Send them all, in their order. Raises LogError where one could not be written."""
        place = 0
        while place < len(sendings):
            left_seconds = (sendings[place].at - self._clock.now()).total_seconds()
            if left_seconds > 0:
                if self._wait(left_seconds):
                    return
                continue
            place += self._send_due(sendings[place:])
            self._publisher.flush()
            self.sent = place

    def _send_due(self, sendings: Sequence[Sending]) -> int:
        now = self._clock.now()
        for count, each in enumerate(sendings):
            if each.at > now:
                return count
            self._publisher.send(self._topic, each.key, each.value, each.headers)
        return len(sendings)
