"""What is wrong with a policy although each of its parts is right: rules that contradict something.

Only what can be proved is refused, and only where a whole promise comes to nothing: a rule that no ticket
gets to, a clock that cannot advance or reach its target, a calendar that never opens. What the contract
gives a meaning, however odd, is allowed: a clock that starts and stops at the same trigger (stop first, then
start), one that nothing stops, a warning before the start (never fires). `lint_hints` speaks of those.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from workflow import durations
from workflow.calendars import FIRST_YEAR, LAST_YEAR, Calendar, NeverOpenError
from workflow.lint_lines import Found, Lines
from workflow.policy import ANY, REGION, Policy, Rule, Target
from workflow.reachable_states import running_states
from workflow.vocabulary import VALUES

_Box = Mapping[str, frozenset[str]]
"""The tickets whose fields have these values."""

_ELSEWHERE: Final = ""  # stands for a region that no rule names, and for none
_MOST_BOXES: Final = 5_000  # more pieces than any sane policy makes; beyond, a rule counts as reachable
_MOST_LINES_TOLD: Final = 10
_FIRST_INSTANT: Final = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)


def lint(policy: Policy, lines: Lines) -> list[Found]:
    """Every contradiction of a policy that was read from a file."""
    states = running_states(policy)
    found = list(_hours(policy, lines))
    for rule in policy.rules:
        found.extend(_announced(rule, lines))
        found.extend(_stuck(rule, states[rule.number], lines))
        found.extend(_out_of_reach(policy, rule, lines))
    found.extend(_unreachable(policy, lines))
    return found


def calendars_of(policy: Policy, rule: Rule) -> tuple[str, ...]:
    """The names of the calendars that a rule's clock may count in."""
    if isinstance(rule.target, Target):
        return ("always",)
    regions = rule.when.get("region")
    if rule.calendar != REGION:
        return (rule.calendar,)
    if regions is None:
        return calendars_by_region(policy)
    other = policy.region_calendars.get(ANY, "always")
    return tuple(dict.fromkeys(policy.region_calendars.get(region, other) for region in sorted(regions)))


def calendars_by_region(policy: Policy) -> tuple[str, ...]:
    """The names of the calendars that ``region`` may mean."""
    return tuple(
        dict.fromkeys((*policy.region_calendars.values(), policy.region_calendars.get(ANY, "always")))
    )


def _announced(rule: Rule, lines: Lines) -> Iterator[Found]:
    """An announced instant: it comes with one trigger, and counts by the clock on the wall."""
    if not isinstance(rule.target, Target):
        return
    what = f"a clock with the target `{rule.target}`"
    if rule.start != {rule.target.value}:
        yield (
            lines.part(rule.number, "start"),
            f"{what} starts at `{rule.target}` only; write `start: [{rule.target}]`",
        )
    if rule.pause:
        yield (
            lines.part(rule.number, "pause"),
            f"{what} cannot pause: the instant was announced; leave `pause` out",
        )
    if rule.calendar != "always":
        yield (
            lines.part(rule.number, "calendar"),
            f"{what} has no calendar: the instant was announced; leave `calendar` out",
        )


def _stuck(rule: Rule, states: frozenset[str], lines: Lines) -> Iterator[Found]:
    """Whether the clock could ever advance in the states in which it can run."""
    if rule.pause and states <= rule.pause:
        yield (
            lines.part(rule.number, "pause"),
            "the clock stands still in every state in which it can run, so that it never gets anywhere; "
            "take a state out of `pause`",
        )


def _hours(policy: Policy, lines: Lines) -> Iterator[Found]:
    """Calendars that clocks or citizens depend on and that never open again."""
    citizens = calendars_by_region(policy) if policy.citizen_hours == REGION else (policy.citizen_hours,)
    for name, calendar in policy.calendars.items():
        if calendar.has_weekly_hours:
            continue
        users = [
            str(lines.part(rule.number, "calendar"))
            for rule in policy.rules
            if name in calendars_of(policy, rule)
        ]
        line = lines.calendar(name)
        if users:
            yield (
                line,
                "the calendar has no weekly hours, so that clocks in it stand still for good "
                f"({_at_lines(users)}); give it `hours`, or those clocks another calendar",
            )
        if name in citizens:
            yield (
                line,
                "the calendar has no weekly hours, so that citizens are never told anything "
                f"(`citizen_hours`, line {lines.key('citizen_hours')}); give it `hours`",
            )


def _out_of_reach(policy: Policy, rule: Rule, lines: Lines) -> Iterator[Found]:
    """Targets for which a calendar has not enough open time left in all the years that are known."""
    if isinstance(rule.target, Target):
        return
    for name in calendars_of(policy, rule):
        calendar = policy.calendars.get(name)
        if calendar is None or calendar.always or not calendar.has_weekly_hours:
            continue
        if not _reaches(calendar, policy, rule):
            yield (
                lines.part(rule.number, "target"),
                f"the target can never be reached: until {LAST_YEAR} the clock's calendar (line "
                f"{lines.calendar(name)}) is not open for {durations.render(rule.target)} altogether; "
                "shorten the target or give the calendar more hours",
            )


def _reaches(calendar: Calendar, policy: Policy, rule: Rule) -> bool:
    if isinstance(rule.target, Target):
        return True
    try:
        calendar.add(max(policy.effective_from, _FIRST_INSTANT), rule.target)
    except NeverOpenError:
        return False
    return True


def _unreachable(policy: Policy, lines: Lines) -> Iterator[Found]:
    """Rules that no ticket gets to, because the earlier ones of the same clock match all that they match."""
    for clock_id in policy.clock_ids:
        rules = [rule for rule in policy.rules if rule.clock == clock_id]
        regions = frozenset().union(*(rule.when.get("region", frozenset()) for rule in rules))
        every = {name: frozenset(values) for name, values in VALUES.items()}
        every["region"] = regions | {_ELSEWHERE}
        for i, rule in enumerate(rules):
            box = {**every, **rule.when}
            if not _left_over(box, rules[:i]):
                earlier = [str(lines.part(each.number)) for each in rules[:i] if _meets(box, each.when)]
                yield (
                    lines.part(rule.number),
                    f"no ticket gets to this rule: earlier ones ({_at_lines(earlier)}) match all; "
                    "move it before them, or delete it",
                )


def _at_lines(numbers: list[str]) -> str:
    told = list(dict.fromkeys(numbers))[:_MOST_LINES_TOLD]
    return f"line{'s' if len(told) > 1 else ''} {', '.join(told)}"


def _meets(box: _Box, when: _Box) -> bool:
    return all(box[name] & allowed for name, allowed in when.items())


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
