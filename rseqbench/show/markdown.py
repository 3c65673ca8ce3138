"""Grids as GitHub-flavoured Markdown tables."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rseqbench.show.grids import Cell, Grid

_ACTIVE = re.compile(r"([\\`*\[\]|~#!]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")
_MENTION = re.compile(r"(?<![A-Za-z0-9])@")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def document(grids: Iterable[Grid], *paragraphs: str) -> str:
    """Return paragraphs, then every grid under its caption; all text is escaped."""
    parts = [escape(text) for text in paragraphs]
    return "\n\n".join([*parts, *map(table, grids)]) + "\n"


def table(grid: Grid) -> str:
    """Return one table with its caption in bold above it; numbers are set to the right."""
    lines = [
        _line([column.head for column in grid.columns]),
        "|" + "|".join(" ---: " if column.numeric else " --- " for column in grid.columns) + "|",
        *(_line([*row, *[""] * (len(grid.columns) - len(row))]) for row in grid.rows),
    ]
    notes = "".join(f"\n\n{escape(note)}" for note in grid.notes)
    return f"**{escape(grid.caption)}**\n\n" + "\n".join(lines) + notes


def _line(cells: Iterable[Cell]) -> str:
    return "| " + " | ".join(escape(str(cell)) for cell in cells) + " |"


def escape(text: str) -> str:
    """Return text that Markdown shows as it is: no markup, no HTML, no mention of a user."""
    plain = "".join(_ENTITIES.get(char, char) for char in _ACTIVE.sub(r"\\\1", text))
    return _MENTION.sub("&#64;", plain)
