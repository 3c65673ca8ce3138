"""What comes out on every machine: a strip for each column of a matrix, with a point and its interval a machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rseqbench.analysis.fleet.cell import TIME
from rseqbench.analysis.fleet.compare import FleetComparison
from rseqbench.analysis.fleet.matrix import Matrix, MatrixColumn
from rseqbench.report import formatting
from rseqbench.report.charts import canvas
from rseqbench.report.tables.fleet import name_column as named

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKED = 8  # machines up to which each has a mark of its own; more are a curve, from the lowest to the highest
_SPREAD = 0.6  # of a row's room, over which its machines are spread
_ROW, _LEAST = 0.01, 0.3  # inches of a machine in a row, and of a row at least


def draw_fleet(fleets: FleetComparison, matrix: Matrix, name: str = "machines", narrow: bool = False) -> str:
    """Draw each column of a matrix as a strip: its machines from the lowest to the highest, each with its interval."""
    columns = [column for column in matrix.columns if column.valued]
    if not columns:
        return ""
    few = len(matrix.machines) <= _MARKED
    row = max(_LEAST, _ROW * len(matrix.machines))
    labels, notes = [named(column.what) for column in columns], list(map(_note, columns))
    figure, axes = canvas.create_rows(labels, notes, narrow, row)
    spread = _SPREAD * canvas.free_share(labels, notes, narrow, row)
    for place, column in enumerate(columns):
        _strip(axes, column, place, spread, matrix.machines if few else ())
    canvas.draw_reference(axes, 1)
    logarithmic = canvas.center_on_one(axes, [1.0, *_reached(columns)])
    axes.set_xlabel(_axis(fleets, matrix, logarithmic))
    if few:
        shapes = [canvas.choose_mark(number) for number in range(len(matrix.machines))]
        keys = [
            (mark, not hollow, formatting.line(m)) for (mark, _, hollow), m in zip(shapes, matrix.machines, strict=True)
        ]
        canvas.draw_legend(axes, keys)
    return canvas.render_svg(figure, name, "What comes out on every machine", "; ".join(map(_spoken, columns)))


def _strip(axes: Axes, column: MatrixColumn, place: int, spread: float, marked: Sequence[str]) -> None:
    """Draw a column's machines below each other, over `spread`; each of `marked` in its own shape, others as dots."""
    cells = sorted(column.valued.items(), key=lambda cell: cell[1].ratio.value if cell[1].ratio else 0)
    heights = [place + spread * number / len(cells) for number in range(len(cells))]
    ratios = [cell.ratio for _, cell in cells if cell.ratio]
    if marked:
        for (machine, cell), y in zip(cells, heights, strict=True):
            canvas.draw_estimate(axes, cell.ratio, y, *canvas.choose_mark(marked.index(machine)))
        return
    barred = [(y, ratio.low, ratio.high) for y, ratio in zip(heights, ratios, strict=True) if ratio.has_interval]
    if barred:
        axes.hlines(*zip(*barred, strict=True), color=canvas.FIRST, linewidth=1.2, zorder=3)
    axes.plot([ratio.value for ratio in ratios], heights, linestyle="", marker="o", markersize=2.4, color=canvas.FIRST,
              zorder=4)  # fmt: skip


def _note(column: MatrixColumn) -> str:
    """Return what stands behind a strip: whether its machines differ."""
    return "machines differ" if column.apart is not None and column.apart.differs else ""


def _reached(columns: Sequence[MatrixColumn]) -> list[float]:
    return [x for column in columns for cell in column.valued.values() for x in canvas.span(cell.ratio)]


def _axis(fleets: FleetComparison, matrix: Matrix, logarithmic: bool) -> str:
    unit = "" if matrix.unit == TIME else f" of {matrix.unit}"
    if len(fleets.labels) == 1:
        return f"slow / fast{unit}: above 1 the fast way takes less" + ("; logarithmic" if logarithmic else "")
    times = "times what it takes" if logarithmic else "more or less than it takes"
    return f"{times} in {formatting.line(fleets.labels[0])}{unit}" + (", logarithmic" if logarithmic else "")


def _spoken(column: MatrixColumn) -> str:
    ends = {machine: column.cells[machine].ratio for machine in column.extremes}
    said = [f"{formatting.ratio(ratio).value} on {machine}" for machine, ratio in ends.items() if ratio]
    return f"{named(column.what)}: {' to '.join(said)}, {len(column.valued)} machines"
