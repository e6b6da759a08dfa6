"""Whom a ticket belongs to, how that person is reached, and what was last answered.

It is known from the state topic, and forgotten with the ticket.
"""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from dataclasses import dataclass, field
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

TABLES: Final = """
CREATE TABLE IF NOT EXISTS person (
    ticket TEXT PRIMARY KEY, client TEXT NOT NULL, name TEXT, email TEXT, phone TEXT, summary TEXT,
    resolved_seq INTEGER NOT NULL
) WITHOUT ROWID;
"""

# RFC 5322, dot-atom. Quoted and non-ASCII local parts exist, but hardly a mail server takes them.
_LOCAL_PART: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}", re.ASCII)
_LABEL: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?", re.ASCII)
_MAX_DOMAIN: Final = 253
_PHONE: Final = re.compile(r"\+?[0-9]{5,15}", re.ASCII)  # E.164: at most 15 digits
_PHONE_PUNCTUATION: Final = re.compile(r"[\s()./-]")
_NAME: Final = re.compile(r"(?:[^\W\d_]\.)+|[^\W\d_](?:[^\W\d_]|['’-])*")
"""A word of a name, or initials. A dot inside a word would make a link of it."""
_MAX_NAME: Final = 100
_MAX_SUMMARY: Final = 1_000
"""Characters. The contract allows 20,000; the citizen gets a short one, and the rest is in the cabinet."""


@dataclass(frozen=True, slots=True)
class Person:
    """The client of a ticket. Nothing of this is ever shown but to the person.

    `summary`: of the last answer, the one of the ticket's journal record `resolved_seq` (0: none yet).
    """

    name: str | None = field(repr=False)
    email: str | None = field(repr=False)
    phone: str | None = field(repr=False)
    summary: str | None = field(repr=False)
    resolved_seq: int


class _Read(BaseModel):
    """A part of a state record; what is not named here is passed over."""

    model_config = ConfigDict(hide_input_in_errors=True)


class _Client(_Read):
    id: str
    name: str | None = None
    email: str | None = None
    phone: str | None = None


class _Mark(_Read):
    seq: int


class _State(_Read):
    client: _Client | None = None
    summary: str | None = None
    triggers: dict[str, _Mark] = Field(default_factory=dict)

    @property
    def resolved_seq(self) -> int:
        """In which journal record it was resolved last; 0: in none."""
        mark = self.triggers.get("resolved")
        return 0 if mark is None else mark.seq


class _StateEvent(_Read):
    data: _State


class People:
    """The table of people, by ticket. What it writes belongs in the caller's transaction."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def learn(self, key: bytes, state: bytes | None) -> bool:
        """Take the client from a ticket's state record; no value: the ticket is gone.

        False where the record cannot be read; then all stays as it is.
        """
        try:
            ticket_id = key.decode()
            known = _State() if state is None else _StateEvent.model_validate_json(state).data
        except (UnicodeDecodeError, ValidationError):
            return False
        if (client := known.client) is None:
            self._database.execute("DELETE FROM person WHERE ticket = ?", (ticket_id,))
            return True
        row = (client.id, client.name, client.email, client.phone, _short(known.summary), known.resolved_seq)
        # Nearly every state record changes something else.
        self._database.execute(
            "INSERT INTO person VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE "
            "SET (client, name, email, phone, summary, resolved_seq) = (?2, ?3, ?4, ?5, ?6, ?7) "
            "WHERE (client, name, email, phone, summary, resolved_seq) IS NOT (?2, ?3, ?4, ?5, ?6, ?7)",
            (ticket_id, *row),
        )
        return True

    def find(self, ticket_id: str, client_id: str) -> Person | None:
        """The ticket's client; None where that is nobody we know, or by now somebody else."""
        row = self._database.execute(
            "SELECT name, email, phone, summary, resolved_seq FROM person WHERE ticket = ? AND client = ?",
            (ticket_id, client_id),
        ).fetchone()
        return None if row is None else Person(*row)

    def forget(self) -> None:
        """Drop everybody."""
        self._database.execute("DELETE FROM person")


def _short(summary: str | None) -> str | None:
    """One paragraph of bounded length; None where nothing was said."""
    plain = " ".join((summary or "").split())
    cut = plain if len(plain) <= _MAX_SUMMARY else f"{plain[: _MAX_SUMMARY - 1]}…"
    return cut or None


def email_address(text: str | None) -> str | None:
    """The address as it stands in an SMTP command, its domain in ASCII; None where it is none."""
    local, _, domain = (text or "").strip().rpartition("@")
    try:
        host = domain.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    labels = host.split(".")
    dotted = local.startswith(".") or local.endswith(".") or ".." in local
    if dotted or _LOCAL_PART.fullmatch(local) is None or len(host) > _MAX_DOMAIN or len(labels) < 2:
        return None
    return f"{local}@{host}" if all(_LABEL.fullmatch(label) for label in labels) else None


def phone_number(text: str | None) -> str | None:
    """The number without blanks and punctuation; None where it is none."""
    number = _PHONE_PUNCTUATION.sub("", text or "")
    return number if _PHONE.fullmatch(number) else None


def form_of_address(name: str | None) -> str | None:
    """The name for a salutation; None where it has more than a name has.

    Anybody can register a ticket with somebody else's e-mail and a message of their own as the name.
    """
    words = unicodedata.normalize("NFC", name or "").split()
    plain = " ".join(words)
    wellformed = bool(words) and len(plain) <= _MAX_NAME and all(map(_NAME.fullmatch, words))
    return plain if wellformed else None
