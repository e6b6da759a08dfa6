"""Facts from the published tests and documents of other systems: calendars, starts, durations, results.

Only numbers are taken, no code. Each group names its repository and file. A line of SUMS reads: calendar;
zone of the instants; start; business time to add (negative: to take away); result. A line of SPANS: calendar;
zone; start; end; business time between them. DIFFERENCES are the numbers in which we differ, and why.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from tests.support.world import written
from workflow.calendars import Calendar

_WORKDAYS = "mon tue wed thu fri"
_ALL = f"{_WORKDAYS} sat sun"

# Znuny's holidays are yearly: New Year's Day, 1 May, 24-26 and 31 December.
_ZNUNY_HOLIDAYS = tuple(
    f"{year}-{day}"
    for year in range(2013, 2018)
    for day in ("01-01", "05-01", "12-24", "12-25", "12-26", "12-31")
)


def _calendar(zone: str, *hours: tuple[str, str], holidays: tuple[str, ...] = ()) -> dict[str, Any]:
    """A policy file's calendar of (days, shifts), as in ("mon tue", "08:00-12:00 13:00-17:00")."""
    by_day = {
        day: [shift.split("-") for shift in shifts.split()] for days, shifts in hours for day in days.split()
    }
    return {"timezone": zone, "hours": by_day, "holidays": list(holidays)}


def _znuny(
    prefix: str, days: str, shifts: str, holidays: tuple[str, ...] = _ZNUNY_HOLIDAYS
) -> dict[str, Any]:
    """One calendar in each zone of its tests. It lists the hours that are worked: 8..17 is 08:00 to 18:00."""
    zones = {"utc": "UTC", "berlin": "Europe/Berlin", "saopaulo": "America/Sao_Paulo",
             "tehran": "Asia/Tehran", "sydney": "Australia/Sydney"}  # fmt: skip
    return {f"{prefix}-{n}": _calendar(zone, (days, shifts), holidays=holidays) for n, zone in zones.items()}


_BERLIN, _LOS_ANGELES = "Europe/Berlin", "America/Los_Angeles"
_NINE_TO_FIVE = (_WORKDAYS, "09:00-17:00")
_CALENDARS: dict[str, Any] = {
    **_znuny("all", _ALL, "00:00-24:00"),
    **_znuny("bare", _ALL, "00:00-24:00", holidays=()),
    **_znuny("days", _WORKDAYS, "00:00-24:00"),
    **_znuny("long", _WORKDAYS, "08:00-18:00"),
    **_znuny("split", _WORKDAYS, "08:00-13:00 14:00-18:00"),
    **_znuny("daily-split", _ALL, "08:00-13:00 14:00-18:00"),
    "zammad-9-17": _calendar(_BERLIN, _NINE_TO_FIVE),
    "zammad-8-18": _calendar(_BERLIN, (_WORKDAYS, "08:00-18:00")),
    "zammad-8-17": _calendar(_BERLIN, (_ALL, "08:00-17:00"), holidays=("2015-09-22",)),
    "zammad-8-20": _calendar(_BERLIN, (_WORKDAYS, "08:00-20:00"), holidays=("2016-11-01",)),
    "glpi-default": _calendar("UTC", (_WORKDAYS, "08:00-20:00")),
    "glpi-5x24": _calendar("UTC", (_WORKDAYS, "00:00-24:00")),
    "frappe": _calendar(
        "UTC", (_WORKDAYS, "10:00-18:00"), holidays=("2019-02-11", "2019-03-05", "2019-03-07")
    ),
    "gem": _calendar("UTC", _NINE_TO_FIVE),
    "gem-may-day": _calendar("UTC", _NINE_TO_FIVE, holidays=("2014-05-01",)),
    "gem-tokyo": _calendar("Asia/Tokyo", _NINE_TO_FIVE),
    "gem-two-spans": _calendar("UTC", ("mon", "07:00-12:00 13:00-18:00")),
    "gem-monday": _calendar("UTC", ("mon", "00:00-24:00")),
    "gem-midnight": _calendar("UTC", ("mon", "00:00-24:00"), ("tue", "08:00-18:00")),
    "biz": _calendar(
        "Etc/UTC", ("mon wed fri", "09:00-17:00"), ("tue thu", "10:00-16:00"), ("sat", "11:00-14:30"),
        holidays=("2006-01-16", "2006-01-18"),
    ),
    "biz-gap": _calendar(_LOS_ANGELES, ("sun", "02:30-03:15"), ("mon", "09:00-17:00")),
    "biz-readme": _calendar(
        _LOS_ANGELES, ("mon wed", "09:00-17:00"), ("tue", "00:00-24:00"), ("thu", "09:00-12:00 13:00-17:00"),
        ("sat", "10:00-14:00"), holidays=("2014-01-01", "2014-12-25"),
    ),
}  # fmt: skip

