"""Values that are no JSON as the contract takes it: bytes, syntax, keys, numbers, depth, characters."""

import base64
import gzip
from collections.abc import Callable, Iterator, Mapping

from schemas.envelope import Code
from tests.bad_input.sample import (
    DATA,
    EMAIL,
    NAME,
    PHONE,
    Sample,
    applied,
    binary_headers,
    dump,
    event,
    with_more,
)

_BAD = Code.MALFORMED
_GOOD = dump(event())


def _not_utf8() -> Iterator[Sample]:
    yield Sample("Windows-1251", _BAD, "JSON is UTF-8.", _GOOD.decode().encode("cp1251", "replace"))
    yield Sample(
        "broken name", _BAD, "One byte is enough.", _GOOD.replace("Вымышленная".encode(), b"\xff\xfe")
    )
    yield Sample("byte order mark", _BAD, "RFC 8259, 8.1 forbids to add one.", b"\xef\xbb\xbf" + _GOOD)
    yield Sample("UTF-16", _BAD, "It has a mark and zero bytes.", _GOOD.decode().encode("utf-16"))
    yield Sample("UTF-32", _BAD, "It has zero bytes.", _GOOD.decode().encode("utf-32-be"))
    yield Sample(
        "overlong slash", _BAD, "A slash in two bytes is no UTF-8.", _GOOD.replace(b"/", b"\xc0\xaf")
    )
    yield Sample("surrogate in UTF-8", _BAD, "CESU-8 is another encoding.", with_more(b'"x": "\xed\xa0\x80"'))
    yield Sample("beyond Unicode", _BAD, "There is no U+110000.", with_more(b'"x": "\xf4\x90\x80\x80"'))
    yield Sample("letter cut in two", _BAD, "A letter lacks its second byte.", with_more(b'"x": "\xd0"'))
    yield Sample("binary mode", _BAD, "Its value is JSON, too.", b'{"x": "\xff"}', headers=binary_headers())


def _not_json() -> Iterator[Sample]:
    yield Sample("empty", _BAD, "No bytes are no document.", b"")
    yield Sample(
        "empty in binary mode", _BAD, "Only a missing value is a tombstone.", b"", headers=binary_headers()
    )
    yield Sample("spaces", _BAD, "Spaces are no document.", b" \r\n\t")
    yield Sample("a text", _BAD, "A text needs quotes.", f"{NAME} {PHONE}".encode())
    yield Sample(
        "a text in binary mode", _BAD, "A text needs quotes.", NAME.encode(), headers=binary_headers()
    )
    yield Sample("cut off", _BAD, "It ends too early.", _GOOD[:-20])
    yield Sample("two documents", _BAD, "A record is one event.", _GOOD + _GOOD)
    yield Sample("two lines", _BAD, "A record is one event.", _GOOD + b"\n" + _GOOD)
    yield Sample("NUL at the end", _BAD, "C ends texts so, JSON does not.", _GOOD + b"\0")
    yield Sample("trailing comma", _BAD, "JavaScript takes it, JSON does not.", _GOOD[:-1] + b",}")
    yield Sample("single quotes", _BAD, "Python writes so.", str(event()).encode())
    yield Sample("comment", _BAD, "JSON has none.", f"/* {PHONE} */".encode() + _GOOD)
    yield Sample("key without quotes", _BAD, "JavaScript takes it.", with_more(b"x: 1"))
    yield Sample("XML", _BAD, "Another language.", f"<event>{NAME}</event>".encode())
    yield Sample("schema registry's frame", _BAD, "Five bytes stand before the JSON.", b"\0\0\0\0\7" + _GOOD)
    yield Sample(
        "compressed by hand", _BAD, "Kafka compresses batches, not values.", gzip.compress(_GOOD, mtime=0)
    )
    yield Sample("base64", _BAD, "The value is the document itself.", base64.b64encode(_GOOD))
    yield Sample("unknown escape", _BAD, "JSON has eight and \\u.", with_more(rb'"x": "\x41"'))
    yield Sample("half an escape", _BAD, "\\u takes four digits.", with_more(rb'"x": "\u00"'))


