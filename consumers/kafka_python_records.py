"""Three kinds of record that Kafka allows and kafka-python 3.0.12 does not handle; `install` makes it.

Whatever arrives must be readable, for one record must not stop a partition, and a dead letter must carry
its key, value and headers as received. The client, however, - stops for good at a record with a header name
that is not UTF-8 (`DefaultRecordBatch._read_msg`); - refuses to send a header without a value
(`KafkaProducer.send`), and to encode a name of the first kind; - refuses to send a record with neither key
nor value (`KafkaProducer.send`). The first two need a method of the client replaced, once for the process,
and so does the inflating of what is compressed (`kafka_python_inflate.py`). What they do for every other
record is what they did before. The tests of the contract send and read all three.
"""

from typing import Any

from kafka import Serializer
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from consumers.kafka_python_inflate import begin, bounded_record
from consumers.log import Headers

_NOTHING = b""  # stands for a missing header value until the record is encoded


class HeaderName(str):
    """A header's name that may hold bytes that are not UTF-8, as surrogates."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "surrogateescape") -> bytes:
        """Return the bytes as they were."""
        return str.encode(self, encoding, errors)


class _TolerantBuffer(bytearray):
    """A batch's bytes, from which any header name can be decoded."""

    def __getitem__(self, index: Any) -> Any:
        item = super().__getitem__(index)
        return item if isinstance(item, int) else _TolerantBuffer(item)

    def decode(self, encoding: str = "utf-8", errors: str = "surrogateescape") -> HeaderName:
        return HeaderName(super().decode(encoding, errors))


class _WithMissingValues(list[tuple[str, bytes]]):
    """Headers of which those at `missing` have no value; still the client can take the length of each."""

    missing: frozenset[int] = frozenset()


class NothingAsNull(Serializer):  # type: ignore[misc] # the client has no types
    """Lets `NULL` pass the client's check that a record has a key or a value."""

    def serialize(self, topic: str, headers: Any, data: Any) -> Any:  # noqa: ARG002 (the client's interface)
        """Return the value's bytes, or None for `NULL`."""
        return None if data is NULL else data


NULL = object()


def sendable(headers: Headers) -> list[tuple[str, bytes]]:
    """Return headers in the form that the client takes."""
    if all(value is not None and name.isascii() for name, value in headers):
        return list(headers)  # type: ignore[arg-type] # just checked
    listed = _WithMissingValues(
        (HeaderName(name), _NOTHING if value is None else value) for name, value in headers
    )
    listed.missing = frozenset(i for i, (_, value) in enumerate(headers) if value is None)
    return listed


_read_strictly = DefaultRecordBatch._read_msg
_append_strictly = DefaultRecordBatchBuilder.append


def _read_msg(batch: Any) -> Any:
    if (record := bounded_record(batch)) is not None:
        return record
    try:
        return _read_strictly(batch)
    except UnicodeDecodeError:  # the position has not moved
        batch._buffer = _TolerantBuffer(batch._buffer)
        return _read_strictly(batch)


def _append(builder: Any, offset: Any, timestamp: Any, key: Any, value: Any, headers: Any) -> Any:
    if type(headers) is _WithMissingValues:
        headers = [(name, None if i in headers.missing else value) for i, (name, value) in enumerate(headers)]
    return _append_strictly(builder, offset, timestamp, key, value, headers)


def install() -> None:
    """Replace the methods; again and again does no harm."""
    DefaultRecordBatch._maybe_uncompress = begin
    DefaultRecordBatch._read_msg = _read_msg
    DefaultRecordBatchBuilder.append = _append
