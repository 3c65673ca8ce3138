"""Dataclasses as JSON files with a schema number: written, and read with every field checked for its type."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from rseqbench.errors import ResultsError, describe_damage

T = TypeVar("T")


def matches_type(value: object, kind: Any) -> bool:
    """Whether a value is of the kind that a field is declared with, all the way down."""
    parts = get_args(kind)
    declared = _declared(kind)
    if declared is not None:
        return all(matches_type(getattr(value, name), part) for name, part in declared.items())
    if get_origin(kind) is tuple:
        return isinstance(value, tuple) and all(matches_type(item, parts[0]) for item in value)
    if get_origin(kind) is list:
        return isinstance(value, list) and all(matches_type(item, parts[0]) for item in value)
    if get_origin(kind) is Mapping:
        return isinstance(value, dict) and all(matches_type(item, parts[1]) for item in value.values())
    if get_origin(kind) is Literal:
        return value in parts
    if isinstance(kind, UnionType):
        return any(matches_type(value, part) for part in parts)
    return type(value) is kind or (kind is float and type(value) is int)


@cache  # a thousand headers are read against the same few classes
def _declared(kind: Any) -> Mapping[str, Any] | None:
    """Return the kinds of a dataclass's fields; None where it is none."""
    return get_type_hints(kind) if dataclasses.is_dataclass(kind) else None


def to_json(stored: Mapping[str, Any]) -> str:
    """Return the text of a file whose fields, a `schema` among them, parse_json() takes."""
    return json.dumps(stored, indent=1, ensure_ascii=False) + "\n"


def parse_json(text: str, where: Path, schema: int, made: Callable[[dict[str, Any]], T]) -> T:
    """Return what `made` makes of the fields in the text of the file `where`; it raises ValueError of what is wrong.

    Raises ResultsError when the file is damaged, foreign, or in a newer schema than `schema`.
    """
    try:
        raw = json.loads(text, parse_constant=int)  # which refuses NaN: JSON has none
        written = raw["schema"]
        if type(written) is not int or written < 1:
            raise ValueError(f"no schema of rseqbench: {written!s:.40}")
        if written > schema:
            raise ResultsError(f"{where}: written in schema {written}, this rseqbench reads {schema}", "update it")
        stored = made(raw)
        if not matches_type(stored, type(stored)):
            raise ValueError("a field is not of its kind")
        return stored
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ResultsError(f"{where}: damaged, or not written by rseqbench ({describe_damage(error)})") from error
