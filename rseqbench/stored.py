"""The JSON text of what a results folder holds: a dataclass with the number of its schema."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rseqbench.errors import ResultsError, damage
from rseqbench.support.serialization import fits

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")


def text(stored: DataclassInstance) -> str:
    """Return the text of a dataclass, which has a field `schema`."""
    return json.dumps(dataclasses.asdict(stored), indent=1, ensure_ascii=False) + "\n"


def read(text: str, where: Path, schema: int, made: Callable[[dict[str, Any]], T]) -> T:
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
        found = made(raw)
        if not fits(found, type(found)):
            raise ValueError("a field is not of its kind")
        return found
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ResultsError(f"{where}: damaged, or not written by rseqbench ({damage(error)})") from error
