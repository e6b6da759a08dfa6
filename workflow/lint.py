"""What is wrong with a policy although each of its parts is right: rules that contradict something.

Only what can be proved is refused. What the contract gives a meaning, however odd, is allowed: a clock that
starts and stops at the same trigger (stop first, then start), a warning before the start (never fires).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from workflow.calendars import Calendar
from workflow.policy import REGION, Policy, Rule, Target
from workflow.states import CLOSE, ESCALATE, TABLE
from workflow.vocabulary import VALUES

Found = tuple[int, str]
"""A line and what is wrong there."""

_Box = Mapping[str, frozenset[str]]
"""The tickets whose fields have these values."""

_ELSEWHERE: Final = ""  # stands for a region that no rule names, and for none
_MOST_BOXES: Final = 5_000  # more pieces than any sane policy makes; beyond, a rule counts as reachable


@dataclass(slots=True)
class Lines:
    """Where the parts of a policy stand in its file."""

    rules: dict[int, int] = field(default_factory=dict)
    calendars: dict[str, int] = field(default_factory=dict)
    citizen_hours: int = 1


def lint(policy: Policy, lines: Lines) -> list[Found]:
    """Every contradiction of a policy that was read from a file."""
    found = list(_hours(policy, lines))
    for rule in policy.rules:
        line = lines.rules.get(rule.number, 1)
        found.extend((line, message) for message in (*_target(rule), *_pauses(rule)))
    found.extend(_unreachable(policy, lines))
    return found


def _target(rule: Rule) -> Iterator[str]:
    """An announced instant: it comes with one trigger, and counts by the clock on the wall."""
    if not isinstance(rule.target, Target):
        return
    if rule.start != {rule.target.value}:
        yield f"a clock with the target `{rule.target}` starts at `{rule.target}` only"
    if rule.pause:
        yield f"a clock with the target `{rule.target}` cannot pause: the instant was announced"
    if rule.calendar != "always":
        yield f"a clock with the target `{rule.target}` has no calendar: the instant was announced"


def _pauses(rule: Rule) -> Iterator[str]:
    """Whether the clock could ever advance: it runs in some state that it can get to before its end."""
    running = _states_while_running(rule)
    if rule.pause and running <= rule.pause:
        yield "the clock stands still in every state in which it can run, so that it never gets anywhere"


def _states_while_running(rule: Rule) -> frozenset[str]:
    ends = rule.stop | rule.cancel
    starting = {_base(trigger) for trigger in rule.start}
    states = {row.target for row in TABLE if row.trigger in starting}
    # The engine closes as `closed` does; its escalation is no trigger for clocks.
    moves = [row for row in TABLE if ("closed" if row.trigger == CLOSE else row.trigger) not in ends]
    if not any(step.do.value == ESCALATE for step in rule.thresholds):
        moves = [row for row in moves if row.trigger != ESCALATE]
    while True:
        reached = {row.target for row in moves if row.source in states} - states
        if not reached:
            return frozenset(states)
        states |= reached


def _base(trigger: str) -> str:
    """``contacted`` for ``contacted.client``: the trigger that always comes along with it."""
    return trigger.partition(".")[0]


def _hours(policy: Policy, lines: Lines) -> Iterator[Found]:
    """Calendars that clocks or citizens depend on and that never open again."""
    for rule in policy.rules:
        line = lines.rules.get(rule.number, 1)
        for name in _names(policy, rule.calendar):
            if not isinstance(rule.target, Target) and _is_shut(policy.calendars.get(name)):
                yield (
                    line,
                    f"the clock's calendar has no weekly hours (line {lines.calendars[name]})",
                )
    for name in _names(policy, policy.citizen_hours):
        if _is_shut(policy.calendars.get(name)):
            yield (
                lines.citizen_hours,
                f"the calendar of the citizens' hours has no weekly hours (line {lines.calendars[name]})",
            )


def _names(policy: Policy, calendar: str) -> tuple[str, ...]:
    """The calendars that a name may stand for."""
    return tuple(dict.fromkeys(policy.region_calendars.values())) if calendar == REGION else (calendar,)


def _is_shut(calendar: Calendar | None) -> bool:
    return calendar is not None and not calendar.has_weekly_hours


def _unreachable(policy: Policy, lines: Lines) -> Iterator[Found]:
    """Rules that no ticket gets to, because the earlier ones of the same clock match all that they match."""
    for clock_id in policy.clock_ids:
        rules = [rule for rule in policy.rules if rule.clock == clock_id]
        regions = frozenset().union(*(rule.when.get("region", frozenset()) for rule in rules))
        every = {name: frozenset(values) for name, values in VALUES.items()}
        every["region"] = regions | {_ELSEWHERE}
        for i, rule in enumerate(rules):
            if not _left_over({**every, **rule.when}, rules[:i]):
                line = lines.rules.get(rule.number, 1)
                earlier = ", ".join(str(lines.rules.get(other.number, 1)) for other in rules[:i][:10])
                yield (
                    line,
                    f"no ticket gets to this rule: earlier ones (line {earlier}) match all",
                )


def _left_over(box: _Box, rules: list[Rule]) -> list[_Box]:
    """What of a box none of the rules matches."""
    boxes = [box]
    for rule in rules:
        boxes = [piece for each in boxes for piece in _outside(each, rule.when)]
        if not boxes or len(boxes) > _MOST_BOXES:
            break
    return boxes


def _outside(box: _Box, when: _Box) -> list[_Box]:
    """What of a box a rule does not match, cut into boxes."""
    pieces: list[_Box] = []
    for name, allowed in when.items():
        inside, outside = box[name] & allowed, box[name] - allowed
        if not inside:
            return [*pieces, box]
        if outside:
            pieces.append({**box, name: outside})
        box = {**box, name: inside}
    return pieces
