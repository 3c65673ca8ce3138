"""Grids and sentences on a terminal, within 100 columns; colour only where rich finds a terminal that wants it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from rseqbench.analysis.fleet.compare import FleetComparison
from rseqbench.analysis.summary import RunComparison
from rseqbench.model import DryRun, VerdictWord
from rseqbench.report import caveats, fleet_prose, prose
from rseqbench.report.run_view import RunView
from rseqbench.report.tables import Cell, Grid, Reason, allocators, claims, comparison, fleet, listing, run
from rseqbench.report.text import console as screen
from rseqbench.store import runs

WIDTH, console = screen.WIDTH, screen.console
_PIECE = re.compile(r"[^\s/]+/?\s*|/\s*")  # of a name, behind which a line may end
_STYLES = {
    VerdictWord.REPRODUCED: "green",
    VerdictWord.STRONGER: "green",
    VerdictWord.WEAKER: "yellow",
    VerdictWord.CONTRADICTED: "red",
    VerdictWord.UNRESOLVED: "yellow",
    VerdictWord.NOT_COMPARABLE: "dim",
    VerdictWord.NOT_MEASURED: "dim",
}


def print_run(view: RunView, out: Console) -> None:
    """Print a run: what was measured where, all values, the verdicts, the limits, and the one sentence to repeat."""
    screen.print_paragraph(view.summary, out)
    out.print()
    for grid in run.tabulate_measured(view.measured):
        print_grid(grid, out)
    for grid in allocators.tabulate_server_briefly(view.served):
        print_grid(grid, out)
    for patch_table in view.patch_tables:
        print_grid(run.tabulate_patch_table(patch_table), out)
    for grid in (grid for one in view.shipped for grid in allocators.tabulate_library(one)):
        print_grid(grid, out)
    decided, absent, _ = claims.split_claims(view.judged)
    mark = "REPLAY: " if runs.is_replay(view.run.header) else ""
    if decided:
        print_grid(claims.tabulate_verdicts(decided, f"{mark}What the patch claimed"), out)
    if view.quotients:
        quotients = run.tabulate_ratios(view.quotients)
        print_grid(dataclasses.replace(quotients, caption=mark + quotients.caption), out)
    if absent:
        screen.print_paragraph(f"Not measured here: {', '.join(one.claim.id for one in absent)}.", out)
    for text in view.limits:
        screen.print_paragraph(f"Note: {text}", out, "yellow")
    if view.headline:
        screen.print_paragraph(mark + view.headline, out, "bold")


def print_dry_run(dry_run: DryRun, out: Console) -> None:
    """Print what a run would do, and each of its command lines as one line, to be copied."""
    for grid in (listing.tabulate_plan(dry_run), *listing.tabulate_cases(dry_run.plans)):
        print_grid(grid, out)
    out.print(Text("Command lines, none of which was executed", style="bold"))
    for what, command in listing.format_commands(dry_run.calls):
        screen.print_paragraph(f"# {what}", out, "dim")
        if command:
            out.print(Text(command), soft_wrap=True)
    for text in dry_run.unknown:
        screen.print_paragraph(f"Note: {text}", out, "yellow")


def print_claims(view: RunView, out: Console, verdicts: bool) -> None:
    """Print each number of the message with the arithmetic on it, or with `verdicts` what the run says of each."""
    judged = view.judged
    grids = claims.tabulate_run(judged, view.run.label) if verdicts else claims.tabulate_claims(judged)
    for grid in grids:
        print_grid(grid, out)
    if verdicts:
        counted = ", ".join(f"{number} {word}" for word, number in prose.counted(judged))
        screen.print_paragraph(f"Of the claims in the text: {counted}.", out)


def print_comparison(comparisons: Sequence[RunComparison], out: Console) -> None:
    """Print runs beside the first, the speed-ups inside each, what their Linuxes differ by, and the limits."""
    for grid in comparison.tabulate_everything(comparisons):
        print_grid(grid, out)
    for text in dict.fromkeys(text for one in comparisons for text in caveats.comparison_notes(one)):
        screen.print_paragraph(f"Note: {text}", out, "yellow")


def print_fleet(fleets: FleetComparison, out: Console, each: bool = True) -> None:
    """Print fleets: what came out, what machines differ by, what `each` has, the verdicts, the machines, the limits."""
    for text in (fleet_prose.summary(fleets), *fleet_prose.answers(fleets)):
        screen.print_paragraph(text, out, "bold")
    out.print()
    for one in fleets.matrices:
        for grid in (fleet.tabulate_summary(fleets, one), *(fleet.tabulate_cells(fleets, one) if each else ())):
            print_grid(grid, out)
    for grid in (*(fleet.tabulate_verdicts(fleets) if each else ()), fleet.tabulate_places(fleets)):
        print_grid(grid, out)
    for text in fleet_prose.limits(fleets):
        screen.print_paragraph(f"Note: {text}", out, "yellow")


def print_grid(grid: Grid, out: Console) -> None:
    """Print a grid; rows that end in a reason stand below the others, the reason beside their name."""
    out.print(Text(grid.caption, style="bold"))
    reasons = [row for row in grid.rows if isinstance(row[-1], Reason) and len(row) < len(grid.columns)]
    rows = [row for row in grid.rows if row not in reasons]
    whole, gap = _unbroken(grid, rows, out.width)
    drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, gap, 0, 0))
    for place, column in enumerate(grid.columns):
        side: Literal["right", "left"] = "right" if column.numeric else "left"
        drawn.add_column(Text(column.head), justify=side, width=whole.get(place), overflow="fold")
    for name, *others in rows:
        drawn.add_row(Text(_in_pieces(str(name), whole.get(0, out.width))), *map(_styled, others))
    if rows or not reasons:
        out.print(drawn)
    _print_reasons(reasons, max((len(str(row[0])) for row in grid.rows), default=0), out)
    for note in grid.notes:
        screen.print_paragraph(note, out)
    out.print()


def _unbroken(grid: Grid, rows: Sequence[tuple[Cell, ...]], width: int) -> tuple[dict[int, int], int]:
    """Choose the widths of the columns whose cells stay whole, and the gap behind each, for a table of `width` columns.

    Names and numbers stay whole if they fit, then the parts of names and numbers, then numbers only, then nothing: what
    does not fit folds, and nothing is ever cut off. A width is given outright, as rich would shrink whatever has none.
    """
    longest, natural = [], []
    for place, column in enumerate(grid.columns):
        cells = [str(row[place]) for row in (rows if place else grid.rows) if place < len(row)]
        whole_cells = column.numeric or not place
        parts = cells if whole_cells else [word for cell in cells for word in cell.split()]
        head = column.head.split() if column.numeric else [column.head]
        longest.append(max(map(len, [*head, *parts])))
        natural.append(max(map(len, [column.head, *cells])))
    numbers = {place for place, column in enumerate(grid.columns) if column.numeric}
    names = max((len(word) for row in rows for word in str(row[0]).split()), default=1)
    pieces = max((len(piece.rstrip()) for row in rows for piece in _PIECE.findall(str(row[0]))), default=1)
    for whole, gap in (({0} | numbers, 1), ({0} | numbers, 0), (numbers, 1), (numbers, 0)):
        least = sum(longest) - (0 if 0 in whole else longest[0] - names)
        gaps = (gap + 1) * len(longest)
        if sum(natural) + gaps <= width + 1:
            return dict(enumerate(natural)), gap
        if least + gaps <= width + 1:
            given = {place: longest[place] for place in whole}
            beside = [given.get(place, one) for place, one in enumerate(natural)][1:]
            room = width + gap + 1 - gaps
            if 0 not in whole and pieces <= room - sum(longest[1:]):
                given[0] = min(natural[0], max(pieces, room - sum(beside)))
            return given, gap
    return {}, 0


def _in_pieces(name: str, width: int) -> str:
    """Return a name in lines of such a width, ended behind a word, or behind the / of a benchmark's name."""
    lines = [""]
    for piece in _PIECE.findall(name):
        if lines[-1] and len(lines[-1]) + len(piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)


def _print_reasons(rows: Sequence[tuple[Cell, ...]], first: int, out: Console) -> None:
    below = Table.grid(padding=(0, 2, 0, 0))
    below.add_column(width=min(first, out.width // 2), overflow="fold")
    below.add_column(overflow="fold")
    for row in rows:
        below.add_row(Text(str(row[0])), Text(", ".join(str(cell) for cell in row[1:] if str(cell)), style="dim"))
    if rows:
        out.print(below)


def _styled(cell: Cell) -> Text:
    return Text(str(cell), style=_STYLES.get(cell, "") if isinstance(cell, VerdictWord) else "")
