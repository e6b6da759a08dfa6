"""The second oracle: weeks, by lists of open intervals. Start, stop, pause and reopening; nothing is late.

It knows one clock at a time and takes the history as a whole; it shares with the first oracle only how a
calendar's shifts become instants (`wall`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import zip_longest
from random import Random
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from simulator.oracle.seconds import Sent
from simulator.oracle.terms import duration
from simulator.oracle.wall import DAYS, shifts

DAY: Final = 86_400
WEEKS: Final = 21 * DAY
FAR: Final = 60 * DAY
Interval = tuple[int, int]

PLACES: Final = (
    ("Europe/Berlin", "2026-03-22T10:00:00+00:00"),
    ("Europe/Berlin", "2026-10-16T06:00:00+00:00"),
    ("America/New_York", "2026-03-02T12:00:00+00:00"),
    ("America/St_Johns", "2026-10-24T12:00:00+00:00"),
    ("Australia/Lord_Howe", "2026-03-28T00:00:00+00:00"),
    ("Australia/Lord_Howe", "2026-09-25T00:00:00+00:00"),
    ("Asia/Beirut", "2026-03-20T12:00:00+00:00"),
    ("Africa/Cairo", "2026-04-15T12:00:00+00:00"),
    ("Europe/Moscow", "2026-03-22T12:00:00+00:00"),
)
"""A zone, and when three weeks begin in which its clocks change (in Moscow they do not)."""


class Seen(NamedTuple):
    """A change of a clock: what, when, in which cycle, and what its record says."""

    change: str
    at: int
    cycle: int
    deadline: int | None
    elapsed: int


def open_intervals(calendar: Mapping[str, Any], start: datetime) -> list[Interval]:
    """When a calendar is open, from the history's start on, in order and not touching each other."""
    if "hours" not in calendar:
        return [(0, FAR)]
    found: list[Interval] = []
    for opens, closes in sorted(shifts(calendar, start, start + timedelta(seconds=FAR))):
        begin = max(int((opens - start).total_seconds()), 0)
        end = int((closes - start).total_seconds())
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        elif end > begin:
            found.append((begin, end))
    return found


def counted(ran: Sequence[Interval], opened: Sequence[Interval]) -> int:
    """How much of the time in which a clock ran its calendar was open."""
    return sum(max(min(end, closes) - max(begin, opens), 0) for begin, end in ran for opens, closes in opened)


def deadline(ran: Sequence[Interval], since: int, opened: Sequence[Interval], target: int) -> int:
    """The earliest instant at which the target has elapsed, when the clock ran so and runs since then."""
    left = target - counted(ran, opened)
    if left <= 0:
        return since  # it had elapsed when the clock stood still: no earlier instant than its going on
    for opens, closes in opened:
        begin = max(opens, since)
        if closes > begin:
            if closes - begin >= left:
                return begin + left
            left -= closes - begin
    return FAR


@dataclass
class Promise:
    """One clock of a ticket, and what has been seen of it."""

    rule: Mapping[str, Any]
    opened: list[Interval]
    seen: list[Seen] = field(default_factory=list)
    cycle: int = 0
    ran: list[Interval] = field(default_factory=list)
    since: int | None = None
    running: bool = False
    broken_at: int | None = None

    @property
    def target(self) -> int:
        return duration(self.rule["target"])

    @property
    def deadline(self) -> int | None:
        if self.broken_at is not None:
            return None if self.since is None and self.running else self.broken_at
        return None if self.since is None else deadline(self.ran, self.since, self.opened, self.target)

    def _note(self, change: str, at: int, shown: int | None) -> None:
        ran = [*self.ran, *([] if self.since is None else [(self.since, at)])]
        self.seen.append(Seen(change, at, self.cycle, shown, counted(ran, self.opened)))

    def until(self, now: int) -> None:
        """Nothing happens before `now`; a promise whose deadline passes meanwhile is broken."""
        due = self.deadline
        if self.running and self.broken_at is None and due is not None and due < now:
            self._note("breached", due, due)
            self.broken_at = due

    def hear(self, trigger: str, state: str, now: int) -> None:
        """Something happened to the ticket, which stands in `state` now."""
        self.until(now)
        had_ended = self.cycle > 0 and not self.running
        if self.running and trigger in self.rule["stop"]:
            self._note("met" if self.broken_at is None else "stopped", now, self.deadline)
            self._stand(now)
            self.running = False
        reopens = self.rule["reopen"] if had_ended and trigger == "reopened" else "none"
        if not self.running and (trigger in self.rule["start"] or reopens == "restart"):
            self._begin(now)
        elif reopens == "continue":
            if self.broken_at is None:
                self._note("retracted", now, self.seen[-1].deadline)
            self._go("resumed", now)
        stands = state in self.rule["pause"]
        if self.running and stands and self.since is not None:
            self._note("paused", now, None)
            self._stand(now)
        elif self.running and not stands and self.since is None:
            self._go("resumed", now)

    def _begin(self, now: int) -> None:
        self.cycle, self.ran, self.broken_at = self.cycle + 1, [], None
        self._go("started", now)

    def _go(self, change: str, now: int) -> None:
        self.running, self.since = True, now
        self._note(change, now, self.deadline)

    def _stand(self, now: int) -> None:
        if self.since is not None:
            self.ran.append((self.since, now))
        self.since = None


