"""Frozen data of ours as JSON has it: the names of the fields, instants as the contract writes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from pydantic import BaseModel

from schemas.instants import format_instant


def as_data(value: Any) -> Any:
    """The value as `json` takes it: a dataclass becomes a dict, a tuple a list."""
    match value:
        case BaseModel():
            return value.model_dump(mode="json", by_alias=True)
        case datetime():
            return format_instant(value)
        case Enum():
            return value.value
        case Mapping():
            return {str(name): as_data(each) for name, each in value.items()}
        case tuple() | list():
            return [as_data(each) for each in value]
    if is_dataclass(value):
        return {each.name: as_data(getattr(value, each.name)) for each in fields(value)}
    return value
