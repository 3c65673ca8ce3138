"""Pure: the grids of many runs: the steps beyond noise, what each benchmark took, and the runs themselves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from rseqbench.analysis import history, patch_claims
from rseqbench.analysis.history import Change, History, Series, Step
from rseqbench.report import formatting
from rseqbench.report.tables import Cell, Columns, ColumnSpec, Grid, build_grid, format_cost, number_column, tabulate
from rseqbench.report.tables.run import name_fact

_MOST_STEPS = 200  # of a table
_BESIDE = 12  # runs that have a column each
_MOST_CHANGED = 300  # characters of what changed


def sort_series(series: Iterable[Series]) -> list[Series]:
    """Return series by machine, then as the message has the groups."""
    return sorted(series, key=lambda s: (s.key[0], s.unit, patch_claims.group_order(s.group), s.key[2], s.key[1]))


def tabulate_steps(found: History) -> Grid:
    """Return a row for each step, by date; of very many the largest."""
    columns: Columns[tuple[Series, Step]] = (
        ColumnSpec("benchmark", lambda row: _name(row[0], found)),
        ColumnSpec("between runs", lambda row: f"{row[1].before + 1} and {row[1].after + 1}"),
        number_column("before", lambda row: _cost_in_run(row[0], row[1].before)),
        number_column("after", lambda row: _cost_in_run(row[0], row[1].after)),
        number_column("after / before", lambda row: formatting.ratio(row[1].ratio)),
        ColumnSpec("what changed with it", lambda row: _changes_at(found, row[1]) or "nothing that is watched"),
    )
    steps = [(series, step) for series in found.series for step in series.steps]
    largest = sorted(steps, key=lambda row: -abs(math.log(row[1].ratio.value)))[:_MOST_STEPS]
    largest.sort(key=lambda row: (row[1].after, row[0].key[1], row[0].key[0]))
    left = len(steps) - len(largest)
    notes = [f"{left} smaller steps are left out; the CSV has the values of all runs."] if left else []
    return tabulate("By how much, and what else changed", columns, largest, notes)


def _cost_in_run(series: Series, number: int) -> Cell:
    cost = formatting.cost(dict(series.points)[number].gross)
    return formatting.FormattedNumber(cost.value, after=formatting.short(series.unit))


def _changes_at(found: History, step: Step) -> str:
    return describe_changes(history.changed(found.runs[step.before], found.runs[step.after]))


def _name(one: Series, found: History) -> str:
    arches = {series.key[0] for series in found.series}
    return formatting.with_threads(one.key[1], one.key[2]) + (f" ({one.key[0]})" if len(arches) > 1 else "")


def describe_changes(changes: Iterable[Change]) -> str:
    """Say what differs: "Linux 6.1 -> 6.12; compiler gcc 12 -> gcc 14"; shortened where it is very much."""
    said = "; ".join(f"{name_fact(c.fact)} {c.before} → {c.after}" for c in changes)
    return said if len(said) <= _MOST_CHANGED else said[: _MOST_CHANGED - 1] + "…"


def tabulate_costs(found: History) -> list[Grid]:
    """Return a grid for each unit, a row a benchmark: every run's value of few, else what they range over."""
    units = dict.fromkeys(one.unit for one in found.series)
    few = len(found.runs) <= _BESIDE
    return [
        (_every if few else _extremes)(found, [s for s in sort_series(found.series) if s.unit == unit])
        for unit in units
    ]


def _every(found: History, series: Sequence[Series]) -> Grid:
    """Return a column a run, the newest first: what is cut off at the right of a screen is the oldest."""
    order = range(len(found.runs))[::-1]
    heads = ("benchmark", *(f"{n + 1}: {found.runs[n].label}" for n in order))
    rows = []
    for one in series:
        values = dict(one.points)
        cells = [format_cost(values[n]) if n in values else formatting.NOTHING for n in order]
        rows.append((_name(one, found), *cells))
    return build_grid(
        f"Cost in each run, {formatting.unit(series[0].unit)} with the loop, the newest first",
        heads,
        "-" + "n" * len(found.runs),
        rows,
    )


def _extremes(found: History, series: Sequence[Series]) -> Grid:
    rows = []
    for one in series:
        values = [row for _, row in one.points]
        least, most = (choose(values, key=lambda row: row.gross.value) for choose in (min, max))
        first, last = values[0], values[-1]
        ratio = history.quotient(first.gross, last.gross)
        usual = formatting.percent(one.usual) if one.usual else formatting.NOTHING
        ends = [formatting.cost(row.gross).value for row in (least, most)]
        told: list[Cell] = [
            format_cost(first),
            format_cost(last),
            formatting.ratio(ratio),
            *ends,
            usual,
            str(len(one.steps)),
        ]
        rows.append([_name(one, found), str(len(values)), *told])
    heads = ("benchmark", "runs", "first", "last", "last / first", "least", "most", "neighbours differ by", "steps")
    return build_grid(
        f"Cost over all runs, {formatting.unit(series[0].unit)} with the loop", heads, "-" + "n" * 8, rows
    )


def tabulate_runs(found: History) -> Grid:
    """Return a row a run: its number, label, date, and in what it differs from the one before."""
    rows = [
        (str(number), header.label, header.created, describe_changes(changes))
        for number, (header, changes) in enumerate(zip(found.runs, found.changes, strict=True), start=1)
    ]
    return build_grid("The runs, by date", ("run", "label", "begun", "what changed since the run before"), "----", rows)
