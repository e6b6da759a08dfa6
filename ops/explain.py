"""`ticket explain` for people: each clock's chain of facts, and the arithmetic of its deadline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Final

from rich.console import Console
from rich.text import Text

from ops.explain_arithmetic import calendar_words, lines_of
from ops.wording import HAPPENED, WIDTH, duration, listed, moment, wrapped
from schemas.records import Change, ClockCause, Told
from workflow.explain import Cycle, Explanation, Fact
from workflow.terms_in_force import Condition, RuleInForce

_INDENT: Final = 14
_STYLES: Final = {
    "running": "green",
    "met": "green",
    "breached": "bold red",
    "stopped": "red",
    "paused": "yellow",
    "cancelled": "dim",
}


def show_explanation(told: Explanation, console: Console) -> None:
    """Print it, no line longer than WIDTH columns but for ids that are."""
    for line in _lines(told):
        console.print(line, soft_wrap=True)


def _lines(told: Explanation) -> Iterator[Text]:
    level = f", level {told.level}" if told.level else ""
    state = f"{told.state}{level}" if told.state else "gone from the state, its reopening window is over"
    yield Text(f"{told.ticket_id}  ", style="bold") + Text(state, style="bold cyan")
    fields = [f"{name} {value}" for name, value in told.fields.items() if value is not None]
    yield from map(Text, wrapped(", ".join(fields), 2))
    for label in told.missing_policies:
        yield from _sentence(_without(label), style="yellow")
    if not told.clocks:
        yield Text("No clock of the policy ever started for it.")
    for cycle in told.clocks:
        yield Text()
        yield from _cycle(cycle)


def _without(label: str) -> str:
    return (
        f"The policy version {label} is not here, or not as it was: its rules and the arithmetic are left "
        "out. Put its file into the folder that TICKETFLOW_POLICY names."
    )


def _sentence(text: str, style: str = "", indent: int = 0) -> Iterator[Text]:
    return (Text(line, style=style) for line in wrapped(text, indent))


def _zone(cycle: Cycle) -> str:
    return "UTC" if cycle.arithmetic is None else cycle.arithmetic.legs[-1].calendar.zone


def _cycle(cycle: Cycle) -> Iterator[Text]:
    zone = _zone(cycle)
    again = f", cycle {cycle.cycle}" if cycle.cycle > 1 else ""
    status = Text(cycle.status, style=_STYLES.get(cycle.status, ""))
    due = "" if cycle.deadline is None else f"   deadline {moment(cycle.deadline, zone)}"
    where = "" if zone == "UTC" else f"   times in {zone}"
    yield Text(f"{cycle.clock}{again}  ", style="bold") + status + Text(f"{due}{where}")
    for number, fact in enumerate(cycle.facts):
        yield from _fact(cycle, fact, None if number == 0 else cycle.facts[number - 1], zone)
    if cycle.arithmetic is not None:
        yield from map(Text, lines_of(cycle.arithmetic, cycle.status))
    if cycle.agrees is False:
        yield from _sentence(
            "The arithmetic and the journal do not agree. That is a mistake in ticketflow, or the file of "
            f"{cycle.policy} was changed without a new version.",
            "bold red",
            2,
        )


def _fact(cycle: Cycle, fact: Fact, before: Fact | None, zone: str) -> Iterator[Text]:
    head = f"  {fact.change:<{_INDENT - 2}}{moment(fact.at, zone)}"
    told = Text(head)
    told.stylize("bold", 2, 2 + len(fact.change))
    same_record = before is not None and before.seq == fact.seq
    cause = "by the same record" if same_record else _cause(fact, zone)
    if len(head) + len(cause) + 2 <= WIDTH:
        yield told + Text(f"  {cause}", style="dim")
    else:
        yield told
        yield from _sentence(cause, "dim", _INDENT)
    for text in _WORDS[fact.change](cycle, fact, zone):
        yield from _sentence(text, indent=_INDENT)


def _cause(fact: Fact, zone: str) -> str:
    if isinstance(fact.cause, ClockCause):
        own = "" if fact.threshold else f"{fact.cause.clock}: "
        return f"{own}{fact.cause.threshold} was due, record {fact.seq}"
    late = (fact.recorded_at - fact.at).total_seconds()
    arrived = f", which came at {moment(fact.recorded_at, zone)}" if late >= _LATE_SECONDS else ""
    return f"event {fact.cause.id} of {fact.cause.source}{arrived}, record {fact.seq}"


_LATE_SECONDS: Final = 60.0
"""From then on it is told when an event was found that counts earlier."""


def _trigger(fact: Fact) -> str:
    """What happened, as the first words of a sentence."""
    name = fact.by or fact.trigger
    if name == "contacted" and fact.changed.get("contacted_by"):
        name = f"contacted.{fact.changed['contacted_by']}"
    if name is None:
        return "The reopening window is over" if fact.state is None else "The clock was due"
    words = HAPPENED.get(name, name)
    return f"{words[:1].upper()}{words[1:]}"


def _counted(fact: Fact) -> str:
    return f"{duration(fact.elapsed_seconds)} of {duration(fact.target_seconds)} counted"


def _deadline(fact: Fact, zone: str) -> str:
    return "" if fact.deadline is None else f" Deadline: {moment(fact.deadline, zone)}."


def _started(cycle: Cycle, fact: Fact, zone: str) -> Iterator[str]:
    late = ""
    if fact.elapsed_seconds:
        late = f" Since then {duration(fact.elapsed_seconds)} count, without pauses: it matches only now."
    yield f"{_trigger(fact)}.{late}"
    yield from _rule(cycle, fact)
    yield f"Target: {_target(fact)}.{_deadline(fact, zone)}"


def _rule(cycle: Cycle, fact: Fact) -> Iterator[str]:
    if fact.rule is None:
        yield f"By a rule of {cycle.policy}, which is not here."
        return
    rule = fact.rule
    yield f"Rule {rule.number} of {rule.policy}: {_when(rule)}.{_passed_over(rule)}"
    ways = [("kept by", rule.stop), ("cancelled by", rule.cancel), ("stands still in", rule.pause)]
    told = "; ".join(f"{how} {listed(names, 'or')}" for how, names in ways if names)
    yield f"{told[:1].upper()}{told[1:]}."
    region = ""
    if rule.by_region:
        region = f", of region {rule.region}" if rule.region else ", for the ticket has no region"
    yield f"Calendar: {calendar_words(rule.calendar)}{region}."


def _when(rule: RuleInForce) -> str:
    return listed([_condition(each) for each in rule.when]) if rule.when else "it is for every ticket"


def _condition(condition: Condition) -> str:
    among = f" (of {', '.join(condition.allowed)})" if len(condition.allowed) > 1 else ""
    return f"{condition.field} is {condition.value}{among}"


def _passed_over(rule: RuleInForce) -> str:
    if not rule.passed_over:
        return ""
    numbers = listed([str(number) for number in rule.passed_over])
    many = len(rule.passed_over) > 1
    return f" {'Rules' if many else 'Rule'} {numbers}, before it, {'do' if many else 'does'} not match."


def _target(fact: Fact) -> str:
    announced = {"promised": "the promised deadline", "scheduled": "the time of the call"}
    told = announced.get(fact.rule.target if fact.rule else "")
    length = duration(fact.target_seconds)
    return length if told is None else f"{told}, {length} after the clock's start"


def _paused(cycle: Cycle, fact: Fact, zone: str) -> Iterator[str]:
    del cycle, zone
    yield f"In {fact.state} the clock stands still. {_counted(fact)}."


def _resumed(cycle: Cycle, fact: Fact, zone: str) -> Iterator[str]:
    del cycle
    missed = fact.not_counted_seconds
    stood = "" if missed is None else f" {duration(missed)} of the calendar's time do not count."
    yield f"{_trigger(fact)}: it goes on.{stood}{_deadline(fact, zone)}"


def _retargeted(cycle: Cycle, fact: Fact, zone: str) -> Iterator[str]:
    new = [
        f"{_NAMES.get(name, name)} is now {_shown(name, value, zone)}"
        for name, value in fact.changed.items()
        if value
    ]
    yield f"{_trigger(fact)}{': ' if new else ''}{listed(new)}. {_counted(fact)} so far."
    if not _same_rule(cycle, fact):
        yield from _rule(cycle, fact)
    before = fact.target_before_seconds
    instead = "" if before in (None, fact.target_seconds) else f" instead of {duration(before or 0.0)}"
    deadline = _deadline(fact, zone)
    earlier = fact.deadline_before
    if deadline and earlier is not None and earlier != fact.deadline:
        deadline = f"{deadline[:-1]}, instead of {moment(earlier, zone)}."
    yield f"Target: {_target(fact)}{instead}.{deadline}"


def _same_rule(cycle: Cycle, fact: Fact) -> bool:
    """Whether the clock goes on under the rule and in the calendar that were told last."""
    earlier = [each.rule for each in cycle.facts[: cycle.facts.index(fact)] if each.rule is not None]
    if not earlier or fact.rule is None:
        return False
    return (earlier[-1].number, earlier[-1].calendar.name) == (fact.rule.number, fact.rule.calendar.name)


_NAMES: Final = {
    "registered_at": "the registration",
    "promised_deadline": "the promise",
    "scheduled_at": "the call",
}


def _shown(name: str, value: str, zone: str) -> str:
    if name in ("registered_at", "promised_deadline", "scheduled_at"):
        return moment(datetime.fromisoformat(value), zone)
    return value


def _fired(cycle: Cycle, fact: Fact, zone: str) -> Iterator[str]:
    del cycle
    told = f" Told: {_people(fact.told)}." if fact.told else ""
    late = "" if fact.lateness_seconds is None else f", {duration(fact.lateness_seconds)} late"
    found = "" if fact.found_at is None else f" Found at {moment(fact.found_at, zone)}{late}."
    did = {
        "escalated": f" The ticket was escalated to level {fact.level}.",
        "closed": " The ticket was closed.",
    }
    done = did.get(fact.trigger or "", "") if isinstance(fact.cause, ClockCause) else ""
    what = {
        Change.WARNED: f"Warning {fact.threshold}: {_counted(fact)}.",
        Change.BREACHED: f"The deadline {moment(fact.deadline, zone) if fact.deadline else ''} has passed.",
        Change.STEPPED: f"Step {fact.threshold} after the breach.",
    }[fact.change]
    yield f"{what}{found}{done}{told}"


def _people(told: tuple[Told, ...]) -> str:
    return listed([each.role if each.ref is None else f"{each.role} {each.ref}" for each in told])


def _stopped(cycle: Cycle, fact: Fact, zone: str) -> Iterator[str]:
    del cycle, zone
    yield f"{_trigger(fact)}: too late, the promise stays broken. {_counted(fact)}."


def _met(cycle: Cycle, fact: Fact, zone: str) -> Iterator[str]:
    del cycle, zone
    left = duration(fact.target_seconds - fact.elapsed_seconds)
    yield f"{_trigger(fact)}, with {left} left. {_counted(fact)}."


def _cancelled(cycle: Cycle, fact: Fact, zone: str) -> Iterator[str]:
    del zone
    reason = fact.changed.get("close_reason")
    why = f" as {reason}" if reason else ""
    rule = next((each.rule for each in reversed(cycle.facts) if each.rule is not None), None)
    if (
        rule is not None
        and fact.trigger in ("reclassified", "transferred")
        and fact.trigger not in rule.cancel
    ):
        why = ", and no rule of this clock is for it any more"
    yield f"{_trigger(fact)}{why}: the clock ends without a verdict. {_counted(fact)}."


def _retracted(cycle: Cycle, fact: Fact, zone: str) -> Iterator[str]:
    del cycle, zone
    if fact.trigger == "reopened":
        yield "The ticket was reopened: the promise is not kept yet, and the verdict met is withdrawn."
    else:
        yield f"{_trigger(fact)}. That counts before the verdict, which is withdrawn."


_WORDS: Final[Mapping[Change, Callable[[Cycle, Fact, str], Iterator[str]]]] = {
    Change.STARTED: _started,
    Change.PAUSED: _paused,
    Change.RESUMED: _resumed,
    Change.RETARGETED: _retargeted,
    Change.WARNED: _fired,
    Change.BREACHED: _fired,
    Change.STEPPED: _fired,
    Change.STOPPED: _stopped,
    Change.MET: _met,
    Change.CANCELLED: _cancelled,
    Change.RETRACTED: _retracted,
}
