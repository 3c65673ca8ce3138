"""Documents are valid by docs/formats.schema.json, as published and with every object closed."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
SCHEMA = json.loads((DOCS / "formats.schema.json").read_text(encoding="utf-8"))


def close_objects(schema):
    """Return the schema with every object that lists its keys closed: what it does not name is an error."""
    if isinstance(schema, dict):
        found = {key: close_objects(value) for key, value in schema.items()}
        return {**found, "additionalProperties": False} if "properties" in found else found
    return [close_objects(one) for one in schema] if isinstance(schema, list) else schema


def validate(text, kind):
    """Hold a document against its part of the schema, as published and closed, and return it."""
    document = json.loads(text, parse_constant=pytest.fail)
    jsonschema.validate(document, SCHEMA)
    for schema in (SCHEMA, close_objects(SCHEMA)):
        jsonschema.validate(document, {"$defs": schema["$defs"], "$ref": f"#/$defs/{kind}"})
    return document
