"""The plot of what a request gains by per-CPU pools, against the allocator's share of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from rseqbench.analysis.allocators import AGAINST, AllocatorResults, Curve
from rseqbench.report.charts import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CAPTION = "Gain of pools by rseq, against the share of the allocator"
READING = (
    "Above the dashed line a request over per-CPU pools with rseq takes less time than over what the mark stands for, "
    "below it more; bars are intervals, and a loss beyond 100% is cut off. "
    "Marks are what was measured, lines only join them. "
    "The less of a request is spent in the allocator, the less there is to gain: the message gives one number, and not "
    "the share that it belongs to."
)
_HEIGHT = 3.6  # inches
_APART = 1.05  # marks of the same share stand beside each other
_COLUMNS = {"mean": "gain in the mean", "p50": "gain in the median"}
_SHAPES: dict[str, tuple[str, str, Any]] = {
    "shipped": ("o", canvas.FIRST, "-"),
    "pools_lsl": ("s", canvas.SECOND, "--"),
    "pools_vdso": ("^", canvas.FIRST, ":"),
    "pools_off": ("D", canvas.SECOND, "-."),
}


def draw_gains(results: AllocatorResults | None, name: str = "jemalloc", narrow: bool = False) -> str:
    """Draw the gain in mean and median over each other one, with the most threads; empty where none was measured."""
    curves = [one for over in AGAINST for column in _COLUMNS if results and (one := results.curve(over, column))]
    if not curves:
        return ""
    with mpl.rc_context(canvas.STYLE):
        figure = Figure(figsize=(canvas.NARROW, 2 * _HEIGHT) if narrow else (canvas.WIDTH, _HEIGHT))
        for place, column in enumerate(_COLUMNS, start=1):
            axes = figure.add_subplot(*((len(_COLUMNS), 1) if narrow else (1, len(_COLUMNS))), place)
            for one in curves:
                if one.column == column:
                    _draw(axes, one)
            _dress(axes, f"{_COLUMNS[column]}, {curves[0].threads} threads")
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="upper center", ncols=2 if narrow else 4, frameon=False, labelcolor=canvas.TEXT
        )
        between = "\n" if narrow else " "
        figure.supxlabel(f"share of a request in the allocator,{between}jemalloc as shipped; logarithmic", fontsize=9)
        figure.subplots_adjust(top=0.88 if narrow else 0.85, bottom=0.12 if narrow else 0.18, wspace=0.25, hspace=0.25)
    spoken = "; ".join(_spoken(curve) for curve in curves)
    return canvas.render_svg(figure, name, CAPTION, spoken)


def _draw(axes: Axes, curve: Curve) -> None:
    marker, colour, style = _SHAPES[curve.over]
    beside = _APART ** list(_SHAPES).index(curve.over)
    shares = [one.share * beside for one in curve.gains]
    axes.plot(shares, [one.gain.value for one in curve.gains], marker=marker, markersize=5, linestyle=style,
              linewidth=1, color=colour, markerfacecolor="none", label=f"over {curve.over}", zorder=3)  # fmt: skip
    for share, one in zip(shares, curve.gains, strict=True):
        if one.gain.low is not None and one.gain.high is not None:
            axes.vlines(share, one.gain.low, one.gain.high, color=colour, linewidth=1.4, zorder=2)


def _dress(axes: Axes, title: str) -> None:
    axes.axhline(0, color=canvas.TEXT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=30))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{100 * x:g}%"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{100 * y:+g}%" if y else "0"))
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, -1), min(high, 1))
    axes.set_title(title, fontsize=9)
    canvas.strip_axes(axes, "both")


def _spoken(curve: Curve) -> str:
    points = ", ".join(f"{one.gain.value:+.1%} at {one.share:.1%}" for one in curve.gains)
    return f"{_COLUMNS[curve.column]} over {curve.over}: {points}"
