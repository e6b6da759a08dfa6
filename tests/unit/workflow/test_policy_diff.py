"""What changes between two policies: in words, for whom, and nothing where only the writing differs."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops import policies as policy_files
from schemas.events import Category, Channel, Priority, Queue
from workflow.policy import Policy
from workflow.policy_diff import PolicyDiff, diff
from workflow.policy_file import parse
from workflow.promise_terms import Becomes, compared, terms_for

BASE = """
policy: hotline
version: "1"
calendars:
  office: {timezone: Europe/Moscow, hours: {mon: [["09:00", "18:00"]], tue: [["09:00", "18:00"]]}}
  late: {timezone: Europe/Moscow, hours: {mon: [["09:00", "21:00"]], tue: [["09:00", "18:00"]]}}
  far: {timezone: Asia/Anadyr, hours: {mon: [["09:00", "18:00"]]}, holidays: ["2026-01-05"]}
region_calendars: {"77": office, "87": far, "*": always}
service_hours: {phone: region, chat: office, "*": always}
citizen_hours: region
reopening_window: 30d
clocks:
  - clock: resolution
    when: {category: [technical_fault]}
    target: 30m
    start: [created]
    stop: [resolved, closed]
    pause: [pending]
    reopen: continue
    warn: [50%, -5m]
    on_breach:
      - {after: 0s, do: escalate, notify: [operator, supervisor]}
      - {after: 1h, notify: [supervisor]}
  - clock: resolution
    when: {category: [complex]}
    target: 48h
    start: [created]
    stop: [resolved, closed]
  - clock: response
    target: 15m
    start: [created]
    stop: [assigned]
    calendar: office
