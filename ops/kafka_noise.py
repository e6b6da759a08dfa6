"""Keeps what the Kafka client says about its connections to a measure: a broker that is away is said once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

_INTERVAL_SECONDS: Final = 60.0
_MOST_TEXTS: Final = 1_000


class KafkaNoise(logging.Filter):
    """Lets nothing of the client pass until `connected`, then each text once a minute.

    While we connect, the sentence with which we fail says it all; a worker reports an outage by itself.
    """

    def __init__(self, now_seconds: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.connected = False
        self._now_seconds = now_seconds
        self._said_at: dict[tuple[str, object], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is logged."""
        if not record.name.startswith("kafka"):
            return True
        if not self.connected:
            return False
        # The client formats most of its texts itself, so what differs from time to time is in them: its place
        # in the client's source is what a text has in common with the last one.
        text = (record.pathname, record.lineno)
        said_at = self._said_at.get(text)
        now = self._now_seconds()
        if said_at is not None and now - said_at < _INTERVAL_SECONDS:
            return False
        if len(self._said_at) >= _MOST_TEXTS:
            self._said_at.clear()
        self._said_at[text] = now
        return True


def limit() -> KafkaNoise:
    """Put the filter before every handler that is set up, and return it."""
    noise = KafkaNoise()
    for handler in logging.getLogger().handlers:
        handler.addFilter(noise)
    return noise
