"""Compressed batches are read record by record: as the client reads them, but never all at once."""

import hashlib
import tracemalloc
from typing import Any

import pytest
from kafka.codec import zstd_encode
from kafka.errors import CorruptRecordError
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from consumers.kafka_python_records import install, sendable
from consumers.log import Excerpt, Record
from producers.outbox import Outbox
from schemas.envelope import BadRecord, Code, decode
from schemas.instants import EARLIEST

MIB = 1024 * 1024
CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
INFLATING = ("gzip", "lz4", "zstd")
Content = tuple[bytes | None, bytes | None, tuple[tuple[str, bytes | None], ...]]

PLAIN: list[Content] = [
    (b"k", b"v", ()),
    (None, None, ()),
    (b"", b"", (("", b""),)),
    (b"k", None, (("a", None), ("a", b"\xff"), (b"\xff\xfe".decode("utf-8", "surrogateescape"), b"x"))),
    *[(b"%d" % number, b"v" * number, ()) for number in range(0, 3_000, 7)],
    (b"k" * 70_000, b"v" * (3 * MIB), (("x", b"y" * 70_000),)),
    (b"last", b"one", ()),
]
"""More than a chunk, with a record across the border of two."""


@pytest.fixture(autouse=True)
def _installed() -> None:
    install()


def batch(codec: str, contents: list[Content]) -> bytes:
    """A batch as it travels, with these records at the offsets from 0 on."""
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=CODECS[codec], is_transactional=False, producer_id=-1, producer_epoch=-1,
        base_sequence=-1, batch_size=1 << 30,
    )  # fmt: skip
    for offset, (key, value, headers) in enumerate(contents):
        assert builder.append(offset, 1_700_000_000_000 + offset, key, value, sendable(headers)) is not None
    return bytes(builder.build())


def read(travelling: bytes) -> list[Any]:
    """What the client makes of it."""
    return list(DefaultRecordBatch(travelling))


def content(record: Any) -> Content:
    """All that came with a record."""
    return record.key, record.value, tuple(record.headers)


@pytest.mark.parametrize("codec", CODECS)
def test_records_are_read_as_they_were_written(codec: str) -> None:
    """Whatever the codec, and wherever a chunk ends: keys, values, headers, offsets and times."""
    found = read(batch(codec, PLAIN))
    assert [content(record) for record in found] == PLAIN
    assert [record.offset for record in found] == list(range(len(PLAIN)))
    assert [record.timestamp - 1_700_000_000_000 for record in found] == list(range(len(PLAIN)))


@pytest.mark.parametrize("codec", INFLATING)
def test_of_a_long_record_the_beginnings_are_kept(codec: str) -> None:
    """Each part above a mebibyte is an excerpt with size and digest; what comes before and after is whole."""
    key, value, header = b"k" * (2 * MIB), bytes(range(256)) * (5 * MIB // 256), b"h" * (MIB + 2)
    long = (key, value, (("a", b"1"), ("b", header), ("c", b"3")))
    before, cut, after = read(batch(codec, [(b"k", b"v", ()), long, (b"l", b"w", ())]))
    assert (content(before), content(after)) == ((b"k", b"v", ()), (b"l", b"w", ()))
    assert (cut.offset, cut.timestamp) == (1, 1_700_000_000_001)
    for part, whole in ((cut.key, key), (cut.value, value)):
        assert part == whole[: MIB + 1]
        assert (part.size, part.sha256) == (len(whole), hashlib.sha256(whole).hexdigest())
    assert cut.headers[0] == ("a", b"1")
    assert sum(len(content) for _, content in cut.headers) > MIB


@pytest.mark.parametrize("codec", CODECS)
def test_of_many_headers_the_first_are_kept(codec: str) -> None:
    """A record of more than 16,384 headers has those and one that is too large for a dead letter."""
    most = (b"k", b"v", (("x", b"y"),) * 16_384)
    more = (b"k", b"v" * 70_000, (*most[2], ("z", None)))
    found = read(batch(codec, [more, most, more, (b"l", b"w", ())]))
    assert [len(record.headers) for record in found] == [16_385, 16_384, 16_385, 0]
    assert [record.offset for record in found] == [0, 1, 2, 3]
    assert (found[0].key, found[0].value, tuple(found[0].headers[:-1])) == (b"k", b"v" * 70_000, most[2])
    assert len(found[0].headers[-1][1]) > MIB
    assert content(found[1]) == most


def test_headers_of_a_long_record_are_bounded_in_bytes() -> None:
    """However many headers there are, a mebibyte is kept, and they are too large for a dead letter."""
    many = (b"k", b"v", (("x" * 600, b""),) * 7_000)
    cut, after = read(batch("zstd", [many, (b"l", b"w", ())]))
    assert (cut.key, cut.value) == (b"k", b"v")
    assert len(cut.headers) == MIB // 600 + 1
    assert sum(len(content) for _, content in cut.headers) > MIB
    assert content(after) == (b"l", b"w", ())


def test_a_dead_letter_tells_the_size_and_digest_of_the_whole() -> None:
    """An excerpt is too large, and its dead letter says how large all of it was."""
    whole = b"\0" * (9 * MIB)
    (cut,) = read(batch("zstd", [(b"k", whole, ())]))
    record = Record("t", 0, 0, 0, cut.key, cut.value, ())
    decoded = decode(b"k", cut.value, (), arrival=EARLIEST, partition=0, partitions=1)
    assert isinstance(decoded, BadRecord)
    assert decoded.code is Code.TOO_LARGE
    letter = Outbox("t", 1, "g").dead_letter(record, decoded.code, decoded.message)
    assert letter.value == whole[: 64 * 1024]
    assert not isinstance(letter.value, Excerpt)
    assert dict(letter.headers)["dlq.errors.size"] == str(len(whole)).encode()
    assert dict(letter.headers)["dlq.errors.sha256"] == hashlib.sha256(whole).hexdigest().encode()


@pytest.mark.parametrize("codec", INFLATING)
def test_memory_does_not_grow_with_what_a_batch_inflates_to(codec: str) -> None:
    """32 MiB in one record, and 32 MiB in many that nobody keeps, take a few mebibytes."""
    for contents in ([(b"k", bytes(32 * MIB), ())], [(b"k", bytes(MIB), ())] * 32):
        travelling = batch(codec, contents)
        assert len(travelling) < MIB
        tracemalloc.start()
        for record in DefaultRecordBatch(travelling):
            assert record.value
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 12 * MIB, f"{peak / MIB:.0f} MiB"


def test_a_batch_that_ends_too_early_is_corrupt() -> None:
    """A length that nothing follows is an error of the client's own kind, in a long record, too."""
    for size in (10, 9 * MIB):
        whole = DefaultRecordBatch(batch("none", [(b"k", bytes(size), ())]))
        inside = bytes(whole._buffer[whole._pos : -5])
        cut = DefaultRecordBatch(batch("zstd", [(b"k", bytes(100), ())]))
        cut._buffer = cut._buffer[: cut._pos] + bytearray(zstd_encode(inside))
        with pytest.raises(CorruptRecordError):
            list(cut)
