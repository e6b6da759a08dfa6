"""Dead letters as they are read: why a record was refused, where it came from, and what it was.

Whoever writes one puts headers of its own behind those that the record was received with, `dlq.errors.code`
first (`producers/outbox.py`). So what begins at the last header of that name is the writer's. All before it
came with the record: a channel's headers may have the same names, and must not be believed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic_core import from_json

from consumers.log import Headers, Record
from schemas.envelope import Undeliverable
from schemas.instants import parse_instant

RETRIABLE: Final = frozenset(Undeliverable) - {Undeliverable.MALFORMED}
"""Letters that the notifier can take up again: what is no notification does not become one."""

_PREFIX: Final = "dlq.errors."
_FIRST: Final = f"{_PREFIX}code"

_CODE: Final = re.compile("[a-z0-9_]{1,64}", re.ASCII)
_TOPIC: Final = re.compile("[A-Za-z0-9._-]{1,249}", re.ASCII)  # what Kafka allows
_MAX_DIGITS: Final = 18
_MAX_CHARACTERS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the writer of a dead letter says of the record. It can be shown: nothing in it is the record's.

    `topic`, `partition` and `offset`: where the record was. `group`: who refused it. `arrival`: the record's
    timestamp, UTC. `cut`: of its key and value only the beginning is kept.
    """

    code: str
    message: str
    topic: str
    partition: int
    offset: int
    group: str
    arrival: datetime
    cut: bool


def refusal(record: Record) -> Refusal | None:
    """Why a dead letter is one; None where its headers cannot be read."""
    said = dict(record.headers[_own_begin(record.headers) :])
    try:
        return Refusal(
            code=_matching(_CODE, said, "code"),
            message=_text(said, "message"),
            topic=_matching(_TOPIC, said, "topic"),
            partition=_number(said, "partition"),
            offset=_number(said, "offset"),
            group=_text(said, "group"),
            arrival=parse_instant(_text(said, "timestamp")),
            cut=f"{_PREFIX}size" in said,
        )
    except ValueError:
        return None


def received_headers(record: Record) -> Headers:
    """The headers that came with the record, whatever their names; all, where none is the writer's."""
    return record.headers[: _own_begin(record.headers)]


def event_id(record: Record) -> str | None:
    """The id that an event has in structured or binary mode, if that much of it can be read.

    As in `schemas.cloudevents`: without a content-type of structured mode a `ce_` header means binary mode.
    """
    headers = {name.lower(): value or b"" for name, value in record.headers}
    structured = headers.get("content-type", b"").lower().startswith(b"application/cloudevents")
    if not structured and "ce_id" in headers:
        return headers["ce_id"].decode("utf-8", "replace")
    try:
        document = from_json(record.value or b"")
    except ValueError:
        return None
    identifier = document.get("id") if isinstance(document, dict) else None
    return identifier if isinstance(identifier, str) else None


def _own_begin(headers: Headers) -> int:
    """Where the writer's headers begin; at the end, where there are none."""
    return max((i for i, (name, _) in enumerate(headers) if name == _FIRST), default=len(headers))


def _text(said: Mapping[str, bytes | None], name: str) -> str:
    """Raises ValueError where there is no such header, or no text that a terminal could show."""
    text = (said.get(_PREFIX + name) or b"").decode()  # UnicodeDecodeError is a ValueError
    if not text or not text.isprintable() or len(text) > _MAX_CHARACTERS:
        raise ValueError
    return text


def _matching(pattern: re.Pattern[str], said: Mapping[str, bytes | None], name: str) -> str:
    text = _text(said, name)
    if pattern.fullmatch(text) is None:
        raise ValueError
    return text


def _number(said: Mapping[str, bytes | None], name: str) -> int:
    digits = said.get(_PREFIX + name) or b""
    if not digits.isdigit() or len(digits) > _MAX_DIGITS:
        raise ValueError
    return int(digits)
