"""JSON as the contract takes it (`malformed`): everything lenient about parsers is refused.

The parser under pydantic (jiter) is several times faster than `json`. By itself it refuses what is not UTF-8
or JSON, NaN and Infinity, lone surrogates, trailing text and more than 200 levels. But it keeps the last of
two equal keys and rounds long numbers, so a document that may have either, which is rare, is read again.
"""

import json
import math
import re
from typing import Any, NoReturn

from pydantic_core import from_json

MAX_DEPTH = 64
MAX_NUMBER_DIGITS = 64

_INTEGER_LIMIT = 10**MAX_NUMBER_DIGITS
_SPACE = b" \t\n\r"
# Without its spaces a document has this after every key, and hardly ever elsewhere (in a text with a quote).
_END_OF_KEY = b'":'
_POSITION = re.compile(r"at line (\d+) column (\d+)\Z", re.ASCII)

# What jiter says, and what we say: no text of its own is passed on, only where it stopped.
_REASONS = {
    "EOF": "it ends too early",
    "trailing characters": "something follows after its end",
    "invalid unicode": "it is not UTF-8",
    "lone leading surrogate": "a text has half of a surrogate pair",
    "unexpected end of hex escape": "a text has half of a surrogate pair",
    "control character": "a text has a control character that is not escaped",
    "invalid escape": "a text has an escape that JSON does not know",
    "number out of range": f"a number is longer than {MAX_NUMBER_DIGITS} digits",
    "recursion limit": f"it is nested deeper than {MAX_DEPTH}",
    "key must be": "a key is not a text",
}


class MalformedJson(ValueError):  # noqa: N818 (named as the dead-letter code is)
    """The bytes are not JSON that we take. The message is a sentence part that shows nothing of them."""


def loads(document: bytes) -> object:
    """The value that a UTF-8 JSON document stands for.

    Raises MalformedJson for anything else, and for duplicate keys, NaN, Infinity, lone surrogates, nesting
    deeper than 64, numbers longer than 64 digits or too large for a double.
    """
    try:
        value: object = from_json(document, allow_inf_nan=False)
    except ValueError as error:
        raise MalformedJson(_reason(document, str(error))) from None
    found = [0, 0]
    _survey(value, 1, found)
    keys, doubtful_numbers = found
    if doubtful_numbers or keys != document.translate(None, _SPACE).count(_END_OF_KEY):
        _inspect(document)
    return value


def _reason(document: bytes, said: str) -> str:
    if document.startswith(b"\xef\xbb\xbf"):
        return "it begins with a byte order mark"
    reason = next((ours for theirs, ours in _REASONS.items() if said.startswith(theirs)), "it is not JSON")
    position = _POSITION.search(said)
    return f"{reason} (line {position[1]}, column {position[2]})" if position else reason


def _survey(value: Any, depth: int, found: list[int]) -> None:
    """Adds the keys of all objects to found[0], the numbers whose digits must be looked at to found[1]."""
    kind = type(value)
    if kind is dict:
        found[0] += len(value)
        items = value.values()
    elif kind is list:
        items = value
    else:
        items, depth = (value,), depth - 1
    if depth > MAX_DEPTH:
        raise MalformedJson(f"it is nested deeper than {MAX_DEPTH}")
    for item in items:
        kind = type(item)
        if kind is str:
            continue
        if kind is dict or kind is list:
            _survey(item, depth + 1, found)
        elif kind is float or (kind is int and not -_INTEGER_LIMIT < item < _INTEGER_LIMIT):
            found[1] += 1


def _inspect(document: bytes) -> None:
    """The slow and exact way. The document is JSON and at most 64 levels deep already."""
    json.loads(
        document.decode(),
        object_pairs_hook=_without_duplicates,
        parse_int=_checked_number,
        parse_float=_checked_number,
        parse_constant=_refuse_constant,
    )


def _without_duplicates(pairs: list[tuple[str, Any]]) -> None:
    if len({key for key, _ in pairs}) != len(pairs):
        raise MalformedJson("an object has the same key twice")


def _checked_number(text: str) -> None:
    if sum(character.isdigit() for character in text) > MAX_NUMBER_DIGITS:
        raise MalformedJson(f"a number is longer than {MAX_NUMBER_DIGITS} digits")
    if math.isinf(float(text)):
        raise MalformedJson("a number is too large")


def _refuse_constant(_: str) -> NoReturn:
    raise MalformedJson("NaN and Infinity are not JSON")
