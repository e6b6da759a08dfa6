"""One entry of a policy file's ``clocks``: from its nodes to a ``Rule``."""

import re
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from yaml.nodes import Node, ScalarNode, SequenceNode

from schemas.records import Role
from workflow import durations
from workflow.policy import FIELDS, Action, Kind, Reopen, Rule, Target, Threshold
from workflow.vocabulary import STATES, TRIGGERS, VALUES, is_region
from workflow.yaml_reader import Reader, is_empty_list

_KEYS: Final = (
    "clock",
    "when",
    "target",
    "start",
    "stop",
    "cancel",
    "pause",
    "reopen",
    "calendar",
    "warn",
    "on_breach",
)
_REQUIRED: Final = ("clock", "target", "start", "stop")
_STEP_KEYS: Final = ("after", "do", "notify")
_MOST_THRESHOLDS: Final = 50  # of each kind in a rule; the most patient escalation has a dozen
# It becomes part of output ids and a Prometheus label.
_CLOCK_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
# What the journal calls the end of a closed ticket's life (contract, "States").
_RESERVED: Final = "reopening_window"
_MOST_PERCENT: Final = 1000
"""A warning may come after the deadline, too; one that is ten targets late warns of nothing."""

_PERCENT: Final = re.compile(r"([0-9]{1,4})%")


def read_rule(reader: Reader, node: Node, number: int, calendars: tuple[str, ...]) -> Rule | None:
    """The rule that a node states; None if what makes a rule is missing or wrong, which is noted."""
    entries = reader.mapping(node, "a clock", _KEYS, _REQUIRED)
    if entries is None:
        return None
    clock, target = _clock_id(reader, entries.get("clock")), _target(reader, entries.get("target"))
    rule = Rule(
        number=number,
        clock=clock or "",
        target=target or timedelta(),
        start=_names(reader, entries, "start", TRIGGERS),
        stop=_names(reader, entries, "stop", TRIGGERS),
        cancel=_names(reader, entries, "cancel", TRIGGERS),
        pause=_pause(reader, entries),
        when=_when(reader, entries.get("when")),
        reopen=Reopen(_choice(reader, entries, "reopen", tuple(Reopen)) or Reopen.NONE),
        calendar=_choice(reader, entries, "calendar", calendars) or "always",
        thresholds=_thresholds(reader, entries.get("warn"), entries.get("on_breach")),
    )
    if "start" in entries and is_empty_list(entries["start"]):
        reader.fail(
            entries["start"],
            "`start` names no trigger, so that the clock never starts; name one, as `created`",
        )
    return None if clock is None or target is None or not rule.start else rule


def _clock_id(reader: Reader, node: Node | None) -> str | None:
    text = None if node is None else reader.text(node, "`clock`")
    if node is None or text is None:
        return None
    if not _CLOCK_ID.fullmatch(text) or text == _RESERVED:
        reader.fail(node, f"`clock` must be 1 to 64 Latin letters, digits or . _ -, and not `{_RESERVED}`")
        return None
    return text


def _target(reader: Reader, node: Node | None) -> timedelta | Target | None:
    text = None if node is None else reader.text(node, "`target`")
    if node is None or text is None:
        return None
    if text in tuple(Target):
        return Target(text)
    try:
        return durations.parse(text)
    except durations.DurationError as error:
        reader.fail(node, f"`target`: {error}; or it is `promised` or `scheduled`")
        return None


def _choice(reader: Reader, entries: Mapping[str, Node], key: str, known: tuple[str, ...]) -> str | None:
    return reader.choice(entries[key], f"`{key}`", known) if key in entries else None


def _names(reader: Reader, entries: Mapping[str, Node], key: str, known: tuple[str, ...]) -> frozenset[str]:
    return frozenset(reader.choices(entries[key], f"`{key}`", known)) if key in entries else frozenset()


def _pause(reader: Reader, entries: Mapping[str, Node]) -> frozenset[str]:
    """The states in which the clock stands still; triggers have names that are like those of states."""
    node = entries.get("pause")
    triggers = [
        item
        for item in (node.value if isinstance(node, SequenceNode) else ())
        if isinstance(item, ScalarNode) and item.value in TRIGGERS and item.value not in STATES
    ]
    for item in triggers:
        reader.fail(item, f"`pause` names states, and this is a trigger; states are {', '.join(STATES)}")
    return frozenset() if triggers else _names(reader, entries, "pause", STATES)