SUMS = """
# Znuny: znuny/Znuny, scripts/test/DateTime/AddWorkingTime.t
all-utc;UTC;2015-02-17 12:00:00;17520h;2017-02-28 12:00:00
split-berlin;UTC;2015-03-27 11:00:00;15h;2015-03-31 07:00:00
all-utc;UTC;2015-02-17 12:00:00;2160h;2015-05-19 12:00:00
all-berlin;Europe/Berlin;2015-02-17 12:00:00;2161h;2015-05-19 14:00:00
all-utc;UTC;2015-02-21 22:00:00;6h;2015-02-22 04:00:00
all-saopaulo;America/Sao_Paulo;2015-02-21 22:00:00;5h;2015-02-22 02:00:00
all-utc;UTC;2015-02-20 22:10:05;102h 20m 15s;2015-02-25 04:30:20
bare-saopaulo;America/Sao_Paulo;2015-02-21 22:10:05;101h 20m 15s;2015-02-26 02:30:20
all-utc;UTC;2015-10-17 22:00:00;6h;2015-10-18 04:00:00
all-saopaulo;America/Sao_Paulo;2015-10-17 22:00:00;7h;2015-10-18 06:00:00
all-utc;UTC;2015-03-21 12:00:00;24h;2015-03-22 12:00:00
all-utc;UTC;2015-09-21 12:00:00;16h;2015-09-22 04:00:00
all-tehran;Asia/Tehran;2015-09-21 12:00:00;15h;2015-09-22 02:00:00
all-tehran;Asia/Tehran;2015-09-20 12:00:00;48h;2015-09-22 11:00:00
all-tehran;Asia/Tehran;2015-09-19 12:00:00;96h;2015-09-23 11:00:00
all-utc;UTC;2015-03-21 12:00:00;16h;2015-03-22 04:00:00
all-tehran;Asia/Tehran;2015-03-21 12:00:00;17h;2015-03-22 06:00:00
all-tehran;Asia/Tehran;2015-01-21 12:00:00;2177h;2015-04-22 06:00:00
all-utc;UTC;2015-01-21 12:00:00;2176h;2015-04-22 04:00:00
all-sydney;Australia/Sydney;2016-04-02 12:00:00;41h;2016-04-04 04:00:00
long-berlin;Europe/Berlin;2016-01-31 12:25:30;5h;2016-02-01 13:00:00
long-berlin;Europe/Berlin;2016-02-01 16:59:30;3h 30m;2016-02-02 10:29:30
split-berlin;Europe/Berlin;2016-02-01 12:25:30;5h;2016-02-02 08:25:30
split-berlin;Europe/Berlin;2016-01-31 12:25:30;45h 25m 30s;2016-02-08 08:25:30
split-berlin;Europe/Berlin;2015-12-22 16:24:49;20h;2015-12-29 08:24:49
long-tehran;Asia/Tehran;2016-03-20 00:00:00;5h;2016-03-21 13:00:00
long-tehran;Asia/Tehran;2016-03-20 00:00:00;13h;2016-03-22 11:00:00
all-tehran;Asia/Tehran;2016-03-20 00:00:00;29h;2016-03-21 06:00:00
days-tehran;Asia/Tehran;2016-03-20 00:00:00;29h;2016-03-22 06:00:00
long-tehran;Asia/Tehran;2016-09-20 22:00:00;5h;2016-09-21 13:00:00
days-tehran;Asia/Tehran;2016-09-20 22:00:00;5h;2016-09-21 02:00:00
long-berlin;Europe/Berlin;2013-03-16 10:00:00;1m;2013-03-18 08:01:00
# Zammad: zammad/zammad, test/unit/ticket_sla_test.rb
zammad-9-17;UTC;2013-03-21 09:30:00;60m;2013-03-21 10:30:00
zammad-9-17;UTC;2013-03-21 09:30:00;180m;2013-03-21 12:30:00
zammad-9-17;UTC;2013-03-21 09:30:00;240m;2013-03-21 13:30:00
zammad-8-17;UTC;2013-10-21 09:30:00;240m;2013-10-21 13:30:00
zammad-8-17;UTC;2013-10-21 05:30:00;120m;2013-10-21 08:00:00
zammad-8-17;UTC;2013-10-21 05:30:00;180m;2013-10-21 09:00:00
zammad-8-17;UTC;2015-09-21 14:30:00;120m;2015-09-23 07:30:00
zammad-8-17;UTC;2015-09-21 14:30:00;240m;2015-09-23 09:30:00
zammad-8-20;UTC;2016-11-01 13:56:21;60m;2016-11-02 08:00:00
zammad-8-20;UTC;2016-11-01 13:56:21;120m;2016-11-02 09:00:00
zammad-8-20;UTC;2016-11-01 13:56:21;1200m;2016-11-03 15:00:00
zammad-8-20;UTC;2016-11-07 14:26:36;1200m;2016-11-09 10:26:36
# GLPI: glpi-project/glpi, tests/functional/CalendarTest.php (seven days of work are 84 hours of 8-20)
glpi-default;UTC;2018-11-19 10:00:00;84h;2018-11-28 10:00:00
glpi-5x24;UTC;2018-11-19 10:00:00;168h;2018-11-28 10:00:00
glpi-default;UTC;2018-11-19 10:00:00;-84h;2018-11-08 10:00:00
glpi-5x24;UTC;2018-11-19 10:00:00;-168h;2018-11-08 10:00:00
# Frappe: frappe/erpnext, erpnext/support/doctype/issue/test_issue.py
frappe;UTC;2019-03-04 12:00:00;2h;2019-03-04 14:00:00
frappe;UTC;2019-03-04 12:00:00;3h;2019-03-04 15:00:00
frappe;UTC;2019-03-04 12:00:00;4h;2019-03-04 16:00:00
frappe;UTC;2019-03-04 12:00:00;6h;2019-03-04 18:00:00
frappe;UTC;2019-03-04 07:00:00;4h;2019-03-04 14:00:00
frappe;UTC;2019-03-04 07:00:00;6h;2019-03-04 16:00:00
frappe;UTC;2019-03-04 20:00:00;4h;2019-03-06 14:00:00
frappe;UTC;2019-03-04 20:00:00;6h;2019-03-06 16:00:00
frappe;UTC;2019-03-04 14:00:00;4h;2019-03-04 18:00:00
frappe;UTC;2019-03-04 14:00:00;6h;2019-03-06 12:00:00
# working_hours (Ruby): Intrepidd/working_hours, spec/working_hours/computation_spec.rb
gem;UTC;1991-11-15 14:00:42;2h;1991-11-15 16:00:42
gem;UTC;1991-11-18 14:00:42;-7h;1991-11-15 15:00:42
gem-tokyo;UTC;1991-11-15 07:00:00;3h;1991-11-18 02:00:00
gem-two-spans;UTC;1991-11-11 05:00:00;6h;1991-11-11 14:00:00
gem;UTC;1991-11-15 16:30:42;45m;1991-11-18 09:15:42
gem;UTC;1991-11-15 16:59:42;120s;1991-11-18 09:01:42
gem-monday;UTC;2014-04-07 23:59:30;60s;2014-04-14 00:00:30
gem-midnight;UTC;2014-04-08 00:00:30;-60s;2014-04-07 23:59:00
gem-may-day;UTC;2014-05-01 12:00:00;0s;2014-05-02 09:00:00
gem-may-day;UTC;2014-06-01 12:00:00;0s;2014-06-02 09:00:00
gem;UTC;2014-04-07 16:59:00;0s;2014-04-07 16:59:00
gem;UTC;2014-04-07 08:59:00;0s;2014-04-07 09:00:00
gem;UTC;2014-04-07 17:00:00;0s;2014-04-08 09:00:00
gem-two-spans;UTC;2014-04-07 12:00:00;0s;2014-04-07 13:00:00
# biz (Zendesk): zendesk/biz, spec/calculation/for_duration_spec.rb, spec/periods/after_spec.rb, README.md
biz;UTC;2006-01-02 11:00:00;19h;2006-01-04 16:00:00
biz;UTC;2006-01-04 16:00:00;-19h;2006-01-02 11:00:00
biz;UTC;2006-01-14 14:30:00;0s;2006-01-17 10:00:00
biz-gap;America/Los_Angeles;2006-04-02 00:00:00;0s;2006-04-03 09:00:00
biz-readme;UTC;2015-05-05 12:34:57;-3598m;2015-04-27 20:36:57
"""

