"""The catalogue of bad input: named records in named classes, each with what becomes of it and why.

All may be published at any time after 2026-03-02, in this order, once `prelude()` was applied. People in them
are invented.
"""

from collections.abc import Iterator

from schemas.envelope import Code
from tests.bad_input import contents, envelopes, headers, texts, tickets
from tests.bad_input.sample import PERSONAL as PERSONAL
from tests.bad_input.sample import TIME as TIME
from tests.bad_input.sample import Good as Good
from tests.bad_input.sample import Sample as Sample
from tests.bad_input.sample import dump as dump
from tests.bad_input.sample import event as event
from tests.bad_input.sample import prelude as prelude

CLASSES = {
    **tickets.CLASSES, **texts.CLASSES, **envelopes.CLASSES, **headers.CLASSES, **contents.CLASSES,
}  # fmt: skip


def catalogue() -> Iterator[Sample]:
    """Every sample, class by class, its class in its name."""
    for group, of_class in CLASSES.items():
        for sample in of_class():
            yield sample._replace(name=f"{group}: {sample.name}", group=group)


def samples() -> Iterator[Sample]:
    """Those that are refused wherever they are published by their key."""
    return (each for each in catalogue() if isinstance(each.code, Code) and not each.misplaced)
