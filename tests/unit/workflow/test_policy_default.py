"""The default policy states every promise that the service has made."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ops.policies import default_text, load
from schemas.records import Role
from workflow.calendars import ALWAYS
from workflow.policy import Action, Kind, Policy, Rule, Target
from workflow.policy_file import PolicyError, problems
from workflow.policy_table import promises_table


@pytest.fixture(scope="module")
def policy() -> Policy:
    (version,) = load(None).versions
    return version


def matched(policy: Policy, clock: str, **fields: str) -> Rule:
    rule = policy.match(clock, fields)
    assert rule is not None
    return rule


def test_the_default_policy_has_no_problem() -> None:
    """The lint finds nothing in it."""
    assert problems(default_text()) == []


def test_it_has_the_clocks_of_the_contract(policy: Policy) -> None:
    """The clock ids are those that the contract lists."""
    assert policy.label == "gosuslugi@2026.1"
    assert policy.clock_ids == (
        "first_response",
        "resolution",
        "next_response",
        "ownership",
        "callback",
        "promise",
        "scheduled_call",
        "confirmation",
    )


@pytest.mark.parametrize(
    ("category", "target", "pause"),
    [
        ("status_check", timedelta(minutes=5), {"pending"}),
        ("contact_change", timedelta(minutes=10), {"pending"}),
        ("access_recovery", timedelta(minutes=15), {"pending"}),
        ("technical_fault", timedelta(minutes=30), {"pending"}),
        ("complex", timedelta(hours=48), set()),  # by the clock on the wall: never paused
    ],
)
def test_each_category_is_resolved_in_its_time_from_registration(
    policy: Policy, category: str, target: timedelta, pause: set[str]
) -> None:
    """The targets of the service's terms, counted day and night, whatever channel, queue and region."""
    rule = matched(policy, "resolution", category=category)
    assert (rule.target, rule.start, rule.pause) == (target, {"created"}, pause)
    assert rule.stop == {"resolved", "closed"}
    assert policy.calendar_of(rule, "25") is ALWAYS


@pytest.mark.parametrize(
    ("channel", "target"), [("phone", timedelta(seconds=30)), ("chat", timedelta(minutes=5))]
)
def test_an_operator_takes_a_call_in_30_seconds_and_a_chat_in_5_minutes(
    policy: Policy, channel: str, target: timedelta
) -> None:
    """Waiting ends when an operator takes the ticket, and without a verdict when the citizen hangs up."""
    rule = matched(policy, "first_response", channel=channel)
    assert (rule.target, rule.start, rule.cancel) == (target, {"created"}, {"dropped"})
    assert "assigned" in rule.stop
    assert policy.calendar_of(rule, None) is ALWAYS


@pytest.mark.parametrize("channel", ["phone", "chat", "feedback_form", "cabinet", "mobile_app"])
def test_every_channel_is_answered_and_answered_again(policy: Policy, channel: str) -> None:
    """No channel is without a first and a next response."""
    assert "dropped" in matched(policy, "first_response", channel=channel).cancel
    following = matched(policy, "next_response", channel=channel)
    assert following.start == {"contacted.client"}
    assert "contacted.operator" in following.stop


def test_a_dropped_call_is_called_back_within_five_minutes_of_the_drop(policy: Policy) -> None:
    """The callback's clock runs from the drop, whatever the ticket."""
    rule = matched(policy, "callback")
    assert (rule.target, rule.start) == (timedelta(minutes=5), {"dropped"})
    assert {"returned", "contacted.operator"} <= rule.stop


def test_what_an_operator_announced_is_a_promise(policy: Policy) -> None:
    """An announced deadline and an arranged call have clocks that end at the announced instant."""
    promise, call = matched(policy, "promise"), matched(policy, "scheduled_call")
    assert (promise.target, promise.start) == (Target.PROMISED, {"promised"})
    assert (call.target, call.start) == (Target.SCHEDULED, {"scheduled"})
    assert "returned" in call.stop


def test_ownership_is_measured_from_transfer_to_transfer(policy: Policy) -> None:
    """Each unit's time with a ticket is a cycle of its own."""
    rule = matched(policy, "ownership", category="complex")
    assert rule.start == {"transferred"}
    assert "transferred" in rule.stop


def test_a_ticket_that_nobody_confirms_is_closed(policy: Policy) -> None:
    """After three days of silence the engine closes, and tells nobody of a breach."""
    rule = matched(policy, "confirmation")
    (breach,) = rule.thresholds
    assert (rule.start, rule.stop, rule.cancel) == ({"resolved"}, {"closed"}, {"reopened"})
    assert (breach.kind, breach.do, breach.notify) == (Kind.BREACH, Action.CLOSE, ())


