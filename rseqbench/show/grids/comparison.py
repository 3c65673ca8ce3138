"""Pure: the grids of two runs beside each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from rseqbench import compare
from rseqbench.show import words
from rseqbench.show.grids import Cell, Grid, Marks, Reason, make, time
from rseqbench.show.grids import linux as of_linux
from rseqbench.show.tables import Compared
from rseqbench.show.words import Printed


def comparison(found: Compared) -> list[Grid]:
    """Return one grid a machine: both values, the quotient of the second by the first, and what that means.

    Of instructions, the difference takes the quotient's place: a few of them are what people argue about.
    """
    grids = [_comparison(found, arch, list(rows)) for arch, rows in groupby(found.rows, key=lambda row: row.arch)]
    if found.skips:
        rows = [(skip.benchmark, Reason(f"{label}: {skip.reason}")) for label, skip in found.skips]
        grids.append(make("Measured in neither run", ("benchmark", "why"), "--", rows))
    return grids


def _comparison(found: Compared, arch: str, rows: Sequence[compare.Comparison]) -> Grid:
    heads, per = _heads(found, [(r.a.unit if r.a else "", r.b.unit if r.b else "") for r in rows])
    marks = Marks()
    counted = all(row.ratio is None or row.ratio.is_range for row in rows)
    cells = [(*_comparison_row(row, counted), f"{row.word} {marks.of(row.reason)}") for row in rows]
    caption = f"{found.b} (second) against {found.a} (first) on {arch}{per}"
    against = "second - first" if counted else "second / first"
    return make(caption, ("benchmark", *heads, against, "difference"), "-nnn-", cells, marks.notes())


def _heads(found: Compared, units: Iterable[tuple[str, str]]) -> tuple[list[str], str]:
    """Return the headings of the two runs, with their units where these differ, and else the unit for the caption."""
    names = [", ".join(sorted({words.short(unit) for unit in side if unit})) for side in zip(*units, strict=True)]
    distinct = set(filter(None, names))
    if len(distinct) > 1:
        return [f"{label} ({unit})" for label, unit in zip((found.a, found.b), names, strict=True)], ""
    return [found.a, found.b], "".join(f", {unit}" for unit in distinct)


def _comparison_row(row: compare.Comparison, counted: bool) -> tuple[Cell, ...]:
    values = [Printed(time(one).value) if one else words.NOTHING for one in (row.a, row.b)]
    against: Cell = words.ratio(row.ratio) if row.ratio else ""
    if counted and row.a and row.b and row.ratio:
        against = words.growth(row.b.gross.value - row.a.gross.value, row.ratio)
    return words.with_threads(row.benchmark, row.threads), *values, against


def everything(found: Compared) -> list[Grid]:
    """Return all grids about two runs that have something to show, in the order in which they are read."""
    grids = [*comparison(found), speedups(found), *of_linux.of_comparison(found)]
    return [grid for grid in grids if grid.rows]


def speedups(found: Compared) -> Grid:
    """Return the speed-ups inside each of two runs, beside each other; quotients of instructions are called that."""
    rows = []
    for one in found.speedups:
        quotients = (words.ratio(number) if number else words.NOTHING for number in (one.a, one.b))
        rows.append((words.quotient(one.pair), one.pair.arch, *quotients))
    units = [one.units for one in found.speedups] or [("", "")]
    heads, per = _heads(found, units)
    times = {unit for pair in units for unit in pair} <= {"ns", ""}
    caption = "Speed-ups inside each run" if times else f"Quotients inside each run{per}"
    return make(caption, ("slow / fast", "machine", *heads), "--nn", rows)
