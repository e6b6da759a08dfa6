"""The strict parser against Python's own, over documents near and far from JSON."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.strict_json import MalformedJson, loads

TEXT = st.text(st.sampled_from('ab":\\ \n\t,{}[]я😀'), max_size=6)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)
FORMS = st.tuples(st.booleans(), st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t: ")]))


@given(DOCUMENTS, FORMS)
def test_what_was_written_is_read(value: Any, form: tuple[bool, tuple[str, str]]):
    """Any value survives being written in whatever layout and read."""
    ascii_only, separators = form
    document = json.dumps(value, ensure_ascii=ascii_only, separators=separators).encode()
    assert loads(document) == json.loads(document)


@given(DOCUMENTS, FORMS, TEXT, st.data())
def test_a_key_that_stands_twice_is_found(
    value: Any, form: tuple[bool, tuple[str, str]], key: str, data: Any
):
    """One more pair with a key that the object has already is found wherever it stands."""
    ascii_only, separators = form
    pair = f"{json.dumps(key, ensure_ascii=data.draw(st.booleans()))}{separators[1]}1"
    rest = json.dumps({key + "x": value, "tail": '":'}, ensure_ascii=ascii_only, separators=separators)
    twice = f"[{{{pair},{pair},{rest[1:]}]"
    once = f"[{{{pair},{rest[1:]}]" if key != "tail" else "[]"
    assert loads(once.encode()) == json.loads(once)
    with pytest.raises(MalformedJson, match="same key twice"):
        loads(twice.encode())


@given(st.binary(max_size=60) | st.text('[]{}":,0123456789eE.-+tfn\\u d\n', max_size=40).map(str.encode))
def test_nothing_else_is_taken(document: bytes):
    """What the strict parser takes, Python's parser takes too and reads the same."""
    try:
        value = loads(document)
    except MalformedJson:
        return
    assert value == json.loads(document.decode())