def test_a_missed_resolution_climbs_level_by_level(policy: Policy) -> None:
    """The breach tells operator and supervisor and escalates; so do later steps while it stays unresolved."""
    for rule in policy.rules:
        if rule.clock == "resolution":
            breach, *steps = [each for each in rule.thresholds if each.kind is not Kind.WARN]
            assert (breach.do, breach.notify) == (Action.ESCALATE, (Role.OPERATOR, Role.SUPERVISOR))
            assert steps
            assert all(step.do is Action.ESCALATE for step in steps)


# The service's table of hours by time zone: a subject of each zone, its local hours.
HOURS = {
    "39": ("Europe/Kaliningrad", 7, 19),
    "77": ("Europe/Moscow", 8, 20),
    "63": ("Europe/Samara", 9, 21),
    "66": ("Asia/Yekaterinburg", 10, 22),
    "55": ("Asia/Omsk", 11, 23),
    "24": ("Asia/Krasnoyarsk", 12, 24),
    "38": ("Asia/Irkutsk", 13, 25),
    "14": ("Asia/Yakutsk", 14, 26),
    "25": ("Asia/Vladivostok", 15, 27),
    "abroad": ("Europe/Moscow", 9, 21),
}


@pytest.mark.parametrize("region", HOURS)
def test_the_table_of_regional_hours_is_stated(policy: Policy, region: str) -> None:
    """Each zone's local hours, seven days a week, and 09-21 Moscow time from abroad."""
    zone, opens, closes = HOURS[region]
    calendar = policy.calendars[policy.region_calendars.get(region, policy.region_calendars["*"])]
    assert calendar.zone == zone
    assert calendar.hours == (((opens * 60, closes * 60),),) * 7


def test_every_region_has_the_moscow_shift(policy: Policy) -> None:
    """Whatever the subject, its operators work between 08 and 20 Moscow time."""
    for number in range(100):
        name = policy.region_calendars.get(f"{number:02}", policy.region_calendars["*"])
        calendar = policy.calendars[name]
        assert calendar.next_opening(datetime(2026, 3, 2, tzinfo=UTC)) == datetime(2026, 3, 2, 5, tzinfo=UTC)


def test_a_citizen_is_told_at_once(policy: Policy) -> None:
    """A callback is offered within minutes of the drop, whatever the hour and the region."""
    assert policy.citizen_calendar("25") is ALWAYS


def test_telephone_and_chat_are_served_round_the_clock_and_the_cabinet_in_the_terms_hours(
    policy: Policy,
) -> None:
    """A registration by telephone is never out of hours, one in the cabinet outside 09-18 Moscow time is."""
    night, day = datetime(2026, 3, 2, 1, tzinfo=UTC), datetime(2026, 3, 2, 14, 59, tzinfo=UTC)
    for channel in ("phone", "chat"):
        assert policy.service_calendar(channel, "25") is ALWAYS
    assert not policy.service_calendar("cabinet", "25").is_open(night)
    assert policy.service_calendar("cabinet", "25").is_open(day)


def test_the_table_of_promises_has_a_row_for_each_rule(policy: Policy) -> None:
    """The document's table is whole, and the same each time."""
    table = promises_table(policy)
    lines = table.splitlines()
    assert len(lines) == len(policy.rules) + 2
    assert {line.count("|") for line in lines} == {13}
    assert "`resolution` | category: complex | 48h | created | resolved, closed" in table
    assert promises_table(load(None).versions[0]) == table


def test_a_file_is_read_and_its_problems_carry_its_name(tmp_path: Path) -> None:
    """A policy file is loaded as one version; what is wrong in it is named with file and line."""
    file = tmp_path / "policy.yaml"
    file.write_text(default_text(), encoding="utf-8")
    assert load(file).labels == ("gosuslugi@2026.1",)
    file.write_text("policy: p\nversion: 1\nclocks: 1\n", encoding="utf-8")
    with pytest.raises(PolicyError, match=r"policy\.yaml:3: `clocks` must be a list"):
        load(file)


def test_a_folder_holds_the_versions_of_a_policy(tmp_path: Path) -> None:
    """Every .yaml file of a folder is a version; other files are left alone."""
    for number in (1, 2):
        text = f"policy: p\nversion: {number}\neffective_from: 202{number}-01-01T00:00:00Z\nclocks: []\n"
        (tmp_path / f"v{number}.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "README.md").write_text("about", encoding="utf-8")
    (tmp_path / ".v3.yaml").write_text("an editor's copy", encoding="utf-8")
    assert load(tmp_path).labels == ("p@1", "p@2")


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    """An empty folder, another encoding and a huge file are each said in words."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "latin.yaml").write_bytes(b"policy: p\nversion: \xff\n")
    (tmp_path / "huge.yaml").write_bytes(b"#" * (5 << 20))
    for name, words in {
        "empty": "holds no policy",
        "latin.yaml": r"latin\.yaml:2: A policy file is UTF-8",
        "huge.yaml": "too large",
    }.items():
        with pytest.raises(PolicyError, match=words) as caught:
            load(tmp_path / name)
        assert len(caught.value.problems) == 1
