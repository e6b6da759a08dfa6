"""Makes `day.jsonl`, the service day that `ticketflow up --demo` plays: `python make.py > day.jsonl`.

The same seed gives the same bytes. What happens to the tickets is told in the stories beside; here they are
laid out over the day and written down.

**The time line.** It begins at 2026-01-01T00:00:00Z, the start of the demo, and one of its seconds is one
second. The day has 24 hours of five seconds each, so that the peaks of 09-12 and 18-21 o'clock come at
seconds 45-60 and 90-105. The last line is sent at about second 111; what is due then is over by second 127.
The first complex questions were asked up to seven seconds before the begin and come late, so that their two
minutes are over in time.

**The lines.** JSON Lines, UTF-8, in the order in which they are sent. A line is sent when its *arrival*
comes: `arrivaltime` where it has one, else `time`. There are two kinds:

1. An event, as channels publish it (the line begins with `{"specversion"`): a structured CloudEvent. Where it
   is sent later than it happened it has the extension attribute `arrivaltime`. A duplicate is the same event
   again. The player moves by one constant: `time`, `arrivaltime`, `data.deadline` and `data.at`; and it
   appends the run's tag to the ticket ids: `subject`, `data.follows`, `data.merged_into`. Nothing else
   changes. Key: the subject. Header: `content-type: application/cloudevents+json`.
2. A bad record (the line begins with `{"bad"`), 20 of them:
       {"bad": NAME, "arrivaltime": T, "key"?: TEXT or null, "headers"?: [[NAME, TEXT or null], …],
        "event": {…} | "base64": TEXT | neither, "padding"?: N}
   `bad` is the dead-letter code that comes of it. The value is `event`, moved and tagged like any other event
   and written as JSON (attributes that are not there or are no text are left alone), or the bytes of `base64`
   as they are, or with neither no value at all (null). `padding` spaces are appended to the value. Without
   `key` the key is the event's tagged subject, with `null` there is none, a text is sent as it stands;
   without `headers` the one header of an event is sent. The partition is the one that the key hashes to
   (none: any).

`grep -v '^{"bad"' day.jsonl > events.jsonl` gives the plain events, for `ticketflow replay`.
"""

import sys
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate, chain, count, cycle
from json import dumps
from random import Random
from typing import Any

from everyday import answered_slowly, broken_at_the_end, still_waiting, still_worked_on, talk
from scene import CREATED, REGIONS, Happening, Moment, Scene, Ticket, combinations
from stories import EVERYDAY, TOLD, Story

SEED = 20260101
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)

LAST_SENT = 111.0
"""When the last line is sent, in seconds. The first complex questions become overdue after it."""
OVER = 127.0
"""When the engine has nothing left to do, in seconds."""
_PEAKS = ((45, 60), (90, 105))
_PEAK_WEIGHT = 2.2
_EVERYDAY_SCENES = 150
_LAST_EVERYDAY = 105
_BROKEN_COMPLEX = (-6.6, -5.8, -5.1, -4.3, -3.6)
_LAST_CLOSINGS = range(97, 111)
"""Seconds in which a ticket is closed, so that something leaves the state in each of the last ones."""
_DUPLICATES = 15
_PREFIXES = {
    "phone": "phone", "chat": "chat", "feedback_form": "form", "cabinet": "cabinet", "mobile_app": "app",
}  # fmt: skip


# ---- Laying out the day ------------------------------------------------------------------------------------