SPANS = """
# OTRS: OTRS/otrs, scripts/test/DateTime/DeltaWorkingTime.t
all-berlin;Europe/Berlin;2015-12-28 17:10:14;2015-12-23 08:10:15;0s
all-berlin;Europe/Berlin;2015-12-23 08:10:15;2015-12-28 17:10:14;205199s
split-berlin;UTC;2015-03-27 11:00:00;2015-03-31 07:00:00;15h
split-berlin;UTC;2015-03-26 16:00:00;2015-03-27 08:00:00;2h
all-berlin;Europe/Berlin;2015-02-17 22:35:49;2015-02-18 03:35:49;5h
all-berlin;Europe/Berlin;2015-02-17 22:35:49;2015-02-19 23:05:49;48h 30m
all-berlin;Europe/Berlin;2016-03-26 22:24:39;2016-03-28 23:24:39;48h
all-berlin;Europe/Berlin;2016-02-01 12:15:41;2016-02-06 10:15:41;118h
daily-split-berlin;Europe/Berlin;2016-02-01 12:15:41;2016-02-06 12:15:41;45h
split-berlin;Europe/Berlin;2016-03-25 12:15:41;2016-03-29 10:15:41;16h
split-berlin;Europe/Berlin;2016-03-24 12:15:41;2016-03-30 10:15:41;34h
split-berlin;Europe/Berlin;2016-03-25 08:15:41;2016-03-25 14:15:41;5h
split-berlin;Europe/Berlin;2016-03-25 08:00:00;2016-03-25 15:00:00;6h
bare-utc;UTC;2015-02-17 12:00:00;2015-05-18 12:00:00;2160h
bare-berlin;Europe/Berlin;2015-02-17 12:00:00;2015-05-18 12:00:00;2159h
bare-saopaulo;America/Sao_Paulo;2015-02-21 22:00:00;2015-02-22 02:00:00;5h
bare-saopaulo;America/Sao_Paulo;2015-02-20 22:10:05;2015-02-25 04:30:20;103h 20m 15s
bare-saopaulo;America/Sao_Paulo;2015-10-17 22:00:00;2015-10-18 04:00:00;5h
bare-tehran;Asia/Tehran;2015-09-21 12:00:00;2015-09-22 04:00:00;17h
bare-tehran;Asia/Tehran;2015-03-21 12:00:00;2015-03-22 04:00:00;15h
bare-sydney;Australia/Sydney;2015-01-21 12:00:00;2015-04-22 04:00:00;2177h
# Zammad: zammad/zammad, test/unit/ticket_sla_test.rb
zammad-8-18;UTC;2013-03-21 09:30:00;2013-03-21 10:00:00;30m
zammad-8-18;UTC;2013-03-21 09:30:00;2013-03-21 14:00:00;270m
zammad-8-18;UTC;2013-03-21 09:30:00;2013-03-21 11:30:00;120m
zammad-8-18;UTC;2013-03-21 09:30:00;2013-03-21 13:00:00;210m
# GLPI: glpi-project/glpi, tests/functional/CalendarTest.php
glpi-default;UTC;2019-01-01 07:00:00;2019-01-01 09:00:00;1h
glpi-default;UTC;2019-01-01 06:00:00;2019-01-01 07:00:00;0s
glpi-default;UTC;2019-01-01 00:00:00;2019-01-08 00:00:00;60h
glpi-default;UTC;2019-01-08 00:00:00;2019-01-01 00:00:00;0s
# Frappe: frappe/erpnext, erpnext/support/doctype/issue/test_issue.py
frappe;UTC;2021-06-28 11:00:00;2021-06-28 12:00:00;3600s
frappe;UTC;2021-06-28 12:00:00;2021-06-28 20:00:00;21600s
frappe;UTC;2021-06-28 06:00:00;2021-06-28 12:00:00;7200s
frappe;UTC;2021-06-28 06:00:00;2021-06-29 06:00:00;28800s
frappe;UTC;2021-06-28 06:00:00;2021-06-29 11:00:00;32400s
frappe;UTC;2021-06-28 06:00:00;2021-06-29 20:00:00;57600s
frappe;UTC;2021-06-25 06:00:00;2021-06-26 11:00:00;28800s
frappe;UTC;2021-06-28 12:00:00;2021-06-29 06:00:00;21600s
frappe;UTC;2021-06-28 12:00:00;2021-06-29 11:00:00;25200s
frappe;UTC;2021-06-28 12:00:00;2021-06-29 20:00:00;50400s
frappe;UTC;2021-06-25 12:00:00;2021-06-26 11:00:00;21600s
frappe;UTC;2021-06-28 20:00:00;2021-06-29 11:00:00;3600s
frappe;UTC;2021-06-28 20:00:00;2021-06-29 20:00:00;28800s
frappe;UTC;2021-06-28 06:00:00;2021-07-01 06:00:00;86400s
frappe;UTC;2021-06-28 06:00:00;2021-07-01 11:00:00;90000s
frappe;UTC;2021-06-28 06:00:00;2021-07-01 20:00:00;115200s
frappe;UTC;2021-06-25 06:00:00;2021-06-27 11:00:00;28800s
frappe;UTC;2021-06-28 12:00:00;2021-07-01 06:00:00;79200s
frappe;UTC;2021-06-28 12:00:00;2021-07-01 11:00:00;82800s
frappe;UTC;2021-06-28 12:00:00;2021-07-01 20:00:00;108000s
frappe;UTC;2021-06-28 20:00:00;2021-07-01 06:00:00;57600s
frappe;UTC;2021-06-28 20:00:00;2021-07-01 11:00:00;61200s
frappe;UTC;2021-06-28 20:00:00;2021-07-01 20:00:00;86400s
# working_hours (Ruby): Intrepidd/working_hours, spec/working_hours/computation_spec.rb
gem;UTC;2014-04-07 08:00:00;2014-04-07 08:00:00;0s
gem;UTC;2014-04-11 20:00:00;2014-04-14 05:00:00;0s
gem;UTC;2014-04-07 10:00:00;2014-04-07 15:00:00;5h
gem;UTC;2014-04-07 07:00:00;2014-04-07 20:00:00;8h
gem-monday;UTC;2014-04-06 12:00:00;2016-04-06 12:00:00;2520h
gem-two-spans;UTC;2014-04-07 11:59:00;2014-04-07 13:01:00;2m
gem-two-spans;UTC;2014-04-07 11:00:00;2014-04-14 13:00:00;11h
gem;UTC;2014-04-07 10:00:00;2014-04-07 19:00:00;7h
# biz (Zendesk): zendesk/biz, spec/calculation/duration_within_spec.rb, README.md (the sum of its segments)
biz;UTC;2006-01-08 00:00:00;2006-01-01 00:00:00;0s
biz;UTC;2006-01-01 00:00:00;2006-01-08 00:00:00;39h 30m
biz-readme;UTC;2015-01-10 10:00:00;2015-01-17 10:00:00;51h
"""