"""


def changed(*replacements: tuple[str, str]) -> PolicyDiff:
    """What changes when parts of the base are written otherwise."""
    text = BASE
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new, 1)
    return diff(parse(BASE, "a"), parse(text, "b"))


PROMISES = {
    "a shorter target": (
        ("target: 30m", "target: 20m"),
        "shorter",
        "resolution of technical_fault: 30 min becomes 20 min",
    ),
    "a longer target": (("48h", "3d"), "longer", "resolution of complex: 48 h becomes 3 days"),
    "hours instead of always": (
        ("target: 48h", "target: 48h\n    calendar: office"),
        "longer",
        "resolution of complex: counted in office (mon–tue 09:00–18:00, Europe/Moscow) instead of always",
    ),
    "more hours": (
        ("calendar: office", "calendar: late"),
        "shorter",
        "response: counted in late (mon 09:00–21:00, tue 09:00–18:00, Europe/Moscow) "
        "instead of office (mon–tue 09:00–18:00, Europe/Moscow)",
    ),
    "hours of their own": (
        (
            "office: {timezone: Europe/Moscow, hours: {mon: [",
            "office: {timezone: Europe/Moscow, hours: {sun: [",
        ),
        "changed",
        "response: counted in office, whose hours change",
    ),
    "another start": (
        ("start: [created]\n    stop: [assigned]", "start: [created, transferred]\n    stop: [assigned]"),
        "changed",
        "response: also starts at transferred",
    ),
    "another stop and cancel": (
        ("stop: [assigned]", "stop: [resolved]\n    cancel: [closed]"),
        "changed",
        "response: also kept by resolved; no longer kept by assigned; also cancelled by closed",
    ),
    "no pause": (
        ("pause: [pending]", "pause: []"),
        "shorter",
        "resolution of technical_fault: no longer stands still in pending",
    ),
    "a reopening": (
        ("reopen: continue", "reopen: restart"),
        "changed",
        "resolution of technical_fault: on reopening it begins anew, and no longer: it goes on",
    ),
    "warnings": (
        ("warn: [50%, -5m]", "warn: [80%, -5m]"),
        "changed",
        "resolution of technical_fault: also warns at 80%; no longer warns at 50%",
    ),
    "a step": (
        ("{after: 1h, notify: [supervisor]}", "{after: 60m, do: escalate, notify: [supervisor]}"),
        "changed",
        "resolution of technical_fault: after a breach: +1h tell supervisor "
        "becomes +60m escalate, tell supervisor",
    ),
    "a step less": (
        ("      - {after: 1h, notify: [supervisor]}\n", ""),
        "changed",
        "resolution of technical_fault: after a breach no longer: +1h tell supervisor",
    ),
    "shorter in fewer hours": (
        ("target: 48h", "target: 24h\n    calendar: office"),
        "changed",
        "resolution of complex: 48 h becomes 24 h; "
        "counted in office (mon–tue 09:00–18:00, Europe/Moscow) instead of always",
    ),
    "a rule before another": (
        (
            "clocks:\n",
            "clocks:\n  - {clock: response, when: {priority: [high, urgent], region: ['77']}, target: 5m, "
            "start: [created], stop: [assigned], calendar: office}\n",
        ),
        "shorter",
        "response of any ticket with priority high or urgent from region 77: 15 min becomes 5 min",
    ),
    "a promise for other regions": (
        (
            "clocks:\n",
            "clocks:\n  - {clock: response, when: {region: ['77', '78']}, target: 15m, start: [created], "
            "stop: [assigned], calendar: office}\n",
        ),
        None,
        "",
    ),
    "a new promise": (
        (
            "clocks:\n",
            "clocks:\n  - {clock: promise, target: promised, start: [promised], stop: [resolved]}\n",
        ),
        "new",
        "promise: the promised deadline from promised until resolved",
    ),
    "a promise less": (
        ("when: {category: [complex]}", "when: {category: [complex], channel: [phone, chat]}"),
        "gone",
        "resolution of complex by feedback_form, cabinet or mobile_app: "
        "48 h from created until resolved or closed",
    ),
    "by region": (
        ("target: 48h", "target: 48h\n    calendar: region"),
        "longer",
        "resolution of complex from region 77: counted in office (mon–tue 09:00–18:00, Europe/Moscow) "
        "instead of always",
    ),
}
"""One replacement each, what it is for those concerned, and the sentence."""


@pytest.mark.parametrize("name", PROMISES)
def test_a_change_is_said_in_a_sentence(name: str) -> None:
    """Whose promise it is, what changes of it, and whether it becomes shorter or longer."""
    replacement, becomes, sentence = PROMISES[name]
    found = changed(replacement)
    assert [(str(each.becomes), str(each)) for each in found.promises][:1] == (
        [(becomes, sentence)] if becomes else []
    )


CITIZENS = {
    "the window": (
        ("reopening_window: 30d", "reopening_window: 10d"),
        "a closed ticket can be reopened for 10 days instead of 30 days",
    ),
    "when citizens are told things": (
        (
            '"87": far, "*": always}\nservice_hours: {phone: region',
            '"87": always, "*": always}\nservice_hours: {phone: region',
        ),
        "citizens from region 87 are told things in the hours of always "
        "instead of far (mon 09:00–18:00, 1 date otherwise, Asia/Anadyr) (open longer)",
    ),
    "out of hours": (
        ("chat: office", "chat: late"),
        "registrations by chat have the service hours late (mon 09:00–21:00, tue 09:00–18:00, Europe/Moscow) "
        "instead of office (mon–tue 09:00–18:00, Europe/Moscow) (open longer)",
    ),
}


@pytest.mark.parametrize("name", CITIZENS)
def test_what_citizens_notice_besides_is_said(name: str) -> None:
    """The reopening window, the hours in which they are told things and those of the service."""
    replacement, sentence = CITIZENS[name]
    found = changed(replacement)
    assert found.citizens[0] == sentence
    assert found.changes_promises


def test_a_calendars_changes_are_said_day_by_day() -> None:
    """Days of the week that change alike are told together, and dates one by one."""
    found = changed(
        (
            'office: {timezone: Europe/Moscow, hours: {mon: [["09:00", "18:00"]], '
            'tue: [["09:00", "18:00"]]}}',
            'office: {timezone: Europe/Moscow, hours: {mon: [["10:00", "18:00"]], tue: [["10:00", "18:00"]]},'
            ' holidays: ["2026-03-09"], exceptions: {"2026-03-08": [["10:00", "12:00"]]}}',
        ),
        ("far: {timezone: Asia/Anadyr", "far: {timezone: Asia/Magadan"),
    )
    assert found.calendars == (
        "office: mon–tue 09:00–18:00 becomes 10:00–18:00, 2026-03-08 closed becomes 10:00–12:00, "
        "2026-03-09 09:00–18:00 becomes closed",
        "far: Asia/Anadyr becomes Asia/Magadan",
    )


def test_calendars_that_come_go_and_are_renamed_are_said() -> None:
    """A new name for the same hours is no new calendar; a region's other hours are told by region."""
    found = changed(
        ("  late: {", "  evening: {"),
        ("  far: {timezone: Asia/Anadyr", "  night: {timezone: Asia/Tokyo"),
        ('"87": far', '"87": night'),
    )
    assert found.calendars == (
        "late is now called evening",
        "night is new: mon 09:00–18:00, 1 date otherwise, Asia/Tokyo",
        "far is gone",
        "`region` for tickets from region 87 is night instead of far",
    )


