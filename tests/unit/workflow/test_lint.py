"""Contradictions and what has no effect: found where they are, not found where they only seem to be."""

from datetime import UTC, datetime

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ops import policies as policy_files
from tests.support.histories import POLICY
from workflow.lint import lint
from workflow.lint_lines import Lines
from workflow.policy import Policy
from workflow.policy_file import parse, problems, reviewed
from workflow.reachable_states import can_come, running_states
from workflow.states import STATES, TRIGGERS, next_state
from workflow.vocabulary import VALUES

HEAD = "policy: p\nversion: 1\nclocks:\n"
CLOCK = "  - {{clock: c, target: 10m, start: [{start}], stop: [{stop}], cancel: [{cancel}], {more}}}\n"


def clock(start: str = "created", stop: str = "resolved, closed", cancel: str = "", more: str = "") -> str:
    """A policy whose only clock stands on line 4."""
    return HEAD + CLOCK.format(start=start, stop=stop, cancel=cancel, more=more)


def with_calendar(entries: str, more: str = "") -> str:
    """A policy with a clock on line 4 in the calendar x on line 6."""
    return f"{clock(more='calendar: x')}calendars:\n  x: {{timezone: Europe/Moscow, {entries}}}\n{more}"


def hints(text: str) -> list[str]:
    """The hints of a policy that has no problem, each as `LINE: hint: sentence`."""
    assert problems(text) == []
    return [str(hint) for hint in reviewed([("", text)])[1]]


HINTED = {
    "a warning before the start": (clock(more="warn: [-11m]"), "lies before the clock's start"),
    "a warning at the deadline": (clock(more="warn: [100%]"), "comes with the breach"),
    "a warning after the deadline": (clock(more="warn: [120%]"), "comes after the breach"),
    "two warnings at one moment": (clock(more="warn: [50%, -5m]"), "at the same moment as `50%`"),
    "a step after the closing": (
        clock(
            start="resolved",
            stop="closed",
            more="on_breach: [{do: close}, {after: 1h, notify: [supervisor]}]",
        ),
        "the step never comes",
    ),
    "an idle step": (clock(more="on_breach: [{after: 1h}]"), "the step does nothing"),
    "an escalation of what is resolved": (
        clock(start="resolved", stop="closed", cancel="reopened", more="on_breach: [{do: escalate}]"),
        "`escalate` only notifies",
    ),
    "cancelled before it is stopped": (clock(cancel="resolved"), "before it can stop it"),
    "cancelled by any contact": (
        clock(stop="resolved, contacted.operator", cancel="contacted"),
        "before it can stop it",
    ),
    "a stop that cannot come": (clock(stop="resolved, created"), "take it out of `stop`"),
    "nothing that stops it": (clock(stop="created"), "the promise is never kept"),
    "a promise that restarts": (
        "policy: p\nversion: 1\nclocks:\n"
        "  - {clock: c, target: promised, start: [promised], stop: [closed], reopen: restart}\n",
        "announces no instant",
    ),
    "a cancel that cannot come": (clock(cancel="reopened"), "take it out of `cancel`"),
    "a pause that cannot come": (clock(more="pause: [closed, pending]"), "cannot run in this state"),
    "a reopening that does nothing": (
        clock(start="created, reopened", more="reopen: restart"),
        "`reopen` does nothing",
    ),
    "region without regions": (clock(more="calendar: region"), "always open without `region_calendars`"),
}
"""Policies with one hint each, on line 4."""


@pytest.mark.parametrize("name", HINTED)
def test_what_has_no_effect_is_told_with_its_line(name: str) -> None:
    """One hint at the clock's line, and no problem: the contract gives it a meaning."""
    text, words = HINTED[name]
    (hint,) = hints(text)
    assert hint.startswith("4: hint: ")
    assert words in hint