DIFFERENCES = """
# GLPI rounds a target of days to the end of its working day; a target of ours is business time and no more.
sum;glpi-default;2018-11-19 10:00:00;84h;2018-11-28 20:00:00;2018-11-28 10:00:00
sum;glpi-5x24;2018-11-19 10:00:00;168h;2018-11-29 00:00:00;2018-11-28 10:00:00
# GLPI, asked in days, counts the hours of a working day that are closed, too.
span;glpi-default;2019-01-01 07:00:00;2019-01-01 09:00:00;2h;1h
# Frappe gives one second where nothing was open, so that an answer is there; zero is zero here.
span;frappe;2021-06-28 19:00:00;2021-06-28 20:00:00;1s;0s
span;frappe;2021-06-27 10:00:00;2021-06-27 11:00:00;1s;0s
span;frappe;2021-06-28 20:00:00;2021-06-29 06:00:00;1s;0s
span;frappe;2021-06-25 20:00:00;2021-06-27 11:00:00;1s;0s
# The gem working_hours cuts to seconds and counts backwards; we are exact, and backwards is zero.
span;gem;2014-04-13 09:10:24.01;2014-04-14 09:10:24.02;624s;624s 20ms
span;gem;2014-04-07 15:00:00;2014-04-07 10:00:00;-5h;0s
# Zammad puts a deadline off to the next whole minute after a pause; a deadline of ours is exact.
sum;zammad-8-20;2016-11-07 13:26:36;1200m;2016-11-09 09:27:00;2016-11-09 09:26:36
# Zammad counts whole minutes: an answer three seconds after the opening took none.
span;zammad-8-18;2013-03-28 23:49:00;2013-03-29 07:00:03;0s;3s
"""
"""Kind; calendar; start; business time or end; theirs; ours. All in UTC. The comment says why."""


