"""The policy as the decisions see it: rules, thresholds, calendars, versions. ``policy_file`` reads it."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from schemas.records import Role
from workflow.calendars import ALWAYS, Calendar

ALWAYS_IN_FORCE: Final = datetime.min.replace(tzinfo=UTC)
"""``effective_from`` of a policy that states none."""

REGION: Final = "region"
"""As a calendar's name: the one that ``region_calendars`` gives for the ticket's region."""

ANY: Final = "*"
"""The key of ``region_calendars`` and ``service_hours`` for whatever has no entry of its own."""

FIELDS: Final = ("category", "priority", "channel", "queue", "region")
"""The fields of a ticket that a rule's ``when`` may name."""

_MICROSECOND: Final = timedelta(microseconds=1)


class Action(StrEnum):
    """What a step does with the ticket."""

    ESCALATE = "escalate"
    CLOSE = "close"
    NONE = "none"


class Kind(StrEnum):
    """What a threshold is: a warning, the deadline itself, or a later step of ``on_breach``."""

    WARN = "warn"
    BREACH = "breach"
    STEP = "step"


class Reopen(StrEnum):
    """What an ended clock does when its ticket is reopened."""

    RESTART = "restart"
    CONTINUE = "continue"
    NONE = "none"


class Target(StrEnum):
    """A target that an event states: the deadline of ``promised`` or the ``at`` of ``scheduled``."""

    PROMISED = "promised"
    SCHEDULED = "scheduled"


