"""Chains of follow-up tickets: when the first contact about an issue was."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from schemas.records import JournalEntry

FOLLOWS_MARK = b'"follows":'
"""Stands in every journal record that registers a follow-up ticket, and in hardly any other."""


class Chains:
    """Which ticket follows which, and when those that are followed were registered.

    Made of the records that register follow-up tickets; then `note` every record, for most of those that are
    followed follow nothing themselves. Memory grows with the number of follow-up tickets only.
    """

    def __init__(self, entries: Iterable[JournalEntry]) -> None:
        self._parents: dict[tuple[str, datetime], str] = {}
        for entry in entries:
            parent = entry.changed.get("follows")
            if entry.seq == 1 and parent is not None:
                self._parents[entry.ticket_id, entry.at] = parent
        self._births: dict[str, list[datetime]] = {parent: [] for parent in self._parents.values()}

    def note(self, entry: JournalEntry) -> None:
        """Remember when a ticket that another one follows was registered."""
        if entry.seq == 1 and entry.ticket_id in self._births:
            self._births[entry.ticket_id].append(entry.at)

    def first_contact(self, ticket_id: str, before: datetime) -> datetime | None:
        """When the chain that leads to that ticket began, as far back as the journal goes.

        Of the lives of a ticket id it is the last one that began at `before` or earlier. None where the
        journal does not know the ticket.
        """
        first: datetime | None = None
        seen: set[tuple[str, datetime]] = set()
        link: str | None = ticket_id
        while link is not None:
            born = max((each for each in self._births.get(link, ()) if each <= before), default=None)
            if born is None or (link, born) in seen:
                break
            seen.add((link, born))
            first = before = born
            link = self._parents.get((link, born))
        return first
