"""What each benchmark of a group took in many runs, in the order of their dates: a panel each, two abreast."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from rseqbench.analysis.history import History, Series
from rseqbench.model import BenchmarkId
from rseqbench.report import formatting
from rseqbench.report.charts import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_DRAWN = 120  # points of a panel; of more runs, neighbours are drawn as one
_MOST_STEPS = 40  # marks of a panel, the largest steps first
_MOST_CHANGES = 30  # lines where Linux or the like changed; more say nothing
_ABREAST = 2
_HEIGHT = 1.25  # inches of a panel
_BARS = 60  # runs up to which each has a mark and a bar of its own
_LIFTED = 0.06  # of its height that a panel is left free above and below


@dataclass(frozen=True)
class Point:
    """Points of a series, a few neighbouring runs each: the first one's number, value, and lowest and highest end."""

    run: float
    value: float
    low: float
    high: float


def draw_history(found: History, series: Sequence[Series], name: str, unit: str, narrow: bool = False) -> str:
    """Draw `series`, all in `unit`, over the runs of `found`."""
    drawn = [one for one in series if len(one.points) > 1]
    if not drawn:
        return ""
    abreast = 1 if narrow else _ABREAST
    width = canvas.NARROW if narrow else canvas.WIDTH + 1.2
    rows = math.ceil(len(drawn) / abreast)
    with mpl.rc_context(canvas.STYLE):
        figure = Figure(figsize=(width, _HEIGHT * rows + 0.4))
        panels = figure.subplots(rows, abreast, squeeze=False).ravel()
        figure.subplots_adjust(hspace=0.75, wspace=0.2)
        for number, (axes, one) in enumerate(zip(panels, drawn, strict=False)):
            _panel(axes, one, found)
            axes.set_ylabel("" if number % abreast else unit)
            axes.set_xlabel("" if number + abreast < len(drawn) else "run, by date", labelpad=1)
        for axes in panels[len(drawn) :]:
            axes.set_axis_off()
    return canvas.render_svg(
        figure, name, f"Cost over {len(found.runs)} runs, in {unit}", "; ".join(map(_spoken, drawn))
    )


def _spoken(series: Series) -> str:
    first, last = series.points[0], series.points[-1]
    number = len(series.steps)
    steps = f"{number or 'no'} step{'' if number == 1 else 's'} beyond noise"
    cost = [f"{formatting.cost(row.gross)} in run {run + 1}" for run, row in (first, last)]
    return f"{formatting.with_threads(series.key[1], series.key[2])} on {series.key[0]}: {cost[0]}, {cost[1]}, {steps}"


def _panel(axes: Axes, series: Series, found: History) -> None:
    points = gather_points(series)
    runs, values = [point.run + 1 for point in points], [point.value for point in points]
    low, high = min(point.low for point in points), max(point.high for point in points)
    if len(series.points) <= _BARS:
        axes.vlines(runs, [point.low for point in points], [point.high for point in points], color=canvas.FIRST,
                    linewidth=1.6, zorder=3)  # fmt: skip
        axes.plot(runs, values, color=canvas.FIRST, linewidth=0.6, marker="o", markersize=3.2, zorder=4)
    else:
        axes.fill_between(runs, [point.low for point in points], [point.high for point in points], color=canvas.BAND,
                          linewidth=0, zorder=2)  # fmt: skip
        axes.plot(runs, values, color=canvas.FIRST, linewidth=1, zorder=4)
    _marks(axes, series)
    for number in _changes(found):
        axes.axvline(number + 0.5, color=canvas.TEXT, linewidth=0.6, linestyle=(0, (1, 3)), zorder=1)
    steps = f", {len(series.steps)} steps" if len(series.steps) > 1 else ", 1 step" if series.steps else ""
    name = formatting.with_threads(BenchmarkId(series.key[1]).method, series.key[2])
    axes.set_title(f"{name}{steps}", loc="left", fontsize=9,
                   pad=4)  # fmt: skip
    room = (high - low or high * 0.02) * _LIFTED * 3
    axes.set_ylim(low - room, high + room)
    axes.set_xlim(0.5, len(found.runs) + 0.5)
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.tick_params(labelsize=8)
    canvas.strip_axes(axes, "y")


def gather_points(series: Series, most: int = MOST_DRAWN) -> list[Point]:
    """Return at most `most` points: of each few neighbours the middle value, and all that their intervals reach."""
    size = math.ceil(len(series.points) / most)
    found = []
    for start in range(0, len(series.points), size):
        part = series.points[start : start + size]
        numbers = [number for number, _ in part]
        values = sorted(row.gross.value for _, row in part)
        reached = [x for _, row in part for x in canvas.span(row.gross)]
        found.append(Point((numbers[0] + numbers[-1]) / 2, values[len(values) // 2], min(reached), max(reached)))
    return found


def _marks(axes: Axes, series: Series) -> None:
    """Mark where a step went: a triangle that points up where it takes more from then on, down where less."""
    values = {number: row.gross.value for number, row in series.points}
    largest = sorted(series.steps, key=lambda step: -abs(math.log(step.ratio.value)))[:_MOST_STEPS]
    for mark, up in (("^", True), ("v", False)):
        numbers = sorted(step.after for step in largest if step.up == up)
        axes.plot([n + 1 for n in numbers], [values[n] for n in numbers], linestyle="", marker=mark, markersize=7,
                  color=canvas.SECOND, markerfacecolor="none", markeredgewidth=1.2, zorder=5)  # fmt: skip


def _changes(found: History) -> list[int]:
    numbers = [number for number, changes in enumerate(found.changes) if changes]
    return numbers if len(numbers) <= _MOST_CHANGES else []
