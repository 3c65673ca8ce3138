"""Pure: typed rows -> grids of printed cells. Every text format draws these, so that all of them say the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from rseqbench.analysis.dataset import Row
from rseqbench.model import VerdictWord
from rseqbench.report import formatting
from rseqbench.report.formatting import FormattedNumber


class Reason(str):
    """Why there is no value: as the last cell of a row, it takes the place of all that are missing."""


RowT = TypeVar("RowT")
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


@dataclass(frozen=True)
class ColumnSpec(Generic[RowT]):
    """How one column comes out of typed rows: its heading, what it takes from a row, whether that is a number."""

    head: str
    value: Callable[[RowT], Cell]
    numeric: bool = False


Columns = tuple[ColumnSpec[RowT], ...]


def number_column(head: str, value: Callable[[RowT], Cell]) -> ColumnSpec[RowT]:
    """Return the specification of a column of numbers."""
    return ColumnSpec(head, value, numeric=True)


def tabulate(
    caption: str, columns: Sequence[ColumnSpec[RowT]], rows: Iterable[RowT], notes: Iterable[str] = ()
) -> Grid:
    """Build a grid of typed rows by the specification of its columns; a row ends where its cell is a Reason."""
    heads = [column.head for column in columns]
    numeric = "".join("n" if column.numeric else "-" for column in columns)
    cells = [_take_cells(columns, row) for row in rows]  # before the notes are read: cells may add to them
    return build_grid(caption, heads, numeric, cells, notes)


def _take_cells(columns: Sequence[ColumnSpec[RowT]], row: RowT) -> list[Cell]:
    cells: list[Cell] = []
    for column in columns:
        cells.append(column.value(row))
        if isinstance(cells[-1], Reason):
            break
    return cells


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
    """The marks [1], [2] of one grid, a number for each distinct note; iterate for the notes in that order."""

    def __init__(self) -> None:
        """Begin without notes."""
        self._numbers: dict[str, int] = {}

    def mark(self, note: str) -> str:
        """Return the mark of a note, the same one for the same note; an empty string for none."""
        return f"[{self._numbers.setdefault(note, len(self._numbers) + 1)}]" if note else ""

    def __iter__(self) -> Iterator[str]:
        """Yield the notes with their marks, in the order of the marks."""
        return (f"[{number}] {note}" for note, number in self._numbers.items())


def format_cost(row: Row) -> FormattedNumber:
    """Print what an operation costs, loop included; a value of the message as it stands there."""
    return formatting.as_printed(row.gross.value) if row.timing == "published" else formatting.cost(row.gross)
