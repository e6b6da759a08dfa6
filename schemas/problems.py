"""What is wrong with an event's `data`, in words that show nothing of it."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

_SHOWN = 3
"""More broken rules than this are counted, not named."""

# By pydantic's type of error. The context (`ctx`) comes from the model, never from the input.
_WORDS: Mapping[str, Callable[[Mapping[str, Any]], str]] = MappingProxyType(
    {
        "missing": lambda _: "is required",
        "enum": lambda context: f"must be {context['expected']}".replace("'", ""),
        "string_type": lambda _: "must be text",
        "string_too_short": lambda context: f"must have at least {context['min_length']} characters",
        "string_too_long": lambda context: f"must have at most {context['max_length']} characters",
        "too_long": lambda context: f"must have at most {context['max_length']} items",
        "string_pattern_mismatch": lambda context: f"must match {context['pattern']}",
        "bool_type": lambda _: "must be true or false",
        "tuple_type": lambda _: "must be an array",
        "model_type": lambda _: "must be an object",
        "instant": lambda context: str(context.get("reason", "must be an instant in UTC")),
        "window": lambda _: "must be two different times HH:MM, or two RFC 3339 instants, earlier first",
    }
)


def in_words(error: ValidationError) -> str:
    """The first few broken rules as one sentence, such as `data.channel is required`."""
    details = error.errors(include_url=False, include_input=False)
    sentences = list(dict.fromkeys(_sentence(detail) for detail in details[:_SHOWN]))
    more = len(details) - _SHOWN
    return "; ".join(sentences) + (f"; and {more} more" if more > 0 else "")


def _sentence(detail: Any) -> str:
    kind, where, context = detail["type"], detail["loc"], detail.get("ctx", {})
    if kind == "rule":
        return str(context["sentence"])
    if kind == "extra_forbidden":
        return f"{_path(where[:-1])} has an unknown field"
    words = _WORDS.get(kind)
    return f"{_path(where)} {words(context) if words else 'is not what the contract says'}"


def _path(where: tuple[str | int, ...]) -> str:
    """`data.client.name`: only names that a model knows get here, and positions in arrays."""
    return "data" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in where)