def _duplicate_keys() -> Iterator[Sample]:
    more: Mapping[str, tuple[str, bytes]] = {
        "of the envelope": ("Readers differ on which one counts.", f'"id": "{EMAIL}"'.encode()),
        "with one value": ("Equal values do not make it right.", f'"id": "{EMAIL}/1"'.encode()),
        "escaped": ("\\u0069d is id.", rb'"\u0069d": "x"'),
        "of data": ("Two data, one of them hidden.", f'"data": {{"client": "{NAME}"}}'.encode()),
        "unknown, twice": ("No key stands twice, whatever it means.", b'"x": 1, "x": 2'),
        "in an array": ("However deep.", b'"x": [{"a": 1, "a": 1}]'),
        "the empty one": ("Empty keys are keys.", b'"x": {"": 1, "": 2}'),
        "with spaces before the colon": ("Spaces hide nothing.", b'"id"  \n :  "x"'),
    }
    for name, (why, field) in more.items():
        yield Sample(name, _BAD, why, with_more(field))
    deep = _GOOD.replace(b'"name":', f'"name": "{NAME}", "name":'.encode())
    yield Sample("of the client", _BAD, "However deep.", deep)
    data = dump(DATA)[:-1] + b', "channel": "chat"}'
    yield Sample("in binary mode", _BAD, "Its value is JSON, too.", data, headers=binary_headers())
    yield applied(
        "what only looks like one",
        "A quote and a colon within a text are no key.",
        "quoted",
        data={**DATA, "description": '"id":"id":'},
    )


def _numbers() -> Iterator[Sample]:
    more: Mapping[str, tuple[str, bytes]] = {
        "NaN": ("JSON has no such number.", b'"x": NaN'),
        "infinity": ("JSON has no such number.", b'"x": Infinity'),
        "minus infinity": ("JSON has no such number.", b'"x": -Infinity'),
        "65 digits": ("64 are the most.", b'"x": ' + b"9" * 65),
        "minus and 65 digits": ("64 are the most.", b'"x": -' + b"9" * 65),
        "5000 digits": ("More than Python converts.", b'"x": ' + b"9" * 5_000),
        "200,000 digits": ("To convert them would take seconds.", b'"x": ' + b"9" * 200_000),
        "fraction of 65 digits": ("Digits after the point count.", b'"x": 0.' + b"1" * 65),
        "exponent of 65 digits": ("Those of an exponent count, too.", b'"x": 1e-' + b"0" * 64 + b"1"),
        "too large for a double": ("It would become infinite.", b'"x": 1e999'),
        "leading zero": ("Is it octal?", b'"x": 007'),
        "plus sign": ("JSON has none.", b'"x": +7'),
        "hexadecimal": ("JSON has none.", b'"x": 0xFF'),
        "no digit before the point": ("JSON wants one.", b'"x": .5'),
        "no digit after the point": ("JSON wants one.", b'"x": 5.'),
        "underscore": ("Python takes it, JSON does not.", b'"x": 1_000'),
        "deep inside": ("However deep.", b'"x": [{"y": [1e400]}]'),
    }
    for name, (why, field) in more.items():
        yield Sample(name, _BAD, why, with_more(field))
    yield Sample("NaN in binary mode", _BAD, "The same.", b'{"channel": NaN}', headers=binary_headers())
    yield Sample(
        "64 digits in an extension",
        Code.INVALID_ENVELOPE,
        "JSON, but no integer of 32 bits.",
        with_more(b'"x": ' + b"9" * 64),
    )


def _nesting() -> Iterator[Sample]:
    more: Mapping[str, tuple[str, bytes]] = {
        "arrays, 65 deep": ("64 levels are the most; the event is one.", b'"x": ' + b"[" * 64 + b"]" * 64),
        "objects, 65 deep": ("64 levels are the most.", b'"x": ' + b'{"y":' * 64 + b"1" + b"}" * 64),
        "arrays, 300 deep": ("The parser's own bound is 200.", b'"x": ' + b"[" * 300 + b"]" * 300),
    }
    for name, (why, field) in more.items():
        yield Sample(name, _BAD, why, with_more(field))
    yield Sample("20,000 deep, not closed", _BAD, "It would end a recursive parser.", b'{"data":' * 20_000)
    yield Sample("100,000 deep", _BAD, "It would end a recursive parser.", b"[" * 100_000 + b"]" * 100_000)
    yield Sample("200,000 brackets", _BAD, "The same, never closed.", b"[" * 200_000)
    yield Sample(
        "data of binary mode, 65 deep",
        _BAD,
        "Its value is JSON, too.",
        b"[" * 65 + b"]" * 65,
        headers=binary_headers(),
    )
    yield Sample(
        "64 deep",
        Code.INVALID_ENVELOPE,
        "JSON that is taken, but an extension is no array.",
        with_more(b'"x": ' + b"[" * 63 + b"]" * 63),
    )


