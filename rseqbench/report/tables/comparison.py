"""Pure: the grids of further runs against the first: of two runs beside each other, and of any number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from rseqbench.analysis import compare, outcomes, patch_claims
from rseqbench.analysis.allocators import GROUP, OPERATION
from rseqbench.analysis.dataset import Row
from rseqbench.analysis.outcomes import Failure, Lacks, NotInRun, Outcome
from rseqbench.analysis.patch_claims import ArchPair
from rseqbench.analysis.stats import SAME_COUNT
from rseqbench.analysis.summary import RunComparison
from rseqbench.model import CaseKey, Estimate, Skip
from rseqbench.report import formatting
from rseqbench.report.formatting import FormattedNumber
from rseqbench.report.reasons import explain
from rseqbench.report.tables import Cell, Footnotes, Grid, Reason, build_grid, format_cost, kernel_config

NOWHERE = "Measured in none of the runs"
_BESIDE = 2  # further runs that a hundred columns hold, each with its interval


def tabulate_sections(comparisons: Sequence[RunComparison], narrow: bool = False) -> list[tuple[str, list[Grid]]]:
    """Return all that is to be shown of the comparisons of further runs with the first: titles, each with its grids.

    A `narrow` place gets signs for what two runs differ by, as more of them do everywhere.
    """
    if len(comparisons) > 1:
        values = [*_side_by_side(comparisons), *_nowhere(comparisons)]
    else:
        values = (
            tabulate_narrowly(comparisons[0]) + _nowhere(comparisons) if narrow else tabulate_comparison(comparisons[0])
        )
    parts = [
        ("Side by side", [*values, tabulate_spread(comparisons), tabulate_speedups(*comparisons)]),
        ("What the patch claimed", kernel_config.tabulate_claims(comparisons)),
        ("The Linuxes", kernel_config.tabulate_kernels(comparisons)),
    ]
    shown = [(title, [grid for grid in grids if grid.rows]) for title, grids in parts]
    return [(title, grids) for title, grids in shown if grids]


def tabulate_everything(comparisons: Sequence[RunComparison]) -> list[Grid]:
    """Return the grids of all sections."""
    return [grid for _, grids in tabulate_sections(comparisons) for grid in grids]


def _side_by_side(comparisons: Sequence[RunComparison]) -> list[Grid]:
    """Return a grid for each machine and each few of the further runs."""
    parts = [comparisons[start : start + _BESIDE] for start in range(0, len(comparisons), _BESIDE)]
    return [
        _one_machine(part, arch, list(keys))
        for part in parts
        for arch, keys in groupby(_keys(part), lambda key: key[0])
    ]


def _keys(comparisons: Iterable[RunComparison]) -> list[CaseKey]:
    """Return what any of the runs measured: by machine, then as the message has the groups."""
    keys = {CaseKey(row.arch, row.benchmark, row.threads) for one in comparisons for row in one.rows}
    return sorted(
        keys, key=lambda key: (key.arch, patch_claims.group_order(key.benchmark.group), key.threads, key.benchmark)
    )


def _one_machine(comparisons: Sequence[RunComparison], arch: str, keys: Sequence[CaseKey]) -> Grid:
    """Return a row a benchmark: the first run's value, and by how much each of the others takes more or less."""
    tables = [_complete(one, keys) for one in comparisons]
    rows = [row for table in tables for row in table.values()]
    first = [row.a.unit if row.a else "" for row in rows]
    others = [[row.b.unit if row.b else "" for row in table.values()] for table in tables]
    heads, per = head_columns([comparisons[0].a, *(one.b for one in comparisons)], [first, *others])
    cells = [_line([table[key] for table in tables]) for key in keys]
    columns = ("benchmark", heads[0], *(head for name in heads[1:] for head in (name, "")))
    caption = f"{', '.join(one.b for one in comparisons)} against {comparisons[0].a} on {arch}{per}"
    return build_grid(caption, columns, "-n" + "n-" * len(comparisons), cells, explain_signs(rows))


def _complete(comparison: RunComparison, keys: Iterable[CaseKey]) -> dict[CaseKey, compare.Comparison]:
    """Return a row for each of `keys`: what only further runs measured is not measured in these two, and why."""
    rows = {(row.arch, row.benchmark, row.threads): row for row in comparison.rows}
    skipped = {(skip.benchmark, skip.threads): Lacks(label, Failure(skip.reason)) for label, skip in comparison.skips}
    return {
        key: rows.get(key) or _absent(key, skipped.get(key[1:]) or NotInRun(comparison.b, key.arch)) for key in keys
    }


