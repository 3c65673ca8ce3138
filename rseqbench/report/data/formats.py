"""The fields of every record that is written as JSON or CSV, as formats.toml declares them."""

from __future__ import annotations

import functools
import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rseqbench.report.data.writers import SCHEMA

_COUNTS = ("; of counts the least that was seen", "; of counts the most that was seen")
_ENDS = {"interval": _COUNTS, "time interval": ("", "")}


@dataclass(frozen=True)
class Field:
    """One key of a record: name, type in the words of formats.toml, meaning, and whether it may be absent."""

    name: str
    type: str
    meaning: str
    optional: bool = False


@dataclass(frozen=True)
class RecordFormat:
    """One kind of record: what it is about, and all of its fields in the order in which they are written."""

    about: str
    fields: tuple[Field, ...]


@functools.cache
def load_formats() -> Mapping[str, RecordFormat]:
    """Return the format of every record by its name, as formats.toml declares it."""
    raw = tomllib.loads(Path(__file__).with_name("formats.toml").read_text(encoding="utf-8"))
    return {name: RecordFormat(record["about"], tuple(_read_fields(raw, name))) for name, record in raw.items()}


def field_names(record: str) -> list[str]:
    """Return the names of a record's fields in order: the columns that it has in CSV."""
    return [field.name for field in load_formats()[record].fields]


def _read_fields(raw: Mapping[str, Any], name: str) -> Iterator[Field]:
    record = raw[name]
    if "document" in record:
        yield Field("schema", str(SCHEMA), "the version of this format")
        yield Field("kind", json.dumps(record["document"]), "what the document is")
    if "extends" in record:
        yield from _read_fields(raw, record["extends"])
    for field, type_, meaning in record["fields"]:
        yield from _expand(Field(field.removesuffix("?"), type_, meaning, field.endswith("?")))


def _expand(field: Field) -> Iterator[Field]:
    """Yield a field; of an interval the value and both ends."""
    base, null, _ = field.type.partition(", null")
    if base not in _ENDS:
        yield field
        return
    low, high = _ENDS[base]
    yield Field(field.name, f"number{null}", field.meaning, field.optional)
    yield Field(f"{field.name}_low", "number, null", f"lower end of the interval of {field.name}{low}")
    yield Field(f"{field.name}_high", "number, null", f"upper end of it{high}")
