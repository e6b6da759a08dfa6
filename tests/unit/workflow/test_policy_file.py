"""Reading the policy file: what it accepts, and every bad policy refused with line and reason."""

import pytest

from workflow.calendars import ALWAYS, Shift
from workflow.policy_file import PolicyError, parse, policies, problems
from workflow.yaml_reader import LONGEST_TEXT, MOST_PROBLEMS

# Line 1 to 3 are the head, so that a clock's own lines begin at 4.
HEAD = "policy: p\nversion: 1\nclocks:\n"
CLOCK = "  - {clock: c, target: 5m, start: [created], stop: [resolved]"


def clock(more: str) -> str:
    """A policy whose only clock, on line 4, has `more` besides what is required."""
    return f"{HEAD}{CLOCK}, {more}}}\n"


def head(more: str) -> str:
    """A good policy with `more` from line 5 on."""
    return f"{HEAD}{CLOCK}}}\n{more}\n"


def calendar(entries: str) -> str:
    """A good policy with a calendar whose entries stand on line 6."""
    return head(f"calendars:\n  x: {{{entries}}}")


BAD = {
    "empty": ("", 1, "empty"),
    "only a comment": ("# nothing\n", 1, "empty"),
    "a list": ("- policy\n", 1, "must be a mapping"),
    "a text": ("policy", 1, "must be a mapping"),
    "no name": ("version: 1\nclocks: []\n", 1, "needs `policy`"),
    "no version": ("policy: p\nclocks: []\n", 1, "needs `version`"),
    "no clocks": ("policy: p\nversion: 1\n", 1, "needs `clocks`"),
    "clocks empty of value": ("policy: p\nversion: 1\nclocks:\n", 3, "must be a list"),
    "a bracket left open": ("policy: p\nversion: [1\nclocks: []\n", 3, "not valid YAML"),
    "a tab": ("policy: p\nversion: 1\nclocks:\n\t- {}\n", 4, "not valid YAML"),
    "an alias without anchor": ("policy: p\nversion: *v\nclocks: []\n", 2, "not valid YAML: an alias"),
    "two documents": ("policy: p\nversion: 1\nclocks: []\n---\npolicy: q\n", 4, "second document"),
    "a control character": ("policy: p\nversion: '\x01'\nclocks: []\n", 2, "a character that YAML"),
    "nested to death": ("policy: " + "[" * 100_000, 1, "nested far deeper"),
    "too long": ("#" * (LONGEST_TEXT + 1), 1, "longer than"),
    "a name with a space": ("policy: a b\nversion: 1\nclocks: []\n", 1, "Latin letters"),
    "a version with the label's sign": ("policy: p\nversion: '@'\nclocks: []\n", 2, "Latin letters"),
    "a version that is a list": ("policy: p\nversion: [1]\nclocks: []\n", 2, "single value"),
    "an unknown key": (head("calendar: {}"), 5, "was `calendars` meant?"),
    "a key twice": (head("policy: q"), 5, "stands twice"),
    "a key that is a list": (head("[a]: 1"), 5, "plain text"),
    "a date without time": (head("effective_from: 2026-01-01"), 5, "RFC 3339"),
    "a date without offset": (head("effective_from: 2026-01-01T00:00:00"), 5, "RFC 3339"),
    "a bad reopening window": (head("reopening_window: a month"), 5, "a whole number and a unit"),
    "an unknown citizen calendar": (head("citizen_hours: night"), 5, "known: `always`, `region`"),
    "an unknown service calendar": (head("service_hours: {phone: night}"), 5, "known: `always`, `region`"),
    "an unknown channel": (head("service_hours: {telephone: always}"), 5, "was `phone` meant?"),
    "a region that is none": (head("region_calendars: {moscow: always}"), 5, "two digits"),
    "a region calendar that is none": (head("region_calendars: {'77': moscow}"), 5, "known: `always`"),
    "region as a region's calendar": (head("region_calendars: {'77': region}"), 5, "known: `always`"),
    "a calendar called region": (head("calendars:\n  region: {}"), 6, "may be called `region`"),
    "always with hours": (
        head("calendars:\n  always: {timezone: UTC, hours: {}}"),
        6,
        "open without end",
    ),
    "hours without a zone": (calendar("hours: {mon: [[09:00, 10:00]]}"), 6, "needs `timezone`"),
    "holidays without a zone": (calendar("holidays: [2026-01-01]"), 6, "needs `timezone`"),
    "an unknown zone": (calendar("timezone: Moscow"), 6, "no time zone"),
    "a folder of zones": (calendar("timezone: Europe"), 6, "no time zone"),
    "an unknown day": (calendar("timezone: UTC, hours: {monday: []}"), 6, "was `mon` meant?"),
    "a shift of one time": (calendar("timezone: UTC, hours: {mon: [['09:00']]}"), 6, "opening and a closing"),
    "a shift that is no list": (calendar("timezone: UTC, hours: {mon: ['09:00', '10:00']}"), 6, "a list"),
    "a time without minutes": (calendar("timezone: UTC, hours: {mon: [['9', '10']]}"), 6, "as in 09:30"),
    "a 60th minute": (calendar("timezone: UTC, hours: {mon: [['09:60', '10:00']]}"), 6, "as in 09:30"),
    "past the next day": (calendar("timezone: UTC, hours: {mon: [['09:00', '48:01']]}"), 6, "to 48:00"),
    "closing before opening": (calendar("timezone: UTC, hours: {mon: [['22:00', '02:00']]}"), 6, "26:00"),
    "closing at opening": (calendar("timezone: UTC, hours: {mon: [['22:00', '22:00']]}"), 6, "closes after"),
    "opening on the next day": (
        calendar("timezone: UTC, hours: {mon: [['24:00', '25:00']]}"),
        6,
        "before 24:00",
    ),
    "a date that does not exist": (calendar("timezone: UTC, holidays: ['2026-02-29']"), 6, "a date is"),
    "a date in another form": (calendar("timezone: UTC, holidays: ['20260101']"), 6, "a date is"),
    "a date beyond the calendar": (calendar("timezone: UTC, holidays: ['2101-01-01']"), 6, "a date is"),
    "an exception for no date": (calendar("timezone: UTC, exceptions: {mon: []}"), 6, "a date is"),
    "a clock that is a text": (HEAD + "  - resolution\n", 4, "a clock must be a mapping"),
    "a clock without anything": (HEAD + "  - {}\n", 4, "needs `clock`"),
    "a clock without target": (HEAD + "  - {clock: c, start: [created], stop: []}\n", 4, "needs `target`"),
    "a clock without start": (HEAD + "  - {clock: c, target: 5m, stop: []}\n", 4, "needs `start`"),
    "a clock without stop": (HEAD + "  - {clock: c, target: 5m, start: [created]}\n", 4, "needs `stop`"),
    "an empty start": (HEAD + "  - {clock: c, target: 5m, start: [], stop: []}\n", 4, "never starts"),
    "an id with a slash": (
        HEAD + "  - {clock: a/b, target: 5m, start: [created], stop: []}\n",
        4,
        "Latin letters",
    ),
    "the reserved id": (
        HEAD + "  - {clock: reopening_window, target: 5m, start: [created], stop: []}\n",
        4,
        "not `reopening_window`",
    ),
    "a target without unit": (
        HEAD + "  - clock: c\n    target: 5\n    start: [created]\n    stop: []\n",
        5,
        "a whole number and a unit",
    ),
    "a target of a century": (
        HEAD + "  - {clock: c, target: 36500d, start: [created], stop: []}\n",
        4,
        "ten years",
    ),
    "an unknown key of a clock": (clock("warning: [50%]"), 4, "was `warn` meant?"),
    "an unknown trigger": (clock("cancel: [drop]"), 4, "was `dropped` meant?"),
    "triggers that are no list": (clock("cancel: dropped"), 4, "must be a list"),
    "a trigger twice": (clock("cancel: [dropped, dropped]"), 4, "the same thing twice"),
    "an unknown state": (clock("pause: [waiting]"), 4, "names something unknown"),
    "a trigger as a state": (clock("pause: [resumed]"), 4, "this is a trigger"),
    "an unknown way to reopen": (clock("reopen: again"), 4, "known: `restart`, `continue`, `none`"),
    "an unknown calendar": (clock("calendar: moscow"), 4, "known: `always`, `region`"),
    "an unknown field": (clock("when: {categories: [complex]}"), 4, "was `category` meant?"),
    "an unknown category": (clock("when: {category: [complicated]}"), 4, "was `complex` meant?"),
    "an unknown region": (clock("when: {region: ['*']}"), 4, "two digits"),
    "a field without values": (clock("when: {category: []}"), 4, "can never match"),
    "a field with one value": (clock("when: {category: complex}"), 4, "must be a list"),
    "a warning ten targets late": (clock("warn: [1001%]"), 4, "between 1% and 1000%"),
    "a warning at the start": (clock("warn: [0%]"), 4, "between 1% and 1000%"),
    "a warning after the deadline": (clock("warn: [5m]"), 4, "as -5m"),
    "a warning at the deadline": (clock("warn: [-0s]"), 4, "lies before the deadline"),
    "a warning without unit": (clock("warn: [-5]"), 4, "a whole number and a unit"),
    "a warning twice": (clock("warn: [50%, 50%]"), 4, "the same threshold twice"),
    "a step before the deadline": (clock("on_breach: [{after: -5m}]"), 4, "a whole number and a unit"),
    "a step twice": (clock("on_breach: [{after: 60s}, {after: 1m}]"), 4, "two steps after the same time"),
    "two steps at once": (clock("on_breach: [{after: 0s}, {after: 0m}]"), 4, "two steps after the same time"),
    "an unknown action": (clock("on_breach: [{after: 0s, do: reassign}]"), 4, "known: `escalate`"),
    "an unknown role": (clock("on_breach: [{after: 0s, notify: [citizen]}]"), 4, "was `client` meant?"),
    "an unknown key of a step": (clock("on_breach: [{at: 0s}]"), 4, "known: `after`"),
    "a promise that starts elsewhere": (
        HEAD + "  - {clock: c, target: promised, start: [created], stop: [closed]}\n",
        4,
        "starts at `promised` only",
    ),
    "a promise that pauses": (
        HEAD + "  - {clock: c, target: promised, start: [promised], stop: [closed], pause: [pending]}\n",
        4,
        "cannot pause",
    ),
    "a scheduled call in a calendar": (
        HEAD + "  - {clock: c, target: scheduled, start: [scheduled], stop: [closed], calendar: region}\n",
        4,
        "has no calendar",
    ),
    "a clock that never runs": (
        clock("pause: [created, assigned, escalated, pending]").replace("[resolved]", "[resolved, closed]"),
        4,
        "stands still in every state",
    ),
    "a calendar without hours": (
        calendar("timezone: UTC, hours: {}").replace("[resolved]", "[resolved], calendar: x"),
        6,
        "clocks in it stand still for good (line 4)",
    ),
    "a calendar of exceptions only": (
        calendar("timezone: UTC, hours: {mon: []}, exceptions: {2026-01-01: [[09:00, 10:00]]}").replace(
            "[resolved]", "[resolved], calendar: x"
        ),
        6,
        "clocks in it stand still for good (line 4)",
    ),
    "a region's calendar without hours": (
        head("calendars:\n  x: {timezone: UTC, hours: {}}\nregion_calendars: {'77': x}").replace(
            "[resolved]", "[resolved], calendar: region"
        ),
        6,
        "clocks in it stand still for good (line 4)",
    ),
    "citizens that are never told": (
        head("calendars:\n  x: {timezone: UTC, hours: {}}\ncitizen_hours: x"),
        6,
        "citizens are never told anything (`citizen_hours`, line 7)",
    ),
    "a rule after one for all": (HEAD + CLOCK + "}\n" + CLOCK + "}\n", 5, "earlier ones (line 4) match all"),
    "a rule within an earlier one": (
        HEAD + CLOCK + ", when: {category: [complex, status_check]}}\n"
        "  - {clock: d, target: 1m, start: [created], stop: []}\n"
        + CLOCK
        + ", when: {category: [complex], region: ['77']}}\n",
        6,
        "earlier ones (line 4) match all",
    ),
    "a rule that earlier ones cover together": (
        HEAD
        + CLOCK
        + ", when: {priority: [low, normal]}}\n"
        + CLOCK
        + ", when: {priority: [high, urgent], channel: [phone]}}\n"
        + CLOCK
        + ", when: {channel: [phone]}}\n",
        6,
        "earlier ones (lines 4, 5) match all",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_policy_is_refused_with_line_and_reason(name: str) -> None:
    """Each way to get a policy wrong is named at its line, alone, and never as a traceback."""
    text, line, words = BAD[name]
    found = problems(text)
    assert words in "; ".join(problem.message for problem in found if problem.line == line)
    assert {problem.line for problem in found} == {line}


GOOD = {
    "times and dates without quotes": calendar(
        "timezone: UTC, hours: {mon: [[9:00, 18:00]]}, holidays: [2026-01-01], exceptions: {2026-12-31: []}"
    ),
    "a version that looks like a number": head("").replace("version: 1", "version: 2026.10"),
    "ownership: start and stop at one trigger": head("").replace("created", "transferred"),
    "a warning after the deadline": clock("warn: [150%]"),
    "stop and cancel alike": clock("cancel: [resolved]"),
    "a warning before the start": clock("warn: [-5m, -1d, 100%]"),
    "no stop": head("").replace("[resolved]", "[]"),
    "a target of nothing": head("").replace("5m", "0s"),
    "no clocks": "policy: p\nversion: 1\nclocks: []\n",
    "always spelled out": head("calendars: {always: {}}"),
    "a zone and nothing else": calendar("timezone: UTC"),
    "steps out of order": clock("on_breach: [{after: 5m}, {after: 0s}, {after: 1m, do: close, notify: []}]"),
    "an anchor": clock("on_breach: &steps [{after: 5m}]"),
    "a paused state among others": clock("pause: [created]"),
    "the same values in two clocks": HEAD + CLOCK + "}\n" + CLOCK.replace(": c", ": d") + "}\n",
    "a rule for other regions than the earlier one": (
        HEAD
        + CLOCK
        + ", when: {region: ['77', abroad]}}\n"
        + CLOCK
        + ", when: {region: ['78', abroad]}}\n"
        + CLOCK
        + "}\n"
    ),
    "service hours that never open": head(
        "calendars:\n  x: {timezone: UTC, hours: {}}\nservice_hours: {chat: x}"
    ),
    "windows line ends": clock("warn: [50%]").replace("\n", "\r\n"),
    "a closed calendar that nobody uses": calendar("timezone: UTC, hours: {}"),
    "cancel of one side, stop of the other": clock("cancel: [contacted.client]").replace(
        "[resolved]", "[contacted]"
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_policy_that_the_contract_gives_a_meaning_is_accepted(name: str) -> None:
    """What is only odd is no problem."""
    assert problems(GOOD[name]) == []


def test_every_problem_is_found_at_once_in_the_order_of_lines() -> None:
    """One run of the lint names them all, each once."""
    text = (
        "policy: p\n"
        "version: a b\n"
        "effective_from: soon\n"
        "reopening: 30d\n"
        "clocks:\n"
        "  - clock: c\n"
        "    target: quick\n"
        "    start: [create]\n"
        "    stop: [resolved]\n"
        "    warn: [50, 50%]\n"
    )
    assert [problem.line for problem in problems(text)] == [2, 3, 4, 7, 8, 10]


def test_a_problem_does_not_repeat_what_the_file_says() -> None:
    """The wrong file may hold anything: no value of it gets into a message."""
    secret = "anna.ivanova@example.org"
    text = (
        f"policy: {secret}\nversion: {secret}\n{secret}: {secret}\ncitizen_hours: {secret}\n"
        f"effective_from: {secret}\nreopening_window: {secret}\n"
        f"calendars: {{{secret}: {{timezone: {secret}, hours: {{{secret}: {secret}}}}}}}\n"
        f"clocks:\n  - clock: {secret}\n    target: {secret}\n    start: [{secret}]\n    warn: [{secret}]\n"
    )
    with pytest.raises(PolicyError) as caught:
        parse(text, "policy.yaml")
    assert secret not in str(caught.value)
    assert secret not in str(problems(f"policy: *{secret}"))


def test_the_number_of_problems_is_bounded() -> None:
    """A file that is no policy at all does not flood the reader."""
    assert len(problems("\n".join(f"key{number}: 1" for number in range(5000)))) == MOST_PROBLEMS


def test_an_error_names_file_and_line_of_each_problem() -> None:
    """The message can be followed with an editor."""
    with pytest.raises(PolicyError) as caught:
        parse("policy: p\nversion: 1\nclock: []\n", "conf/policy.yaml")
    assert str(caught.value).splitlines() == [
        "conf/policy.yaml:1: the policy needs `clocks`",
        "conf/policy.yaml:3: the policy has no such key; was `clocks` meant?",
    ]


def test_an_empty_calendar_is_the_one_that_is_always_open() -> None:
    """`{}` means no hours, and no hours mean always open."""
    policy = parse(head("calendars: {x: {}, y: {timezone: Europe/Moscow}}"), "p")
    assert policy.calendars["x"] is ALWAYS
    assert policy.calendars["y"] is ALWAYS


def test_holidays_without_hours_close_a_service_that_else_never_closes() -> None:
    """Without `hours` the days are open around the clock, but for holidays and exceptions."""
    policy = parse(calendar("timezone: UTC, holidays: [2026-01-01]"), "p")
    assert not policy.calendars["x"].always
    assert policy.calendars["x"].has_weekly_hours


def test_shifts_are_read_as_minutes_of_the_day_on_which_they_begin() -> None:
    """`13:00` to `26:00` is one shift into the next day."""
    policy = parse(calendar("timezone: UTC, hours: {tue: [[08:00, 12:00], ['13:00', '26:00']]}"), "p")
    assert policy.calendars["x"].hours[1] == (Shift(480, 720), Shift(780, 1560))


VERSION = "policy: {policy}\nversion: {version}\neffective_from: {date}\nclocks: []\n"


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (("q", "2", "2026-02-01T00:00:00Z"), "b.yaml:1: another policy than a.yaml"),
        (("p", "1", "2026-02-01T00:00:00Z"), "b.yaml:2: the same version as in a.yaml"),
        (("p", "2", "2026-01-01T03:00:00+03:00"), "b.yaml:3: in force from the same instant as a.yaml"),
    ],
)
def test_versions_that_contradict_each_other_are_refused(second: tuple[str, str, str], expected: str) -> None:
    """Another name, a version twice and equal effective dates are named with both files and the line."""
    texts = [
        VERSION.format(policy=name, version=number, date=date)
        for name, number, date in (("p", "1", "2026-01-01T00:00:00Z"), second)
    ]
    with pytest.raises(PolicyError) as caught:
        policies(zip(("a.yaml", "b.yaml"), texts, strict=True))
    assert str(caught.value).startswith(expected)


def test_the_problems_of_all_files_are_named_at_once() -> None:
    """A folder with two bad versions is refused for both."""
    with pytest.raises(PolicyError) as caught:
        policies([("a.yaml", ""), ("b.yaml", "policy: p\nversion: 1\nclocks: 1\n")])
    assert [(problem.source, problem.line) for problem in caught.value.problems] == [
        ("a.yaml", 1),
        ("b.yaml", 3),
    ]


def test_an_alias_that_repeats_itself_ends() -> None:
    """A list that contains itself is refused and not followed for ever."""
    assert problems("policy: p\nversion: 1\nclocks: &a [*a, *a]\n")
    assert problems(clock("on_breach: &a [*a]"))
