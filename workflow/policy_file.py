"""The policy file: from its text to the model, with every problem found at once and each with its line.

The syntax and its defaults are the contract's, "Policy file"; what each part means is said in ``policy``.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from yaml.nodes import Node

from schemas.instants import parse_instant
from workflow import durations
from workflow.calendar_file import read_calendar
from workflow.calendars import ALWAYS, Calendar
from workflow.lint import Lines, lint
from workflow.policy import ALWAYS_IN_FORCE, ANY, REGION, Policies, Policy, Rule
from workflow.rule_file import read_rule
from workflow.vocabulary import CHANNELS, is_region
from workflow.yaml_reader import Problem, Reader, line_of

__all__ = ["PolicyError", "Problem", "parse", "policies", "problems"]

_KEYS: Final = (
    "policy",
    "version",
    "effective_from",
    "calendars",
    "region_calendars",
    "service_hours",
    "citizen_hours",
    "reopening_window",
    "clocks",
)
_MOST_RULES: Final = 500
# It becomes part of the label in every record of a clock, `policy@version`.
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


class PolicyError(ValueError):
    """A policy file cannot be used; the message has a line for each problem."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))


def parse(text: str, name_for_messages: str) -> Policy:
    """The policy that a file's text states.

    Raises:
        PolicyError: with every problem of the text, each with ``name_for_messages`` and its line.
    """
    return _parse(text, name_for_messages).policy


def problems(text: str) -> list[Problem]:
    """Everything that is wrong with a policy file, in the order of its lines; nothing if it can be used."""
    try:
        parse(text, "")
    except PolicyError as error:
        return list(error.problems)
    return []


def policies(files: Iterable[tuple[str, str]]) -> Policies:
    """The versions of one policy from (name for messages, text) of each file.

    Raises:
        PolicyError: with the problems of all files, or what keeps them from being versions of one policy.
    """
    read: list[tuple[str, _Parsed]] = []
    found: list[Problem] = []
    for name, text in files:
        try:
            read.append((name, _parse(text, name)))
        except PolicyError as error:
            found.extend(error.problems)
    if not found:
        found = list(_conflicts(read))
    if found:
        raise PolicyError(tuple(found))
    return Policies(parsed.policy for _, parsed in read)


@dataclass(frozen=True, slots=True)
class _Parsed:
    policy: Policy
    lines: Mapping[str, int]
    """The line of each key of the file's root."""


def _parse(text: str, name: str) -> _Parsed:
    reader = Reader()
    root = reader.document(text)
    entries = None
    if root is not None:
        entries = reader.mapping(root, "the policy", _KEYS, required=("policy", "version", "clocks"))
    parsed = None
    if entries is not None:
        draft = _Draft(reader, entries)
        policy = draft.policy()
        for line, message in lint(policy, draft.lines):
            reader.fail(line, message)
        parsed = _Parsed(policy, {key: line_of(node) for key, node in entries.items()})
    if reader.problems or parsed is None:
        raise PolicyError(tuple(Problem(p.line, p.message, name) for p in sorted(reader.problems)))
    return parsed


def _conflicts(read: list[tuple[str, _Parsed]]) -> Iterable[Problem]:
    """What keeps good files from being versions of one policy."""
    for i, (name, parsed) in enumerate(read):
        policy, lines = parsed.policy, parsed.lines
        for other_name, other in read[:i]:
            if policy.name != other.policy.name:
                yield Problem(lines["policy"], f"another policy than {other_name}; a folder holds one", name)
            elif policy.version == other.policy.version:
                yield Problem(lines["version"], f"the same version as in {other_name}", name)
            elif policy.effective_from == other.policy.effective_from:
                line = lines.get("effective_from", 1)
                yield Problem(line, f"in force from the same instant as {other_name}", name)


