"""Random policies and calendars, as plain data: short targets and shifts, zones with clock changes."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final
from zoneinfo import ZoneInfo

ORIGINS: Final = (
    ("2026-03-02T09:00:00+00:00", "Europe/Moscow"),  # a Monday
    ("2026-03-02T20:15:00+00:00", "Europe/Moscow"),  # before midnight
    ("2025-12-31T20:00:00+00:00", "Europe/Moscow"),  # before the new year
    ("2026-03-29T00:10:00+00:00", "Europe/Berlin"),  # 02:00 becomes 03:00
    ("2026-10-25T00:10:00+00:00", "Europe/Berlin"),  # 03:00 becomes 02:00
    ("2026-03-08T06:15:00+00:00", "America/New_York"),
    ("2026-11-01T05:20:00+00:00", "America/New_York"),
    ("2026-04-04T14:10:00+00:00", "Australia/Lord_Howe"),  # half an hour is repeated
    ("2026-10-03T14:45:00+00:00", "Australia/Lord_Howe"),  # half an hour is skipped
    ("2026-03-28T21:30:00+00:00", "Asia/Beirut"),  # midnight itself is skipped
    ("2026-07-07T03:00:00+00:00", "Asia/Kathmandu"),
)
"""When the two hours begin, and in which zone something may happen then."""

WHEN: Final[Mapping[str, tuple[str, ...]]] = {
    "category": ("status_check", "technical_fault", "complex"),
    "priority": ("normal", "high", "urgent"),
    "channel": ("phone", "chat"),
    "queue": ("status", "technical", "reference"),
    "region": ("77", "25", "abroad"),
}
STATES: Final = ("pending", "pending", "escalated", "created", "resolved", "assigned")
STARTS: Final = ("created", "created", "created", "transferred", "contacted.client", "dropped", "resolved",
                 "assigned", "escalated", "pending", "reopened", "contacted")  # fmt: skip
STOPS: Final = ("resolved", "resolved", "closed", "closed", "assigned", "contacted.operator", "returned",
                "transferred", "reopened", "pending", "escalated")  # fmt: skip
CANCELS: Final = ("dropped", "closed", "reopened", "transferred", "scheduled", "resolved")
TARGETS: Final = ("0s", "30s", "1m", "2m", "5m", "5m", "10m", "10m", "20m", "20m", "40m", "40m", "90m")
WARNINGS: Final = ("50%", "80%", "25%", "-30s", "-1m", "-5m", "-10m")
STEPS: Final = ("30s", "1m", "5m", "15m")
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def origin(chance: Random) -> tuple[datetime, str]:
    """When the history begins, and its zone."""
    moment, zone = chance.choice(ORIGINS)
    return datetime.fromisoformat(moment), zone


def calendar(chance: Random, start: datetime, zone: str) -> dict[str, Any]:
    """Shifts of minutes around the history; a date may be a holiday or have hours of its own."""
    if chance.random() < 0.3:
        zone = chance.choice(ORIGINS)[1]
    wall = start.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    midnight = wall.replace(hour=0, minute=0)
    minute = int((wall - midnight).total_seconds()) // 300 * 5 - 60
    last = minute + 300
    dates: dict[str, list[list[str]]] = {}
    while minute < last:
        length = chance.choice((5, 10, 20, 45, 120))
        opens = midnight + timedelta(minutes=minute)
        own = opens.replace(hour=0, minute=0)
        begin = int((opens - own).total_seconds()) // 60
        dates.setdefault(own.date().isoformat(), []).append([_clock(begin), _clock(begin + length)])
        minute += length + chance.choice((5, 5, 10, 25, 60))
    return {"timezone": zone, **_hours(chance, dates)}


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _hours(chance: Random, dates: Mapping[str, list[list[str]]]) -> dict[str, Any]:
    hours: dict[str, Any] = {}
    holidays, exceptions = [], {}
    for name, shifts in dates.items():
        day = DAYS[datetime.fromisoformat(name).weekday()]
        kind = chance.random()
        if kind < 0.15:
            exceptions[name] = shifts
            hours[day] = [["00:00", "24:00"]]
            if chance.random() < 0.5:
                holidays.append(name)
        else:
            hours[day] = shifts
            if kind < 0.22:
                holidays.append(name)
    return {"hours": hours, "holidays": holidays, "exceptions": exceptions}


def policy(chance: Random, start: datetime, zone: str) -> list[dict[str, Any]]:
    """One version, or two of which the second comes into force during the history."""
    first = _version(chance, start, zone, "1")
    if chance.random() < 0.75:
        return [first]
    second = _version(chance, start, zone, "2")
    moment = start + timedelta(seconds=chance.choice((600, 1800, 3600)))
    second["effective_from"] = moment.isoformat().replace("+00:00", "Z")
    return [first, second]


def _version(chance: Random, start: datetime, zone: str, number: str) -> dict[str, Any]:
    calendars = {name: calendar(chance, start, zone) for name in ("north", "south")}
    ids = chance.sample(("answer", "fix", "next", "owner", "zeal"), chance.randint(1, 4))
    clocks = [rule for name in ids for rule in _rules(chance, name)]
    if chance.random() < 0.35:
        clocks += _announced(chance, "vow", "promised")
    if chance.random() < 0.35:
        clocks += _announced(chance, "call", "scheduled")
    return {
        "policy": "p",
        "version": number,
        "calendars": calendars,
        "region_calendars": {"77": "north", "25": "south", "*": chance.choice(("always", "north"))},
        "reopening_window": chance.choice(("30d", "30d", "20m", "5m")),
        "clocks": clocks,
    }


def _rules(chance: Random, name: str) -> list[dict[str, Any]]:
    """One to three rules of a clock id; only the last may match everything."""
    number = chance.choice((1, 2, 2, 3))
    rules, common = [], _some(chance, STARTS, chance.choice((1, 1, 2)))
    for last in [False] * (number - 1) + [chance.random() < 0.6]:
        rules.append({"clock": name, **({} if last else {"when": _when(chance)}), **_terms(chance)})
        if chance.random() < 0.7:
            rules[-1]["start"] = common
    return rules


def _when(chance: Random) -> dict[str, list[str]]:
    names = chance.sample(sorted(WHEN), chance.choice((1, 1, 1, 2)))
    return {name: sorted(chance.sample(WHEN[name], chance.choice((1, 1, 2)))) for name in names}


def _some(chance: Random, values: tuple[str, ...], most: int) -> list[str]:
    return sorted({chance.choice(values) for _ in range(most)})


def _terms(chance: Random) -> dict[str, Any]:
    start = _some(chance, STARTS, chance.choice((1, 1, 2)))
    pause = _some(chance, STATES, chance.choice((0, 1, 1, 2)))
    return {
        "target": chance.choice(TARGETS),
        "start": start,
        "stop": _some(chance, STOPS, chance.choice((1, 2, 2))),
        "cancel": _some(chance, CANCELS, 1) if chance.random() < 0.25 else [],
        "pause": pause,
        "reopen": chance.choice(("none", "restart", "continue")),
        "calendar": chance.choice(("always", "always", "north", "south", "region")),
        **_firings(chance),
    }


def _announced(chance: Random, name: str, target: str) -> list[dict[str, Any]]:
    terms = {
        "target": target,
        "start": [target],
        "stop": _some(chance, ("resolved", "closed", "returned"), 2),
        "cancel": _some(chance, ("dropped", "transferred"), 1) if chance.random() < 0.3 else [],
        "reopen": chance.choice(("none", "none", "continue")),
    }
    rules = [{"clock": name, "when": _when(chance), **terms, **_firings(chance)}]
    return [*rules, {"clock": name, **terms, **_firings(chance)}][chance.choice((0, 1)) :]


def _firings(chance: Random) -> dict[str, Any]:
    steps = [after for after in ("0s", *STEPS) if chance.random() < 0.35]
    does = ("escalate", "escalate", "escalate", "none", "none", "close")
    return {
        "warn": list(dict.fromkeys(chance.choice(WARNINGS) for _ in range(chance.choice((0, 1, 2))))),
        "on_breach": [{"after": after, "do": chance.choice(does)} for after in steps],
    }