OF_CALENDARS = {
    "overlapping shifts": (
        with_calendar("hours: {mon: [[12:00, 18:00], [09:00, 13:00]]}"),
        "6: hint: shifts of mon overlap",
    ),
    "last year's holidays": (
        with_calendar(
            "hours: {mon: [[09:00, 18:00]]}, holidays: [2025-01-01]", "effective_from: 2026-01-01T00:00:00Z\n"
        ),
        "6: hint: every holiday lies before",
    ),
    "a channel that is always out of hours": (
        clock() + "calendars:\n  x: {timezone: UTC, hours: {}}\nservice_hours: {chat: x}\n",
        "6: hint: the calendar never opens",
    ),
    "regions without a rest": (
        with_calendar(
            "hours: {mon: [[09:00, 18:00]]}", "region_calendars: {'77': x}\ncitizen_hours: region\n"
        ),
        "7: hint: regions that are not named here",
    ),
}


@pytest.mark.parametrize("name", OF_CALENDARS)
def test_what_is_odd_about_calendars_is_told_with_its_line(name: str) -> None:
    """One hint each, at the calendar or at the regions."""
    text, beginning = OF_CALENDARS[name]
    (hint,) = hints(text)
    assert hint.startswith(beginning)


def test_a_hint_stands_at_the_very_part() -> None:
    """In a clock over many lines a hint is at the warning, the step or the trigger that it is about."""
    text = """policy: p
version: 1
clocks:
  - clock: c
    target: 10m
    start: [created]
    stop:
      - resolved
      - created
    warn:
      - 50%
      - -11m
    on_breach:
      - {after: 0m, do: escalate}
      - {after: 5m}
"""
    assert [hint.split(":")[0] for hint in hints(text)] == ["9", "12", "15"]


CLEAN = {
    "nothing counts in a calendar": clock() + "calendars: {x: {timezone: UTC, hours: {}}}\n",
    "a stop that comes after a reopening": clock(start="resolved", stop="assigned", cancel="closed"),
    "a pause left by reopening": clock(start="resolved", stop="closed", more="pause: [resolved]"),
    "a pause left by another rule of the clock": HEAD
    + "  - {clock: c, when: {priority: [high]}, target: 1m, start: [created], stop: [closed]}\n"
    + "  - {clock: c, target: 1m, start: [resolved], stop: [closed], cancel: [reopened], "
    "pause: [resolved]}\n",
    "a step after a closing that the clock survives": clock(
        stop="resolved", more="on_breach: [{do: close}, {after: 1h, notify: [supervisor]}]"
    ),
    "other regions never open, but the rule is not for them": with_calendar(
        "hours: {mon: [[09:00, 18:00]]}",
        "  y: {timezone: UTC, hours: {}}\nregion_calendars: {'77': x, '*': y}\n",
    ).replace("calendar: x", "calendar: region, when: {region: ['77']}"),
    "a target that the calendar reaches after years": with_calendar("hours: {mon: [[09:00, 09:01]]}"),
}


@pytest.mark.parametrize("name", CLEAN)
def test_what_only_seems_wrong_is_left_alone(name: str) -> None:
    """Neither a problem nor a hint."""
    assert hints(CLEAN[name]) == []


def test_the_policies_of_ours_have_neither_problems_nor_hints() -> None:
    """The default policy is an example to copy."""
    assert hints(policy_files.default_text()) == []


def test_a_clock_stands_still_in_the_states_of_its_own_life_only() -> None:
    """A clock that ends when the ticket is resolved never runs in resolved or closed."""
    policy = parse(clock(stop="resolved, closed"), "p")
    assert running_states(policy)[1] == {"created", "assigned", "escalated", "pending"}


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_what_cannot_come_is_illegal_everywhere(trigger: str) -> None:
    """A trigger that comes in no state is one that no ticket takes: it only creates."""
    assert can_come(trigger, STATES) is (trigger != "created")
    assert next_state(None, "created") is not None


def test_a_policy_for_the_last_year_is_reviewed() -> None:
    """Where the calendars end, the target of a week is out of reach and nothing overflows."""
    text = with_calendar("hours: {fri: [[09:00, 18:00]]}", "effective_from: 2099-12-31T23:59:59Z\n")
    (problem,) = problems(text.replace("10m", "30d"))
    assert "can never be reached" in problem.message
    assert hints(text) == []


