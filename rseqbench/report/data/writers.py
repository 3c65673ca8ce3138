"""Pure: records as text. What every CSV and JSON document has in common: its schema, its cells, its estimates."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rseqbench.model import Estimate, Machine
from rseqbench.report import formatting

SCHEMA = 1
Record = Mapping[str, Any]
_FORMULA = ("=", "+", "-", "@")  # a cell of text that starts so is run by spreadsheets


def estimate(name: str, number: Estimate | None) -> dict[str, float | None]:
    """Return a value and the ends of its interval under `name`, `name`_low and `name`_high; None for what is not."""
    value = (number.value, number.low, number.high) if number else (None, None, None)
    return dict(zip((name, f"{name}_low", f"{name}_high"), value, strict=True))


def facts(machine: Machine) -> list[Record]:
    """Return a record (kind "fact") for everything that is known of a machine; its value is text."""
    known = {"target": machine.target, "timing": machine.timing, **machine.facts.to_dict()}
    return [{"kind": "fact", "arch": machine.arch, "name": name, "text": _text(value)} for name, value in known.items()]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def texts(kind: str, found: Iterable[str]) -> list[Record]:
    """Return a record of `kind` for each sentence."""
    return [{"kind": kind, "text": text} for text in found]


def to_json(kind: str, **parts: object) -> str:
    """Return the JSON text of one document: schema, kind, then its parts; what a terminal would obey is escaped."""
    document = {"schema": SCHEMA, "kind": kind, **parts}
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False, default=str)
    return re.sub(r"[^\n -~]", lambda found: _escaped(found[0]), text) + "\n"


def _escaped(char: str) -> str:
    """Escape a character of JSON that directs what is beside it; any other stays."""
    return json.dumps(char)[1:-1] if formatting.is_control(char) else char


def to_csv(records: Sequence[Record], columns: Iterable[str] = ()) -> str:
    """Return CSV (RFC 4180, but with newlines alone) with a heading; the first column is the schema version.

    It has `columns`, and whatever else the records have, in the order in which they name it. A record is empty where it
    says nothing; an empty list of records without columns is an empty text.
    """
    heads = list(dict.fromkeys([*columns, *(name for record in records for name in record)]))
    out = io.StringIO()
    if heads:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["schema", *heads])
        writer.writerows([SCHEMA, *(_cell(record.get(name)) for name in heads)] for record in records)
    return out.getvalue()


def _cell(value: object) -> object:
    """Return a CSV cell: text is one line, and with an apostrophe where a spreadsheet would run it as a formula."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        text = formatting.line(value)
        return f"'{text}" if text.startswith(_FORMULA) else text
    return value


def rounded(record: Record) -> Record:
    """Return a record for people's eyes and for git diff: six digits of each number."""
    return {key: float(f"{value:.6g}") if isinstance(value, float) else value for key, value in record.items()}
