"""Dead letters can always be written, whatever was received."""

import hashlib

import pytest

from consumers.log import Headers, Record
from producers.outbox import EXCERPT_BYTES, Outbox
from schemas.envelope import Code
from schemas.topics import MAX_DEAD_LETTER_VALUE_BYTES

OUTBOX = Outbox("t", 3, "g")
MIB = 1024 * 1024


def _letter(key: bytes | None, value: bytes | None, headers: Headers = ()) -> tuple[Record, dict[str, bytes]]:
    out = OUTBOX.dead_letter(Record("t.events", 1, 7, 0, key, value, headers), Code.TOO_LARGE, "why")
    ours = {name.removeprefix("dlq.errors."): content or b"" for name, content in out.headers}
    return Record(out.topic, out.partition, 0, 0, out.key, out.value, out.headers), ours


def test_a_dead_letter_is_the_record_as_it_was_received() -> None:
    """Key, value and headers stay, up to and with a value of one mebibyte; ours come last."""
    value = b"v" * MAX_DEAD_LETTER_VALUE_BYTES
    letter, ours = _letter(b"k", value, (("own", None), ("own", b"2")))
    assert (letter.key, letter.value, letter.headers[:2]) == (b"k", value, (("own", None), ("own", b"2")))
    assert (ours["code"], ours["offset"], ours["partition"]) == (b"too_large", b"7", b"1")
    assert "size" not in ours


def test_a_value_over_a_mebibyte_is_cut_with_its_size_and_digest() -> None:
    """64 KiB of it stay, and the headers say what is missing."""
    value = b"v" * (MAX_DEAD_LETTER_VALUE_BYTES + 1)
    letter, ours = _letter(b"k", value)
    assert letter.value == value[:EXCERPT_BYTES]
    assert ours["size"] == b"%d" % len(value)
    assert ours["sha256"] == hashlib.sha256(value).hexdigest().encode()


@pytest.mark.parametrize(
    ("key", "headers"),
    [(b"k" * 5 * MIB, ()), (b"k", (("h", b"x" * 5 * MIB),)), (None, (("h", b"x" * 100),) * 50_000)],
    ids=["key", "one header", "many headers"],
)
def test_what_a_compressed_batch_can_carry_is_cut_to_what_a_topic_takes(
    key: bytes | None, headers: Headers
) -> None:
    """An oversized key or oversized headers are cut, too, and it says so."""
    letter, ours = _letter(key, b"v" * MIB, headers)
    size = len(letter.key or b"") + len(letter.value or b"")
    size += sum(len(name) + len(content or b"") for name, content in letter.headers)
    assert size < 2 * MIB
    assert ours["size"] == b"%d" % MIB