class Day:
    """The scenes of the day, each at its place."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.scenes: list[Scene] = []
        self._combinations, self._regions = combinations(), cycle(REGIONS)
        weights = [
            _PEAK_WEIGHT if any(first <= second < last for first, last in _PEAKS) else 1.0
            for second in range(int(LAST_SENT))
        ]
        self._busy = list(accumulate(weights))

    def fill(self) -> None:
        """Place all stories: what is bound to an hour, what is told anyway, and the everyday ones."""
        self._put(self._tell(answered_slowly), 0.1)
        for begin in _BROKEN_COMPLEX:
            self._put(self._tell(broken_at_the_end), begin)
        for end in _LAST_CLOSINGS:
            scene = self._tell(talk)
            self._put(scene, end + 0.5 - scene.length)
        for story in chain.from_iterable([story] * times for story, times in TOLD):
            scene = self._tell(story)
            self._put(scene, self._moment(_latest_begin(scene)))
        for number in range(8):
            self._put(self._tell(still_worked_on), 86 + 3 * number)
            self._put(self._tell(still_waiting), 59 + 5 * number)
        for _ in range(_EVERYDAY_SCENES):
            self._everyday(self._moment(_LAST_EVERYDAY))

    def _tell(self, story: Story) -> Scene:
        scene = Scene(self.random, self._combinations, self._regions)
        story(scene)
        return scene

    def _put(self, scene: Scene, begin: float) -> None:
        scene.begin = begin
        self.scenes.append(scene)

    def _everyday(self, begin: float) -> None:
        """Tell a story that ends in time."""
        stories, weights = zip(*EVERYDAY, strict=True)
        while _latest_begin(scene := self._tell(self.random.choices(stories, weights)[0])) < begin:
            pass
        self._put(scene, begin)

    def _moment(self, latest: float) -> float:
        """Any moment up to the latest one; twice as likely at a peak."""
        (second,) = self.random.choices(range(len(self._busy)), cum_weights=self._busy)
        moment = second + self.random.random()
        return moment if moment <= latest else self._moment(latest)


def _latest_begin(scene: Scene) -> float:
    return min(LAST_SENT, OVER - scene.tail_seconds) - scene.length


def _tickets(scenes: list[Scene]) -> list[Ticket]:
    """All tickets with their ids, in the order of their registration."""
    begun = {id(each.ticket): each.ticket for scene in scenes for each in scene.happenings}
    tickets = sorted(begun.values(), key=lambda ticket: ticket.scene.begin + ticket.begins)
    numbers = {channel: count(1) for channel in _PREFIXES}
    for ticket in tickets:
        ticket.id = f"{_PREFIXES[ticket.channel]}-{next(numbers[ticket.channel]):04}"
    return tickets


def _spoil(tickets: list[Ticket]) -> None:
    """Two events that are impossible: nothing was taken yet, and nothing is registered twice."""
    for ticket in (tickets[30], tickets[200]):
        first = ticket.scene.happenings[0]
        kind, data = ("ticket.resumed.v1", {}) if ticket is tickets[30] else (CREATED, first.data)
        time = ticket.begins + 0.4
        ticket.scene.happenings.append(Happening(ticket, kind, time, time, data, bad="illegal_transition"))


# ---- Writing it down ---------------------------------------------------------------------------------------

Line = tuple[float, dict[str, Any]]
"""When it is sent, in seconds, and what."""


def _text(seconds: float) -> str:
    instant = BEGIN + timedelta(seconds=round(seconds, 3))
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _lines(scenes: list[Scene], random: Random) -> list[Line]:
    numbers: Counter[str] = Counter()
    lines: list[Line] = []
    repeatable: list[Line] = []
    for scene in scenes:
        for happening in sorted(scene.happenings, key=lambda each: each.time):
            numbers[happening.ticket.id] += 1
            line = _line(scene, happening, numbers[happening.ticket.id])
            lines.append(line)
            if happening.bad is None and line[0] < LAST_SENT - 5:
                repeatable.append(line)
    for arrival, event in random.sample(repeatable, _DUPLICATES):
        again = arrival + random.uniform(1, 4)
        lines.append((again, {**event, "arrivaltime": _text(again)}))
    lines.extend(_bad_lines(random))
    return sorted(lines, key=lambda line: line[0])


def _line(scene: Scene, happening: Happening, number: int) -> Line:
    arrival = scene.begin + happening.arrival
    event = _event(
        happening.ticket.id, happening.kind, scene.begin + happening.time, number,
        {name: _shown(value, scene) for name, value in happening.data.items()},
    )  # fmt: skip
    if happening.bad is not None:
        return arrival, {"bad": happening.bad, "arrivaltime": _text(arrival), "event": event}
    if happening.arrival > happening.time:
        event["arrivaltime"] = _text(arrival)
    return arrival, event


def _shown(value: Any, scene: Scene) -> Any:
    if isinstance(value, Moment):
        return _text(scene.begin + value.seconds)
    return value.id if isinstance(value, Ticket) else value


def _event(ticket_id: str, kind: str, seconds: float, number: int, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"{ticket_id}/{number}",
        "source": f"/channels/{ticket_id.partition('-')[0]}",
        "type": kind,
        "subject": ticket_id,
        "time": _text(seconds),
        "data": data,
    }


# ---- Bad records -------------------------------------------------------------------------------------------

_TAKEN = {"operator": "op-1"}
_ASSIGNED = "ticket.assigned.v1"


def _bad_lines(random: Random) -> Iterator[Line]:
    """What channels get wrong: two records for each code but the one that needs a ticket."""
    seconds = [5 + 6 * number + random.uniform(0, 3) for number in range(18)]
    makers = [_bad_bytes, _bad_envelopes, _bad_contents]
    made = [bad for maker in makers for bad in maker()]
    random.shuffle(made)
    for second, (code, more) in zip(seconds, made, strict=True):
        event = more.get("event")
        if event is not None and "time" in event:
            event["time"] = _text(second + event["time"])
        yield second, {"bad": code, "arrivaltime": _text(second), **more}


Bad = tuple[str, dict[str, Any]]
"""The code, and the rest of the line; an event's `time` is said in seconds after its arrival."""


