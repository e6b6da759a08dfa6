"""What changes between two versions of the promises: for which tickets, and what it means for them.

Compared is what a ticket gets, not how the file says it: the space of tickets is cut where a rule of either
policy tells tickets apart, and each piece is matched in both. Rules in another order that match the same
tickets, a calendar with another name and the same hours, `60m` and `1h` make no difference.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

from workflow.calendar_words import changes as calendar_changes
from workflow.calendar_words import hours_of, in_words, opens_more
from workflow.calendars import ALWAYS, Calendar
from workflow.policy import ALWAYS_IN_FORCE, ANY, REGION, Policy, Rule
from workflow.promise_terms import Becomes, calendar_change, compared, target_words, terms_for
from workflow.ticket_groups import OTHER_REGIONS, Group, everything, groups_by, named

_OPENING = {1: "open longer", -1: "open shorter"}


@dataclass(frozen=True, slots=True)
class Promised:
    """A clock's promise to some tickets that changes.

    `details` are parts of a sentence: `30 min becomes 20 min`. One promise to several groups is one change.
    """

    clock: str
    becomes: Becomes
    tickets: tuple[Group, ...]
    details: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.clock}{_of(self.tickets)}: {'; '.join(self.details)}"


@dataclass(frozen=True, slots=True)
class PolicyDiff:
    """Everything that differs. All but `promises` is told in sentences."""

    before: str
    after: str
    """Both as `policy@version`."""
    version: tuple[str, ...]
    """The name, and when it comes into force."""
    promises: tuple[Promised, ...]
    citizens: tuple[str, ...]
    """When they are told things, when a registration is in hours, how long a ticket can be reopened."""
    calendars: tuple[str, ...]
    rules: tuple[str, ...]
    """Rules that are new, gone or moved, which need not change a promise."""

    @property
    def changes_promises(self) -> bool:
        """Whether anybody gets anything else than before."""
        return bool(self.promises or self.citizens)


def diff(before: Policy, after: Policy) -> PolicyDiff:
    """What changes from one version to another."""
    clocks = tuple(dict.fromkeys((*after.clock_ids, *before.clock_ids)))
    return PolicyDiff(
        before=before.label,
        after=after.label,
        version=tuple(_version(before, after)),
        promises=tuple(each for clock in clocks for each in _promises(before, after, clock)),
        citizens=tuple(_citizens(before, after)),
        calendars=tuple(_calendars(before, after)),
        rules=tuple(each for clock in clocks for each in _rules(before, after, clock)),
    )


def _version(before: Policy, after: Policy) -> Iterator[str]:
    if before.name != after.name:
        yield f"another policy: {before.name} becomes {after.name}"
    if before.effective_from != after.effective_from:
        yield f"in force {_from(after)} instead of {_from(before)}"


def _from(policy: Policy) -> str:
    if policy.effective_from == ALWAYS_IN_FORCE:
        return "from the beginning"
    return f"from {policy.effective_from.isoformat().removesuffix('+00:00')}Z"


def _promises(before: Policy, after: Policy, clock: str) -> Iterator[Promised]:
    pair = [(policy, [rule for rule in policy.rules if rule.clock == clock]) for policy in (before, after)]
    matched = [_matcher(each) for _, each in pair]
    rules = [rule for _, each in pair for rule in each]
    by_region = [policy for policy, each in pair if any(rule.calendar == REGION for rule in each)]
    fields = {name for rule in rules for name in rule.when} | ({REGION} if by_region else set())
    regions = {region for rule in rules for region in rule.when.get("region", ())}
    regions |= {region for policy in by_region for region in _regions(policy)}

    def alike(name: str, value: str) -> Hashable:
        calendars = _meanings(value, before, after) if by_region and name == "region" else ()
        return (*(value in rule.when[name] for rule in rules if name in rule.when), calendars)

    once = lru_cache(maxsize=None)(compared)  # bounded by the pairs of rules; most tickets share a few
    judged = groups_by(
        everything(tuple(regions), tuple(fields)),
        alike,
        lambda ticket: once(
            terms_for(before, matched[0](ticket), ticket), terms_for(after, matched[1](ticket), ticket)
        ),
    )
    for (becomes, details), tickets in judged:
        yield Promised(clock, becomes, tickets, details)


def _matcher(rules: Sequence[Rule]) -> Callable[[Mapping[str, str | None]], Rule | None]:
    """As ``Policy.match``, and quick for tickets one after another that share their first fields."""

    @lru_cache(maxsize=4096)
    def candidates(fields: tuple[tuple[str, str | None], ...]) -> tuple[Rule, ...]:
        if not fields:
            return tuple(rules)
        name, value = fields[-1]
        left = candidates(fields[:-1])
        return tuple(rule for rule in left if name not in rule.when or value in rule.when[name])

    return lambda ticket: next(iter(candidates(tuple(ticket.items()))), None)


def _citizens(before: Policy, after: Policy) -> Iterator[str]:
    if before.reopening_window != after.reopening_window:
        old, new = target_words(before.reopening_window), target_words(after.reopening_window)
        yield f"a closed ticket can be reopened for {new} instead of {old}"
    yield from _opening_hours(
        before,
        after,
        ("region",),
        lambda policy, ticket: policy.calendar_name(policy.citizen_hours, ticket["region"]),
        "citizens",
        "are told things in the hours of",
    )
    yield from _opening_hours(
        before,
        after,
        ("channel", "region"),
        lambda policy, ticket: policy.calendar_name(
            policy.service_hours.get(ticket["channel"] or ANY, policy.service_hours.get(ANY, "always")),
            ticket["region"],
        ),
        "registrations",
        "have the service hours",
    )


def _opening_hours(
    before: Policy,
    after: Policy,
    fields: tuple[str, ...],
    name_of: Callable[[Policy, Mapping[str, str | None]], str],
    whom: str,
    what: str,
) -> Iterator[str]:
    """For whom the calendars differ that `name_of` gives."""

    def judge(ticket: Mapping[str, str | None]) -> str | None:
        names = name_of(before, ticket), name_of(after, ticket)
        old, new = _calendar(before, names[0]), _calendar(after, names[1])
        more = opens_more(hours_of(old), hours_of(new))
        if more == 0:
            return None
        opening = f" ({_OPENING[more]})" if more in _OPENING else ""
        return f"{what} {calendar_change((names[0], old), (names[1], new))}{opening}"

    def alike(name: str, value: str) -> Hashable:
        return _meanings(value, before, after) if name == "region" else value

    regions = (*_regions(before), *_regions(after))
    for sentence, tickets in groups_by(everything(regions, fields), alike, judge):
        yield f"{' and '.join(group.of(whom) for group in tickets)} {sentence}"


def _calendars(before: Policy, after: Policy) -> Iterator[str]:
    gone = {name: each for name, each in before.calendars.items() if name not in after.calendars}
    for name, calendar in after.calendars.items():
        old = before.calendars.get(name)
        if old is not None:
            if hours_of(old) != hours_of(calendar):
                yield f"{name}: {', '.join(calendar_changes(old, calendar))}"
            continue
        same = [other for other, each in gone.items() if hours_of(each) == hours_of(calendar)]
        if same:
            del gone[same[0]]
            yield f"{same[0]} is now called {name}"
        else:
            yield f"{name} is new: {in_words(calendar)}"
    yield from (f"{name} is gone" for name in gone)
    yield from _region_calendars(before, after)


def _region_calendars(before: Policy, after: Policy) -> Iterator[str]:
    def judge(ticket: Mapping[str, str | None]) -> str | None:
        old, new = _meanings(ticket["region"] or OTHER_REGIONS, before, after)
        same = old == new or hours_of(_calendar(before, old)) == hours_of(_calendar(after, new))
        return None if same else f"is {new} instead of {old}"

    values = everything((*_regions(before), *_regions(after)), ("region",))
    for sentence, tickets in groups_by(values, lambda _, value: _meanings(value, before, after), judge):
        yield f"{' and '.join(group.of('`region` for tickets') for group in tickets)} {sentence}"


def _calendar(policy: Policy, name: str) -> Calendar:
    return policy.calendars.get(name, ALWAYS)


def _meanings(region: str, before: Policy, after: Policy) -> tuple[str, str]:
    """The names of the calendars that `region` means for a region, in both."""
    known = None if region == OTHER_REGIONS else region
    return before.calendar_name(REGION, known), after.calendar_name(REGION, known)


def _regions(policy: Policy) -> tuple[str, ...]:
    return tuple(region for region in policy.region_calendars if region != ANY)


def _rules(before: Policy, after: Policy, clock: str) -> Iterator[str]:
    """Which rules are new, gone or at another place among those of their clock, told apart by `when`."""
    old, new = (
        {_when(rule): rule for rule in policy.rules if rule.clock == clock} for policy in (before, after)
    )
    regions = {region for rule in (*old.values(), *new.values()) for region in rule.when.get("region", ())}

    def words(rule: Rule) -> str:
        return f"{clock}{_of((named(rule.when, everything(tuple(regions))),))}"

    yield from (f"rule {rule.number} is gone: {words(rule)}" for key, rule in old.items() if key not in new)
    yield from (f"rule {rule.number} is new: {words(rule)}" for key, rule in new.items() if key not in old)
    was, now = [key for key in old if key in new], [key for key in new if key in old]
    blocks = SequenceMatcher(None, was, now, autojunk=False).get_matching_blocks()
    kept = {key for block in blocks for key in was[block.a : block.a + block.size]}
    for key in now:
        if key not in kept:
            yield f"rule {old[key].number} is now rule {new[key].number}, among others: {words(new[key])}"


def _when(rule: Rule) -> Hashable:
    return frozenset(rule.when.items())


def _of(tickets: tuple[Group, ...]) -> str:
    return f" of {'; and of '.join(map(str, tickets))}" if any(group.fields for group in tickets) else ""
