"""Whether a value read from a file is of the kind that a dataclass declares, all the way down."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints


def fits(value: object, kind: Any) -> bool:
    """Whether a value is of the kind that a field is declared with, all the way down."""
    parts = get_args(kind)
    declared = _declared(kind)
    if declared is not None:
        return all(fits(getattr(value, name), part) for name, part in declared.items())
    if get_origin(kind) is tuple:
        return isinstance(value, tuple) and all(fits(item, parts[0]) for item in value)
    if get_origin(kind) is list:
        return isinstance(value, list) and all(fits(item, parts[0]) for item in value)
    if get_origin(kind) is Mapping:
        return isinstance(value, dict) and all(fits(item, parts[1]) for item in value.values())
    if get_origin(kind) is Literal:
        return value in parts
    if isinstance(kind, UnionType):
        return any(fits(value, part) for part in parts)
    return type(value) is kind or (kind is float and type(value) is int)


@cache  # a thousand headers are read against the same few classes
def _declared(kind: Any) -> Mapping[str, Any] | None:
    """Return the kinds of a dataclass's fields; None where it is none."""
    return get_type_hints(kind) if dataclasses.is_dataclass(kind) else None
