"""One fleet, or two place by place, as one HTML file: no network, no script, everything inside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from rseqbench import __version__
from rseqbench.analysis.fleet.cell import Cell, timed
from rseqbench.analysis.fleet.compare import FleetComparison
from rseqbench.analysis.fleet.matrix import Matrix
from rseqbench.analysis.outcomes import Outcome
from rseqbench.analysis.verdicts import JudgedClaim
from rseqbench.model import VerdictWord
from rseqbench.report import charts, data, fleet_prose, formatting
from rseqbench.report.formatting import FormattedNumber
from rseqbench.report.html import page
from rseqbench.report.html.page import Download, Figure
from rseqbench.report.reasons import explain
from rseqbench.report.tables import Grid, build_grid, fleet
from rseqbench.store.runs import Header

Pieces = tuple[tuple[str, ...], ...]
_GOOD, _BAD = (Outcome.FASTER, Outcome.FEWER), (Outcome.SLOWER, Outcome.MORE)
_CONFIRMED = (VerdictWord.REPRODUCED, VerdictWord.STRONGER)
_LACKING = 4  # machines without a run that are told on the first screen, with the reason


@dataclass(frozen=True)
class CellView:
    """A cell ready to draw: what stands in it, the sign and word for it, its tint, and why it says no more."""

    printed: FormattedNumber
    sign: str
    word: str
    tint: str
    why: str


@dataclass(frozen=True)
class MatrixView:
    """A table that scrolls in a box of its own: numbered heads, their words in pieces; and rows.

    On paper nothing scrolls: there the same stands in parts.
    """

    caption: str
    heads: tuple[tuple[str, Pieces], ...]
    rows: tuple[tuple[str, tuple[CellView, ...]], ...]
    notes: tuple[str, ...]
    on_paper: tuple[Grid, ...]


@dataclass(frozen=True)
class MatrixPart:
    """A matrix: its cells by machine, its table of columns, and its plot."""

    number: int
    title: str
    box: MatrixView
    summary: Grid
    figure: Figure


def render_page(fleets: FleetComparison) -> str:
    """Return the whole page."""
    return page.create_environment().get_template("fleet.html").render(**_parts(fleets))


def _parts(fleets: FleetComparison) -> dict[str, object]:
    """Return what the template names."""
    said, limits = fleet_prose.answers(fleets), fleet_prose.limits(fleets)
    lacking = [f"{place.name}: {explain(place.reasons)}" for place in fleets.places if place.reasons]
    return {
        "version": __version__,
        "title": " against ".join(reversed(fleets.labels)),
        "several": len(fleets.labels) > 1,
        "summary": fleet_prose.number(fleets),
        "said": said,
        "lacking": lacking[:_LACKING],
        "more_lacking": max(0, len(lacking) - _LACKING),
        "limits": limits,
        "parts": [_part(fleets, one, number) for number, one in enumerate(fleets.matrices, start=1)],
        "verdicts": _verdicts(fleets),
        "places": fleet.tabulate_places(fleets),
        "runs": _runs(fleets),
        "commands": [*map(formatting.line, fleet_prose.commands(fleets))],
        "downloads": list(_downloads(fleets, said, limits)),
        "rules": fleets.rules,
        "icons": formatting.ICONS,
        "style": page.load_style(),
    }


def _part(fleets: FleetComparison, matrix: Matrix, number: int) -> MatrixPart:
    name, title = f"machines-{number}", fleet.describe_matrix(fleets, matrix)
    summary = fleet.tabulate_summary(fleets, matrix)
    box = MatrixView(
        caption=f"By machine: {title}",
        heads=tuple(
            (str(n), _pieces(fleet.name_column(column.what))) for n, column in enumerate(matrix.columns, start=1)
        ),
        rows=tuple(
            (place, tuple(_view_cell(column.cells.get(place)) for column in matrix.columns))
            for place in matrix.machines
        ),
        notes=summary.notes,
        on_paper=tuple(fleet.tabulate_cells(fleets, matrix)),
    )
    drawn = page.draw_twice(partial(_draw, fleets, matrix), name)
    return MatrixPart(number, title, box, summary, Figure(name, f"Every machine: {title}", _reading(matrix), drawn))


def _draw(fleets: FleetComparison, matrix: Matrix, name: str, narrow: bool) -> str:
    return charts.draw_fleet(fleets, matrix, name, narrow)


def _pieces(text: str) -> Pieces:
    """Return the words of a name, each in pieces, between which a line may break."""
    return tuple(tuple(filter(None, re.findall(r"[^/_]*[/_]?", word))) for word in text.split())


def _view_cell(cell: Cell | None) -> CellView:
    if cell is None:
        return CellView(FormattedNumber(""), formatting.NOTHING, Outcome.MISSING, "", "")
    tint = "good" if cell.word in _GOOD else "bad" if cell.word in _BAD else ""
    printed = formatting.ratio(cell.ratio) if cell.ratio else FormattedNumber("")
    return CellView(printed, formatting.SIGNS[cell.word], cell.word, tint, explain(cell.reasons))


def _verdicts(fleets: FleetComparison) -> MatrixView:
    """Return the verdicts on the message's claims by machine, of those that any machine could answer."""
    grids = fleet.tabulate_verdicts(fleets)
    claims = [column.head for grid in grids for column in grid.columns[1:]]
    rows = []
    for place in [str(row[0]) for row in (grids[0].rows if grids else ())]:
        judged = {one.claim.id: one for one in fleets.judged[place]}
        rows.append((place, tuple(_view_verdict(judged[claim]) for claim in claims)))
    heads = tuple(("", _pieces(claim)) for claim in claims)
    notes = tuple(note for grid in grids for note in grid.notes)
    return MatrixView("What the patch claimed, by machine", heads, tuple(rows), notes, tuple(grids))


def _view_verdict(judged: JudgedClaim) -> CellView:
    word = judged.verdict.word
    tint = "good" if word in _CONFIRMED else "bad" if word == VerdictWord.CONTRADICTED else ""
    printed = formatting.ratio(judged.measured) if judged.measured else FormattedNumber("")
    return CellView(printed, formatting.ICONS[word], word.value, tint, explain(judged.verdict.reasons))


def _reading(matrix: Matrix) -> str:
    bar = "its interval" if timed(matrix.unit) else "the range of its counts"
    return (
        f"A strip is a column of the matrix, in the same order; a point is a machine, its bar {bar}, from the lowest "
        "at the top to the highest. Left of the dashed line the quotient is below 1."
    )


def _runs(fleets: FleetComparison) -> Grid:
    rows = [(place.name, *map(_label, place.labels, place.headers)) for place in fleets.places]
    return build_grid("The run of each machine", ("place", *fleets.labels), "-" * (1 + len(fleets.labels)), rows)


def _label(label: str, header: Header | None) -> str:
    return label if header else f"{label or formatting.NOTHING} (no run)"


def _downloads(fleets: FleetComparison, said: list[str], limits: list[str]) -> Iterator[Download]:
    name = "-against-".join(reversed(fleets.labels))
    csv, json = data.fleets_csv(fleets, said, limits), data.fleets_json(fleets, said, limits)
    yield page.embed_download(f"{name}.csv", "a row a machine, cell and verdict", "text/csv", csv)
    yield page.embed_download(f"{name}.json", "the same", "application/json", json)
