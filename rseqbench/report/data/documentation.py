"""Writes docs/formats.schema.json and the tables of docs/formats.md from the formats: `python -m` this module."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from rseqbench.analysis.outcomes import Outcome
from rseqbench.model import VerdictWord
from rseqbench.report.data.formats import Field, RecordFormat, load_formats
from rseqbench.report.data.writers import SCHEMA

DOCS = Path(__file__).resolve().parents[3] / "docs"
_TYPES = {"text": "string", "integer": "integer", "number": "number", "yes or no": "boolean", "null": "null"}
_WORDS = {
    "verdict": [word.value for word in VerdictWord],
    "difference": [outcome.value for outcome in Outcome],
}
_TABLE = re.compile(r"(<!-- fields of (\w+) -->\n)(?:\|.*\n)+")
_RECORD = "object"  # how a table for people calls what has fields of its own


def build_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of all documents."""
    documents = [name for name, record in load_formats().items() if record.fields[0].name == "schema"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "rseqbench: what report, compare and claims write as JSON",
        "description": f"Schema version {SCHEMA}. docs/formats.md says what null means and what is promised.",
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in documents],
        "$defs": {name: _describe_record(record) for name, record in load_formats().items()},
    }


def _describe_record(record: RecordFormat) -> dict[str, Any]:
    properties = {
        field.name: _parse(field.type) | ({"description": field.meaning} if field.meaning else {})
        for field in record.fields
    }
    required = [field.name for field in record.fields if not field.optional]
    return {"type": "object", "description": record.about, "properties": properties, "required": required}


def _parse(type_: str) -> dict[str, Any]:
    """Return the schema of a type in the words of formats.toml."""
    for prefix, kind in (("list of ", "list"), ("pair of ", "pair"), ("object of ", "object")):
        if type_.startswith(prefix):
            inner = _parse(type_.removeprefix(prefix))
            if kind == "object":
                return {"type": "object", "additionalProperties": inner}
            return {"type": "array", "items": inner} | ({"minItems": 2, "maxItems": 2} if kind == "pair" else {})
    parts = type_.split(", ")
    words = _enumerate(parts[0])
    if words:
        return {"enum": [*words, *([None] if "null" in parts else [])]}
    if set(parts) <= set(_TYPES):
        names = [_TYPES[part] for part in parts]
        return {"type": names[0] if len(names) == 1 else names}
    schemas = [_parse_one(part) for part in parts]
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _parse_one(type_: str) -> dict[str, Any]:
    if type_ == _RECORD or type_ in _TYPES:
        return {"type": _TYPES.get(type_, type_)}
    if type_ in load_formats():
        return {"$ref": f"#/$defs/{type_}"}
    return {"const": json.loads(type_)}


def _enumerate(type_: str) -> list[str]:
    """Return the words that a text can be; none where it can be any."""
    return [json.loads(word) for word in type_.split(" | ")] if " | " in type_ else _WORDS.get(type_, [])


def write_tables(text: str) -> str:
    """Return the text of docs/formats.md with the table behind each marker "<!-- fields of NAME -->" made anew."""
    return _TABLE.sub(lambda found: found[1] + _draw_table(load_formats()[found[2]]), text)


def _draw_table(record: RecordFormat) -> str:
    rows = [f"| `{field.name}` | {_name_type(field.type)} | {_say_meaning(field)} |\n" for field in record.fields]
    return "| field | type | meaning |\n| --- | --- | --- |\n" + "".join(rows)


def _name_type(type_: str) -> str:
    """Return a type for people: what has fields of its own is an object, and has its own table."""
    if type_.startswith(("list of ", "pair of ")):
        return type_ if type_ == "list of text" else "list"
    if type_.startswith("object of "):
        return _RECORD
    return ", ".join(dict.fromkeys(_name_part(part) for part in type_.split(", ")))


def _name_part(type_: str) -> str:
    if type_ in _TYPES or type_ == _RECORD:
        return type_
    return _RECORD if type_ in load_formats() else "integer" if type_.isdigit() else "text"


def _say_meaning(field: Field) -> str:
    words = _enumerate(field.type.partition(", ")[0])
    if words:
        return f"{field.meaning}: " + ", ".join(f'"{word}"' for word in words)
    is_constant = field.type.isdigit() or field.type.startswith('"')
    return f"{field.meaning}: {field.type}" if is_constant else field.meaning


def main() -> None:
    """Write docs/formats.schema.json and the tables of docs/formats.md."""
    schema = json.dumps(build_schema(), indent=1, ensure_ascii=False)
    (DOCS / "formats.schema.json").write_text(f"{schema}\n", encoding="utf-8")
    page = DOCS / "formats.md"
    page.write_text(write_tables(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
