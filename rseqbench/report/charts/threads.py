"""What an operation costs with one thread, with two, with more: a panel a group, a line a method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from rseqbench.analysis.summary import BenchmarkRow
from rseqbench.model import Estimate
from rseqbench.report import formatting
from rseqbench.report.charts import canvas
from rseqbench.report.run_view import RunView

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HEIGHT = 2.6  # inches of a panel
_NARROWER = 2.2  # inches at the right for the names of the lines
_NARROW = 2.9  # inches of a narrow figure without those names
_APART = 0.105  # of a panel's height between two names
_LINES = ((0, ()), (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))
Line = list[tuple[int, Estimate]]  # thread count and cost


def draw_threads(view: RunView, name: str = "threads", narrow: bool = False) -> str:
    """Draw the cost of an operation over thread counts, of all methods that were measured with several."""
    panels = _panels(view)
    if not panels:
        return ""
    with mpl.rc_context(canvas.STYLE):
        figure = Figure(figsize=(_NARROW if narrow else canvas.WIDTH - _NARROWER, _HEIGHT * len(panels)))
        each = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
        for axes, (title, lines) in zip(each, panels.items(), strict=True):
            _panel(axes, title, lines, view.unit)
        figure.subplots_adjust(hspace=0.5)
    spoken = [
        f"{title}, {method}: " + ", ".join(f"{formatting.cost(cost)} with {_threads(n)}" for n, cost in line)
        for title, lines in panels.items()
        for method, line in lines.items()
    ]
    return canvas.render_svg(figure, name, f"Cost against threads, in {view.unit}", "; ".join(spoken))


def _panels(view: RunView) -> dict[str, dict[str, Line]]:
    """Return the lines with several thread counts, by group (and architecture, where there are several) and method."""
    arches = {one.arch for one in view.measured}
    found: dict[str, dict[str, Line]] = {}
    for one in sorted(view.measured, key=lambda one: one.threads):
        if one.row:
            found.setdefault(_title(one, len(arches) > 1), {}).setdefault(one.method, []).append(
                (one.threads, one.row.gross)
            )
    several = {title: {m: line for m, line in lines.items() if len(line) > 1} for title, lines in found.items()}
    order = dict.fromkeys(_title(one, len(arches) > 1) for one in view.measured)
    return {title: several[title] for title in order if several.get(title)}


def _title(row: BenchmarkRow, with_arch: bool) -> str:
    return row.group + (f" on {row.arch}" if with_arch else "")


def _threads(number: int) -> str:
    return f"{number} thread" + ("s" if number > 1 else "")


def _panel(axes: Axes, title: str, lines: dict[str, Line], unit: str) -> None:
    """Draw one group: both axes logarithmic, so that a straight line up is a cost that grows with the threads."""
    for number, line in enumerate(lines.values()):
        mark, colour, hollow = canvas.choose_mark(number)
        counts, costs = [n for n, _ in line], [cost.value for _, cost in line]
        axes.plot(counts, costs, color=colour, linestyle=_LINES[number // 2 % len(_LINES)], linewidth=1, marker=mark,
                  markersize=5, markerfacecolor="none" if hollow else colour, zorder=3)  # fmt: skip
        for n, cost in line:
            if cost.low is not None and cost.high is not None:
                axes.plot([n, n], [cost.low, cost.high], color=colour, linewidth=1.6, marker="_", markersize=6,
                          zorder=2)  # fmt: skip
    axes.set_title(title, loc="left", fontsize=9, fontweight="bold")
    axes.set_xlabel("threads")
    axes.set_ylabel(f"{unit}, in each thread")
    counts = sorted({n for line in lines.values() for n, _ in line})
    axes.set_xscale("log")
    axes.set_xlim(counts[0] / 1.1, counts[-1] * 1.1)
    axes.xaxis.set_major_locator(FixedLocator(counts))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    _costs(axes, [x for line in lines.values() for _, cost in line for x in canvas.span(cost)])
    canvas.strip_axes(axes, "both")
    _names(axes, lines)


def _costs(axes: Axes, values: Sequence[float]) -> None:
    low, high = min(values) / 1.15, max(values) * 1.15
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    canvas.set_decade_ticks(axes.yaxis, fine=high / low < 1e3)


def _names(axes: Axes, lines: dict[str, Line]) -> None:
    """Write each method's name beside the end of its line, moved apart where lines end close to each other."""
    ends = {m: (line[-1][0], line[-1][1].value) for m, line in lines.items()}
    to_axes = axes.transData + axes.transAxes.inverted()
    heights = {method: float(to_axes.transform(end)[1]) for method, end in ends.items()}
    for method, place in move_apart(heights, _APART).items():
        leader = {"arrowstyle": "-", "color": canvas.RULE, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 3}
        where = (1.06, place)
        axes.annotate(method, ends[method], where, "data", "axes fraction", leader, va="center_baseline")


def move_apart(heights: dict[str, float], least: float) -> dict[str, float]:
    """Return heights in the same order with at least `least` between neighbours, moved as little as a pass allows."""
    order = sorted(heights, key=lambda name: heights[name])
    groups: list[list[str]] = []
    for name in order:
        groups.append([name])
        while len(groups) > 1 and _bottom(groups[-1], heights, least) < _top(groups[-2], heights, least) + least:
            last = groups.pop()
            groups[-1] += last
    return {
        name: _bottom(group, heights, least) + least * number for group in groups for number, name in enumerate(group)
    }


def _bottom(group: list[str], heights: dict[str, float], least: float) -> float:
    middle = sum(heights[name] for name in group) / len(group)
    return middle - least * (len(group) - 1) / 2


def _top(group: list[str], heights: dict[str, float], least: float) -> float:
    return _bottom(group, heights, least) + least * (len(group) - 1)