class Row(NamedTuple):
    """A line of a table, with the comment that it stands under: the source, or why we differ."""

    about: str
    cells: tuple[str, ...]


def rows(table: str) -> list[Row]:
    """The lines of a table."""
    found, about = [], ""
    for line in table.strip().splitlines():
        if line.startswith("# "):
            about = line[2:]
        else:
            found.append(Row(about, tuple(line.split(";"))))
    return found


def calendar(name: str) -> Calendar:
    """A peer's calendar, read as any policy file's."""
    return _READ[name]


def instant(wall: str, zone: str = "UTC") -> datetime:
    """The instant that a zone's wall clock shows so."""
    return datetime.fromisoformat(wall).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def duration(text: str) -> timedelta:
    """`45h 25m 30s`, `-7h`; a peer's own sum of units, so not the policy's notation."""
    units = {"ms": "milliseconds", "h": "hours", "m": "minutes", "s": "seconds"}
    total = timedelta()
    for word in text.removeprefix("-").split():
        number = word.rstrip("hms")
        total += timedelta(**{units[word[len(number) :]]: int(number)})
    return -total if text.startswith("-") else total


def _read() -> dict[str, Calendar]:
    clocks = "clocks: [{clock: c, target: 1h, start: [created], stop: [closed]}]"
    return dict(written(f"calendars: {json.dumps(_CALENDARS)}\n{clocks}\n").get("test@1").calendars)


_READ = _read()
