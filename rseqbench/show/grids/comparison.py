"""Pure: the grids of two runs beside each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
    heads, per = _heads(found, [(r.a.unit if r.a else "", r.b.unit if r.b else "") for r in rows])
    marks = Marks()
    cells = [(*_comparison_row(row), f"{row.word} {marks.of(row.reason)}") for row in rows]
    caption = f"{found.b} (second) against {found.a} (first) on {arch}{per}"
    return make(caption, ("benchmark", *heads, "second / first", "difference"), "-nnn-", cells, marks.notes())


def _heads(found: Compared, units: Iterable[tuple[str, str]]) -> tuple[list[str], str]:
    """Return the headings of the two runs, with their units where these differ, and else the unit for the caption."""
    names = [", ".join(sorted({words.short(unit) for unit in side if unit})) for side in zip(*units, strict=True)]
    distinct = set(filter(None, names))
    if len(distinct) > 1:
        return [f"{label} ({unit})" for label, unit in zip((found.a, found.b), names, strict=True)], ""
    return [found.a, found.b], "".join(f", {unit}" for unit in distinct)


def _comparison_row(row: compare.Comparison) -> tuple[Cell, ...]:
    values = [Printed(time(one).value) if one else words.NOTHING for one in (row.a, row.b)]
    quotient: Cell = words.ratio(row.ratio) if row.ratio else ""
    return words.with_threads(row.benchmark, row.threads), *values, quotient


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