@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                name: st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True)
                for name, values in {**VALUES, "region": ("77", "78", "abroad")}.items()
            },
        ),
        min_size=1,
        max_size=6,
    ),
    st.lists(
        st.fixed_dictionaries(
            {name: st.sampled_from(values) for name, values in VALUES.items()}
            | {"region": st.sampled_from(("77", "78", "79", "abroad", None))}
        ),
        max_size=20,
    ),
)
def test_no_ticket_gets_to_a_rule_that_is_called_unreachable(
    whens: list[dict[str, list[str]]], tickets: list[dict[str, str | None]]
) -> None:
    """The lint's claim holds for every ticket, and what is left keeps every rule that some ticket gets to."""
    policy = parse(HEAD + CLOCK.format(start="created", stop="resolved", cancel="", more=""), "p")
    template = policy.rules[0]
    rules = tuple(
        type(template)(
            number=number,
            clock="c",
            target=template.target,
            start=template.start,
            stop=template.stop,
            thresholds=template.thresholds,
            when={name: frozenset(values) for name, values in when.items()},
        )
        for number, when in enumerate(whens, 1)
    )
    many = Policy("p", "1", rules, calendars=policy.calendars)
    lines = Lines(rules={rule.number: rule.number for rule in rules})
    unreachable = {line for line, message in lint(many, lines) if message.startswith("no ticket gets")}
    for ticket in tickets:
        matched = many.match("c", ticket)
        assert matched is None or matched.number not in unreachable


WORDS = st.one_of(
    st.sampled_from(
        ("created", "resolved", "closed", "pending", "30m", "promised", "50%", "-5m", "region", "always", "x")
    ),
    st.sampled_from(("UTC", "Europe/Moscow", "09:00", "26:00", "2026-01-01", "77", "*", "")),
    st.integers(),
    st.booleans(),
    st.none(),
    st.text(max_size=5),
)
KEYS = st.sampled_from(
    (
        *("policy", "version", "effective_from", "calendars", "region_calendars", "service_hours", "clocks"),
        *("citizen_hours", "clock", "when", "target", "start", "stop", "cancel", "pause", "reopen", "warn"),
        *("calendar", "on_breach", "after", "do", "notify", "x", "timezone", "hours", "mon", "holidays"),
        *("exceptions", "region", "category", "77", "*", "phone"),
    )
)
ANYTHING = st.recursive(
    WORDS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6), max_leaves=25
)


@given(st.dictionaries(KEYS, ANYTHING, max_size=9))
def test_whatever_a_file_holds_it_is_reviewed_in_words(document: dict[str, object]) -> None:
    """Any structure gives the same findings twice, each with a line of the file, and never a traceback."""
    _is_reviewed(document)


@given(st.data())
def test_a_good_policy_with_anything_somewhere_is_reviewed_in_words(data: st.DataObject) -> None:
    """A real policy in which one part is replaced by something else is refused or accepted, never a crash."""
    document = yaml.safe_load(f"policy: p\nversion: '1'\neffective_from: '2026-01-01T00:00:00Z'\n{POLICY}")
    place: object = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))  # type: ignore[arg-type]
        key = data.draw(st.sampled_from(keys))
        below = place[key]  # type: ignore[index]
        if not isinstance(below, dict | list) or not below or data.draw(st.booleans()):
            place[key] = data.draw(ANYTHING)  # type: ignore[index]
            break
        place = below
    _is_reviewed(document)


def _is_reviewed(document: object) -> None:
    text = yaml.safe_dump(document, allow_unicode=True)
    found = problems(text)
    assert found == problems(text)
    assert all(1 <= problem.line <= len(text.splitlines()) + 1 for problem in found)
    if not found:
        assert reviewed([("", text)])[1] == reviewed([("", text)])[1]
        assert parse(text, "p").effective_from <= datetime.max.replace(tzinfo=UTC)
