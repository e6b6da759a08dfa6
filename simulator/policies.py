"""The policies of the simulator, as plain documents: the engine and the oracle read the same.

Each is small, and together they have everything that a policy can say, so that few tickets meet all of it
within three days. `START` lies so that clocks change in Berlin during the history.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from workflow.policy import Policies
from workflow.policy_file import policies

START: Final = datetime(2026, 3, 27, 6, tzinfo=UTC)

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _daily(zone: str, *shifts: tuple[str, str], **more: Any) -> dict[str, Any]:
    return {"timezone": zone, "hours": {day: [list(each) for each in shifts] for day in _DAYS}, **more}


_CALENDARS: Final[Mapping[str, Any]] = {
    "moscow": _daily("Europe/Moscow", ("08:00", "20:00")),
    "berlin": _daily("Europe/Berlin", ("01:30", "02:30"), ("09:00", "13:00"), ("14:00", "18:00")),
    "vladivostok": _daily(
        "Asia/Vladivostok", ("15:00", "27:00"), holidays=["2026-03-28"],
        exceptions={"2026-03-29": [["10:00", "16:00"]]},
    ),
}  # fmt: skip

_REGIONS: Final[Mapping[str, str]] = {"77": "moscow", "39": "berlin", "25": "vladivostok", "*": "always"}

_SERVICE: Final[Mapping[str, Any]] = {
    "policy": "service",
    "calendars": _CALENDARS,
    "region_calendars": _REGIONS,
    "service_hours": {"feedback_form": "moscow", "*": "always"},
    "citizen_hours": "region",
    "reopening_window": "20h",
}


def _service(version: str, first: str, fault: str, **more: Any) -> dict[str, Any]:
    """The promises of the service, shorter. `first`, `fault`: targets."""
    clocks = [
        {"clock": "first_response", "target": first, "start": ["created"], "stop": ["assigned", "closed"],
         "cancel": ["dropped"], "warn": ["50%", "80%"],
         "on_breach": [{"after": "0s", "do": "none", "notify": ["supervisor"]},
                       {"after": "5m", "do": "escalate", "notify": ["supervisor"]}]},
        {"clock": "resolution", "when": {"category": ["technical_fault"], "priority": ["high", "urgent"]},
         "target": fault, "start": ["created"], "stop": ["resolved", "closed"], "pause": ["pending"],
         "reopen": "continue", "warn": ["50%", "-5m"],
         "on_breach": [{"after": "0s", "do": "escalate", "notify": ["operator", "supervisor"]},
                       {"after": "15m", "do": "escalate", "notify": ["supervisor"]},
                       {"after": "2h", "do": "none", "notify": ["supervisor"]}]},
        {"clock": "resolution", "when": {"category": ["complex"]}, "target": "48h", "start": ["created"],
         "stop": ["resolved", "closed"], "reopen": "restart", "warn": ["80%"],
         "on_breach": [{"after": "0s", "do": "escalate", "notify": ["supervisor"]}]},
        {"clock": "resolution", "target": "4h", "start": ["created"], "stop": ["resolved", "closed"],
         "pause": ["pending", "escalated"], "reopen": "restart", "calendar": "region", "warn": ["-30m"],
         "on_breach": [{"after": "0s", "do": "none", "notify": ["supervisor"]},
                       {"after": "1h", "do": "escalate", "notify": ["supervisor"]}]},
        {"clock": "ownership", "target": "2h", "start": ["transferred"], "stop": ["transferred", "resolved"],
         "calendar": "berlin", "reopen": "none"},
        {"clock": "next_response", "target": "30m", "start": ["contacted.client"],
         "stop": ["contacted.operator", "resolved", "closed"], "warn": ["80%"],
         "on_breach": [{"after": "0s", "do": "none", "notify": ["operator"]}]},
        {"clock": "callback", "target": "5m", "start": ["dropped"],
         "stop": ["returned", "resolved", "closed"], "calendar": "moscow",
         "on_breach": [{"after": "0s", "do": "escalate", "notify": ["supervisor"]}]},
        {"clock": "promise", "target": "promised", "start": ["promised"], "stop": ["resolved", "closed"],
         "warn": ["-10m"], "reopen": "continue",
         "on_breach": [{"after": "0s", "do": "none", "notify": ["supervisor"]}]},
        {"clock": "scheduled_call", "target": "scheduled", "start": ["scheduled"],
         "stop": ["returned", "closed"], "cancel": ["dropped"]},
        {"clock": "confirmation", "target": "6h", "start": ["resolved"], "stop": ["closed", "reopened"],
         "on_breach": [{"after": "0s", "do": "close"}]},
    ]  # fmt: skip
    return {**_SERVICE, "version": version, "clocks": clocks, **more}


def _night(version: str, **more: Any) -> dict[str, Any]:
    """Everything pauses, restarts and closes by itself: what seldom happens, often."""
    clocks = [
        {"clock": "first_response", "when": {"channel": ["phone"]}, "target": "30s", "start": ["created"],
         "stop": ["assigned", "resolved"], "cancel": ["dropped"],
         "on_breach": [{"after": "0s", "do": "escalate"}, {"after": "30s", "do": "escalate"},
                       {"after": "1h", "do": "none"}, {"after": "12h", "do": "close"}]},
        {"clock": "first_response", "target": "10m", "start": ["created", "reopened"], "stop": ["assigned"],
         "pause": ["escalated"], "reopen": "restart", "warn": ["25%", "50%", "75%"],
         "on_breach": [{"after": "1m", "do": "escalate", "notify": ["supervisor"]}]},
        {"clock": "resolution", "when": {"queue": ["technical", "security"]}, "target": "1h",
         "start": ["assigned"], "stop": ["resolved", "closed"], "pause": ["pending", "created"],
         "reopen": "continue", "calendar": "region",
         "on_breach": [{"after": "0s", "do": "escalate", "notify": ["operator", "supervisor"]}]},
        {"clock": "resolution", "target": "8h", "start": ["created"], "stop": ["resolved", "closed"],
         "pause": ["pending"], "reopen": "continue", "calendar": "vladivostok", "warn": ["90%"]},
        {"clock": "quiet", "target": "1d", "start": ["contacted.client"], "stop": ["contacted.operator"],
         "on_breach": [{"after": "0s", "do": "close", "notify": ["client", "operator"]}]},
        {"clock": "promise", "target": "promised", "start": ["promised"], "stop": ["resolved"],
         "cancel": ["transferred"],
         "on_breach": [{"after": "0s", "do": "none", "notify": ["operator", "supervisor"]}]},
        {"clock": "confirmation", "target": "3h", "start": ["resolved"], "stop": ["closed", "reopened"],
         "calendar": "berlin", "on_breach": [{"after": "0s", "do": "close"}]},
    ]  # fmt: skip
    base = {**_SERVICE, "policy": "night", "version": version, "reopening_window": "10h"}
    return {**base, "clocks": clocks, **more}


DOCUMENTS: Final[Sequence[Sequence[Mapping[str, Any]]]] = (
    (_service("1", "30s", "30m"),),
    (_service("1", "5m", "30m"),
     _service("2", "30s", "20m", effective_from="2026-03-28T12:00:00Z", reopening_window="12h")),
    (_night("1"),),
    (_night("1"), _night("2", effective_from="2026-03-28T09:00:00Z", citizen_hours="moscow")),
)  # fmt: skip
"""Each is a folder of versions."""


@cache
def engines(number: int) -> Policies:
    """The policy as the engine reads it."""
    return policies([(f"{n}.yaml", json.dumps(each)) for n, each in enumerate(DOCUMENTS[number], 1)])