def test_the_version_is_said() -> None:
    """Another name, and from when it counts."""
    found = changed(("policy: hotline", "policy: line\neffective_from: 2026-07-01T00:00:00+03:00"))
    assert found.version == (
        "another policy: hotline becomes line",
        "in force from 2026-06-30T21:00:00Z instead of from the beginning",
    )
    assert (found.before, found.after) == ("hotline@1", "line@1")


RULE = (
    "  - clock: response\n    when: {{channel: [{channel}]}}\n"
    "    target: {target}\n    start: [created]\n    stop: [assigned]\n"
)


def ruled(*rules: tuple[str, str]) -> Policy:
    """A policy of rules for channels, each with its target."""
    text = "".join(RULE.format(channel=channel, target=target) for channel, target in rules)
    return parse(f"policy: p\nversion: 1\nclocks:\n{text}", "p")


def test_rules_that_come_go_and_move_are_said() -> None:
    """Rules of a clock are told apart by what they are for; the order is the one within their clock."""
    found = diff(
        ruled(("phone", "1m"), ("chat", "2m"), ("cabinet", "3m"), ("mobile_app", "4m")),
        ruled(("mobile_app", "4m"), ("phone", "1m"), ("feedback_form", "9m"), ("cabinet", "3m")),
    )
    assert found.rules == (
        "rule 2 is gone: response of any ticket by chat",
        "rule 3 is new: response of any ticket by feedback_form",
        "rule 4 is now rule 1, among others: response of any ticket by mobile_app",
    )


def test_an_order_without_effect_changes_no_promise() -> None:
    """First match among rules that share no ticket is any match."""
    found = diff(ruled(("phone", "1m"), ("chat", "2m")), ruled(("chat", "2m"), ("phone", "1m")))
    assert not found.changes_promises
    assert len(found.rules) == 1


def test_an_order_with_effect_changes_promises() -> None:
    """Which of two rules comes first decides for the tickets that both match."""
    found = diff(
        ruled(("phone, chat", "1m"), ("chat, cabinet", "2m")),
        ruled(("chat, cabinet", "2m"), ("phone, chat", "1m")),
    )
    assert [str(each) for each in found.promises] == ["response of any ticket by chat: 1 min becomes 2 min"]


REWRITTEN = {
    "another unit": ("target: 30m", "target: 1800s"),
    "another order of triggers": ("stop: [resolved, closed]", "stop: [closed, resolved]"),
    "a warning said otherwise": ("warn: [50%, -5m]", "warn: [-15m, -300s]"),
    "a warning that never comes": ("warn: [50%, -5m]", "warn: [50%, -5m, -2h]"),
    "a step that does nothing": ("target: 48h", "target: 48h\n    on_breach: [{after: 5m}]"),
    "a shift in two": (
        'office: {timezone: Europe/Moscow, hours: {mon: [["09:00", "18:00"]]',
        'office: {timezone: Europe/Moscow, hours: {mon: [["12:00", "18:00"], ["09:00", "12:00"]]',
    ),
    "a holiday on a day off": (
        'far: {timezone: Asia/Anadyr, hours: {mon: [["09:00", "18:00"]]}, holidays: [',
        'far: {timezone: Asia/Anadyr, hours: {mon: [["09:00", "18:00"]]}, holidays: ["2026-01-06", ',
    ),
    "a region said twice": ('"*": always}\nservice', '"*": always, "78": always}\nservice'),
    "always spelled out": (
        "target: 48h",
        "target: 48h\n    when: {category: [complex], "
        "channel: [phone, chat, feedback_form, cabinet, mobile_app]}",
    ),
    "a rule in two": (
        "  - clock: response\n",
        "  - {clock: response, when: {channel: [phone]}, target: 15m, start: [created], stop: [assigned], "
        "calendar: office}\n  - clock: response\n",
    ),
}


@pytest.mark.parametrize("name", REWRITTEN)
def test_the_same_promises_in_other_words_are_no_change(name: str) -> None:
    """What a ticket gets is compared, not how the file says it."""
    old, new = REWRITTEN[name]
    replacements = [(old, new)]
    if name == "always spelled out":
        replacements = [("    when: {category: [complex]}\n", ""), (old, new)]
    assert not changed(*replacements).changes_promises


