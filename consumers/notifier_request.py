"""A record of the notifications topic, as the notifier understands it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.envelope import digest
from schemas.instants import Instant, format_instant
from schemas.records import Notification

_SEQ: Final = re.compile("[0-9]{1,18}", re.ASCII)


class Request(BaseModel):
    """A notification with its CloudEvents id and time, the same ones each time it is asked for."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    id: str
    type: Literal["notification.requested.v1"]
    time: Instant
    data: Notification

    @property
    def due_at(self) -> datetime:
        """From when on it should be told, UTC."""
        return max(self.time, self.data.not_before or self.time)

    @property
    def seq(self) -> int:
        """Of the ticket's journal record that it follows from; 0 where the id does not say.

        The contract, "Topics": the id is `<ticket>/<seq>/…`, and in a ticket's id there is no `/`.
        """
        digits = self.id.split("/")[1:2]
        return int(digits[0]) if digits and _SEQ.fullmatch(digits[0]) else 0

    @property
    def digest(self) -> str:
        """16 characters that stand for it: a ticket id that is used again has the same ids at other times."""
        return digest(format_instant(self.time), self.id)

    def expires_at(self, max_age: timedelta) -> datetime:
        """From when on nobody wants to hear it any more, UTC."""
        return self.due_at + max_age


def read_request(value: bytes | None) -> Request | None:
    """The notification in a record's value; None where there is no valid one."""
    try:
        return Request.model_validate_json(value or b"")
    except ValidationError:
        return None
