"""Why each deadline of a ticket is what it is: the chain of facts of every clock, out of its journal.

An Explanation is data: its field names are those of `ticketflow ticket explain --json`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from schemas.records import Change, ClockCause, EventCause, JournalEntry, Told
from workflow.history import Move, by_cycle, steps
from workflow.policy import FIELDS, Policies
from workflow.reckoning import Reckoning, computed_deadline, reckon
from workflow.terms_in_force import RuleInForce, in_words, terms_of

_TELLING: Final = (
    *FIELDS,
    "operator",
    "registered_at",
    "promised_deadline",
    "scheduled_at",
    "close_reason",
    "contacted_by",
)
"""The fields of a journal record's `changed` that say why a clock changed."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One change of a clock, and what it followed from.

    `change`: as in the journal. `seq`, `cause`, `trigger`: the journal record's; `cause` is the event or the
    threshold that was due. `at`: when it counts; `recorded_at`: when the engine found out. `state`: the
    ticket's after it (null: it left the state), `level` its escalation level. `changed`: the fields that the
    record changed and that matter here. `deadline`: the clock's after the change, as the journal has it;
    `computed_deadline`: the same by the arithmetic, null where the change sets none or the policy version is
    not here. `elapsed_seconds`: business time counted up to `at`; `not_counted_seconds`: for `resumed`, the
    business time that went by while it stood still. `by`: for `started`, the trigger. `threshold`,
    `found_at`, `lateness_seconds`, `told`: of a firing. `rule`: given where the change sets it (`started`,
    `retargeted`), null where its policy version is not here; `deadline_before` and `target_before_seconds`:
    for `retargeted`.
    """

    change: Change
    seq: int
    at: datetime
    recorded_at: datetime
    cause: EventCause | ClockCause
    trigger: str | None
    state: str | None
    level: int
    changed: dict[str, str | None]
    deadline: datetime | None
    computed_deadline: datetime | None
    elapsed_seconds: float
    target_seconds: float
    not_counted_seconds: float | None = None
    by: str | None = None
    threshold: str | None = None
    found_at: datetime | None = None
    lateness_seconds: float | None = None
    told: tuple[Told, ...] = ()
    rule: RuleInForce | None = None
    deadline_before: datetime | None = None
    target_before_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Cycle:
    """One run of a clock, from its start to its end.

    `status`: running, paused, breached, met, stopped (after a breach) or cancelled. `policy`: the version
    that it runs under, and `policy_known` whether that version is here. `deadline`: the last one that the
    journal has; null only while it never had one. `arithmetic`: how it comes about; null without the policy.
    `agrees`: whether the arithmetic and the journal agree throughout; null without the policy.
    """

    clock: str
    cycle: int
    status: str
    policy: str
    policy_known: bool
    deadline: datetime | None
    target_seconds: float
    elapsed_seconds: float
    facts: tuple[Fact, ...]
    arithmetic: Reckoning | None
    agrees: bool | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """All clocks of a ticket's life, in the order in which they started.

    `state`: as of the last journal record; null once it has left the state. `fields`: what rules match on,
    as of then. `records`: how many journal records there are. `missing_policies`: versions that clocks ran
    under and that are not here.
    """

    ticket_id: str
    state: str | None
    level: int
    registered_at: datetime
    records: int
    fields: dict[str, str | None]
    missing_policies: tuple[str, ...]
    clocks: tuple[Cycle, ...]


def explain(entries: Sequence[JournalEntry], policies: Policies) -> Explanation:
    """Explain the clocks of a ticket out of all journal records of one life (`history.last_life`).

    Raises IncompleteJournal where a record is missing.
    """
    life = steps(entries)
    last = life[-1]
    ticket = last.after or last.before
    assert ticket is not None  # noqa: S101 - a life has a first record
    clocks = tuple(_cycle(moves, policies) for moves in by_cycle(life).values())
    return Explanation(
        ticket_id=ticket.ticket_id,
        state=last.entry.to,
        level=last.entry.level,
        registered_at=ticket.registered_at,
        records=len(life),
        fields=dict(last.fields_after),
        missing_policies=tuple(sorted({each.policy for each in clocks if not each.policy_known})),
        clocks=clocks,
    )


def _cycle(moves: Sequence[Move], policies: Policies) -> Cycle:
    last, reckoning = moves[-1], reckon(moves, policies)
    facts = tuple(_fact(moves, number, policies) for number in range(len(moves)))
    agrees = all(each.computed_deadline in (None, each.deadline) for each in facts)
    deadlines = [fact.deadline for fact in facts if fact.deadline is not None]
    return Cycle(
        clock=last.change.clock,
        cycle=last.change.cycle,
        status=last.after.status,
        policy=last.after.policy,
        policy_known=reckoning is not None,
        deadline=deadlines[-1] if deadlines else None,
        target_seconds=last.after.target_seconds,
        elapsed_seconds=last.change.elapsed_seconds,
        facts=facts,
        arithmetic=reckoning,
        agrees=None if reckoning is None else agrees and reckoning.agrees,
    )


def _fact(moves: Sequence[Move], number: int, policies: Policies) -> Fact:
    move = moves[number]
    change, entry, before = move.change, move.step.entry, move.before
    retargeted = change.change is Change.RETARGETED and before is not None
    return Fact(
        change=change.change,
        seq=entry.seq,
        at=change.at,
        recorded_at=entry.recorded_at,
        cause=entry.cause,
        trigger=entry.trigger,
        state=entry.to,
        level=entry.level,
        changed={name: value for name, value in entry.changed.items() if name in _TELLING},
        deadline=change.deadline,
        computed_deadline=computed_deadline(move, policies),
        elapsed_seconds=change.elapsed_seconds,
        target_seconds=change.target_seconds,
        not_counted_seconds=_not_counted(moves, number, policies),
        by=change.by,
        threshold=change.threshold,
        found_at=change.found_at,
        lateness_seconds=change.lateness_seconds,
        told=change.told,
        rule=_rule(moves, number, policies),
        deadline_before=before.deadline if retargeted and before is not None else None,
        target_before_seconds=before.target_seconds if retargeted and before is not None else None,
    )


def _not_counted(moves: Sequence[Move], number: int, policies: Policies) -> float | None:
    """The business time between what stopped the clock and its going on."""
    move = moves[number]
    if move.change.change is not Change.RESUMED or move.before is None:
        return None
    terms = terms_of(policies, move.before, move.step.fields_before)
    stopped = next((each for each in reversed(moves[:number]) if each.change.change in _STANDING), None)
    if terms is None or stopped is None:
        return None
    return terms.calendar.elapsed(stopped.change.at, move.change.at).total_seconds()


_STANDING: Final = (Change.PAUSED, Change.MET, Change.STOPPED, Change.CANCELLED)
"""The changes after which a clock stands still until it is `resumed`."""


def _rule(moves: Sequence[Move], number: int, policies: Policies) -> RuleInForce | None:
    move = moves[number]
    if move.change.change not in (Change.STARTED, Change.RETARGETED):
        return None
    fields = move.step.fields_after
    terms = terms_of(policies, move.after, fields)
    if terms is None:
        return None
    later = [each.change.deadline or each.change.at for each in moves[number:]]
    return in_words(terms, fields, move.change.at, max(later))
