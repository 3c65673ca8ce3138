"""Pure: the grids of two runs beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rseqbench import compare
from rseqbench.show import words
from rseqbench.show.grids import Cell, Grid, Marks, Reason, make, time
from rseqbench.show.tables import Compared
from rseqbench.show.words import Printed


def comparison(found: Compared) -> list[Grid]:
    """Return one grid a machine: both values, the quotient of the second by the first, and what that means."""
    grids = [_comparison(found, arch, list(rows)) for arch, rows in groupby(found.rows, key=lambda row: row.arch)]
    if found.skips:
        rows = [(skip.benchmark, Reason(f"{label}: {skip.reason}")) for label, skip in found.skips]
        grids.append(make("Measured in neither run", ("benchmark", "why"), "--", rows))
    return grids


def _comparison(found: Compared, arch: str, rows: Sequence[compare.Comparison]) -> Grid:
    per = ", ".join(sorted({words.unit(one.unit) for row in rows for one in (row.a, row.b) if one}))
    marks = Marks()
    cells = [(*_comparison_row(row), f"{row.word} {marks.of(row.reason)}") for row in rows]
    heads = ("benchmark", found.a, found.b, "second / first", "difference")
    caption = f"{found.b} (second) against {found.a} (first) on {arch}, {per}"
    return make(caption, heads, "-nnn-", cells, marks.notes())


def _comparison_row(row: compare.Comparison) -> tuple[Cell, ...]:
    values = [Printed(time(one).value) if one else words.NOTHING for one in (row.a, row.b)]
    quotient: Cell = words.ratio(row.ratio) if row.ratio else ""
    return words.with_threads(row.benchmark, row.threads), *values, quotient


def speedups(found: Compared) -> Grid:
    """Return the speed-ups inside each of two runs, beside each other."""
    rows = []
    for one in found.speedups:
        quotients = (words.ratio(number) if number else words.NOTHING for number in (one.a, one.b))
        rows.append((words.quotient(one.pair), one.pair.arch, *quotients))
    return make("Speed-ups inside each run", ("slow / fast", "machine", found.a, found.b), "--nn", rows)
