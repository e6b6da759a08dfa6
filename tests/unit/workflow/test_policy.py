"""The policy as decisions use it: matching, thresholds, calendars, versions."""

from datetime import UTC, datetime, timedelta

import pytest

from schemas.records import Role
from workflow.calendars import ALWAYS
from workflow.policy import (
    ALWAYS_IN_FORCE,
    Action,
    Kind,
    Policies,
    Policy,
    Reopen,
    Target,
    UnknownPolicyVersion,
)
from workflow.policy_file import parse, policies

# The contract's own example, word for word.
CONTRACT = """\
policy: gosuslugi
version: "2026.1"
effective_from: "2026-01-01T00:00:00Z"           # arrivals from then on start clocks under this version
calendars:
  always: {}                                     # no hours: always open
  moscow:
    timezone: Europe/Moscow
    hours: {mon: [["08:00","20:00"]], tue: [["08:00","12:00"],["13:00","26:00"]]}
    holidays: ["2026-01-01"]                     # closed
    exceptions: {"2026-12-31": [["08:00","16:00"]]}   # instead of that date's hours; beats a holiday
region_calendars: {"77": moscow, "*": always}    # what `calendar: region` means
service_hours: {phone: moscow, "*": always}      # by channel
citizen_hours: always                            # a calendar or `region`
reopening_window: 30d
clocks:
  - clock: resolution
    when: {category: [technical_fault], priority: [high, urgent]}
    target: 30m                                  # ms, s, m, h, d; or `promised` / `scheduled`
    start: [created]                             # triggers
    stop: [resolved, closed]
    cancel: []                                   # ends it without a verdict
    pause: [pending]                             # states in which it stands still
    reopen: restart                              # restart | continue | none
    calendar: always                             # a calendar's name, or region
    warn: [50%, 80%, -5m]                        # of the target, or before the deadline
    on_breach:                                   # steps in the clock's calendar, until a stop or cancel
      - {after: 0s, do: escalate, notify: [operator, supervisor]}
      - {after: 15m, do: escalate, notify: [supervisor]}
"""

MINIMAL = "{policy: p, version: 1, clocks: [{clock: c, target: 1m, start: [created], stop: [resolved]}]}"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def version(number: str, effective_from: str | None) -> tuple[str, str]:
    """The minimal policy as a version of its own."""
    date = "" if effective_from is None else f"effective_from: {effective_from}, "
    return f"{number}.yaml", MINIMAL.replace("version: 1, ", f"version: {number}, {date}")


def test_the_contracts_example_is_read_as_it_says() -> None:
    """Every part of the example in the contract arrives in the model."""
    policy = parse(CONTRACT, "contract")
    (rule,) = policy.rules
    assert (policy.name, policy.version, policy.label) == ("gosuslugi", "2026.1", "gosuslugi@2026.1")
    assert policy.effective_from == utc("2026-01-01")
    assert policy.reopening_window == timedelta(days=30)
    assert (rule.number, rule.clock, rule.target) == (1, "resolution", timedelta(minutes=30))
    assert rule.when == {"category": {"technical_fault"}, "priority": {"high", "urgent"}}
    assert (rule.start, rule.stop, rule.cancel) == ({"created"}, {"resolved", "closed"}, set())
    assert (rule.pause, rule.reopen, rule.calendar) == ({"pending"}, Reopen.RESTART, "always")
    moscow = policy.calendars["moscow"]
    assert moscow.is_open(utc("2026-12-31 12:59"))
    assert not moscow.is_open(utc("2026-12-31 13:00"))
    assert moscow.is_open(utc("2026-03-03 22:59"))  # a Tuesday's shift until 02:00 of Wednesday in Moscow


def test_thresholds_stand_in_the_order_of_the_policy() -> None:
    """Warnings as listed, then the breach with the 0s step's doings, then the later steps as listed."""
    (rule,) = parse(CONTRACT, "contract").rules
    assert [(t.name, t.order, t.kind) for t in rule.thresholds] == [
        ("50%", 0, Kind.WARN),
        ("80%", 1, Kind.WARN),
        ("-5m", 2, Kind.WARN),
        ("breach", 3, Kind.BREACH),
        ("+15m", 4, Kind.STEP),
    ]
    breach, step = rule.thresholds[3:]
    assert (breach.do, breach.notify) == (Action.ESCALATE, (Role.OPERATOR, Role.SUPERVISOR))
    assert (step.do, step.notify) == (Action.ESCALATE, (Role.SUPERVISOR,))


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (timedelta(minutes=30), [15 * 60, 24 * 60, 25 * 60, 30 * 60, 45 * 60]),
        (timedelta(seconds=30), [15, 24, -270, 30, 930]),  # -5m lies before the start: it never fires
        (timedelta(microseconds=3), [1e-6, 2e-6, -300 + 3e-6, 3e-6, 900 + 3e-6]),  # shares are cut
        (timedelta(), [0, 0, -300, 0, 900]),
    ],
)
def test_a_threshold_is_due_at_a_point_of_elapsed_time(target: timedelta, expected: list[float]) -> None:
    """A share of the target in whole microseconds, or a time before, at or after the deadline."""
    (rule,) = parse(CONTRACT, "contract").rules
    assert [t.point(target) for t in rule.thresholds] == [timedelta(seconds=each) for each in expected]


