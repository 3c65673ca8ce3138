"""One fleet, or two place by place, as one HTML file: no network, no script, everything inside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from rseqbench import __version__, compare
from rseqbench.machines import Machines
from rseqbench.matrix import Cell, Column, Matrix
from rseqbench.show import charts, data, fleets, html, words
from rseqbench.show.grids import Grid, machines, make
from rseqbench.show.html import Download, Figure
from rseqbench.show.words import Printed

_GOOD, _BAD = (compare.FASTER, compare.FEWER), (compare.SLOWER, compare.MORE)
_LACKING = 4  # machines without a run that are told on the first screen, with the reason


@dataclass(frozen=True)
class Shown:
    """A cell ready to draw: what stands in it, the sign and word for it, its tint, and why it says no more."""

    printed: Printed
    sign: str
    word: str
    tint: str
    why: str


@dataclass(frozen=True)
class Part:
    """A matrix with its table of columns, its cells by machine, the same in parts for paper, and its plot."""

    number: int
    title: str
    summary: Grid
    heads: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, tuple[Shown, ...]], ...]
    signs: str
    on_paper: tuple[Grid, ...]
    figure: Figure


def page(found: Machines) -> str:
    """Return the whole page."""
    return html.environment().get_template("fleet.html").render(**_parts(found))


def _parts(found: Machines) -> dict[str, object]:
    """Return what the template names."""
    said, limits = fleets.answers(found), fleets.limits(found)
    lacking = [f"{place.name}: {place.reason}" for place in found.places if place.reason]
    return {
        "version": __version__,
        "title": " against ".join(reversed(found.labels)),
        "several": len(found.labels) > 1,
        "summary": fleets.summary(found),
        "said": said,
        "lacking": lacking[:_LACKING],
        "more_lacking": max(0, len(lacking) - _LACKING),
        "limits": [text for text in limits if text not in lacking],
        "parts": [_part(found, one, number) for number, one in enumerate(found.matrices, start=1)],
        "verdicts": machines.verdicts(found),
        "places": machines.places(found),
        "runs": _runs(found),
        "commands": [*map(words.line, fleets.commands(found))],
        "downloads": list(_downloads(found, said, limits)),
        "rules": found.rules,
        "icons": words.ICONS,
        "style": html.style(),
    }


def _part(found: Machines, one: Matrix, number: int) -> Part:
    name = f"machines-{number}"
    summary = machines.summary(found, one)
    drawn = html.drawn(partial(_draw, found, one), name)
    return Part(
        number=number,
        title=machines.title(found, one),
        summary=summary,
        heads=tuple(_head(place, column) for place, column in enumerate(one.columns, start=1)),
        rows=tuple((machine, tuple(_shown(column.cells.get(machine)) for column in one.columns))
                   for machine in one.machines),
        signs=" ".join(summary.notes),
        on_paper=tuple(machines.cells(found, one)),
        figure=Figure(name, f"Every machine: {machines.title(found, one)}", _reading(one), drawn),
    )  # fmt: skip


def _draw(found: Machines, one: Matrix, name: str, narrow: bool) -> str:
    return charts.strips(found, one, name, narrow)


def _head(number: int, column: Column) -> tuple[str, str]:
    """Return a column's number and name, in which a line may break behind a stroke."""
    return str(number), machines.name(column.what)


def _shown(cell: Cell | None) -> Shown:
    if cell is None:
        return Shown(Printed(""), "", "not measured", "", "this machine has none")
    tint = "good" if cell.word in _GOOD else "bad" if cell.word in _BAD else ""
    printed = words.ratio(cell.ratio) if cell.ratio else Printed("")
    return Shown(printed, words.SIGNS[cell.word], cell.word, tint, cell.reason)


def _reading(one: Matrix) -> str:
    bar = "its interval" if one.unit == "ns" else "the range of its counts"
    return (
        f"A strip is a column of the matrix, in the same order; a point is a machine, its bar {bar}, from the lowest "
        "at the top to the highest. Left of the dashed line the quotient is below 1."
    )


def _runs(found: Machines) -> Grid:
    rows = [
        (place.name, *(label if header else f"{label} (none)"
                       for label, header in zip(place.labels, place.headers, strict=False)))
        for place in found.places
    ]  # fmt: skip
    rows = [(*row, *[words.NOTHING] * (len(found.labels) + 1 - len(row))) for row in rows]
    return make("The run of each machine", ("place", *found.labels), "-" * (1 + len(found.labels)), rows)


def _downloads(found: Machines, said: list[str], limits: list[str]) -> Iterator[Download]:
    name = "-against-".join(reversed(found.labels))
    csv, json = data.fleets_csv(found, said, limits), data.fleets_json(found, said, limits)
    yield html.download(f"{name}.csv", "a row a machine, cell and verdict", "text/csv", csv)
    yield html.download(f"{name}.json", "the same", "application/json", json)
