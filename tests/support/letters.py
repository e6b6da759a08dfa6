"""What a dead letter must be, written down from the contract and not from the code that makes it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from consumers.log import Headers, Record
from schemas.envelope import Code
from schemas.instants import format_instant, from_epoch
from tests.bad_input.samples import Sample

OURS = "dlq.errors."
_MIB, _EXCERPT = 1024 * 1024, 64 * 1024

Place = tuple[int, int]
"""A partition, and an offset in it."""


@dataclass(slots=True)
class Fates:
    """What became of the records of an events topic, by the topics alone: at most one thing each."""

    applied: set[Place] = field(default_factory=set)
    letters: dict[Place, Record] = field(default_factory=dict)

    def take_journal(self, cause: Mapping[str, object]) -> None:
        """Note the cause of a journal record."""
        if cause["kind"] == "event":
            place = int(str(cause["partition"])), int(str(cause["offset"]))
            assert place not in self.applied, f"the record at {place} was applied twice"
            self.applied.add(place)

    def take_letter(self, letter: Record) -> None:
        """Note a dead letter."""
        headers = dict(letter.headers)  # of several the last one, which is ours
        place = _number(headers, "partition"), _number(headers, "offset")
        assert place not in self.letters, f"the record at {place} has two dead letters"
        self.letters[place] = letter

    def check(self, sample: Sample, record: Record, group: str) -> None:
        """Hold what became of a sample, received as `record`, against what is expected of it."""
        place = record.partition, record.offset
        letter = self.letters.get(place)
        refused = isinstance(sample.code, Code)
        assert (letter is not None) == refused, f"{sample.name}: {sample.why}"
        assert (place in self.applied) == (sample.code == "applied"), f"{sample.name}: {sample.why}"
        if letter is not None:
            check_letter(letter, record, sample, group)


def check_letter(letter: Record, record: Record, sample: Sample, group: str) -> None:
    """Key, value and headers as received, then why; of what is too large the beginning."""
    key, value, headers, size = _kept(record)
    said = {name: content or b"" for name, content in letter.headers[len(headers) :]}
    assert said.pop(f"{OURS}message"), sample.name
    assert said == {
        f"{OURS}code": str(sample.code).encode(),
        f"{OURS}topic": record.topic.encode(),
        f"{OURS}partition": str(record.partition).encode(),
        f"{OURS}offset": str(record.offset).encode(),
        f"{OURS}group": group.encode(),
        f"{OURS}timestamp": format_instant(from_epoch(record.timestamp_us)).encode(),
        **size,
    }, f"{sample.name}: {sample.why}"
    assert letter.partition == record.partition, sample.name
    assert (letter.key, letter.value) == (key, value), sample.name
    assert letter.headers[: len(headers)] == headers, sample.name


def _kept(record: Record) -> tuple[bytes | None, bytes | None, Headers, dict[str, bytes]]:
    key, value, headers = record.key, record.value, record.headers
    in_headers = sum(len(name) + len(content or b"") for name, content in headers)
    if max(len(key or b""), len(value or b""), in_headers) <= _MIB:
        return key, value, headers, {}
    whole = value or b""
    cut = {
        f"{OURS}size": str(len(whole)).encode(),
        f"{OURS}sha256": hashlib.sha256(whole).hexdigest().encode(),
    }
    return key and key[:_EXCERPT], value and value[:_EXCERPT], headers if in_headers <= _EXCERPT else (), cut


def words_of_ours(letter: Record) -> str:
    """The headers that we add, as one text: all that a person is shown of a dead letter."""
    names = [name for name, _ in letter.headers]
    own = len(names) - 1 - names[::-1].index(f"{OURS}code")
    return "\n".join(f"{name}: {(content or b'').decode()}" for name, content in letter.headers[own:])


def _number(headers: Mapping[str, bytes | None], name: str) -> int:
    return int(headers[OURS + name] or b"")