def _absent(key: CaseKey, why: outcomes.Reason) -> compare.Comparison:
    return compare.Comparison(*key, None, None, None, None, Outcome.MISSING, (why,))


def _line(rows: Sequence[compare.Comparison]) -> tuple[Cell, ...]:
    first = next((row.a for row in rows if row.a), None)
    cells: list[Cell] = [formatting.with_threads(rows[0].benchmark, rows[0].threads)]
    cells.append(FormattedNumber(format_cost(first).value) if first else formatting.NOTHING)
    for row in rows:
        cells += [format_difference(row), formatting.SIGNS[row.word]]
    return tuple(cells)


def _nowhere(comparisons: Sequence[RunComparison]) -> list[Grid]:
    """Return what none of the runs could measure, and why."""
    measured = {(row.benchmark, row.threads) for one in comparisons for row in one.rows}
    skips = [skip for one in comparisons for skip in one.skips if (skip[1].benchmark, skip[1].threads) not in measured]
    return [build_grid(NOWHERE, ("benchmark", "why"), "--", list_skips(skips))]


def split_unmeasured(comparisons: Sequence[RunComparison]) -> tuple[list[RunComparison], Grid]:
    """Return the comparisons without what none of the runs could measure, and that on its own."""
    measured = {(row.benchmark, row.threads) for one in comparisons for row in one.rows}
    kept = [
        replace(one, skips=tuple(skip for skip in one.skips if (skip[1].benchmark, skip[1].threads) in measured))
        for one in comparisons
    ]
    return kept, _nowhere(comparisons)[0]


def tabulate_spread(comparisons: Sequence[RunComparison]) -> Grid:
    """Return how far counts of the same lie apart in each run, for those that do not repeat; none of them is noise."""
    runs: dict[str, dict[CaseKey, Row]] = {}
    for one in comparisons:
        for row in one.rows:
            for label, side in ((one.a, row.a), (one.b, row.b)):
                if side and side.gross.is_range and side.gross.n > 1:
                    runs.setdefault(label, {})[CaseKey(row.arch, row.benchmark, row.threads)] = side
    keys = [key for key in _keys(comparisons) if any(key in rows for rows in runs.values())]
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


def tabulate_comparison(comparison: RunComparison) -> list[Grid]:
    """Return one grid a machine: both values, the quotient of the second by the first, and what that means.

    Of instructions, the difference takes the quotient's place: a few of them are what people argue about.
    """
    grids = [_comparison(comparison, arch, rows) for arch, rows in _by_machine(comparison)]
    if comparison.skips:
        grids.append(build_grid("Measured in neither run", ("benchmark", "why"), "--", list_skips(comparison.skips)))
    return grids


def list_skips(skips: Iterable[tuple[str, Skip]]) -> list[tuple[Cell, ...]]:
    """Return a row for what runs could not measure and why, one for those of them that have the same reason."""
    labels: dict[tuple[str, str], list[str]] = {}
    for label, skip in skips:
        labels.setdefault((formatting.with_threads(skip.benchmark, skip.threads), skip.reason), []).append(label)
    return [(case, Reason(f"{', '.join(dict.fromkeys(who))}: {why}")) for (case, why), who in labels.items()]


def tabulate_narrowly(comparison: RunComparison) -> list[Grid]:
    """Return one grid a machine, with a sign for what the difference means, and below it what the signs mean."""
    grids = []
    for arch, rows in _by_machine(comparison):
        heads, caption = _headed(comparison, arch, rows)
        cells = [(*_comparison_row(row), formatting.SIGNS[row.word]) for row in rows]
        grids.append(build_grid(caption, (*heads, ""), "-nnn-", cells, explain_signs(rows)))
    return grids


def _by_machine(comparison: RunComparison) -> list[tuple[str, list[compare.Comparison]]]:
    return [(arch, list(rows)) for arch, rows in groupby(comparison.rows, key=lambda row: row.arch)]


