"""Pure: the grids of shipped libraries beside the kernels that do the same."""

from __future__ import annotations

from rseqbench.analysis.library_costs import Beside
from rseqbench.report import formatting
from rseqbench.report.tables import Cell, Grid, Reason, make, time


def together(one: Beside) -> list[Grid]:
    """Return the table of a library and its kernels, and that of what parts of an operation cost, where known."""
    library = one.library
    units = sorted({formatting.short(row.row.unit) for row in one.rows if row.row})
    per = ", ".join(units) or "per op"
    rows: list[tuple[Cell, ...]] = []
    for row in one.rows:
        name = formatting.with_threads(row.benchmark, row.threads)
        whose = library.title if row.group == library.group else "kernel"
        if row.row is None:
            rows.append((name, whose, Reason(f"not measured: {row.reason}")))
        else:
            net = formatting.cost(row.row.net) if row.row.net else "no baseline"
            rows.append((name, whose, time(row.row), net))
    caption = f"{library.title} as it is shipped, and kernels that do the same, on {one.arch}"
    grids = [make(caption, ("benchmark", "whose", f"{per} with loop", f"{per} net of it"), "--nn", rows, one.notes)]
    if one.differences:
        prices = [(f"{d.slow} - {d.fast}", formatting.cost(d.price), d.words) for d in one.differences]
        grids.append(make(f"What parts of it cost, on {one.arch}", ("difference", per, "the price of"), "-n-", prices))
    return grids