def test_what_a_policy_leaves_out_has_the_contracts_defaults() -> None:
    """Only name, version and clocks with clock, target, start and stop are required."""
    policy = parse(MINIMAL, "minimal")
    (rule,) = policy.rules
    (breach,) = rule.thresholds
    assert (policy.version, policy.effective_from) == ("1", ALWAYS_IN_FORCE)
    assert policy.reopening_window == timedelta(days=30)
    assert policy.calendars == {"always": ALWAYS}
    assert policy.service_calendar("phone", "77") is ALWAYS
    assert policy.citizen_calendar(None) is ALWAYS
    assert policy.calendar_of(rule, "77") is ALWAYS
    assert (rule.when, rule.cancel, rule.pause, rule.reopen) == ({}, set(), set(), Reopen.NONE)
    assert (breach.name, breach.order, breach.do, breach.notify) == ("breach", 0, Action.NONE, ())


RULES = """\
policy: p
version: 1
calendars:
  moscow: {timezone: Europe/Moscow, hours: {mon: [["08:00", "20:00"]]}}
  samara: {timezone: Europe/Samara, hours: {mon: [["09:00", "21:00"]]}}
region_calendars: {"63": samara, abroad: always, "*": moscow}
service_hours: {phone: region, chat: samara}
citizen_hours: region
clocks:
  - {clock: b, when: {category: [complex], region: ["63", abroad]}, target: 1h, start: [created], stop: []}
  - {clock: a, target: promised, start: [promised], stop: [closed]}
  - {clock: b, when: {category: [complex]}, target: 2h, start: [created], stop: [closed], calendar: region}
"""


def test_the_first_rule_of_a_clock_that_matches_counts() -> None:
    """Rules are tried in the file's order, all fields of `when` must match, and no region matches none."""
    policy = parse(RULES, "rules")
    assert policy.clock_ids == ("b", "a")
    first = policy.match("b", {"category": "complex", "region": "63"})
    second = policy.match("b", {"category": "complex", "region": None})
    assert (first, second) == (policy.rule(1), policy.rule(3))
    assert policy.match("b", {"category": "status_check", "region": "63"}) is None
    assert policy.match("a", {}) == policy.rule(2)
    assert policy.match("unknown", {}) is None


def test_a_rule_is_found_by_its_place_in_the_file() -> None:
    """Rules count from 1; another number is an error that names the policy."""
    policy = parse(RULES, "rules")
    assert policy.rule(2).clock == "a"
    for number in (0, 4, -1):
        with pytest.raises(IndexError, match="p@1 has no rule"):
            policy.rule(number)


def test_region_as_a_calendar_goes_by_the_tickets_region() -> None:
    """A region's own entry counts, else `*`; no region means `*`; an announced instant has no calendar."""
    policy = parse(RULES, "rules")
    moscow, samara = policy.calendars["moscow"], policy.calendars["samara"]
    rule = policy.rule(3)
    assert policy.calendar_of(rule, "63") is samara
    assert policy.calendar_of(rule, "abroad") is ALWAYS
    assert policy.calendar_of(rule, "77") is moscow
    assert policy.calendar_of(rule, None) is moscow
    assert policy.calendar_of(policy.rule(2), "63") is ALWAYS
    assert policy.citizen_calendar("63") is samara
    assert policy.service_calendar("phone", None) is moscow
    assert policy.service_calendar("chat", None) is samara
    assert policy.service_calendar("cabinet", "63") is ALWAYS  # no entry and no `*`


def test_an_announced_target_is_said_so() -> None:
    """`promised` and `scheduled` are targets that an event brings."""
    assert parse(RULES, "rules").rule(2).target is Target.PROMISED


@pytest.mark.parametrize(
    ("arrival", "expected"),
    [
        ("2025-12-31 23:59:59", "p@1"),  # before the earliest version: that one
        ("2026-01-01", "p@1"),
        ("2026-06-30 20:59:59.999999", "p@1"),
        ("2026-06-30 21:00", "p@2"),
        ("2090-01-01", "p@2"),
    ],
)
def test_an_arrival_is_under_the_version_in_force(arrival: str, expected: str) -> None:
    """A version counts from its effective date on, given in any offset, until the next one's."""
    versions = policies([version("2", "2026-07-01T00:00:00+03:00"), version("1", "2026-01-01T00:00:00Z")])
    assert versions.labels == ("p@1", "p@2")
    assert versions.in_force(utc(arrival)).label == expected


def test_a_version_without_a_date_is_in_force_from_the_start() -> None:
    """`effective_from` left out means always, until the next version."""
    versions = policies([version("1", None), version("2", "2026-01-01T00:00:00Z")])
    assert versions.in_force(utc("1970-01-01")).label == "p@1"
    assert versions.in_force(utc("2026-01-01")).label == "p@2"


def test_a_version_that_is_not_there_is_named_with_the_cure() -> None:
    """The message says which version a clock needs, which are here, and what to do."""
    versions = policies([version("1", None)])
    assert versions.get("p@1") is versions.versions[0]
    with pytest.raises(
        UnknownPolicyVersion, match=r"needs the policy version p@0, and only p@1 .*TICKETFLOW_POLICY"
    ):
        versions.get("p@0")


def test_policies_must_be_versions_of_one_policy() -> None:
    """The model itself refuses none, different names, a version twice and equal dates."""
    (one,) = policies([version("1", None)]).versions
    other = Policy(name="q", version="1", rules=())
    late = Policy(name="p", version="1", rules=(), effective_from=utc("2026-01-01"))
    same = Policy(name="p", version="2", rules=())
    for versions, words in [
        ([], "no policy"),
        ([one, other], "different names"),
        ([one, late], "same version"),
        ([one, same], "effective_from"),
    ]:
        with pytest.raises(ValueError, match=words):
            Policies(versions)
