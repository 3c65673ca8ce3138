"""Pure: the grids of two runs beside each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from rseqbench.analysis import compare
from rseqbench.analysis.allocators import GROUP, OPERATION
from rseqbench.analysis.patch_claims import ArchPair
from rseqbench.analysis.summary import RunComparison
from rseqbench.model import Estimate, Skip
from rseqbench.report import formatting
from rseqbench.report.formatting import FormattedNumber
from rseqbench.report.tables import Cell, Footnotes, Grid, Reason, build_grid, format_cost


def tabulate_comparison(found: RunComparison) -> list[Grid]:
    """Return one grid a machine: both values, the quotient of the second by the first, and what that means.

    Of instructions, the difference takes the quotient's place: a few of them are what people argue about.
    """
    grids = [_comparison(found, arch, rows) for arch, rows in _by_machine(found)]
    if found.skips:
        grids.append(build_grid("Measured in neither run", ("benchmark", "why"), "--", list_skips(found.skips)))
    return grids


def list_skips(skips: Iterable[tuple[str, Skip]]) -> list[tuple[Cell, ...]]:
    """Return a row for what runs could not measure and why, one for those of them that have the same reason."""
    labels: dict[tuple[str, str], list[str]] = {}
    for label, skip in skips:
        labels.setdefault((formatting.with_threads(skip.benchmark, skip.threads), skip.reason), []).append(label)
    return [(case, Reason(f"{', '.join(dict.fromkeys(who))}: {why}")) for (case, why), who in labels.items()]


def tabulate_narrowly(found: RunComparison) -> list[Grid]:
    """Return one grid a machine, with a sign for what the difference means, and below it what the signs mean."""
    grids = []
    for arch, rows in _by_machine(found):
        heads, caption = _headed(found, arch, rows)
        cells = [(*_comparison_row(row), formatting.SIGNS[row.word]) for row in rows]
        grids.append(build_grid(caption, (*heads, ""), "-nnn-", cells, explain_signs(rows)))
    return grids


def _by_machine(found: RunComparison) -> list[tuple[str, list[compare.Comparison]]]:
    return [(arch, list(rows)) for arch, rows in groupby(found.rows, key=lambda row: row.arch)]


def _comparison(found: RunComparison, arch: str, rows: Sequence[compare.Comparison]) -> Grid:
    heads, caption = _headed(found, arch, rows)
    marks = Footnotes()
    cells = [(*_comparison_row(row), f"{row.word} {marks.of(row.reason)}") for row in rows]
    return build_grid(caption, (*heads, "difference"), "-nnn-", cells, [*marks.notes(), *_operations(rows)])


def _headed(found: RunComparison, arch: str, rows: Sequence[compare.Comparison]) -> tuple[tuple[str, ...], str]:
    """Return the headings of the names, of both values and of what they differ by, and the caption."""
    units = [[row.a.unit if row.a else "" for row in rows], [row.b.unit if row.b else "" for row in rows]]
    names, per = head_columns([found.a, found.b], units)
    counted = all(row.ratio is None or row.ratio.is_range for row in rows)
    by = "second - first" if counted else "second / first"
    return ("benchmark", *names, by), f"{found.b} (second) against {found.a} (first) on {arch}{per}"


def explain_signs(rows: Iterable[compare.Comparison]) -> list[str]:
    """Return what the signs mean, why each stands where it stands if there are several, and what an operation is."""
    rows = list(rows)
    reasons: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        named = reasons.setdefault(row.word, {}).setdefault(row.reason, [])
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
