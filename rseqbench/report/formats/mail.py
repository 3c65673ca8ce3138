"""Pure: a run, or runs compared, as the text of a mail: three lines first, then the tables that show what they say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from rseqbench import __version__
from rseqbench.analysis.fleet.compare import FleetComparison
from rseqbench.analysis.patch_tables import PatchTable
from rseqbench.analysis.summary import PairSpeedup, RunComparison
from rseqbench.analysis.verdicts import JudgedClaim
from rseqbench.config import VerdictRules
from rseqbench.report import context, fleet_prose, formatting
from rseqbench.report.context import KeyLines
from rseqbench.report.formatting import FormattedNumber
from rseqbench.report.reasons import explain
from rseqbench.report.run_view import RunView
from rseqbench.report.tables import Cell, Column, Grid, allocators, build_grid, claims, comparison, fleet, run
from rseqbench.report.text import ascii_table
from rseqbench.store.runs import Run

_ARITHMETIC = "The message's own arithmetic"  # as the grid calls it


def render_run(view: RunView) -> str:
    """Return the mail about one run."""
    return ascii_table.document(_run(view))


def _run(view: RunView) -> Iterator[str]:
    yield from _brief("Run:    ", "Claims: ", context.of_run(view))
    published = context.published(view.run)
    beside = "" if published else ", this run beside them"
    yield from _section(f"The patch's tables{beside}", map(_patch_table, view.patch_tables))
    if not published:
        yield from _verdicts(view)
    yield from _limits(view.limits)
    yield from _section(_ARITHMETIC, [claims.tabulate_arithmetic(view.judged)])
    measured = [one for one in view.measured if one.row is not None]
    yield from _section("Everything measured", [*run.tabulate_measured(measured), run.tabulate_ratios(_untold(view))])
    beside_kernels = [grid for one in view.shipped for grid in allocators.tabulate_library(one)]
    yield from _section("The libraries themselves", beside_kernels)
    yield from _section("A server over each allocator", allocators.tabulate_server(view.served))
    reasons = (
        (formatting.with_threads(one.benchmark, one.threads), explain(one.reasons))
        for one in view.measured
        if not one.row
    )
    yield from _by_reason("Benchmarks without a value", reasons)
    if not published:
        yield from _times(view.judged)
    yield from _section("Machine and build", [run.tabulate_facts(view.run.header.machines)])
    yield from _end(context.commands_of_run(view.run))


def _patch_table(table: PatchTable) -> Grid:
    """Return a table of the message as wide as a mail: the intervals of single values are told further down."""
    grid = context.patch_table(table)
    if table.pairs:
        return replace(grid, rows=tuple((*map(_bare, row[:-1]), row[-1]) for row in grid.rows))
    return _without(grid, run.NET)


def _without(grid: Grid, head: str) -> Grid:
    """Return a grid without the columns of that heading."""
    kept = [place for place, column in enumerate(grid.columns) if column.head != head]
    rows = tuple(tuple(row[place] for place in kept if place < len(row)) for row in grid.rows)
    return replace(grid, columns=tuple(grid.columns[place] for place in kept), rows=rows)


def _bare(cell: Cell) -> Cell:
    return replace(cell, interval="") if isinstance(cell, FormattedNumber) else cell


def _verdicts(view: RunView) -> Iterator[str]:
    decided, absent, _ = claims.split_claims(view.judged)
    verdicts = claims.tabulate_verdicts(decided, "What the patch claimed, what was measured, and whether it holds")
    yield from _section("Verdicts", [verdicts, _without(claims.tabulate_today(view.judged), "rseq way")])
    if view.sentences:
        yield from ("", "In words:", "")
        yield from _bullets(view.sentences)
    stated = (
        (f"{c.id} ({formatting.claimed(c)})", explain(one.verdict.reasons)) for one in absent for c in [one.claim]
    )
    yield from _by_reason("Claims that were not measured here", stated)


def _untold(view: RunView) -> list[PairSpeedup]:
    """Return the quotients that are not among the verdicts, or all where a neighbour was there too."""
    claims = [one.claim for one in view.judged]
    told = {(c.arch, *pair) for c in claims for pair in ((c.slow, c.fast), c.current) if pair}
    busy = any(one.beside for one in view.quotients)
    return [q for q in view.quotients if busy or (q.pair.arch, q.pair.slow, q.pair.fast) not in told]


def _times(judged: Sequence[JudgedClaim]) -> Iterator[str]:
    """Yield the times in the message's tables beside the measured ones, by verdict; those without a value by reason."""
    of_tables = claims.split_claims(judged)[2]
    for word in dict.fromkeys(one.verdict.word for one in of_tables if one.measured):
        own = [one for one in of_tables if one.measured and one.verdict.word == word]
        unit = ", ".join(dict.fromkeys(formatting.short(one.unit) for one in own))
        rows = [(one.claim.id, formatting.claimed(one.claim), formatting.cost(one.measured))
                for one in own if one.measured]  # fmt: skip
        grid = build_grid(
            f"{word}, whatever they are: of other machines", ("time", "claimed", f"measured, {unit}"), "-nn", rows
        )
        yield from _section("The times in the message's tables", [grid])
    absent = ((one.claim.id, explain(one.verdict.reasons)) for one in of_tables if one.measured is None)
    yield from _by_reason("Times in the message's tables that were not measured here", absent)


