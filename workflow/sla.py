"""What an event does to a ticket's clocks.

The rules are the contract's: "Clock rules", "Re-matching", "Event time", "Reopening".

One event acts so: cancel and stop under the running rule; fields change; re-match; start; then pause or
resume by the new state. Everything here works on a Ledger, which records each change and applies it.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from schemas.instants import seconds
from schemas.records import Change
from schemas.state import EXPIRED, Clock, Mark, State, Verdict
from workflow.ledger import Fields, Ledger
from workflow.policy import Reopen, Rule, Target
from workflow.ticket import on_closed

BREACH = "breach"
"""The name of the threshold at the deadline."""


def act(
    ledger: Ledger, triggers: Collection[str], fields: Fields, state: State, *, cancelling: bool = False
) -> None:
    """Do to the clocks what the triggers of one event do, in the order of the contract.

    `fields` and `state` are the ticket's after the event. `cancelling`: the ticket closes as cancelled,
    duplicate or merged, which cancels before any stop.
    """
    ended = [name for name, clock in ledger.clocks.items() if not clock.running]
    _end(ledger, triggers, cancelling=cancelling)
    before, ledger.fields = ledger.fields, fields
    if ledger.ticket is not None and before != fields:
        _rematch(ledger, before)
        _start_late(ledger, triggers, before)
    if "contacted" not in triggers or state is not State.CLOSED:
        _start(ledger, triggers)
    if "reopened" in triggers:
        _reopen(ledger, ended)
    moved = ledger.ticket is not None and (ledger.ticket.state is not state or "escalated" in triggers)
    stand(ledger, state, moved=moved and not ledger.by_engine)


def finish(ledger: Ledger, clock: Clock, *, cancel: bool) -> None:
    """End a clock: met, cancelled, or stopped where the promise is broken already.

    An event that counts at or before the declared deadline withdraws that breach first.
    """
    at = ledger.moment(clock)
    if ledger.breach_is_wrong(clock, at):
        clock = ledger.retract(clock, at)
    elif not clock.running:
        return
    if clock.breached:
        ledger.change(clock, Change.STOPPED, at)
    elif cancel:
        ledger.change(clock, Change.CANCELLED, at)
    elif _is_late(ledger, clock, at):
        # The deadline was set into the past by an event of this very instant, so that no firing came between.
        ledger.change(_breach_now(ledger, clock, at), Change.STOPPED, at)
    else:
        ledger.change(clock, Change.MET, at)


def stand(ledger: Ledger, state: State, *, moved: bool = False) -> None:
    """Pause or resume every running clock by the state that the ticket is in.

    `moved`: an event leads into that state. From when it counts on nothing else does, whatever the engine has
    done to the clock since then: a late pause withdraws a breach that came after it, too.
    """
    for clock in ledger.running():
        pauses, at = state in ledger.rule(clock).pause, ledger.moment(clock)
        turned = any(turn.at > at for turn in clock.turns)
        again = moved and (turned or (pauses and ledger.breach_is_wrong(clock, at)))
        if clock.paused is pauses and not again:
            continue
        if pauses:
            _pause(ledger, clock)
        else:
            _resume(ledger, clock)


def _end(ledger: Ledger, triggers: Collection[str], *, cancelling: bool) -> None:
    expired = ledger.ticket is not None and ledger.ticket.close_reason == EXPIRED
    for name in sorted(ledger.clocks):
        clock = ledger.clocks[name]
        rule = ledger.rule(clock)
        cancel = cancelling or not rule.cancel.isdisjoint(triggers)
        if not cancel and rule.stop.isdisjoint(triggers):
            continue
        if clock.running:
            finish(ledger, clock, cancel=cancel)
        elif clock.ended_by_engine:
            _reconsider(ledger, clock, cancel=cancel, closes=expired and "closed" in triggers)


def _reconsider(ledger: Ledger, clock: Clock, *, cancel: bool, closes: bool) -> None:
    """Judge again a clock that only the engine's own closing ended.

    A person's closing replaces the engine's; anything else matters where it counts before that.
    """
    at = ledger.moment(clock)
    if clock.verdict is not Verdict.MET:
        finish(ledger, clock, cancel=cancel)
    elif cancel and (closes or (clock.ended_at is not None and at <= clock.ended_at)):
        ledger.change(ledger.retract(clock, at), Change.CANCELLED, at)


def _is_late(ledger: Ledger, clock: Clock, at: datetime) -> bool:
    if clock.paused:
        return ledger.elapsed(clock, at) > timedelta(seconds=clock.target_seconds)
    return clock.deadline is not None and at > clock.deadline


def _breach_now(ledger: Ledger, clock: Clock, at: datetime) -> Clock:
    lateness = seconds(ledger.now - at)
    found = {"threshold": BREACH, "found_at": ledger.now, "lateness_seconds": lateness}
    return ledger.change(clock, Change.BREACHED, at, **found)


def _rematch(ledger: Ledger, before: Fields) -> None:
    """Let running clocks find their rule anew, within the policy version that they started under."""
    after = ledger.fields
    for clock in ledger.running():
        policy, at = ledger.policies.get(clock.policy), ledger.moment(clock)
        old, new = policy.rule(clock.rule), policy.match(clock.clock, after)
        calendar = policy.calendar_of(old, before["region"])
        if new is old and policy.calendar_of(old, after["region"]) is calendar:
            continue
        ledger.fields = before  # what has elapsed was counted in the old region's hours
        elapsed = ledger.elapsed(clock, at)
        target = None if new is None else _target_under(ledger, clock, new, at, elapsed)
        if target is None:
            finish(ledger, clock, cancel=True)
        ledger.fields = after
        if new is not None and target is not None:
            ledger.retarget(clock, new, at=at, elapsed=elapsed, target=target)


def _target_under(
    ledger: Ledger, clock: Clock, rule: Rule, at: datetime, elapsed: timedelta
) -> timedelta | None:
    """What a running clock's target becomes under a rule; None: an instant that nobody has announced.

    A match is no announcement: what was announced for the clock stays its target.
    """
    if rule.target == ledger.rule(clock).target:
        return timedelta(seconds=clock.target_seconds)
    return ledger.target(rule, at, elapsed)


def _start_late(ledger: Ledger, triggers: Collection[str], before: Fields) -> None:
    """Start clocks that match for the first time, at their last start trigger, unless one has ended since."""
    for clock_id in ledger.policy.clock_ids:
        rule = ledger.policy.match(clock_id, ledger.fields)
        if rule is None or clock_id in ledger.clocks or rule is ledger.policy.match(clock_id, before):
            continue
        if not rule.start.isdisjoint(triggers):
            continue  # it starts now
        if not (rule.stop | rule.cancel).isdisjoint(triggers):
            continue
        begun = _last_start(ledger, rule)
        if begun is not None:
            trigger, mark = begun
            run = _run_since(ledger, rule, trigger, mark)
            for clock in run.running():
                at = max(ledger.at, clock.since)  # nothing counts before its last pause or resumption
                ledger.begin(clock_id, ledger.policy, rule, by=trigger, at=at, elapsed=run.elapsed(clock, at))


def _last_start(ledger: Ledger, rule: Rule) -> tuple[str, Mark] | None:
    """The rule's last start trigger, if no stop or cancel trigger came since."""
    assert ledger.ticket is not None  # noqa: S101 - only a ticket that exists can change its fields
    marks = ledger.ticket.triggers
    starts = [name for name in sorted(rule.start) if name in marks]
    if not starts:
        return None
    begun = max(starts, key=lambda name: marks[name].seq)
    ends = {each for name in rule.stop | rule.cancel for each in (name, on_closed(name))}
    if any(_came_since(marks, name, begun) for name in ends & marks.keys()):
        return None
    return begun, marks[begun]