@dataclass(frozen=True, slots=True)
class Threshold:
    """A moment of a clock's run at which something happens, once a cycle."""

    name: str
    """As the policy writes it, a step with a ``+``: ``50%``, ``-5m``, ``breach``, ``+15m``."""
    order: int
    """Its place in the policy: warnings as listed, then the breach, then the steps as listed."""
    kind: Kind
    percent: int | None = None
    """Of the target; None: ``offset`` from the deadline."""
    offset: timedelta = timedelta()
    do: Action = Action.NONE
    notify: tuple[Role, ...] = ()

    def point(self, target: timedelta) -> timedelta:
        """The elapsed business time at which it is due, negative when that is before the clock's start."""
        if self.percent is None:
            return target + self.offset
        return (target // _MICROSECOND) * self.percent // 100 * _MICROSECOND


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One entry of ``clocks``. Two rules are equal where they are the same one."""

    number: int
    """From 1, its place in the file."""
    clock: str
    target: timedelta | Target
    start: frozenset[str]
    stop: frozenset[str]
    thresholds: tuple[Threshold, ...]
    when: Mapping[str, frozenset[str]] = field(default_factory=dict, hash=False)
    cancel: frozenset[str] = frozenset()
    pause: frozenset[str] = frozenset()
    reopen: Reopen = Reopen.NONE
    calendar: str = "always"
    """A calendar's name, or ``region``."""

    def matches(self, fields: Mapping[str, str | None]) -> bool:
        """Whether the ticket's fields satisfy ``when``; a field that the ticket lacks satisfies nothing."""
        return all(fields.get(name) in allowed for name, allowed in self.when.items())


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of the promises."""

    name: str
    version: str
    rules: tuple[Rule, ...]
    effective_from: datetime = ALWAYS_IN_FORCE
    calendars: Mapping[str, Calendar] = field(default_factory=dict, hash=False)
    region_calendars: Mapping[str, str] = field(default_factory=dict, hash=False)
    service_hours: Mapping[str, str] = field(default_factory=dict, hash=False)
    citizen_hours: str = "always"
    reopening_window: timedelta = timedelta(days=30)
    _by_clock: Mapping[str, tuple[Rule, ...]] = field(init=False, repr=False, compare=False)
    _by_start: Mapping[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_clock: dict[str, tuple[Rule, ...]] = {}
        for rule in self.rules:
            by_clock[rule.clock] = (*by_clock.get(rule.clock, ()), rule)
        object.__setattr__(self, "_by_clock", MappingProxyType(by_clock))
        object.__setattr__(self, "_by_start", MappingProxyType(_by_start_trigger(by_clock)))
        for name in ("calendars", "region_calendars", "service_hours"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    @property
    def label(self) -> str:
        """What records call it: ``gosuslugi@2026.1``."""
        return f"{self.name}@{self.version}"

    @property
    def clock_ids(self) -> tuple[str, ...]:
        """The ids of its clocks in the order of their first appearance."""
        return tuple(self._by_clock)

    def clocks_started_by(self, trigger: str) -> tuple[str, ...]:
        """The ids of the clocks that some rule starts at that trigger, in the order of `clock_ids`."""
        return self._by_start.get(trigger, ())

    def rule(self, number: int) -> Rule:
        """The rule with that place in the file, counted from 1.

        Raises:
            IndexError: there is none.
        """
        if not 1 <= number <= len(self.rules):
            raise IndexError(f"The policy {self.label} has no rule {number}.")
        return self.rules[number - 1]

    def match(self, clock_id: str, fields: Mapping[str, str | None]) -> Rule | None:
        """The first rule of that clock whose ``when`` matches; only that one counts."""
        for rule in self._by_clock.get(clock_id, ()):
            if rule.matches(fields):
                return rule
        return None

    def calendar_of(self, rule: Rule, region: str | None) -> Calendar:
        """The calendar in which a rule's clock counts; an announced instant has none, so ``always``."""
        return ALWAYS if isinstance(rule.target, Target) else self._calendar(rule.calendar, region)

    def service_calendar(self, channel: str, region: str | None) -> Calendar:
        """The hours outside which a registration by that channel gets the out-of-hours message."""
        return self._calendar(_entry(self.service_hours, channel), region)

    def citizen_calendar(self, region: str | None) -> Calendar:
        """The hours outside which a notification to a citizen carries ``not_before``."""
        return self._calendar(self.citizen_hours, region)

    def calendar_name(self, name: str, region: str | None) -> str:
        """The calendar's name that a name stands for: of ``region``, what that region has."""
        return _entry(self.region_calendars, region) if name == REGION else name

    def _calendar(self, name: str, region: str | None) -> Calendar:
        name = self.calendar_name(name, region)
        return ALWAYS if name == "always" else self.calendars[name]


class UnknownPolicyVersion(LookupError):  # noqa: N818 - it names what is wrong, as a cure needs
    """A clock runs under a version of the policy that this process was not given."""

    def __init__(self, label: str, known: Iterable[str]) -> None:
        self.label = label
        super().__init__(
            f"A running clock needs the policy version {label}, and only {', '.join(known)} "
            "is here; put the file of that version into the folder that TICKETFLOW_POLICY names."
        )


class Policies:
    """The versions of one policy that a process knows, in the order in which they come into force."""

    def __init__(self, versions: Iterable[Policy]) -> None:
        """Take the versions in any order.

        Raises:
            ValueError: none, different policies, a version twice, or two with the same effective date.
        """
        self._versions = tuple(sorted(versions, key=lambda policy: policy.effective_from))
        self._dates = [policy.effective_from for policy in self._versions]
        self._by_label = {policy.label: policy for policy in self._versions}
        if not self._versions:
            raise ValueError("There is no policy.")
        if len({policy.name for policy in self._versions}) > 1:
            raise ValueError("The versions belong to policies of different names; a folder holds one policy.")
        if len(self._by_label) < len(self._versions):
            raise ValueError("Two files state the same version of the policy.")
        if len(set(self._dates)) < len(self._dates):
            raise ValueError("Two versions have the same effective_from, so neither is the one in force.")

    @property
    def versions(self) -> tuple[Policy, ...]:
        """All versions, the earliest first."""
        return self._versions

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of all versions, the earliest first."""
        return tuple(self._by_label)

    @property
    def targets(self) -> frozenset[timedelta]:
        """The targets of all promises but of those that an event announces."""
        targets = (rule.target for version in self._versions for rule in version.rules)
        return frozenset(target for target in targets if isinstance(target, timedelta))

    def in_force(self, arrival: datetime) -> Policy:
        """The version under which an arrival starts clocks; before the earliest one, that one."""
        return self._versions[max(bisect_right(self._dates, arrival) - 1, 0)]

    def get(self, label: str) -> Policy:
        """The version with that label.

        Raises:
            UnknownPolicyVersion: it is not among them.
        """
        try:
            return self._by_label[label]
        except KeyError:
            raise UnknownPolicyVersion(label, self.labels) from None


def _by_start_trigger(by_clock: Mapping[str, tuple[Rule, ...]]) -> dict[str, tuple[str, ...]]:
    by_start: dict[str, tuple[str, ...]] = {}
    for clock, rules in by_clock.items():
        for trigger in frozenset().union(*(rule.start for rule in rules)):
            by_start[trigger] = (*by_start.get(trigger, ()), clock)
    return by_start


def _entry(by_key: Mapping[str, str], key: str | None) -> str:
    """The entry of a key, else that of ``*``, else ``always``."""
    if key is not None and key in by_key:
        return by_key[key]
    return by_key.get(ANY, "always")
