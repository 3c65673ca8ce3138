"""One fleet, or two place by place, as one HTML file: no network, no script, everything inside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from rseqbench import __version__
from rseqbench.analysis import compare
from rseqbench.analysis.fleet.cell import Cell, timed
from rseqbench.analysis.fleet.compare import FleetComparison
from rseqbench.analysis.fleet.matrix import Matrix
from rseqbench.analysis.verdicts import JudgedClaim
from rseqbench.model import VerdictWord
from rseqbench.report import charts, data, fleet_prose, formatting
from rseqbench.report.formatting import FormattedNumber
from rseqbench.report.html import page
from rseqbench.report.html.page import Download, Figure
from rseqbench.report.tables import Grid, build_grid, fleet
from rseqbench.store.runs import Header

Pieces = tuple[tuple[str, ...], ...]
_GOOD, _BAD = (compare.FASTER, compare.FEWER), (compare.SLOWER, compare.MORE)
_CONFIRMED = (VerdictWord.REPRODUCED, VerdictWord.STRONGER)
_LACKING = 4  # machines without a run that are told on the first screen, with the reason


@dataclass(frozen=True)
class Shown:
    """A cell ready to draw: what stands in it, the sign and word for it, its tint, and why it says no more."""

    printed: FormattedNumber
    sign: str
    word: str
    tint: str
    why: str


@dataclass(frozen=True)
class Box:
    """A table that scrolls in a box of its own: numbered heads, their words in pieces; and rows.

    On paper nothing scrolls: there the same stands in parts.
    """

    caption: str
    heads: tuple[tuple[str, Pieces], ...]
    rows: tuple[tuple[str, tuple[Shown, ...]], ...]
    notes: tuple[str, ...]
    on_paper: tuple[Grid, ...]


@dataclass(frozen=True)
class Part:
    """A matrix: its cells by machine, its table of columns, and its plot."""

    number: int
    title: str
    box: Box
    summary: Grid
    figure: Figure


def render_page(found: FleetComparison) -> str:
    """Return the whole page."""
    return page.create_environment().get_template("fleet.html").render(**_parts(found))


def _parts(found: FleetComparison) -> dict[str, object]:
    """Return what the template names."""
    said, limits = fleet_prose.answers(found), fleet_prose.limits(found)
    lacking = [f"{place.name}: {place.reason}" for place in found.places if place.reason]
    return {
        "version": __version__,
        "title": " against ".join(reversed(found.labels)),
        "several": len(found.labels) > 1,
        "summary": fleet_prose.number(found),
        "said": said,
        "lacking": lacking[:_LACKING],
        "more_lacking": max(0, len(lacking) - _LACKING),
        "limits": limits,
        "parts": [_part(found, one, number) for number, one in enumerate(found.matrices, start=1)],
        "verdicts": _verdicts(found),
        "places": fleet.tabulate_places(found),
        "runs": _runs(found),
        "commands": [*map(formatting.line, fleet_prose.commands(found))],
        "downloads": list(_downloads(found, said, limits)),
        "rules": found.rules,
        "icons": formatting.ICONS,
        "style": page.load_style(),
    }


def _part(found: FleetComparison, one: Matrix, number: int) -> Part:
    name, title = f"machines-{number}", fleet.describe_matrix(found, one)
    summary = fleet.tabulate_summary(found, one)
    box = Box(
        caption=f"By machine: {title}",
        heads=tuple((str(n), _pieces(fleet.name_column(column.what))) for n, column in enumerate(one.columns, start=1)),
        rows=tuple((place, tuple(_shown(column.cells.get(place)) for column in one.columns)) for place in one.machines),
        notes=summary.notes,
        on_paper=tuple(fleet.tabulate_cells(found, one)),
    )
    drawn = page.draw_twice(partial(_draw, found, one), name)
    return Part(number, title, box, summary, Figure(name, f"Every machine: {title}", _reading(one), drawn))


def _draw(found: FleetComparison, one: Matrix, name: str, narrow: bool) -> str:
    return charts.draw_fleet(found, one, name, narrow)


def _pieces(text: str) -> Pieces:
    """Return the words of a name, each in pieces, between which a line may break."""
    return tuple(tuple(filter(None, re.findall(r"[^/_]*[/_]?", word))) for word in text.split())


def _shown(cell: Cell | None) -> Shown:
    if cell is None:
        return Shown(FormattedNumber(""), formatting.NOTHING, compare.MISSING, "", "")
    tint = "good" if cell.word in _GOOD else "bad" if cell.word in _BAD else ""
    printed = formatting.ratio(cell.ratio) if cell.ratio else FormattedNumber("")
    return Shown(printed, formatting.SIGNS[cell.word], cell.word, tint, cell.reason)


def _verdicts(found: FleetComparison) -> Box:
    """Return the verdicts on the message's claims by machine, of those that any machine could answer."""
    grids = fleet.tabulate_verdicts(found)
    claims = [column.head for grid in grids for column in grid.columns[1:]]
    rows = []
    for place in [str(row[0]) for row in (grids[0].rows if grids else ())]:
        judged = {one.claim.id: one for one in found.judged[place]}
        rows.append((place, tuple(_verdict(judged[claim]) for claim in claims)))
    heads = tuple(("", _pieces(claim)) for claim in claims)
    notes = tuple(note for grid in grids for note in grid.notes)
    return Box("What the patch claimed, by machine", heads, tuple(rows), notes, tuple(grids))


def _verdict(one: JudgedClaim) -> Shown:
    word = one.verdict.word
    tint = "good" if word in _CONFIRMED else "bad" if word == VerdictWord.CONTRADICTED else ""
    printed = formatting.ratio(one.measured) if one.measured else FormattedNumber("")
    return Shown(printed, formatting.ICONS[word], word.value, tint, one.verdict.reason)


def _reading(one: Matrix) -> str:
    bar = "its interval" if timed(one.unit) else "the range of its counts"
    return (
        f"A strip is a column of the matrix, in the same order; a point is a machine, its bar {bar}, from the lowest "
        "at the top to the highest. Left of the dashed line the quotient is below 1."
    )


def _runs(found: FleetComparison) -> Grid:
    rows = [(place.name, *map(_label, place.labels, place.headers)) for place in found.places]
    return build_grid("The run of each machine", ("place", *found.labels), "-" * (1 + len(found.labels)), rows)


def _label(label: str, header: Header | None) -> str:
    return label if header else f"{label or formatting.NOTHING} (no run)"


def _downloads(found: FleetComparison, said: list[str], limits: list[str]) -> Iterator[Download]:
    name = "-against-".join(reversed(found.labels))
    csv, json = data.fleets_csv(found, said, limits), data.fleets_json(found, said, limits)
    yield page.embed_download(f"{name}.csv", "a row a machine, cell and verdict", "text/csv", csv)
    yield page.embed_download(f"{name}.json", "the same", "application/json", json)