class Weeks(NamedTuple):
    """A history of weeks: its start, its policy and its events, each with the state that it leads to."""

    start: datetime
    document: dict[str, Any]
    events: tuple[tuple[Sent, str], ...]


def promises(weeks: Weeks) -> dict[str, Promise]:
    """The clocks of a history before anything has happened."""
    calendars = {"always": {}, **weeks.document["calendars"]}
    opened = {name: open_intervals(each, weeks.start) for name, each in calendars.items()}
    return {rule["clock"]: Promise(rule, opened[rule["calendar"]]) for rule in weeks.document["clocks"]}


def expected(weeks: Weeks) -> dict[str, list[Seen]]:
    """What each clock does."""
    clocks = promises(weeks)
    for clock in clocks.values():
        for event, state in weeks.events:
            for trigger in _triggers(event):
                clock.hear(trigger, state, event.time)
        clock.until(WEEKS)
    return {name: clock.seen for name, clock in clocks.items()}


def _triggers(event: Sent) -> tuple[str, ...]:
    return (f"contacted.{event.data['by']}",) if event.kind == "contacted" else (event.kind,)


# --- random histories

NEXT: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "created": (("assigned", "assigned"), ("contacted", "created"), ("closed", "closed")),
    "assigned": (("pending", "pending"), ("pending", "pending"), ("resolved", "resolved"),
                 ("contacted", "assigned"), ("transferred", "created")),
    "pending": (("resumed", "assigned"), ("resumed", "assigned"), ("resolved", "resolved"),
                ("contacted", "pending")),
    "resolved": (("reopened", "assigned"), ("reopened", "assigned"), ("closed", "closed"),
                 ("contacted", "resolved")),
    "closed": (("reopened", ""),),
}  # fmt: skip
"""What may happen in a state, and where it leads; reopening a closed ticket depends on its operator."""

DATA: Final[Mapping[str, Mapping[str, Any]]] = {
    "created": {"channel": "phone", "category": "complex", "client": {"id": "c-1"}},
    "assigned": {"operator": "op-1"},
    "transferred": {"queue": "technical"},
    "closed": {"reason": "confirmed"},
}
HOURS: Final = (
    (("09:00", "18:00"),),
    (("08:00", "12:00"), ("13:00", "17:30")),
    (("22:00", "30:00"),),
    (("00:00", "24:00"),),
    (("01:30", "02:30"),),
    (("02:15", "02:45"), ("03:00", "04:00")),
    (("00:00", "01:00"), ("23:30", "26:30")),
    (),
)
AROUND_CHANGES: Final = (
    (("01:30", "02:30"), ("02:45", "05:00")),
    (("00:00", "01:45"), ("02:15", "02:45"), ("03:15", "09:00")),
    (("00:15", "01:15"), ("23:30", "26:30")),
    (("00:30", "01:50"), ("02:10", "12:00")),
)