def render_comparison(runs: Sequence[Run], comparisons: Sequence[RunComparison], rules: VerdictRules) -> str:
    """Return the mail about the comparisons of further runs with the first one."""
    return ascii_table.document(_runs(runs, comparisons, rules))


def _runs(runs: Sequence[Run], comparisons: Sequence[RunComparison], rules: VerdictRules) -> Iterator[str]:
    yield from _brief("Runs:   ", "Result: ", context.of_runs(runs, comparisons, rules))
    for title, grids in comparison.tabulate_sections(comparisons, narrow=True):
        yield from _section(title, [grid for grid in grids if grid.caption != comparison.NOWHERE])
        nowhere = (
            (str(row[0]), str(row[1])) for grid in grids if grid.caption == comparison.NOWHERE for row in grid.rows
        )
        yield from _by_reason(comparison.NOWHERE, nowhere)
    yield from _limits(context.limits_of(runs, comparisons, rules))
    facts = context.facts_of(runs)
    same = [row for row in facts.rows if len(set(row[1:])) == 1]
    other = [row for row in facts.rows if row not in same]
    shared = replace(facts, columns=(facts.columns[0], Column("of all")), rows=tuple(row[:2] for row in same))
    own = replace(facts, rows=tuple(other))
    yield from _section(facts.caption, [own, shared])
    yield from _end(context.commands_of(runs))


def render_fleet(fleets: FleetComparison) -> str:
    """Return the mail about one fleet, or two held against each other."""
    return ascii_table.document(_machines(fleets))


def _machines(fleets: FleetComparison) -> Iterator[str]:
    limits = fleet_prose.limits(fleets)
    yield from _brief("Fleet:  ", "Result: ", fleet_prose.brief(fleets))
    yield from _section("The machines", [fleet.tabulate_places(fleets)])
    for one in fleets.matrices:
        yield from _section(fleet.describe_matrix(fleets, one), [fleet.tabulate_summary(fleets, one)])
        yield from _section("By machine", fleet.tabulate_cells(fleets, one))
    yield from _section("Verdicts", fleet.tabulate_verdicts(fleets))
    yield from _limits(limits)
    yield from _end(fleet_prose.commands(fleets))


def _by_reason(title: str, found: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield a section of names by the reason why there is nothing: it is said once, however many it keeps away."""
    reasons: dict[str, list[str]] = {}
    for name, why in found:
        reasons.setdefault(why, []).append(name)
    if reasons:
        yield from _title(f"{title}, and why")
        yield ""
    for why, names in reasons.items():
        yield from ascii_table.lines(f"{why}:", "- ", "  ")
        yield from ascii_table.lines(", ".join(names), "    ")


def _brief(what: str, holds: str, brief: KeyLines) -> Iterator[str]:
    yield from ascii_table.lines(brief.measured, what, " " * len(what))
    yield from ascii_table.lines(brief.holds, holds, " " * len(holds))
    yield from ascii_table.joined("Limits: ", brief.limits or ("none known",), "below")


def _section(title: str, grids: Iterable[Grid]) -> Iterator[str]:
    """Yield the lines of a section with its grids, of those that say something; none where there is none."""
    kept = [grid for grid in grids if grid.rows]
    if kept:
        yield from _title(title)
    for grid in kept:
        yield ""
        yield from ascii_table.table(grid, caption=grid.caption != title)


def _title(title: str) -> Iterator[str]:
    yield from ("", "", title, "=" * len(title))


def _limits(limits: Sequence[str]) -> Iterator[str]:
    if limits:
        yield from _title("What limits this")
        yield ""
        yield from _bullets(limits)


def _bullets(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield from ascii_table.lines(text, "- ", "  ")


def _end(commands: Iterable[str]) -> Iterator[str]:
    yield from _title("To reproduce")
    yield ""
    for text in commands:
        yield from ascii_table.command(text)
    yield ""
    yield from ascii_table.lines(
        f"In brackets stand intervals, or of counts all that was seen. By rseqbench {__version__}."
    )
