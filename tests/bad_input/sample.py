"""What every sample of bad input is made of: an invented person, a good event, and what is done to it."""

import json
from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple

from schemas.envelope import Code

NAME = "Аполлинария Вымышленная"
PHONE = "+79991112233"
EMAIL = "apollinaria@vymysel.example"
SNILS = "112-233-445 95"
PASSPORT = "4509 112233"
ONE_TIME_CODE = "kod-773391"
PERSONAL = (NAME, "Вымышленная", PHONE, "79991112233", EMAIL, "vymysel", SNILS, PASSPORT, ONE_TIME_CODE)
"""What must never be in a log, a metric, a header of ours or a message."""

TICKET = "bad-input-1"
KEY = TICKET.encode()
UNKNOWN = "bad-input-unknown"
OPEN = "bad-input-open"
CLOSED = "bad-input-closed"
TIME = "2026-03-02T08:15:30Z"
"""When the samples happened; any arrival after it will do. Those of `future_event` happen in 2099."""

Headers = tuple[tuple[str, bytes | None], ...]
Outcome = Code | Literal["applied", "duplicate"]
APPLIED: Final = "applied"
DUPLICATE: Final = "duplicate"

STRUCTURED: Headers = (("content-type", b"application/cloudevents+json"),)


class Sample(NamedTuple):
    """A record that somebody may send, what becomes of it, and why.

    `misplaced`: not in the partition that its key hashes to. `group` is its class, and in its name, too.
    """

    name: str
    code: Outcome
    why: str
    value: bytes | None
    key: bytes | None = KEY
    headers: Headers = STRUCTURED
    misplaced: bool = False
    group: str = ""


class Good(NamedTuple):
    """A record that is applied."""

    key: bytes
    value: bytes
    headers: Headers = STRUCTURED


DATA: dict[str, Any] = {
    "channel": "phone",
    "category": "complex",
    "client": {"id": "client-1", "name": NAME, "phone": PHONE, "email": EMAIL},
    "description": f"СНИЛС {SNILS}, паспорт {PASSPORT}, код {ONE_TIME_CODE}",
}
ABSENT = object()


def event(kind: str = "ticket.created.v1", **attributes: Any) -> dict[str, Any]:
    """A structured event; attributes replace or, where `ABSENT`, remove its own."""
    given = {
        "specversion": "1.0",
        "id": f"{EMAIL}/1",
        "source": f"/channels/{PHONE}",
        "type": kind,
        "subject": TICKET,
        "time": TIME,
        "data": DATA if kind == "ticket.created.v1" else {},
        **attributes,
    }
    return {name: value for name, value in given.items() if value is not ABSENT}


def dump(document: Any) -> bytes:
    """JSON with its letters as they are."""
    return json.dumps(document, ensure_ascii=False).encode()


def with_more(json_of_one_field: bytes) -> bytes:
    """A good event, and one more field at its end."""
    return dump(event())[:-1] + b", " + json_of_one_field + b"}"


def binary_headers(**attributes: bytes | None) -> Headers:
    """The headers of an event in binary mode, some replaced."""
    given: dict[str, bytes | None] = {
        "specversion": b"1.0",
        "id": b"b-1",
        "source": b"/channels/phone",
        "type": b"ticket.created.v1",
        "subject": KEY,
        "time": TIME.encode(),
    }
    carried = {f"ce_{name}": value for name, value in {**given, **attributes}.items()}
    return (("content-type", b"application/json"), *carried.items())


def applied(name: str, why: str, number: str, value: bytes | None = None, **attributes: Any) -> Sample:
    """A sample that is taken, odd as it is: it begins a ticket of its own.

    A person's data in it is only where the contract has a place for it: what identifies an event or a ticket
    is copied into the journal.
    """
    ticket = f"bad-input-taken-{number}"
    document = event(**{"id": "1", "source": "/channels/phone", "subject": ticket, **attributes})
    return Sample(name, APPLIED, why, dump(document) if value is None else value, ticket.encode())


def prelude() -> Iterator[Good]:
    """What must be applied before: an open ticket and a closed one."""
    for ticket in (OPEN, CLOSED):
        yield Good(
            ticket.encode(), dump(event(id=f"prelude/{ticket}", source="/channels/phone", subject=ticket))
        )
    closing = event(
        "ticket.closed.v1",
        id="prelude/close",
        source="/channels/phone",
        subject=CLOSED,
        data={"reason": "confirmed"},
    )
    yield Good(CLOSED.encode(), dump(closing))
