"""A record before it is sent: an event in the making, which mutations may spoil, and how it is rendered."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Headers = tuple[tuple[str, bytes | None], ...]


class Sent(NamedTuple):
    """A record as it is published; `misplaced`: not where its key hashes to."""

    key: bytes | None
    value: bytes | None
    headers: Headers
    misplaced: bool = False


@dataclass(slots=True)
class Draft:
    """An event and how it will be sent. `edits` change the value's bytes last."""

    attributes: dict[str, Any]
    data: Any
    key: bytes | None
    binary: bool
    content_type: bytes | None
    headers: list[tuple[str, bytes | None]] = field(default_factory=list)
    edits: list[Callable[[bytes], bytes | None]] = field(default_factory=list)
    ascii: bool = False
    misplaced: bool = False

    def sent(self) -> Sent:
        """The record."""
        headers = (
            self.headers
            if self.content_type is None
            else [("content-type", self.content_type), *self.headers]
        )
        if self.binary:
            document = self.data
            headers = [
                *headers,
                *((f"ce_{name}", _as_header(value)) for name, value in self.attributes.items()),
            ]
        else:
            document = self.attributes if self.data is None else {**self.attributes, "data": self.data}
        value: bytes | None = json.dumps(document, ensure_ascii=self.ascii).encode("utf-8", "surrogatepass")
        for edit in self.edits:
            value = None if value is None else edit(value)
        return Sent(self.key, value, tuple(headers), self.misplaced)


def _as_header(value: Any) -> bytes | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "surrogatepass")