def _when(reader: Reader, node: Node | None) -> Mapping[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    entries = {} if node is None else reader.mapping(node, "`when`", FIELDS) or {}
    for name, entry in entries.items():
        if name in VALUES:
            values = reader.choices(entry, f"`{name}`", VALUES[name])
        else:
            values = _regions(reader, entry)
        if is_empty_list(entry):
            reader.fail(
                entry,
                f"`{name}` allows no value, so that the rule can never match; name one, or leave it out",
            )
        found[name] = frozenset(values)
    return MappingProxyType(found)


def _regions(reader: Reader, node: Node) -> tuple[str, ...]:
    found = []
    for item in reader.items(node, "`region`"):
        text = reader.text(item, "a region")
        if text is not None and not is_region(text):
            reader.fail(item, "a region is two digits, as in 77, or `abroad`")
        elif text is not None:
            found.append(text)
    return tuple(found)


def _thresholds(reader: Reader, warn: Node | None, on_breach: Node | None) -> tuple[Threshold, ...]:
    """Warnings as listed, then the breach with what its `0s` step does, then the later steps as listed."""
    warnings: dict[str, Threshold] = {}
    for item in reader.items(warn, "`warn`", _MOST_THRESHOLDS) if warn is not None else ():
        warning = _warning(reader, item, order=len(warnings))
        if warning is not None and warning.name in warnings:
            reader.fail(item, "`warn` lists the same threshold twice; keep one")
        elif warning is not None:
            warnings[warning.name] = warning
    breach = Threshold(name="breach", order=len(warnings), kind=Kind.BREACH)
    steps: dict[str, Threshold] = {}
    seen = set()
    for item in reader.items(on_breach, "`on_breach`", _MOST_THRESHOLDS) if on_breach is not None else ():
        step = _step(reader, item, order=len(warnings) + 1 + len(steps))
        if step is None:
            continue
        if step.offset in seen:
            reader.fail(item, "`on_breach` has two steps after the same time; join them")
        elif step.offset:
            steps[step.name] = step
        else:
            breach = Threshold(
                name="breach", order=len(warnings), kind=Kind.BREACH, do=step.do, notify=step.notify
            )
        seen.add(step.offset)
    return (*warnings.values(), breach, *steps.values())


def _warning(reader: Reader, node: Node, order: int) -> Threshold | None:
    text = reader.text(node, "a warning")
    if text is None:
        return None
    share = _PERCENT.fullmatch(text)
    if share is not None:
        percent = int(share[1])
        if 1 <= percent <= _MOST_PERCENT:
            return Threshold(name=text, order=order, kind=Kind.WARN, percent=percent)
        reader.fail(node, f"a warning lies between 1% and {_MOST_PERCENT}% of the target")
        return None
    if not text.startswith("-"):
        reader.fail(node, "a warning is a share of the target, as 80%, or a time before the deadline, as -5m")
        return None
    try:
        before = durations.parse(text[1:])
    except durations.DurationError as error:
        reader.fail(node, f"a warning before the deadline: {error}")
        return None
    if not before:
        reader.fail(node, "a warning lies before the deadline; what happens at it is `on_breach`")
        return None
    return Threshold(name=text, order=order, kind=Kind.WARN, offset=-before)


def _step(reader: Reader, node: Node, order: int) -> Threshold | None:
    entries = reader.mapping(node, "a step of `on_breach`", _STEP_KEYS)
    if entries is None:
        return None
    after = reader.text(entries["after"], "`after`") if "after" in entries else "0s"
    do = Action(_choice(reader, entries, "do", tuple(Action)) or Action.NONE)
    roles = reader.choices(entries["notify"], "`notify`", tuple(Role)) if "notify" in entries else ()
    notify = tuple(map(Role, roles))
    if after is None:
        return None
    try:
        offset = durations.parse(after)
    except durations.DurationError as error:
        early = "; what comes before the breach is a warning, in `warn`" if after.startswith("-") else ""
        reader.fail(entries["after"], f"`after`: {error}{early}")
        return None
    return Threshold(name=f"+{after}", order=order, kind=Kind.STEP, offset=offset, do=do, notify=notify)
