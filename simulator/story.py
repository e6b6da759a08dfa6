"""A history as a story for a person: what arrived, what went wrong, what the workers did, what was found."""

from collections.abc import Iterator
from datetime import timedelta

from simulator.history import History
from simulator.plan import Plan
from simulator.policies import DOCUMENTS, START

_MOST_LINES = 400


def story(plan: Plan, history: History) -> Iterator[str]:
    """The lines of the story."""
    versions = ", ".join(f"{each['policy']}@{each['version']}" for each in DOCUMENTS[plan.policy])
    yield f"Seed {plan.seed}: {plan.hours} hours from {START:%Y-%m-%d %H:%M} UTC, policy {versions}."
    yield (
        f"{len(plan.tickets)} tickets, {plan.partitions} partitions, workers {', '.join(plan.workers)}"
        f"{' of an eager group' if plan.eager else ''}, at most {plan.max_records} records and "
        f"{plan.max_firings} firings a turn."
    )
    lines = [(float(each.at_seconds), f"channel: {each.said}") for each in plan.arriving]
    lines = sorted([*lines, *history.told], key=lambda line: line[0])
    if len(lines) > _MOST_LINES:
        yield f"(the last {_MOST_LINES} of {len(lines)} lines)"
    for seconds, sentence in lines[-_MOST_LINES:]:
        yield f"  {_time(seconds)}  {sentence}"
    yield from (f"FOUND {finding}" for finding in history.findings)


def _time(seconds: float) -> str:
    moment = START + timedelta(seconds=seconds)
    return f"{moment:%d %H:%M:%S}.{moment.microsecond // 1000:03}"
