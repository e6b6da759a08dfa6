"""Where the parts of a policy stand in its file, so that whoever finds something can say where."""

from dataclasses import dataclass, field

Found = tuple[int, str]
"""A line and what is wrong there."""


@dataclass(slots=True)
class Lines:
    """Line numbers, counted from 1."""

    rules: dict[int, int] = field(default_factory=dict)
    """By the rule's number."""
    parts: dict[tuple[int, str], int] = field(default_factory=dict)
    """By the rule's number and a key of it, or the name of one of its thresholds (`50%`, `+15m`)."""
    calendars: dict[str, int] = field(default_factory=dict)
    keys: dict[str, int] = field(default_factory=dict)
    """By the key of the file's root."""

    def part(self, number: int, *names: str) -> int:
        """The line of the first of these parts that the rule states, else where the rule begins."""
        for name in names:
            if (number, name) in self.parts:
                return self.parts[number, name]
        return self.rules.get(number, 1)

    def key(self, name: str) -> int:
        """The line of a key of the file's root; 1 where it is not stated."""
        return self.keys.get(name, 1)

    def calendar(self, name: str) -> int:
        """The line of a calendar; 1 for one that is predefined."""
        return self.calendars.get(name, 1)
