"""The promises of a policy as a Markdown table, for the documents that must not go stale."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from workflow import durations
from workflow.policy import Action, Kind, Policy, Reopen, Rule, Target, Threshold
from workflow.vocabulary import STATES, TRIGGERS

_HEADER: Final = (
    "rule",
    "clock",
    "applies to",
    "target",
    "starts at",
    "kept by",
    "cancelled by",
    "stands still in",
    "calendar",
    "on reopening",
    "warnings",
    "after a breach",
)
ANNOUNCED: Final = {Target.PROMISED: "the promised deadline", Target.SCHEDULED: "the scheduled time"}
_REOPENED: Final = {
    Reopen.RESTART: "starts again",
    Reopen.CONTINUE: "goes on",
    Reopen.NONE: "–",
}


def promises_table(policy: Policy) -> str:
    """One row for each rule in the order of the file, ending in a newline; the same for the same policy."""
    rows = [_HEADER, tuple("---" for _ in _HEADER), *map(_row, policy.rules)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _row(rule: Rule) -> tuple[str, ...]:
    return (
        str(rule.number),
        f"`{rule.clock}`",
        "; ".join(f"{name}: {_words(values, sorted(values))}" for name, values in rule.when.items()) or "all",
        _target(rule.target),
        _words(rule.start, TRIGGERS),
        _words(rule.stop, TRIGGERS),
        _words(rule.cancel, TRIGGERS),
        _words(rule.pause, STATES),
        rule.calendar,
        _REOPENED[rule.reopen],
        ", ".join(each.name for each in rule.thresholds if each.kind is Kind.WARN) or "–",
        "; ".join(step_words(each) for each in rule.thresholds if acts(each)) or "–",
    )


def _target(target: timedelta | Target) -> str:
    return durations.render(target) if isinstance(target, timedelta) else ANNOUNCED[target]


def _words(names: frozenset[str], order: Iterable[str]) -> str:
    """Names of a set in the vocabulary's order, so that the text does not depend on hashes."""
    return ", ".join(name for name in order if name in names) or "–"


def acts(threshold: Threshold) -> bool:
    """Whether anything follows from it, so that a reader should know."""
    return threshold.kind is not Kind.WARN and (threshold.do is not Action.NONE or bool(threshold.notify))


def step_words(threshold: Threshold) -> str:
    """What a step does, and when: `+15m escalate, tell supervisor`."""
    when = "at once" if threshold.kind is Kind.BREACH else threshold.name
    does = [] if threshold.do is Action.NONE else [str(threshold.do)]
    if threshold.notify:
        does.append(f"tell {' and '.join(threshold.notify)}")
    return f"{when} {', '.join(does)}"
