"""What a Kafka client raises that is no error of Kafka's: an answer has made something of its own state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from consumers.log import Restart


@contextmanager
def outlived() -> Iterator[None]:
    """Let such an error of the calls in the body be a Restart. Nothing but calls of a client belongs there.

    The client's own text may quote a record: only the kind of its error is told.
    """
    try:
        yield
    except (
        AssertionError,
        AttributeError,
        LookupError,
        OSError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as mistake:
        raise Restart(f"the Kafka client made a mistake ({type(mistake).__name__})") from mistake
