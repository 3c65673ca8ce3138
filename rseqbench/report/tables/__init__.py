"""Pure: typed rows -> grids of printed cells. Every text format draws these, so that all of them say the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rseqbench.analysis.dataset import Row
from rseqbench.model import VerdictWord
from rseqbench.report import formatting
from rseqbench.report.formatting import FormattedNumber


class Reason(str):
    """Why there is no value: as the last cell of a row, it takes the place of all that are missing."""


Cell = str | FormattedNumber | VerdictWord


@dataclass(frozen=True)
class Column:
    """A column's heading, with the unit where its cells have one, and whether they are numbers."""

    head: str
    numeric: bool = False


@dataclass(frozen=True)
class Grid:
    """A table ready to draw. The first cell of a row names it; a row may end early in a Reason.

    `notes` explain the marks "[1]", "[2]" in cells.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()


def build_grid(
    caption: str, heads: Sequence[str], numeric: str, rows: Iterable[Sequence[Cell]], notes: Iterable[str] = ()
) -> Grid:
    """Build a grid from rows of cells, made harmless; `numeric` has one character a column, "n" for numbers."""
    columns = tuple(Column(formatting.line(head), kind == "n") for head, kind in zip(heads, numeric, strict=True))
    cells = tuple(tuple(map(_clean, row)) for row in rows)
    return Grid(formatting.line(caption), columns, cells, tuple(map(formatting.line, notes)))


def _clean(cell: Cell) -> Cell:
    if isinstance(cell, FormattedNumber | VerdictWord):
        return cell
    return type(cell)(formatting.line(cell))


class Footnotes:
    """The marks [1], [2] of one grid, a number for each distinct note."""

    def __init__(self) -> None:
        """Begin without notes."""
        self._numbers: dict[str, int] = {}

    def of(self, note: str) -> str:
        """Return the mark of a note, the same one for the same note; an empty string for none."""
        return f"[{self._numbers.setdefault(note, len(self._numbers) + 1)}]" if note else ""

    def notes(self) -> list[str]:
        """Return the notes with their marks, in the order of the marks."""
        return [f"[{number}] {note}" for note, number in self._numbers.items()]


def format_cost(row: Row) -> FormattedNumber:
    """Print what an operation costs, loop included; a value of the message as it stands there."""
    return formatting.as_printed(row.gross.value) if row.timing == "published" else formatting.cost(row.gross)
