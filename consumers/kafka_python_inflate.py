"""Compressed batches, inflated record by record and not, as kafka-python 3.0.12 does it, whole.

A broker's limit (`max.message.bytes`, 4 MiB) is on a batch as it travels. With zstd that may become a hundred
gibibytes, in few records or in many. So a batch is inflated as its records are asked for, and of a record
that no batch could hold uncompressed only the beginnings of its parts are kept: with their size and digest,
that is all that a dead letter needs. The same for headers by the million.
"""

import gzip
import hashlib
import io
from typing import Any

import zstandard
from kafka.codec import snappy_decode
from kafka.record.default_records import DefaultRecord, DefaultRecordBatch
from kafka.record.util import decode_varint
from lz4 import frame as lz4

from consumers.log import Excerpt

_CHUNK_BYTES = 1024 * 1024
_LONGEST_RECORD_BYTES = 4 * 1024 * 1024
"""The topics' `max.message.bytes`: no record that travels uncompressed is longer."""
_KEPT_BYTES = 1024 * 1024 + 1
"""Of each part of a longer record, and of its headers together: more than a dead letter carries whole."""
_MOST_HEADERS = 16_384
"""Of any record. An empty header travels as two bytes, takes a hundred in memory and a microsecond a look."""
_VARINT_BYTES = 10  # at most


class _Deflated:
    """The rest of a compressed batch. What is inflated and not read yet is in the batch's own buffer."""

    def __init__(self, codec: int, source: bytes) -> None:
        file: Any
        match codec:
            case DefaultRecordBatch.CODEC_GZIP:
                file = gzip.GzipFile(fileobj=io.BytesIO(source), mode="rb")
            case DefaultRecordBatch.CODEC_LZ4:
                file = lz4.LZ4FrameFile(io.BytesIO(source))
            case DefaultRecordBatch.CODEC_ZSTD:
                file = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(source), read_across_frames=True)
            case _:  # snappy has a bound of its own: 64 bytes of three
                file = io.BytesIO(snappy_decode(source))
        self.read = file.read


def begin(batch: Any) -> None:
    """Make a batch ready to be read: in place of `DefaultRecordBatch._maybe_uncompress`."""
    if batch._decompressed:
        return
    batch._decompressed = True
    if batch.compression_type != batch.CODEC_NONE:
        batch._assert_has_codec(batch.compression_type)
        batch._decompressed = _Deflated(batch.compression_type, bytes(batch._buffer[batch._pos :]))
        batch._buffer, batch._pos = bytearray(), 0


def bounded_record(batch: Any) -> Any:
    """A batch's next record, cut, where it is too long to hold or has too many headers; else None.

    Then the batch's buffer has it whole. What is no record raises as it does in the client.
    """
    _fill(batch, _VARINT_BYTES)
    length, start = decode_varint(batch._buffer, batch._pos)
    whole = start - batch._pos + length
    if whole > _LONGEST_RECORD_BYTES and isinstance(batch._decompressed, _Deflated):
        batch._pos = start
        return _Parts(batch, length, _KEPT_BYTES).record()
    _fill(batch, whole)
    start = batch._pos + whole - length
    if length < 2 * _MOST_HEADERS or _header_count(batch._buffer, start) <= _MOST_HEADERS:
        return None
    batch._pos = start
    return _Parts(batch, length, _LONGEST_RECORD_BYTES).record()


def _fill(batch: Any, count: int) -> None:
    """Have so many bytes in the batch's buffer, from its position on; fewer only at the end."""
    missing = count - (len(batch._buffer) - batch._pos)
    if missing > 0 and isinstance(batch._decompressed, _Deflated):
        more = batch._decompressed.read(max(missing, _CHUNK_BYTES))
        batch._buffer, batch._pos = bytearray(batch._buffer[batch._pos :]) + more, 0


def _header_count(buffer: Any, position: int) -> int:
    """How many headers the record has that stands there, behind its length."""
    for _ in ("attributes", "timestamp", "offset"):
        _, position = decode_varint(buffer, position)
    for _ in ("key", "value"):
        length, position = decode_varint(buffer, position)
        position += max(length, 0)
    return int(decode_varint(buffer, position)[0])


class _Parts:
    """Reads one record from a batch, whose position is behind the record's length.

    Of parts above `kept` bytes, and of headers above as many together, only the beginning is kept.
    """

    def __init__(self, batch: Any, length: int, kept: int) -> None:
        self._batch, self._length, self._left, self._kept = batch, length, length, kept

    def record(self) -> Any:
        """The record, as the client makes it. Afterwards the batch is behind it."""
        batch = self._batch
        self._varint()  # attributes, of which there are none yet
        age_ms, offset_delta = self._varint(), self._varint()
        log_append_time = batch.timestamp_type == batch.LOG_APPEND_TIME
        timestamp = batch.max_timestamp if log_append_time else batch.first_timestamp + age_ms
        key, value, headers = self._part(), self._part(), self._headers()
        while self._left > 0:
            self._piece(min(self._left, _CHUNK_BYTES))
        offset = batch.base_offset + offset_delta
        return DefaultRecord(self._length, offset, timestamp, batch.timestamp_type, key, value, headers)

    def _headers(self) -> list[tuple[str, bytes | None]]:
        """The headers; in place of those beyond a bound one that is larger than a dead letter carries."""
        headers: list[tuple[str, bytes | None]] = []
        room = self._kept
        for number in range(self._varint()):
            name, content = self._part() or b"", self._part()
            room -= len(name) + len(content or b"")
            if room < 0 or number == _MOST_HEADERS:
                return [*headers, ("", bytes(_KEPT_BYTES))]
            headers.append((name.decode("utf-8", "surrogateescape"), content))
        return headers

    def _part(self) -> bytes | None:
        """A key, a value, a header's name or its content: whole, or an excerpt."""
        length = self._varint()
        if length < 0:
            return None
        return self._piece(length) if length <= self._kept else self._excerpt(length)

    def _excerpt(self, length: int) -> Excerpt:
        kept = self._piece(self._kept)
        digest, left = hashlib.sha256(kept), length - len(kept)
        while left > 0:
            piece = self._piece(min(left, _CHUNK_BYTES))
            digest.update(piece)
            left -= len(piece)
        return Excerpt(kept, length, digest.hexdigest())

    def _piece(self, count: int) -> bytes:
        batch = self._batch
        _fill(batch, count)
        piece = bytes(batch._buffer[batch._pos : batch._pos + count])
        if len(piece) < count:
            raise ValueError("the batch ends within a record")
        batch._pos += count
        self._left -= count
        return piece

    def _varint(self) -> int:
        batch = self._batch
        _fill(batch, _VARINT_BYTES)
        begin = batch._pos
        number, batch._pos = decode_varint(batch._buffer, begin)
        self._left -= batch._pos - begin
        return int(number)
