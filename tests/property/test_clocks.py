"""What a clock in the engine makes of business time: pauses, and the instant at which it fires."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given

from schemas.state import Clock
from tests.support.calendars import durations, moments
from tests.support.laws import law
from tests.support.world import START, World, written
from workflow.calendars import Calendar
from workflow.policy import Policies

ZERO, MICROSECOND = timedelta(), timedelta(microseconds=1)

(WRITTEN,) = written("""
clocks:
  - {clock: whole, target: 1h, start: [created], stop: [resolved], pause: [pending], warn: [50%],
     on_breach: [{after: 30m, notify: [supervisor]}]}
""").versions

Moments = tuple[Calendar, list[datetime]]


def promising(calendar: Calendar, target: timedelta) -> Policies:
    """One clock with that target in that calendar, which stands still while the ticket is pending."""
    rule = replace(WRITTEN.rules[0], target=target, calendar="drawn")
    return Policies((replace(WRITTEN, rules=(rule,), calendars={"drawn": calendar}),))


def seconds(instant: datetime) -> float:
    """The number that a World takes, exact to the microsecond."""
    return (instant - START).total_seconds()


def registered(calendar: Calendar, target: timedelta, start: datetime) -> World:
    """A ticket that an operator has from its registration on."""
    w = World(promising(calendar, target))
    w.send("created", seconds(start))
    w.send("assigned", seconds(start))
    return w


def after_each_pause(w: World, turns: list[datetime]) -> Iterator[tuple[datetime, datetime, Clock]]:
    """Pause and resume in turn: each pause, and the clock after it."""
    for pending, resumed in zip(turns[::2], turns[1::2], strict=True):
        w.send("pending", seconds(pending))
        w.send("resumed", seconds(resumed))
        yield pending, resumed, w.clock("whole")


@law
@given(moments(7), durations)
def test_pauses_put_a_deadline_off_by_exactly_their_business_length(
    moment: Moments, target: timedelta
) -> None:
    """The deadline is where the target and all pauses have elapsed; after a breach it stays where it was."""
    calendar, (start, *turns) = moment
    w = registered(calendar, target, start)
    paused, deadline = ZERO, calendar.add(start, target)
    for pending, resumed, clock in after_each_pause(w, turns):
        assert clock.breached == (pending > deadline)
        if not clock.breached:
            used_up = calendar.elapsed(start, pending) - paused == target
            paused += calendar.elapsed(pending, resumed)
            # Paused with nothing left: due as soon as it runs again, and no opening is waited for.
            deadline = resumed if used_up else calendar.add(start, target + paused)
            assert calendar.elapsed(start, deadline) == target + paused
        assert clock.deadline == deadline


@law
@given(moments(3), durations)
def test_nothing_fires_a_microsecond_early(moment: Moments, target: timedelta) -> None:
    """Warning, breach and step fire at the instant at which their business time has elapsed, none before."""
    calendar, (start, *turns) = moment
    w = registered(calendar, target, start)
    ((pending, resumed, _),) = after_each_pause(w, turns)
    paused = calendar.elapsed(pending, resumed)
    for name, point in (
        ("50%", target // 2),
        ("breach", target),
        ("+30m", target + timedelta(minutes=30)),
    ):
        if name in w.clock("whole").fired or not point:
            continue
        due = max(calendar.add(start, point + paused), resumed)
        assert calendar.elapsed(start, due) - paused >= point
        w.until(seconds(due - MICROSECOND))
        assert name not in w.clock("whole").fired
        w.until(seconds(due))
        assert name in w.clock("whole").fired
        assert w.firings()[-1][3:] == (name, seconds(due), 0)


@law
@given(moments(2), durations)
def test_a_stop_at_the_deadline_meets_it_and_a_microsecond_later_breaks_it(
    moment: Moments, target: timedelta
) -> None:
    """The verdict turns between two neighbouring microseconds, wherever the deadline lies."""
    calendar, (start, _) = moment
    deadline = calendar.add(start, target)
    for stop, names in (
        (deadline, ["started", "met"]),
        (deadline + MICROSECOND, ["started", "breached", "stopped"]),
    ):
        w = registered(calendar, target, start)
        w.send("resolved", seconds(stop))
        assert [name for name in w.names("whole") if not name.startswith("warned")] == names