def weeks(seed: int) -> Weeks:
    """The history of a number: always the same."""
    chance = Random(seed)
    zone, moment = chance.choice(PLACES)
    start = datetime.fromisoformat(moment)
    document = {
        "policy": "p",
        "version": "1",
        "calendars": {name: _calendar(chance, zone, start) for name in ("own", "other")},
        "clocks": [_rule(chance, name) for name in ("a", "b", "c")],
    }
    return Weeks(start, document, tuple(_events(chance, Weeks(start, document, ()))))


def _calendar(chance: Random, zone: str, start: datetime) -> dict[str, Any]:
    hours = {day: [list(shift) for shift in chance.choice(HOURS)] for day in DAYS}
    hours["wed"] = [["09:00", "18:00"]]
    for day in ("fri", "sun"):  # clocks change on one of these: shifts open and close within the change
        hours[day] = [list(shift) for shift in chance.choice(AROUND_CHANGES)]
    first = start.astimezone(ZoneInfo(zone)).date()
    dates = [(first + timedelta(days=chance.randint(0, 20))).isoformat() for _ in range(3)]
    return {
        "timezone": zone,
        "hours": {day: each for day, each in hours.items() if each},
        "holidays": sorted(set(dates[:2])),
        "exceptions": {dates[2]: [["03:00", "05:30"]]},
    }


def _rule(chance: Random, name: str) -> dict[str, Any]:
    stops = ("resolved", "resolved", "closed", "contacted.operator", "transferred", "reopened")
    return {
        "clock": name,
        "target": chance.choice(("30m", "2h", "8h", "12h", "24h", "40h", "3d")),
        "start": [chance.choice(("created", "created", "contacted.client", "transferred", "resolved"))],
        "stop": sorted({chance.choice(stops), chance.choice(stops)}),
        "pause": chance.choice(([], ["pending"], ["pending", "resolved"], ["created"])),
        "reopen": chance.choice(("none", "restart", "continue")),
        "calendar": chance.choice(("always", "own", "own", "other")),
    }


def _events(chance: Random, weeks: Weeks) -> list[tuple[Sent, str]]:
    clocks = list(promises(weeks).values())
    time, state, operator = chance.randint(0, 48) * 1800, "created", False
    kind, events = "created", []
    while time < WEEKS:
        by = {"by": chance.choice(("client", "operator"))} if kind == "contacted" else {}
        event = Sent(kind, "A", time, time, f"e{len(events)}", {**DATA.get(kind, {}), **by})
        events.append((event, state))
        for clock in clocks:
            for trigger in _triggers(event):
                clock.hear(trigger, state, time)
        operator = {"assigned": True, "transferred": False}.get(kind, operator)
        time = _next(chance, clocks, time)
        for clock in clocks:
            clock.until(time)
        kind, state = chance.choice(NEXT[state])
        if kind == "reopened":
            state = "assigned" if operator else "created"
    return events


def _next(chance: Random, clocks: Sequence[Promise], time: int) -> int:
    """When the next event happens: sometimes exactly when a clock is due."""
    due = [at for clock in clocks if clock.running and (at := clock.deadline) is not None and at >= time]
    if due and chance.random() < 0.3:
        return chance.choice(due) + chance.choice((0, 0, 1, -1 if min(due) > time else 0))
    return time + chance.choice((0, 1800, 3600, 4 * 3600, 11 * 3600, DAY, 2 * DAY, 5 * DAY))


def story(weeks: Weeks, ours: Mapping[str, list[Seen]], theirs: Mapping[str, list[Seen]]) -> str:
    """A history for a person, and the first difference of each clock."""
    text = [f"It begins at {weeks.start.isoformat()}; instants are seconds after that."]
    text += [f"calendar {name}: {each}" for name, each in weeks.document["calendars"].items()]
    text += [f"rule: {rule}" for rule in weeks.document["clocks"]]
    text += [f"{event.kind} at {event.time} -> {state} {dict(event.data)}" for event, state in weeks.events]
    for name in ours:
        for own, its in zip_longest(ours[name], theirs[name]):
            if own != its:
                text.append(f"clock {name}: oracle {_said(own)}, engine {_said(its)}")
                break
    return "\n".join(text)


def _said(seen: Seen | None) -> str:
    return "nothing" if seen is None else ", ".join(f"{n} {v}" for n, v in seen._asdict().items())
