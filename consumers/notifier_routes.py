"""How a notification leaves: a route takes one message and says what became of it."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from consumers.notifier_request import Request
from consumers.notifier_texts import Text


@dataclass(frozen=True, slots=True)
class Message:
    """A notification on its way to one recipient.

    `id` is the same at every attempt, so that who receives it can tell a repeat. `address`: an e-mail address
    or a phone number, where the channel needs one. `at`: the time of the attempt, UTC.
    """

    id: str
    request: Request
    language: str
    at: datetime
    text: Text = field(repr=False)
    address: str | None = field(default=None, repr=False)
    name: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Delivered:
    """The other side has taken it."""


@dataclass(frozen=True, slots=True)
class Later:
    """It was not taken this time.

    `reason` is in our words and names nobody. `after_seconds`: before that the other side wants no other
    attempt. `uncertain`: it was handed over, but no answer came: perhaps it was taken.
    """

    reason: str
    after_seconds: float = 0.0
    uncertain: bool = False


@dataclass(frozen=True, slots=True)
class Never:
    """It was refused, and will be each time."""

    reason: str


Attempted = Delivered | Later | Never


class Route(Protocol):
    """A way out. `deliver` is called from several threads at a time."""

    def deliver(self, message: Message) -> Attempted:
        """Try once, within a bounded time. Never raises for what the other side does."""

    def close(self) -> None:
        """Let go of the connections."""


def why_not_encrypted(problem: BaseException, whom: str) -> str | None:
    """Why no encrypted connection to `whom` came about; None where the problem is of another kind.

    What is wrong with a certificate says the library in words of its own; they name a host, and nobody.
    """
    found = [each for each in _chain(problem) if isinstance(each, ssl.SSLError)]
    for each in found:
        if isinstance(each, ssl.SSLCertVerificationError):
            return f"the certificate of {whom} is not trusted ({each.verify_message.rstrip('.')})"
    return f"no encrypted connection to {whom} came about" if found else None


def _chain(problem: BaseException | None) -> Iterator[BaseException]:
    while problem is not None:
        yield problem
        problem = problem.__cause__ or problem.__context__