def _comparison(comparison: RunComparison, arch: str, rows: Sequence[compare.Comparison]) -> Grid:
    heads, caption = _headed(comparison, arch, rows)
    footnotes = Footnotes()
    cells = [(*_comparison_row(row), f"{row.word} {footnotes.mark(explain(row.reasons))}") for row in rows]
    return build_grid(caption, (*heads, "difference"), "-nnn-", cells, [*footnotes, *_operations(rows)])


def _headed(comparison: RunComparison, arch: str, rows: Sequence[compare.Comparison]) -> tuple[tuple[str, ...], str]:
    """Return the headings of the names, of both values and of what they differ by, and the caption."""
    units = [[row.a.unit if row.a else "" for row in rows], [row.b.unit if row.b else "" for row in rows]]
    names, per = head_columns([comparison.a, comparison.b], units)
    counted = all(row.ratio is None or row.ratio.is_range for row in rows)
    by = "second - first" if counted else "second / first"
    return ("benchmark", *names, by), f"{comparison.b} (second) against {comparison.a} (first) on {arch}{per}"


def explain_signs(rows: Iterable[compare.Comparison]) -> list[str]:
    """Return what the signs mean, why each stands where it stands if there are several, and what an operation is."""
    rows = list(rows)
    reasons: dict[Outcome, dict[str, list[str]]] = {}
    for row in rows:
        named = reasons.setdefault(row.word, {}).setdefault(explain(row.reasons), [])
        named.append(formatting.with_threads(row.benchmark, row.threads))
    signs = [f"{formatting.SIGNS[word]} {word}{_because(why)}" for word, why in sorted(reasons.items())]
    return [*signs, *_operations(rows)]


def _operations(rows: Iterable[compare.Comparison]) -> list[str]:
    """Return what an operation is where it is not what the others are."""
    return [OPERATION] if any(row.benchmark.group == GROUP for row in rows) else []


def _because(why: Mapping[str, Sequence[str]]) -> str:
    if len(why) == 1:
        return "".join(f": {reason}" for reason in why if reason)
    return ": " + "; ".join(f"{reason} ({', '.join(dict.fromkeys(names))})" for reason, names in why.items())


def head_columns(labels: Sequence[str], units: Sequence[Iterable[str]]) -> tuple[list[str], str]:
    """Return the headings of runs, with the `units` of each where these differ, and else the unit for the caption."""
    names = [", ".join(sorted({formatting.short(unit) for unit in side if unit})) for side in units]
    distinct = set(filter(None, names))
    if len(distinct) > 1:
        return [f"{label} ({unit})" for label, unit in zip(labels, names, strict=True)], ""
    return list(labels), "".join(f", {unit}" for unit in distinct)


def _comparison_row(row: compare.Comparison) -> tuple[Cell, ...]:
    values = [FormattedNumber(format_cost(one).value) if one else formatting.NOTHING for one in (row.a, row.b)]
    return formatting.with_threads(row.benchmark, row.threads), *values, format_difference(row)


def format_difference(row: compare.Comparison) -> Cell:
    """Return what the second takes against the first: the difference of counts, the quotient of times, or nothing."""
    if row.ratio is None:
        return ""
    if row.ratio.is_range and row.a and row.b:
        return formatting.growth(row.b.gross.value - row.a.gross.value, row.ratio)
    return formatting.ratio(row.ratio)


def tabulate_speedups(*found: RunComparison) -> Grid:
    """Return the speed-ups inside each of the runs, beside each other; quotients of instructions are called that."""
    labels = [found[0].a, *(one.b for one in found)]
    values: dict[ArchPair, dict[str, Estimate | None]] = {}
    units: dict[str, set[str]] = {label: set() for label in labels}
    for one in found:
        for quotient in one.speedups:
            values.setdefault(quotient.pair, {}).update({one.a: quotient.a, one.b: quotient.b})
            units[one.a].add(quotient.units[0])
            units[one.b].add(quotient.units[1])
    rows: list[tuple[Cell, ...]] = []
    for pair, by_label in values.items():
        numbers = [by_label.get(label) for label in labels]
        rows.append(
            (
                formatting.quotient(pair),
                pair.arch,
                *(formatting.ratio(number) if number else formatting.NOTHING for number in numbers),
            )
        )
    names, per = head_columns(labels, list(units.values()))
    times = set().union(*units.values()) <= {"ns", ""}
    caption = "Speed-ups inside each run" if times else f"Quotients inside each run{per}"
    return build_grid(caption, ("slow / fast", "machine", *names), "--" + "n" * len(labels), rows)
