"""Groups of tickets by the fields that rules ask for: which of them something is said of, and in words.

Values that no rule tells apart are looked at once, so that what is looked at grows with what a policy says
and not with the number of regions.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final, TypeVar

from workflow.policy import FIELDS
from workflow.vocabulary import VALUES

OTHER_REGIONS: Final = "*"
"""Stands for every region that is not named, and for none."""

Values = Mapping[str, Sequence[str]]
"""The values of each field that there are, in their order."""
_Box = Mapping[str, frozenset[str]]
_Judgement = TypeVar("_Judgement", bound=Hashable)

_BEFORE: Final = {
    "priority": "with priority ",
    "channel": "by ",
    "queue": "in queue ",
    "region": "from region ",
}


@dataclass(frozen=True, slots=True)
class Group:
    """The tickets whose fields have one of these values; a field that is not named may be anything.

    Among the values of `region`, `*` is every region that neither policy names.
    """

    fields: Mapping[str, tuple[str, ...]]
    other_than: tuple[str, ...] = ()
    """Where `region` has `*`: the regions that are not among them."""

    def __str__(self) -> str:
        """As part of a sentence: `technical_fault with priority high or urgent`, `any ticket by phone`."""
        return self.of("any ticket")

    def of(self, whom: str) -> str:
        """The group in words, as `whom` where no category is named: `citizens from region 77`."""
        parts = [self._field(name) for name in FIELDS if name in self.fields]
        return " ".join(parts if "category" in self.fields else [whom, *parts])

    def _field(self, name: str) -> str:
        if self.fields[name] == (OTHER_REGIONS,):
            return "from any region that is not named"
        if name == "region" and OTHER_REGIONS in self.fields[name]:
            return f"from any region but {alternatives(self.other_than)}"
        return _BEFORE.get(name, "") + alternatives(self.fields[name])


def alternatives(words: Sequence[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    return " or ".join([*([", ".join(words[:-1])] if len(words) > 1 else []), words[-1]])


def everything(regions: Sequence[str], fields: Sequence[str] = FIELDS) -> Values:
    """Every value of these fields, with the regions that somebody names."""
    every = {**VALUES, "region": (*sorted(set(regions)), OTHER_REGIONS)}
    return {name: every[name] for name in FIELDS if name in fields}


def representative(fields: Mapping[str, str]) -> Mapping[str, str | None]:
    """The fields of a ticket as rules see them: a region that nobody names is like none."""
    return {name: None if value == OTHER_REGIONS else value for name, value in fields.items()}


def groups_by(
    values: Values,
    alike: Callable[[str, str], Hashable],
    judge: Callable[[Mapping[str, str | None]], _Judgement | None],
) -> Iterator[tuple[_Judgement, tuple[Group, ...]]]:
    """What is said of which tickets, in the order of the first ones; where `judge` has None nothing is said.

    `alike(field, value)`: values of a field for which it is equal need not be told apart.
    """
    classes = [list(_classes(name, values[name], alike)) for name in values]
    found: dict[_Judgement, list[_Box]] = {}
    for combination in product(*classes):
        box = dict(zip(values, combination, strict=True))
        judgement = judge(representative({name: each[0] for name, each in box.items()}))
        if judgement is not None:
            found.setdefault(judgement, []).append({name: frozenset(each) for name, each in box.items()})
    for judgement, boxes in found.items():
        yield judgement, tuple(named(box, values) for box in _merged(boxes, values))


def named(box: _Box, values: Values) -> Group:
    """A group by the fields that are restricted, its values in their order."""
    fields = {
        name: tuple(value for value in values[name] if value in box[name])
        for name in values
        if name in box and not box[name].issuperset(values[name])
    }
    others = tuple(value for value in values.get("region", ()) if value not in box.get("region", ()))
    return Group(fields, others if OTHER_REGIONS in fields.get("region", ()) else ())


def _classes(
    name: str, values: Sequence[str], alike: Callable[[str, str], Hashable]
) -> list[tuple[str, ...]]:
    found: dict[Hashable, tuple[str, ...]] = {}
    for value in values:
        key = alike(name, value)
        found[key] = (*found.get(key, ()), value)
    return list(found.values())


def _merged(boxes: list[_Box], values: Values) -> list[_Box]:
    """Fewer boxes with the same tickets: those that differ in one field only become one."""
    count = 0
    while count != len(boxes):
        count = len(boxes)
        for name in values:
            joined: dict[Hashable, _Box] = {}
            for box in boxes:
                rest = tuple(box[each] for each in values if each != name)
                known = joined.get(rest)
                joined[rest] = box if known is None else {**box, name: box[name] | known[name]}
            boxes = list(joined.values())
    return boxes
