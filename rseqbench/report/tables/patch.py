"""Pure: the grids of any number of runs against the first, in the order in which they are read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from rseqbench.analysis import compare, patch_claims
from rseqbench.analysis.compare import Comparison
from rseqbench.analysis.dataset import Row
from rseqbench.analysis.stats import SAME_COUNT
from rseqbench.analysis.summary import RunComparison
from rseqbench.model import CaseKey
from rseqbench.report import formatting
from rseqbench.report.formatting import FormattedNumber
from rseqbench.report.tables import Cell, Grid, build_grid, comparison, format_cost, kernel_config

NOWHERE = "Measured in none of the runs"
_BESIDE = 2  # further runs that a hundred columns hold, each with its interval


def tabulate_sections(found: Sequence[RunComparison], narrow: bool = False) -> list[tuple[str, list[Grid]]]:
    """Return all that is to be shown of the comparisons of further runs with the first: titles, each with its grids.

    A `narrow` place gets signs for what two runs differ by, as more of them do everywhere.
    """
    if len(found) > 1:
        values = [*_side_by_side(found), *_nowhere(found)]
    else:
        values = (
            comparison.tabulate_narrowly(found[0]) + _nowhere(found)
            if narrow
            else comparison.tabulate_comparison(found[0])
        )
    parts = [
        ("Side by side", [*values, tabulate_spread(found), comparison.tabulate_speedups(*found)]),
        ("What the patch claimed", kernel_config.tabulate_claims(found)),
        ("The Linuxes", kernel_config.tabulate_kernels(found)),
    ]
    shown = [(title, [grid for grid in grids if grid.rows]) for title, grids in parts]
    return [(title, grids) for title, grids in shown if grids]


def tabulate_everything(found: Sequence[RunComparison]) -> list[Grid]:
    """Return the grids of all sections."""
    return [grid for _, grids in tabulate_sections(found) for grid in grids]


def _side_by_side(found: Sequence[RunComparison]) -> list[Grid]:
    """Return a grid for each machine and each few of the further runs."""
    parts = [found[start : start + _BESIDE] for start in range(0, len(found), _BESIDE)]
    return [
        _one_machine(part, arch, list(keys))
        for part in parts
        for arch, keys in groupby(_keys(part), lambda key: key[0])
    ]


def _keys(found: Iterable[RunComparison]) -> list[CaseKey]:
    """Return what any of the runs measured: by machine, then as the message has the groups."""
    keys = {CaseKey(row.arch, row.benchmark, row.threads) for one in found for row in one.rows}
    return sorted(
        keys, key=lambda key: (key.arch, patch_claims.group_order(key.benchmark.group), key.threads, key.benchmark)
    )


def _one_machine(found: Sequence[RunComparison], arch: str, keys: Sequence[CaseKey]) -> Grid:
    """Return a row a benchmark: the first run's value, and by how much each of the others takes more or less."""
    tables = [_complete(one, keys) for one in found]
    rows = [row for table in tables for row in table.values()]
    first = [row.a.unit if row.a else "" for row in rows]
    others = [[row.b.unit if row.b else "" for row in table.values()] for table in tables]
    heads, per = comparison.head_columns([found[0].a, *(one.b for one in found)], [first, *others])
    cells = [_line([table[key] for table in tables]) for key in keys]
    columns = ("benchmark", heads[0], *(head for name in heads[1:] for head in (name, "")))
    caption = f"{', '.join(one.b for one in found)} against {found[0].a} on {arch}{per}"
    return build_grid(caption, columns, "-n" + "n-" * len(found), cells, comparison.explain_signs(rows))


def _complete(one: RunComparison, keys: Iterable[CaseKey]) -> dict[CaseKey, Comparison]:
    """Return a row for each of `keys`: what only further runs measured is not measured in these two, and why."""
    rows = {(row.arch, row.benchmark, row.threads): row for row in one.rows}
    why = {(skip.benchmark, skip.threads): f"{label}: {skip.reason}" for label, skip in one.skips}
    return {key: rows.get(key) or _absent(key, why.get(key[1:], f"not in {one.b} for {key[0]}")) for key in keys}


def _absent(key: CaseKey, why: str) -> Comparison:
    return Comparison(*key, None, None, None, None, compare.MISSING, why)


def _line(rows: Sequence[Comparison]) -> tuple[Cell, ...]:
    first = next((row.a for row in rows if row.a), None)
    cells: list[Cell] = [formatting.with_threads(rows[0].benchmark, rows[0].threads)]
    cells.append(FormattedNumber(format_cost(first).value) if first else formatting.NOTHING)
    for row in rows:
        cells += [comparison.format_difference(row), formatting.SIGNS[row.word]]
    return tuple(cells)


def _nowhere(found: Sequence[RunComparison]) -> list[Grid]:
    """Return what none of the runs could measure, and why."""
    measured = {(row.benchmark, row.threads) for one in found for row in one.rows}
    skips = [skip for one in found for skip in one.skips if (skip[1].benchmark, skip[1].threads) not in measured]
    return [build_grid(NOWHERE, ("benchmark", "why"), "--", comparison.list_skips(skips))]


def split_unmeasured(found: Sequence[RunComparison]) -> tuple[list[RunComparison], Grid]:
    """Return the comparisons without what none of the runs could measure, and that on its own."""
    measured = {(row.benchmark, row.threads) for one in found for row in one.rows}
    kept = [
        replace(one, skips=tuple(skip for skip in one.skips if (skip[1].benchmark, skip[1].threads) in measured))
        for one in found
    ]
    return kept, _nowhere(found)[0]


def tabulate_spread(found: Sequence[RunComparison]) -> Grid:
    """Return how far counts of the same lie apart in each run, for those that do not repeat; none of them is noise."""
    runs: dict[str, dict[CaseKey, Row]] = {}
    for one in found:
        for row in one.rows:
            for label, side in ((one.a, row.a), (one.b, row.b)):
                if side and side.gross.is_range and side.gross.n > 1:
                    runs.setdefault(label, {})[CaseKey(row.arch, row.benchmark, row.threads)] = side
    keys = [key for key in _keys(found) if any(key in rows for rows in runs.values())]
    moving = [key for key in keys if any(key in rows and not _repeats(rows[key]) for rows in runs.values())]
    lines = [
        (formatting.with_threads(key[1], key[2]), *(_apart(rows.get(key)) for rows in runs.values())) for key in moving
    ]
    still = len(keys) - len(moving)
    if still:
        lines.append((f"{'all' if not moving else 'the other'} {still}", *("the same" for _ in runs)))
    heads = ("benchmark", *(f"{label}, of {max(row.gross.n for row in rows.values())}" for label, rows in runs.items()))
    note = f"the same: to {SAME_COUNT:g} of an instruction"
    caption = "How far counts of the same lie apart, least to most, of the median"
    return build_grid(caption, heads, "-" + "n" * len(runs), lines, [note])


def _repeats(row: Row) -> bool:
    return row.gross.low is not None and row.gross.high is not None and row.gross.high - row.gross.low <= SAME_COUNT


def _apart(row: Row | None) -> str:
    if row is None or row.gross.low is None or row.gross.high is None:
        return formatting.NOTHING
    return "the same" if _repeats(row) else f"{(row.gross.high - row.gross.low) / row.gross.value:.2%}"