def _came_since(marks: Mapping[str, Mark], name: str, begun: str) -> bool:
    """Whether `name` came last after `begun`; a drop that creates is created first, then dropped."""
    if marks[name].seq == marks[begun].seq:
        return begun == "created" and name != "created"
    return marks[name].seq > marks[begun].seq


def _run_since(ledger: Ledger, rule: Rule, trigger: str, start: Mark) -> Ledger:
    """As if the clock had run since its start trigger: what every state since then would have done to it."""
    assert ledger.ticket is not None  # noqa: S101 - see _last_start
    run = replace(ledger, clocks={}, changes=[], at=start.at)
    run.begin(rule.clock, run.policy, rule, by=trigger)
    found_in = [entered for entered in ledger.ticket.history if entered.seq <= start.seq][-1:]
    for entered in found_in:
        stand(run, entered.state)
    for entered in ledger.ticket.history:
        if entered.seq > start.seq:
            run.at, run.by_engine = entered.at, entered.by_engine
            stand(run, entered.state, moved=not entered.by_engine)
    return run


def _start(ledger: Ledger, triggers: Collection[str]) -> None:
    for clock in ledger.running():
        rule = ledger.rule(clock)
        # Elsewhere a start while running is ignored; an announcement replaces the one before it.
        if isinstance(rule.target, Target) and not rule.start.isdisjoint(triggers):
            _renew(ledger, clock, rule)
    for trigger in triggers:
        for clock_id in ledger.policy.clocks_started_by(trigger):
            _begin(ledger, clock_id, trigger)