def test_round_the_clock_in_any_zone_is_always() -> None:
    """Seven days from midnight to midnight are open without end."""
    days = ", ".join(
        f'{day}: [["00:00", "24:00"]]' for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    )
    found = changed(
        ("calendars:\n", f"calendars:\n  whole: {{timezone: Asia/Tokyo, hours: {{{days}}}}}\n"),
        ("target: 48h", "target: 48h\n    calendar: whole"),
    )
    assert not found.changes_promises
    assert found.calendars == ("whole is new: open without end",)


CHANNELS = ("phone", "chat", "cabinet")
RULES = st.lists(
    st.tuples(
        st.fixed_dictionaries(
            {},
            optional={
                "channel": st.lists(st.sampled_from(CHANNELS), min_size=1, unique=True),
                "priority": st.lists(st.sampled_from(list(Priority)), min_size=1, unique=True),
                "region": st.lists(st.sampled_from(("77", "78", "abroad")), min_size=1, unique=True),
            },
        ),
        st.sampled_from(("5m", "10m")),
        st.sampled_from(("region", "always", "office")),
    ),
    max_size=4,
)
REGIONS = st.dictionaries(
    st.sampled_from(("77", "78", "*")), st.sampled_from(("office", "late", "always")), max_size=3
)
TICKETS = st.fixed_dictionaries(
    {
        "category": st.sampled_from(list(Category)),
        "priority": st.sampled_from(list(Priority)),
        "channel": st.sampled_from(list(Channel)),
        "queue": st.sampled_from(list(Queue)),
        "region": st.sampled_from(("77", "78", "79", "abroad", None)),
    }
)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Small policies of one clock: rules that overlap, in calendars and by region."""
    base = parse(BASE, "p")
    template = base.rules[-1]
    targets = {"5m": base.rules[0].target / 6, "10m": base.rules[0].target / 3}  # type: ignore[operator]
    rules = tuple(
        replace(
            template,
            number=number,
            target=targets[target],
            calendar=calendar,
            when={name: frozenset(map(str, values)) for name, values in when.items()},
        )
        for number, (when, target, calendar) in enumerate(draw(RULES), 1)
    )
    return Policy("p", "1", rules, calendars=base.calendars, region_calendars=draw(REGIONS))


@given(policies())
def test_a_policy_does_not_differ_from_itself(policy: Policy) -> None:
    """diff(A, A) is empty, every part of it."""
    found = diff(policy, policy)
    assert (found.version, found.promises, found.citizens, found.calendars, found.rules) == ((),) * 5


def test_the_default_policy_does_not_differ_from_itself() -> None:
    """Nothing changes between a file and its copy."""
    policy, copy = (parse(policy_files.default_text(), "p") for _ in range(2))
    found = diff(policy, copy)
    assert not found.changes_promises
    assert found.calendars == found.rules == ()


@given(policies(), policies(), TICKETS)
def test_every_ticket_is_in_the_group_of_its_change(
    before: Policy, after: Policy, ticket: dict[str, str | None]
) -> None:
    """A ticket whose promise changes is in exactly one group, with its own change, and others are in none."""
    told = [
        (each.becomes, each.details)
        for each in diff(before, after).promises
        for group in each.tickets
        if all(
            ticket[name] in values
            or (name == "region" and "*" in values and ticket[name] not in group.other_than)
            for name, values in group.fields.items()
        )
    ]
    expected = compared(
        *(terms_for(policy, policy.match("response", ticket), ticket) for policy in (before, after))
    )
    assert told == ([] if expected is None else [expected])


@given(policies(), policies())
def test_back_and_forth_are_opposites(before: Policy, after: Policy) -> None:
    """What becomes shorter one way becomes longer the other way, for the same tickets."""
    opposite = {
        Becomes.NEW: Becomes.GONE,
        Becomes.GONE: Becomes.NEW,
        Becomes.SHORTER: Becomes.LONGER,
        Becomes.LONGER: Becomes.SHORTER,
        Becomes.CHANGED: Becomes.CHANGED,
    }
    there, back = diff(before, after).promises, diff(after, before).promises
    assert {(opposite[each.becomes], tuple(map(str, each.tickets))) for each in there} == {
        (each.becomes, tuple(map(str, each.tickets))) for each in back
    }
