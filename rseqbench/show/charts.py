"""The plots, as SVG text. Each returns an empty string where there is nothing to draw.

Shapes tell apart what is drawn, never colours alone; all text stays text.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from rseqbench.claims import Judged
from rseqbench.model import BASELINE, Estimate
from rseqbench.show import svg, words
from rseqbench.show.contents import Contents
from rseqbench.show.tables import Compared, Measured

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH = 7.8  # inches
_ROW = 0.29
_MARKS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p")
_STRAIGHT = 1.5  # a quotient further from 1 than this needs a logarithmic axis
_ABREAST = 3  # entries of a legend that fit side by side
_MOST_DOTS = 4000  # a page must stay readable and small: beyond this, every n-th round is drawn, and that is said
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "rseqbench",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": svg.TEXT,
    "axes.edgecolor": svg.RULE,
    "axes.labelcolor": svg.TEXT,
    "xtick.color": svg.TEXT,
    "ytick.color": svg.TEXT,
    "legend.fontsize": 9,
}


def speedups(shown: Contents, name: str = "speedups") -> str:
    """Draw every quotient the message claims for the run's machines: measured with its interval, claimed, today's."""
    arches = {machine.arch for machine in shown.run.header.machines}
    drawn = [j for j in shown.judged if j.claim.kind in ("speedup", "equal") and j.claim.arch in arches]
    if not any(one.measured for one in drawn):
        return ""
    labels = [words.claim(one.claim) + (f" ({one.claim.arch})" if len(arches) > 1 else "") for one in drawn]
    figure, axes = _rows(labels, [one.verdict.word.value for one in drawn])
    for y, one in enumerate(drawn):
        if not shown.counts:  # instructions reproduce no time
            axes.hlines(y, *_reproduced(one, shown), color=svg.BAND, linewidth=9, zorder=1)
        axes.plot(one.claim.stated, y, marker="|", markersize=15, markeredgewidth=2.2, color=svg.TEXT, zorder=2)
        _point(axes, one.measured, y, "o", svg.FIRST)
        _point(axes, one.today, y + 0.32, "s", svg.SECOND, hollow=True)
    axes.axvline(1, color=svg.TEXT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    values = [x for one in drawn for x in _span(one.measured) + _span(one.today)] + [j.claim.stated for j in drawn]
    _log(axes, [*values, 1.0])
    what = (
        "times the instructions of rseq" if shown.counts else "times faster, or where equality is claimed times as long"
    )
    axes.set_xlabel(f"{what}; 1 is no difference; logarithmic")
    measured, claimed = ("instructions", "claimed, in time") if shown.counts else ("measured", "claimed")
    _legend(axes, [("o", True, measured), ("|", True, claimed), ("s", False, f"what is in use today, {measured}")])
    return _svg(figure, name, "What was measured beside what was claimed", "; ".join(map(_spoken, drawn)))


def _reproduced(one: Judged, shown: Contents) -> tuple[float, float]:
    """Return the range that counts as reproduced."""
    rules, stated = shown.rules, one.claim.stated
    share = 1 / (1 + rules.equal_band) if one.claim.kind == "equal" else rules.reach
    return stated * share, stated / share


def _spoken(one: Judged) -> str:
    measured = f"measured {words.ratio(one.measured)}" if one.measured else "without a measured value"
    return f"{words.claim(one.claim)}: claimed {words.stated(one.claim.stated, 'x')}, {measured}, {one.verdict.word}"


def reading_cpu(shown: Contents, name: str = "reading") -> str:
    """Draw what each way of reading the CPU number costs, loop included, beside what the message printed."""
    group = BASELINE.partition("/")[0]
    drawn = [one for one in shown.measured if one.group == group and one.threads == 1]
    arch = drawn[0].arch if drawn else ""
    drawn = sorted((one for one in drawn if one.arch == arch), key=lambda m: m.row.gross.value if m.row else math.inf)
    if not any(one.row for one in drawn):
        return ""
    notes = [
        f"{words.cost(one.row.gross).value} {words.short(one.row.unit)}" if one.row else "not measured" for one in drawn
    ]
    figure, axes = _rows([one.method for one in drawn], notes)
    printed = _printed(shown, arch)
    values: list[float] = []
    for y, one in enumerate(drawn):
        if one.row:
            _point(axes, one.row.gross, y, "o", svg.FIRST)
            values += _span(one.row.gross)
        if one.benchmark in printed:
            axes.plot(printed[one.benchmark], y, marker="D", markersize=6, color=svg.SECOND, markerfacecolor="none")
            values.append(printed[one.benchmark])
        if one.benchmark == BASELINE and one.row:
            axes.axvline(one.row.gross.value, color=svg.TEXT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    _log(axes, values)
    axes.set_xlabel(f"{shown.unit} with the loop, logarithmic")
    keys = [("o", True, "measured"), ("--", True, "the empty loop, measured")]
    _legend(axes, [*keys, *([("D", False, f"printed in the patch ({arch})")] if printed else [])])
    spoken = "; ".join(f"{one.method}: {note}" for one, note in zip(drawn, notes, strict=True))
    return _svg(figure, name, "Cost of reading the CPU number", spoken)


def _printed(shown: Contents, arch: str) -> dict[str, float]:
    """Return the message's values for this architecture, where they have the run's unit and are not the run itself."""
    rows = shown.patch[shown.patch["arch"] == arch]
    same = shown.unit == words.unit("ns") and not (shown.frame["timing"] == "published").any()
    return dict(zip(rows["benchmark"], rows["value"], strict=True)) if same else {}


def rounds(shown: Contents, name: str = "rounds") -> str:
    """Draw every round of every benchmark as a dot: how far it lies from its benchmark's median, in percent."""
    drawn = [one for one in shown.measured if one.row]
    if not drawn or shown.frame["round"].nunique() < 2:
        return ""
    figure, axes = _rows([words.with_threads(m.benchmark, m.threads) for m in drawn], [_median(m) for m in drawn])
    step = math.ceil(len(shown.frame) / _MOST_DOTS)
    furthest = 1.0
    for y, one in enumerate(drawn):
        percent = _deviations(shown, one)[::step]
        furthest = max(furthest, *map(abs, percent))
        axes.plot(percent, [y] * len(percent), linestyle="", marker="o", markersize=3.6, alpha=0.55,
                  color=svg.FIRST, markeredgewidth=0)  # fmt: skip
        if y and drawn[y - 1].group != one.group:
            axes.axhline(y - 0.5, color=svg.RULE, linewidth=0.8)
    _symmetric(axes, furthest)
    thinned = f"; one round in {step}" if step > 1 else ""
    axes.set_xlabel(f"percent from the benchmark's median; straight to 1%, logarithmic beyond{thinned}")
    spoken = [f"{m.benchmark}: {min(d):+.1f}% to {max(d):+.1f}%" for m in drawn if (d := _deviations(shown, m))]
    return _svg(figure, name, "All rounds of all benchmarks, as distance from the median", "; ".join(spoken))