def _begin(ledger: Ledger, clock_id: str, trigger: str) -> None:
    """Start a clock that is not running, if the rule that matches now starts at the trigger."""
    clock = ledger.clocks.get(clock_id)
    if clock is not None and clock.running:
        return
    rule = ledger.policy.match(clock_id, ledger.fields)
    if rule is not None and trigger in rule.start:
        ledger.begin(clock_id, ledger.policy, rule, by=trigger)


def _renew(ledger: Ledger, clock: Clock, rule: Rule) -> None:
    """Announce another instant: a retarget, or after a breach the end of this cycle before the next."""
    at = ledger.moment(clock)
    elapsed = ledger.elapsed(clock, at)
    target = ledger.target(rule, at, elapsed)
    if clock.breached:
        ledger.change(clock, Change.STOPPED, at)
    elif target is not None:
        ledger.retarget(clock, rule, at=at, elapsed=elapsed, target=target)


def _reopen(ledger: Ledger, ended: Collection[str]) -> None:
    for name in sorted(ended):
        clock = ledger.clocks[name]
        mode = ledger.rule(clock).reopen
        if clock.running or mode is Reopen.NONE:
            continue
        if mode is Reopen.RESTART:
            rule = ledger.policy.match(name, ledger.fields)
            if rule is not None:
                ledger.begin(name, ledger.policy, rule, by="reopened")
        else:
            _continue(ledger, clock)


def _continue(ledger: Ledger, clock: Clock) -> None:
    """Let an ended clock go on where it stood: a met is withdrawn, a breach stays, the gap is not counted."""
    at = ledger.moment(clock)
    elapsed = ledger.elapsed(clock, at)
    if clock.verdict is Verdict.MET:
        clock = ledger.retract(clock, at)
    ledger.resume(clock, at=at, elapsed=elapsed)
    _rematch_one(ledger, ledger.clocks[clock.clock])


def _rematch_one(ledger: Ledger, clock: Clock) -> None:
    """Follow what was reclassified while the clock had ended."""
    at, elapsed = clock.since, timedelta(seconds=clock.elapsed_seconds)
    rule = ledger.policies.get(clock.policy).match(clock.clock, ledger.fields)
    if rule is None or rule.number == clock.rule:
        return
    target = _target_under(ledger, clock, rule, at, elapsed)
    if target is None:
        finish(ledger, clock, cancel=True)
    else:
        ledger.retarget(clock, rule, at=at, elapsed=elapsed, target=target)


def _pause(ledger: Ledger, clock: Clock) -> None:
    at = ledger.moment(clock)
    if ledger.breach_is_wrong(clock, at):
        clock = ledger.retract(clock, at)
    ledger.change(clock, Change.PAUSED, at, deadline=None)


def _resume(ledger: Ledger, clock: Clock) -> None:
    at = ledger.moment(clock)
    ledger.resume(clock, at=at, elapsed=ledger.elapsed(clock, at))


def move_start(ledger: Ledger, earlier: datetime, registered_at: datetime) -> None:
    """Let running clocks that started at `created` count from an earlier registration."""
    for clock in ledger.running():
        rule = ledger.rule(clock)
        if clock.by != "created" or isinstance(rule.target, Target):
            continue
        at = ledger.moment(clock)
        elapsed = ledger.elapsed(clock, at) + ledger.calendar(clock).elapsed(earlier, registered_at)
        target = timedelta(seconds=clock.target_seconds)
        ledger.retarget(clock, rule, at=at, elapsed=elapsed, target=target)