def _bad_event(ticket_id: str, kind: str = _ASSIGNED, data: Any = None, **attributes: Any) -> dict[str, Any]:
    event = _event(ticket_id, kind, 0, 1, _TAKEN if data is None else data)
    return {**event, "id": f"bad/{ticket_id}", "time": 0, **attributes}


def _bad_bytes() -> Iterator[Bad]:
    yield "tombstone", {"key": "phone-9001"}
    yield "tombstone", {"key": None}
    yield "too_large", {"event": _bad_event("chat-9002"), "padding": 256 * 1024}
    yield "too_large", {"key": "chat-9003", "base64": b64encode(b"\x00").decode(), "padding": 300_000}
    yield "malformed", {"key": "app-9004", "base64": b64encode(b'{"specversion":"1.0","id":').decode()}
    cyrillic = '{"reason": "не та кодировка"}'.encode("cp1251")
    yield "malformed", {"key": "form-9005", "base64": b64encode(cyrillic).decode()}


def _bad_envelopes() -> Iterator[Bad]:
    without_time = _bad_event("cabinet-9006")
    del without_time["time"]
    yield "invalid_envelope", {"event": without_time}
    yield "invalid_envelope", {"event": _bad_event("phone-9007"), "headers": [["content-type", "text/xml"]]}
    yield "key_mismatch", {"event": _bad_event("phone-9008"), "key": "+7 000 000-00-08"}
    yield "key_mismatch", {"event": _bad_event("phone-9009"), "key": None}
    yield "unknown_type", {"event": _bad_event("app-9010", "ticket.assigned.v9")}
    yield "unknown_type", {"event": _bad_event("cabinet-9011", "com.example.order.v1")}


def _bad_contents() -> Iterator[Bad]:
    form = {"channel": "feedback_form", "category": "complex", "client": {"id": "citizen-0000"}}
    yield "invalid_data", {"event": _bad_event("form-9012", CREATED, form)}
    yield "invalid_data", {"event": _bad_event("chat-9013", _ASSIGNED, {**_TAKEN, "mood": "fine"})}
    ahead = 3 * 3600  # the clock of a channel that takes Moscow time for UTC
    yield "future_event", {"event": _bad_event("phone-9014", time=ahead)}
    yield "future_event", {"event": _bad_event("chat-9015", time=ahead)}
    yield "unknown_ticket", {"event": _bad_event("phone-9016")}
    yield "unknown_ticket", {"event": _bad_event("cabinet-9017", "ticket.contacted.v1", {"by": "client"})}


def main() -> None:
    """Write the day to standard output."""
    random = Random(SEED)  # noqa: S311 - for the same day every time, not for secrets
    day = Day(random)
    day.fill()
    _spoil(_tickets(day.scenes))
    for _, line in _lines(day.scenes, random):
        text = dumps(line, ensure_ascii=False, separators=(",", ":"))
        sys.stdout.buffer.write(text.encode() + b"\n")


if __name__ == "__main__":
    main()