def _characters() -> Iterator[Sample]:
    bad = Code.INVALID_ENVELOPE
    yield Sample("lone surrogate", _BAD, "Half a character.", with_more(rb'"x": "\ud83d"'))
    yield Sample("surrogates in the wrong order", _BAD, "No character.", with_more(rb'"x": "\ude00\ud83d"'))
    raw = _GOOD.replace("СНИЛС ".encode(), b"\x01")
    yield Sample("control character, raw", _BAD, "JSON wants them escaped.", raw)
    yield Sample("line end, raw", _BAD, "JSON wants it escaped.", _GOOD.replace("СНИЛС ".encode(), b"\n"))
    texts: Mapping[str, tuple[str, str]] = {
        "NUL in the id": ("CloudEvents forbids control characters.", "\0"),
        "bell in the id": ("CloudEvents forbids control characters.", "\a"),
        "C1 control in the id": ("A terminal obeys U+009B.", "\x9b"),
        "noncharacter in the id": ("CloudEvents forbids it.", "\ufdd0"),
        "last of a plane in the id": ("U+1FFFF is a noncharacter, too.", "\U0001ffff"),
    }
    for name, (why, character) in texts.items():
        yield Sample(name, bad, why, dump(event(id=f"{NAME}{character}")))
    subjects: Mapping[str, tuple[str, str]] = {
        "bidirectional override in the subject": ("It would show another ticket.", "bad-\u202einput"),
        "zero width space in the subject": ("It cannot be seen.", "bad\u200binput"),
        "Cyrillic letter in the subject": ("It looks like a Latin one.", "bаd-input-1"),
        "full-width digit in the subject": ("Only ASCII names a ticket.", "bad-input-１"),
        "NUL in the subject": ("It would end a C text.", "bad-input-1\0"),
        "accent in the subject": ("Only ASCII names a ticket.", "bad-input-é"),
    }
    for name, (why, subject) in subjects.items():
        yield Sample(name, bad, why, dump(event(subject=subject)), subject.encode())
    operator = event("ticket.assigned.v1", data={"operator": f"{NAME}\0"})
    yield Sample("NUL in an operator", Code.INVALID_DATA, "An id has no control characters.", dump(operator))
    yield from _odd_but_taken()


def _odd_but_taken() -> Iterator[Sample]:
    why = "A person's name is kept as it was written, and shown to nobody."
    for number, text in enumerate(("\u202eЯинеглоп", "a\0b", "e\u0301\u200d", "\U000e0041", "🧑‍🚀" * 20)):
        client = {"id": "c", "name": f"{text}{NAME}"}
        yield applied(f"odd name {number}", why, f"name-{number}", data={**DATA, "client": client})
    yield applied(
        "everything escaped",
        "An escaped document is the same document.",
        "escaped",
        value=_escaped(event(id="1", source="/channels/phone", subject="bad-input-taken-escaped")),
    )
    yield applied("U+2028 in the id", "A line separator is no control character.", "separator", id="1\u2028")


def _escaped(document: dict[str, object]) -> bytes:
    text = dump(document).decode()
    return "".join(_escape(c) if c.isalpha() and ord(c) < 0x10000 else c for c in text).encode()


def _escape(letter: str) -> str:
    return f"\\u{ord(letter):04X}"


CLASSES: Mapping[str, Callable[[], Iterator[Sample]]] = {
    "not UTF-8": _not_utf8,
    "not JSON": _not_json,
    "duplicate keys": _duplicate_keys,
    "numbers": _numbers,
    "nesting": _nesting,
    "characters": _characters,
}
