"""In which states a clock can run, and which triggers can come while it does: read off the table of states.

What is said never to happen never does; what is said to be possible may still never come, for guards and
people are not looked at.
"""

from collections.abc import Collection, Mapping

from workflow.policy import Policy, Reopen, Rule
from workflow.states import CLOSE, ESCALATE, NOTHING, TABLE, Row
from workflow.vocabulary import STATES


def running_states(policy: Policy) -> Mapping[int, frozenset[str]]:
    """By the rule's number: every state in which a clock can run under it.

    A clock that runs under another rule of the same id comes along when its ticket is reclassified.
    """
    states: dict[int, frozenset[str]] = {}
    for clock_id in policy.clock_ids:
        rules = [rule for rule in policy.rules if rule.clock == clock_id]
        found = {rule.number: _closure(rule, _entered(rule)) for rule in rules}
        while True:
            anywhere = frozenset().union(*found.values())
            wider = {rule.number: _closure(rule, found[rule.number] | anywhere) for rule in rules}
            if wider == found:
                break
            found = wider
        states |= found
    return states


def can_come(trigger: str, states: Collection[str]) -> bool:
    """Whether the trigger is legal in one of the states, for a ticket that is there already."""
    return any(row.trigger == base(trigger) and row.source in states for row in TABLE)


def base(trigger: str) -> str:
    """``contacted`` for ``contacted.client``: the trigger that always comes along with it."""
    return trigger.partition(".")[0]


def _entered(rule: Rule) -> frozenset[str]:
    """The states in which a clock can start under the rule."""
    starting = {base(trigger) for trigger in rule.start}
    if rule.reopen is not Reopen.NONE:
        starting.add("reopened")
    # A contact on a closed ticket is recorded and starts nothing (contract, "Clock rules").
    return frozenset(
        row.target
        for row in TABLE
        if row.trigger in starting and not (row.trigger == "contacted" and row.source == "closed")
    )


def _closure(rule: Rule, states: frozenset[str]) -> frozenset[str]:
    ends = rule.stop | rule.cancel
    moves = [row for row in TABLE if row.source != NOTHING and _told_as(row) not in ends]
    if not any(step.do.value == ESCALATE for step in rule.thresholds):
        moves = [row for row in moves if row.trigger != ESCALATE]
    while True:
        reached = {row.target for row in moves if row.source in states} - states
        if not reached:
            return frozenset(name for name in STATES if name in states)
        states |= reached


def _told_as(row: Row) -> str:
    """What clocks see of a transition: the engine closes as ``closed``; its escalation is no trigger."""
    return "closed" if row.trigger == CLOSE else row.trigger
