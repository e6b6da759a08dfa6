"""JSON as the contract takes it."""

import json

import pytest

from schemas.strict_json import MalformedJson, loads

HOSTILE_BYTES = 256 * 1024


@pytest.mark.parametrize(
    "document",
    [
        "{}",
        "[]",
        "null",
        "-0",
        '"😀"',
        '"\\ud83d\\ude00"',
        '{"a":{"a":1},"b":[{"a":2},{"a":3}]}',
        '{"a" \n\t\r : "text with \\": in it", "\\":" : 1}',
        '{"a": " \\" : ", "b": 0.1}',
        "[" * 64 + "]" * 64,
        "9" * 64,
        "-" + "9" * 64,
        "0." + "1" * 63,
        "1e308",
        '{"": ""}',
    ],
)
def test_what_is_json_is_read_as_json_reads_it(document: str):
    """Valid documents up to the limits give the value that Python's own parser gives."""
    assert loads(document.encode()) == json.loads(document)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b"", "ends too early"),
        (b"{} {}", "follows after its end"),
        (b"\xff", "not JSON"),
        (b'"\xff"', "not UTF-8"),
        (b'"\xed\xa0\x80"', "not UTF-8"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        ("{}".encode("utf-16"), "not JSON"),
        (b'{"a":1,"a":1}', "same key twice"),
        (b'{"a":1,"\\u0061":1}', "same key twice"),
        (b'{"x":"\\":","a":1,"a":1}', "same key twice"),
        (b'[{"b":{"a" :1,"a"\n:[]}}]', "same key twice"),
        (b"NaN", "not JSON"),
        (b"[Infinity]", "not JSON"),
        (b"[-Infinity]", "not JSON"),
        (b"[" * 65 + b"]" * 65, "deeper than 64"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "deeper than 64"),
        (b"[" * 100_000, "deeper than 64"),
        (b"9" * 65, "longer than 64 digits"),
        (b"[-" + b"9" * 65 + b"]", "longer than 64 digits"),
        (b"0." + b"1" * 64, "longer than 64 digits"),
        (b"1." + b"1" * 60 + b"e1234", "longer than 64 digits"),
        (b"9" * 10_000, "longer than 64 digits"),
        (b"1e309", "too large"),
        (b"-1e309", "too large"),
        (b'"\\ud800"', "surrogate"),
        (b'"\\udc00"', "surrogate"),
        (b'"\\ud800\\u0041"', "surrogate"),
        (b'{"\\ud800":1}', "surrogate"),
        (b'"\n"', "control character"),
        (b'"\\x"', "escape"),
        (b"01", "not JSON"),
        (b"+1", "not JSON"),
        (b".5", "not JSON"),
        (b"[1,]", "not JSON"),
        (b"{1:1}", "key is not a text"),
        (b"/* */ 1", "not JSON"),
    ],
)
def test_what_is_lenient_elsewhere_is_refused(document: bytes, words: str):
    """Everything that some parser lets through is refused with its own reason."""
    with pytest.raises(MalformedJson, match=words):
        loads(document)


@pytest.mark.parametrize(
    "unit", ["[", '{"a":', '"', '\\"', "[],", '{"a":1},', "9", "1.5,", '"a":1,', " ", '" :', "\x00", "ы"]
)
@pytest.mark.parametrize("around", [("", ""), ("[", "1]"), ('"', '"'), ("{", "}"), ("0.", "")])
def test_hostile_documents_of_full_size_are_settled(unit: str, around: tuple[str, str]):
    """A document of the largest size made of one piece repeated is read or refused, nothing else happens."""
    document = around[0] + unit * (HOSTILE_BYTES // len(unit.encode())) + around[1]
    try:
        value = loads(document.encode())
    except MalformedJson:
        return
    assert value == json.loads(document)
