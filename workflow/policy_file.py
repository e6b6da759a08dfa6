"""The policy file: from its text to the model, with every problem found at once and each with its line.

The syntax and its defaults are the contract's, "Policy file"; what each part means is said in ``policy``.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from schemas.instants import parse_instant
from workflow import durations
from workflow.calendar_file import read_calendar
from workflow.calendars import ALWAYS, Calendar
from workflow.lint import lint
from workflow.lint_hints import hints
from workflow.lint_lines import Lines
from workflow.policy import ALWAYS_IN_FORCE, ANY, REGION, Policies, Policy, Rule
from workflow.rule_file import read_rule
from workflow.vocabulary import CHANNELS, is_region
from workflow.yaml_reader import Problem, Reader, line_of

__all__ = ["PolicyError", "Problem", "parse", "policies", "problems", "reviewed"]

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
    return Policies(parsed.policy for _, parsed in _all(files))


def reviewed(files: Iterable[tuple[str, str]]) -> tuple[Policies, tuple[Problem, ...]]:
    """As ``policies``, and what in them has no effect: no problem, but perhaps not what was meant.

    Raises:
        PolicyError: as ``policies``.
    """
    read = _all(files)
    found = (
        Problem(line, f"hint: {message}", name)
        for name, parsed in read
        for line, message in sorted(set(hints(parsed.policy, parsed.lines)))
    )
    return Policies(parsed.policy for _, parsed in read), tuple(found)


@dataclass(frozen=True, slots=True)
class _Parsed:
    policy: Policy
    lines: Lines


def _all(files: Iterable[tuple[str, str]]) -> list[tuple[str, _Parsed]]:
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
    return read


def _parse(text: str, name: str) -> _Parsed:
    reader = Reader()
    root = reader.document(text)
    entries = None
    if root is not None:
        entries = reader.mapping(root, "the policy", _KEYS, required=("policy", "version", "clocks"))
    parsed = None
    if entries is not None:
        draft = _Draft(reader, entries)
        draft.lines.keys.update((key, line_of(node)) for key, node in entries.items())
        policy = draft.policy()
        for line, message in lint(policy, draft.lines):
            reader.fail(line, message)
        parsed = _Parsed(policy, draft.lines)
    if reader.problems or parsed is None:
        raise PolicyError(tuple(Problem(p.line, p.message, name) for p in sorted(reader.problems)))
    return parsed


def _conflicts(read: list[tuple[str, _Parsed]]) -> Iterable[Problem]:
    """What keeps good files from being versions of one policy."""
    for i, (name, parsed) in enumerate(read):
        policy, lines = parsed.policy, parsed.lines
        for other_name, other in read[:i]:
            if policy.name != other.policy.name:
                yield Problem(
                    lines.key("policy"),
                    f"another policy than {other_name}; a folder holds one: give it the same `policy`, "
                    "or a folder of its own",
                    name,
                )
            elif policy.version == other.policy.version:
                message = f"the same version as in {other_name}; give it a `version` of its own"
                yield Problem(lines.key("version"), message, name)
            elif policy.effective_from == other.policy.effective_from:
                yield Problem(
                    lines.key("effective_from" if "effective_from" in lines.keys else "version"),
                    f"in force from the same instant as {other_name}, so that neither of them comes first; "
                    "give it an `effective_from` of its own",
                    name,
                )


@dataclass(slots=True)
class _Draft:
    """The policy while it is read. What has a problem is left out or gets its default: nobody will use it.

    So nothing that is found in the rest is a mere consequence of a slip that is named already.
    """

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
            before = self.reader.failures
            calendar = read_calendar(self.reader, entry)
            sound = self.reader.failures == before
            self.lines.calendars[name] = line_of(entry)
            if name == REGION:
                self.reader.fail(
                    entry,
                    "no calendar may be called `region`: that means `region_calendars`; choose another name",
                )
            elif name == "always" and calendar is not ALWAYS:
                self.reader.fail(
                    entry, "`always` is open without end and has no hours of its own; choose another name"
                )
            else:
                calendars[name] = calendar if sound else ALWAYS
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
        return self.reader.choice(node, "`citizen_hours`", names) or "always"

    def _rules(self, names: tuple[str, ...]) -> tuple[Rule, ...]:
        """The rules that have no problem of their own; where one has, the policy is refused anyway."""
        node = self.entries.get("clocks")
        rules = []
        for number, entry in enumerate(self.reader.items(node, "`clocks`", _MOST_RULES) if node else (), 1):
            before = self.reader.failures
            rule = read_rule(self.reader, entry, number, names)
            if rule is not None and self.reader.failures == before:
                self.lines.rules[number] = line_of(entry)
                self.lines.parts.update(((number, part), line) for part, line in _parts(entry))
                rules.append(rule)
        return tuple(rules)


def _parts(rule: Node) -> Iterator[tuple[str, int]]:
    """Where a rule's keys and thresholds stand, a threshold by the name that it gets."""
    if not isinstance(rule, MappingNode):
        return
    for key, value in rule.value:
        yield key.value, line_of(key)
        for item in value.value if isinstance(value, SequenceNode) else ():
            if isinstance(item, ScalarNode):
                yield item.value if key.value == "warn" else f"{key.value} {item.value}", line_of(item)
            elif isinstance(item, MappingNode):
                after = [each.value for name, each in item.value if name.value == "after"]
                yield f"+{after[0] if after else '0s'}", line_of(item)