@dataclass(slots=True)
class _Draft:
    """The policy while it is read. What has a problem is left out or gets its default: nobody will use it."""

    reader: Reader
    entries: Mapping[str, Node]
    lines: Lines = field(default_factory=Lines)

    def policy(self) -> Policy:
        calendars = self._calendars()
        names = (*calendars, REGION)
        return Policy(
            name=self._name("policy"),
            version=self._name("version"),
            effective_from=self._effective_from(),
            calendars=calendars,
            region_calendars=self._region_calendars(tuple(calendars)),
            service_hours=self._service_hours(names),
            citizen_hours=self._citizen_hours(names),
            reopening_window=self._reopening_window(),
            rules=self._rules(names),
        )

    def _name(self, key: str) -> str:
        node = self.entries.get(key)
        text = None if node is None else self.reader.text(node, f"`{key}`")
        if node is not None and text is not None and not _NAME.fullmatch(text):
            self.reader.fail(node, f"`{key}` must be 1 to 64 Latin letters, digits or . _ -")
        return text or ""

    def _effective_from(self) -> datetime:
        node = self.entries.get("effective_from")
        text = None if node is None else self.reader.text(node, "`effective_from`")
        if node is None or text is None:
            return ALWAYS_IN_FORCE
        try:
            return parse_instant(text)
        except ValueError as error:
            self.reader.fail(node, f"`effective_from` {error}")
            return ALWAYS_IN_FORCE

    def _reopening_window(self) -> timedelta:
        node = self.entries.get("reopening_window")
        text = None if node is None else self.reader.text(node, "`reopening_window`")
        if node is None or text is None:
            return timedelta(days=30)
        try:
            return durations.parse(text)
        except durations.DurationError as error:
            self.reader.fail(node, f"`reopening_window`: {error}")
            return timedelta(days=30)

    def _calendars(self) -> dict[str, Calendar]:
        calendars = {"always": ALWAYS}
        node = self.entries.get("calendars")
        if node is None:
            return calendars
        for name, entry in (self.reader.mapping(node, "`calendars`") or {}).items():
            calendar = read_calendar(self.reader, entry)
            self.lines.calendars[name] = line_of(entry)
            if name == REGION:
                self.reader.fail(entry, "no calendar may be called `region`: it means `region_calendars`")
            elif name == "always" and calendar is not ALWAYS:
                self.reader.fail(entry, "`always` is open without end: it can be given no hours of its own")
            else:
                calendars[name] = calendar
        return calendars

    def _region_calendars(self, names: tuple[str, ...]) -> dict[str, str]:
        chosen: dict[str, str] = {}
        node = self.entries.get("region_calendars")
        for key, entry in ((node and self.reader.mapping(node, "`region_calendars`")) or {}).items():
            if key != ANY and not is_region(key):
                self.reader.fail(
                    entry, "a key of `region_calendars` is a region of two digits, `abroad` or `*`"
                )
            chosen[key] = self.reader.choice(entry, "`region_calendars`", names) or "always"
        return chosen

    def _service_hours(self, names: tuple[str, ...]) -> dict[str, str]:
        node = self.entries.get("service_hours")
        known = (*CHANNELS, ANY)
        entries = (node and self.reader.mapping(node, "`service_hours`", known)) or {}
        return {
            channel: self.reader.choice(entry, "`service_hours`", names) or "always"
            for channel, entry in entries.items()
        }

    def _citizen_hours(self, names: tuple[str, ...]) -> str:
        node = self.entries.get("citizen_hours")
        if node is None:
            return "always"
        self.lines.citizen_hours = line_of(node)
        return self.reader.choice(node, "`citizen_hours`", names) or "always"

    def _rules(self, names: tuple[str, ...]) -> tuple[Rule, ...]:
        """The rules that can be read; where one cannot, the policy is refused anyway."""
        node = self.entries.get("clocks")
        rules = []
        for number, entry in enumerate(self.reader.items(node, "`clocks`", _MOST_RULES) if node else (), 1):
            rule = read_rule(self.reader, entry, number, names)
            if rule is not None:
                self.lines.rules[number] = line_of(entry)
                rules.append(rule)
        return tuple(rules)