def differences(found: Sequence[Compared], name: str = "differences") -> str:
    """Draw how each benchmark of further runs compares with that of the first, a mark for each run."""
    rows = [row for one in found for row in one.rows if row.ratio]
    keys = list(dict.fromkeys((row.arch, row.benchmark, row.threads) for row in rows))
    if not keys:
        return ""
    several = len({arch for arch, *_ in keys}) > 1
    labels = [words.with_threads(benchmark, n) + f" ({arch})" * several for arch, benchmark, n in keys]
    figure, axes = _rows(labels, [""] * len(keys))
    values, spoken = [1.0], []
    for number, one in enumerate(found):
        for row in one.rows:
            if row.ratio:
                place = keys.index((row.arch, row.benchmark, row.threads))
                _point(axes, row.ratio, place + 0.6 * number / len(found), *_shape(number))
                values += _span(row.ratio)
                spoken.append(f"{labels[place]}: {words.ratio(row.ratio)} in {one.b}, {row.word}")
    axes.axvline(1, color=svg.TEXT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    scale = _around_one(axes, values)
    axes.set_xlabel(f"times what it takes in {found[0].a}{scale}")
    shapes = [_shape(number) for number in range(len(found))]
    _legend(axes, [(mark, not hollow, one.b) for (mark, _, hollow), one in zip(shapes, found, strict=True)])
    return _svg(figure, name, "What each takes against the first run", "; ".join(spoken))


def _shape(number: int) -> tuple[str, str, bool]:
    """Return the mark, colour and hollowness that tell a run from the others: twenty differ."""
    mark = _MARKS[number % len(_MARKS)]
    return mark, (svg.FIRST, svg.SECOND)[number % 2], bool(number // len(_MARKS)) != bool(number % 2)


def _around_one(axes: Axes, values: Sequence[float]) -> str:
    """Set an x axis that shows all values and as much on the other side of 1; return what to say of its scale."""
    if max(values) > _STRAIGHT or min(values) < 1 / _STRAIGHT:
        _log(axes, values)
        return ", logarithmic"
    furthest = max(abs(value - 1) for value in values)
    axes.set_xlim(1 - 1.15 * furthest - 0.001, 1 + 1.15 * furthest + 0.001)
    return ""


def _median(one: Measured) -> str:
    return f"{words.cost(one.row.gross).value} {words.short(one.row.unit)}" if one.row else ""


def _deviations(shown: Contents, one: Measured) -> list[float]:
    frame = shown.frame
    own = (frame["arch"] == one.arch) & (frame["benchmark"] == one.benchmark) & (frame["threads"] == one.threads)
    values = frame[own]["value"]
    return [float(share) for share in (values / values.median() - 1) * 100]


def _rows(labels: Sequence[str], notes: Sequence[str]) -> tuple[Figure, Axes]:
    """Return a figure with one row a label, from top to bottom, and each row's note behind its right end."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, 1.0 + _ROW * len(labels)))
        axes = figure.add_subplot()
        axes.set_yticks(range(len(labels)), labels)
        for y, note in enumerate(notes):
            axes.text(1.015, y, note, transform=axes.get_yaxis_transform(), va="center_baseline")
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", color=svg.RULE)
    axes.grid(axis="x", color=svg.RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _point(axes: Axes, number: Estimate | None, y: float, marker: str, colour: str, hollow: bool = False) -> None:
    if number is None:
        return
    if number.low is not None and number.high is not None and not (number.is_range and number.low * 1.01 > number.high):
        axes.hlines(y, number.low, number.high, color=colour, linewidth=1.6, zorder=3)
        axes.plot([number.low, number.high], [y, y], linestyle="", marker="|", markersize=5, color=colour, zorder=3)
    face = "none" if hollow else colour
    axes.plot(number.value, y, marker=marker, markersize=5, color=colour, markerfacecolor=face, zorder=4)


def _span(number: Estimate | None) -> list[float]:
    return [x for x in (number.value, number.low, number.high) if x is not None] if number else []


def _log(axes: Axes, values: Sequence[float]) -> None:
    """Set a logarithmic x axis around `values` (all above 0), its ticks as plain numbers."""
    low, high = min(values) / 1.25, max(values) * 1.25
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    subs = (1.0, 2.0, 5.0) if high / low < 1e4 else (1.0,)
    axes.xaxis.set_major_locator(LogLocator(subs=subs, numticks=30))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))


def _symmetric(axes: Axes, furthest: float) -> None:
    """Set a percent axis around 0 that is straight up to 1 and logarithmic beyond."""
    limit = furthest * 1.3
    axes.set_xscale("symlog", linthresh=1, linscale=1)
    axes.set_xlim(-min(limit, 100), limit)
    steps = [x for x in (1, 3, 10, 30, 100, 300, 1000, 10_000) if x <= limit]
    axes.xaxis.set_major_locator(FixedLocator([*(-x for x in steps if x <= 100), 0, *steps]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:+g}%" if x else "0"))


def _legend(axes: Axes, keys: Sequence[tuple[str, bool, str]]) -> None:
    """Explain the marks above the axes: (marker or line style, filled, text)."""
    colours = {mark: (svg.FIRST, svg.SECOND)[place % 2] for place, mark in enumerate(_MARKS)}
    handles = []
    for mark, filled, text in keys:
        colour = colours.get(mark, svg.TEXT)
        line = {"linestyle": (0, (4, 3)), "linewidth": 0.8} if mark == "--" else {"linestyle": "", "marker": mark}
        size = 12 if mark == "|" else 6
        handles.append(Line2D([], [], color=colour, label=text, markersize=size,
                              markerfacecolor=colour if filled else "none", **line))  # fmt: skip
    with mpl.rc_context(_STYLE):
        axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=min(len(keys), _ABREAST),
                    frameon=False, borderaxespad=0.2, handletextpad=0.4, labelcolor=svg.TEXT)  # fmt: skip


def _svg(figure: Figure, name: str, title: str, description: str) -> str:
    out = io.StringIO()
    with mpl.rc_context(_STYLE):
        figure.savefig(
            out, format="svg", transparent=True, bbox_inches="tight", pad_inches=0.05, metadata={"Date": None}
        )
    return svg.finish(out.getvalue(), name, title, description)
