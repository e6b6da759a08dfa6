"""The names that a policy may use for what tickets carry: drawn from the schemas and the table of states."""

import re
from typing import Final

from schemas.events import Category, Channel, Priority, Queue
from workflow.states import STATES, TRIGGERS

__all__ = ["CHANNELS", "STATES", "TRIGGERS", "VALUES", "is_region"]

CHANNELS: Final = tuple(map(str, Channel))

VALUES: Final[dict[str, tuple[str, ...]]] = {
    "category": tuple(map(str, Category)),
    "priority": tuple(map(str, Priority)),
    "channel": CHANNELS,
    "queue": tuple(map(str, Queue)),
}
"""The values of a ticket's fields that are few; a region is any code."""


def is_region(text: str) -> bool:
    """Whether a text can be a ticket's region: two digits, or ``abroad``."""
    return text == "abroad" or re.fullmatch("[0-9]{2}", text) is not None
