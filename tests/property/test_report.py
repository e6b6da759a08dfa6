"""What holds for every report: it agrees with the metrics, adds up, and depends on no order."""

import statistics
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.report_fold import WORST_KEPT, Frame
from schemas.records import MetricName, Outcome
from tests.support.histories import POLICY, TICKETS, Sent, histories
from tests.support.reporting import FOR_EVER, figures, figures_of, frame
from tests.support.world import DAY, HOUR, World, seconds_of, written
from workflow.measures import metrics
from workflow.report_facts import CONFIRMATION
from workflow.report_figures import Figures, Group, distribution

POLICIES = written(
    POLICY.replace("clock: first,", "clock: first_response,").replace("clock: whole,", "clock: resolution,")
)
BY = ("category", "queue", "channel", "region", "day")
GROUPINGS = st.lists(st.sampled_from(BY), unique=True, max_size=3)
CUTS = st.lists(st.integers(0, 60), max_size=4)
"""Numbers of records at whose instant a period is cut: the edges are where it goes wrong."""


def played(history: Sequence[Sent]) -> World:
    """The world after a history, when nothing is due for two days more."""
    w = World(POLICIES)
    for sent in history:
        w.send(sent.trigger, sent.time, arrives=sent.arrives, ticket=sent.ticket, id=sent.id, **sent.data)
    w.until(history[-1].arrives + 2 * DAY)
    return w


def added(groups: Sequence[Group]) -> Counter[str]:
    """All that can be added up, of several groups."""
    total: Counter[str] = Counter()
    for group in groups:
        total.update({f"count {name}": count for name, count in group.counts.items()})
        total.update({f"time {name}": each.count for name, each in group.times.items()})
        for each in (group.all_promises, *group.promises):
            for name in ("kept", "broken", "met", "unmet", "breached", "retracted", "cancelled"):
                total[f"{each.clock} {name}"] += getattr(each, name)
    return Counter({name: count for name, count in total.items() if count})


@given(histories(tickets=3), st.integers(0, 2 * DAY), st.integers(1, 2 * DAY))
@settings(max_examples=50, deadline=None)
def test_the_counts_are_those_of_the_metrics_in_the_period(
    history: list[Sent], start: int, length: int
) -> None:
    """Verdicts and counts of a period are the metrics whose time lies in it."""
    w = played(history)
    of = frame(start, start + length)
    verdicts: Counter[tuple[str, str]] = Counter()
    counts: Counter[str] = Counter()
    for fact in w.facts:
        if of.start <= fact.entry.at < of.end:
            for _, metric in metrics(fact):
                counts[metric.metric] += 1
                if metric.metric is MetricName.CLOCK_OUTCOME:
                    verdicts[metric.labels["clock"], metric.labels["outcome"]] += 1
    total = figures_of(w, of).total
    found = {
        (each.clock, str(outcome)): getattr(each, outcome) for each in total.promises for outcome in Outcome
    }
    assert {key: count for key, count in found.items() if count} == verdicts
    names = {
        "assigned": "wait_seconds", "resolved": "resolution_seconds", "reopened": "reopening",
        "repeat_contacts": "repeat_contact", "corrections": "correction",
    }  # fmt: skip
    assert {name: total.counts[name] for name in names} == {
        name: counts[metric] for name, metric in names.items()
    }
    escalated = total.counts["escalated_by_event"] + total.counts["escalated_by_engine"]
    assert escalated == counts["escalation"]


@given(histories(tickets=3), GROUPINGS, st.permutations(TICKETS))
@settings(max_examples=30, deadline=None)
def test_the_order_of_partitions_and_the_mixture_of_tickets_change_nothing(
    history: list[Sent], by: list[str], order: list[str]
) -> None:
    """All tickets in one partition, or each in one of its own in any order: the figures are the same."""
    w = played(history)
    apart: Figures = figures([w.entries(ticket) for ticket in order], frame(by=by))
    assert figures_of(w, frame(by=by)) == apart


@given(histories(tickets=3), CUTS)
@settings(max_examples=30, deadline=None)
def test_a_period_is_the_sum_of_its_parts(history: list[Sent], cuts: list[int]) -> None:
    """Counts of adjacent periods add up to those of the whole."""
    w = played(history)
    instants = {seconds_of(w.facts[cut % len(w.facts)].entry.at) or 0.0 for cut in cuts}
    ends = [-HOUR, *sorted(instants), FOR_EVER]
    parts = [figures_of(w, frame(*pair)).total for pair in pairwise(ends)]
    assert added(parts) == added([figures_of(w, frame(-HOUR, FOR_EVER)).total])


@given(histories(tickets=3), GROUPINGS)
@settings(max_examples=30, deadline=None)
def test_the_groups_add_up_to_the_total(history: list[Sent], by: list[str]) -> None:
    """Every record is counted in one group, and the total does not depend on the grouping."""
    w = played(history)
    found = figures_of(w, frame(by=by))
    assert found.total == figures_of(w, frame()).total
    assert len({tuple(group.group.items()) for group in found.groups}) == len(found.groups)
    if by:
        assert added(found.groups) == added([found.total])
    days = [each.promises for each in found.days]
    assert sum(each.breached for each in days) == found.total.all_promises.breached
    assert sum(each.breached for each in found.hours) == found.total.all_promises.breached


@given(histories(tickets=3))
@settings(max_examples=50, deadline=None)
def test_every_broken_promise_is_among_the_worst(history: list[Sent]) -> None:
    """Where they are few each is named, whatever came after it: as many of each clock as were broken."""
    found = figures_of(played(history), frame())
    broken = {
        each.clock: each.broken for each in found.total.promises if each.broken and each.clock != CONFIRMATION
    }
    named = Counter(each.clock for each in found.worst)
    assert named == broken or len(found.worst) == WORST_KEPT
    assert len({(each.ticket_id, each.clock, each.cycle) for each in found.worst}) == len(found.worst)


@given(histories(tickets=2))
@settings(max_examples=30, deadline=None)
def test_shares_are_shares(history: list[Sent]) -> None:
    """A share is not known or lies between 0 and 1, hour by hour."""
    w = played(history)
    for hour in range(0, 12, 2):
        of: Frame = frame(hour * HOUR, (hour + 2) * HOUR)
        for each in figures_of(w, of).total.promises:
            assert each.kept_share is None or 0 <= each.kept_share <= 1


@given(st.lists(st.floats(0, 10**7), min_size=2, max_size=200))
def test_percentiles_are_those_of_the_standard_library(values: list[float]) -> None:
    """They are `statistics.quantiles` with the method inclusive, to the microsecond."""
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    found = distribution(values)
    named = (found.p50, found.p75, found.p90, found.p95, found.p99)
    assert named == pytest.approx([cuts[percent - 1] for percent in (50, 75, 90, 95, 99)], abs=1e-6)
    assert (found.count, found.max) == (len(values), max(values))
