"""Whether a value read from a file is of the kind that a dataclass declares, all the way down."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from types import UnionType
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints


@cache
def _fields(kind: type) -> dict[str, Any]:
    """Return the declared kinds of a dataclass; Python makes them from text each time, too slow for 1,000 runs."""
    return get_type_hints(kind)


def fits(value: object, kind: Any) -> bool:
    """Whether a value is of the kind that a field is declared with, all the way down."""
    parts = get_args(kind)
    if dataclasses.is_dataclass(kind):
        return all(fits(getattr(value, name), part) for name, part in _fields(cast(type, kind)).items())
    if get_origin(kind) is tuple:
        return isinstance(value, tuple) and all(fits(item, parts[0]) for item in value)
    if get_origin(kind) is Mapping:
        return isinstance(value, dict) and all(fits(item, parts[1]) for item in value.values())
    if get_origin(kind) is Literal:
        return value in parts
    if isinstance(kind, UnionType):
        return any(fits(value, part) for part in parts)
    return type(value) is kind or (kind is float and type(value) is int)
