"""What `verify` says: counts of each partition, and a sentence for everything that breaks a law."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

MOST_FINDINGS: Final = 100
"""More than this are counted, not kept."""


class Law(StrEnum):
    """The laws that the topics must obey (contract, "Commands": `verify`)."""

    CONSERVATION = "conservation"
    SEQUENCE = "gapless seq"
    ONCE = "one firing per threshold"
    TIME = "never early"
    ORDER = "due before arrival"
    DECISION = "same decision"
    FOLD = "fold of the journal = state"
    CAUSE = "no output without a cause"
    PLACE = "same partition"


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken law, and where. The sentence holds no value of anybody's data."""

    law: Law
    topic: str
    partition: int
    offset: int | None
    ticket_id: str | None
    sentence: str

    def __str__(self) -> str:
        where = f"{self.topic} partition {self.partition}"
        if self.offset is not None:
            where += f" offset {self.offset}"
        if self.ticket_id is not None:
            where += f", ticket {self.ticket_id}"
        return f"{self.law}: {where}: {self.sentence}"


@dataclass(slots=True)
class Findings:
    """The first MOST_FINDINGS, and how many there were."""

    kept: list[Finding] = field(default_factory=list)
    total: int = 0

    def add(self, finding: Finding) -> None:
        """Note one more."""
        self.total += 1
        if len(self.kept) < MOST_FINDINGS:
            self.kept.append(finding)


@dataclass(slots=True)
class Counts:
    """What one partition holds, from the first event that is kept up to the committed offset.

    `consumed` = `applied` + `rejected` + `duplicate` where nothing is `lost`. Of events that were rejected or
    duplicates `unchecked` could not be decided again, because their ticket's first events are not kept.
    `decided_again` and `only_folded` count lives of tickets; `journal` to `absorbed` count records compared.
    """

    partition: int
    first_offset: int
    committed: int
    kept_since: str | None = None
    consumed: int = 0
    applied: int = 0
    rejected: int = 0
    duplicate: int = 0
    lost: int = 0
    unchecked: int = 0
    firings: int = 0
    decided_again: int = 0
    only_folded: int = 0
    journal: int = 0
    notifications: int = 0
    metrics: int = 0
    states: int = 0
    absorbed: int = 0


_SUMMED: Final = tuple(
    name
    for name in Counts.__dataclass_fields__
    if name not in ("partition", "first_offset", "committed", "kept_since")
)


@dataclass(frozen=True, slots=True)
class Report:
    """Every partition's counts, and the findings; `total_findings` may be more than are kept."""

    partitions: tuple[Counts, ...]
    findings: tuple[Finding, ...]
    total_findings: int

    @property
    def clean(self) -> bool:
        """Nothing was found."""
        return self.total_findings == 0

    @property
    def totals(self) -> Mapping[str, int]:
        """The counts of all partitions together."""
        return {name: sum(getattr(each, name) for each in self.partitions) for name in _SUMMED}

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return {
            "clean": self.clean,
            "totals": dict(self.totals),
            "partitions": [asdict(each) for each in self.partitions],
            "total_findings": self.total_findings,
            "findings": [{**asdict(each), "law": str(each.law)} for each in self.findings],
        }

    def lines(self) -> Iterator[str]:
        """For people."""
        totals = self.totals
        for each in self.partitions:
            since = f" (since {each.kept_since})" if each.kept_since else ""
            yield (
                f"partition {each.partition}: events from offset {each.first_offset}{since} "
                f"to {each.committed}: {each.consumed}"
            )
        yield (
            f"{totals['consumed']} events = {totals['applied']} applied + {totals['rejected']} rejected + "
            f"{totals['duplicate']} duplicate" + (f" + {totals['lost']} lost" if totals["lost"] else "")
        )
        yield (
            f"{totals['journal']} journal records, {totals['firings']} of them firings; "
            f"{totals['notifications']} notifications, {totals['metrics']} metrics, "
            f"{totals['states']} states, {totals['absorbed']} absorbed events compared"
        )
        yield (
            f"{totals['decided_again']} lives of tickets decided again, {totals['only_folded']} only folded "
            f"because their first events are not kept; {totals['unchecked']} events left no trace to check"
        )
        yield from map(str, self.findings)
        more = self.total_findings - len(self.findings)
        if more:
            yield f"and {more} more findings"
        yield "nothing was found" if self.clean else f"{self.total_findings} findings"
