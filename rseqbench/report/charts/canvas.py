"""What all figures share: their look, rows, marks, scales and legend, and how a figure becomes SVG text."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Literal

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from rseqbench.model import Estimate
from rseqbench.report import formatting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

# What charts are drawn in, and what it becomes: the page's own colours, with a fallback for an SVG on its own.
TEXT = "#000001"
RULE = "#000002"
BAND = "#000003"
FIRST = "#000004"
SECOND = "#000005"
_COLOURS = {
    TEXT: "currentColor",
    RULE: "var(--rule, #8886)",
    BAND: "var(--band, #8884)",
    FIRST: "var(--first, #1a6fb5)",
    SECOND: "var(--second, #b3591a)",
}
_SCALE = 1.33  # CSS pixels a point, so that text has the same size in every plot
_HEAD = re.compile(r"^.*?<svg[^>]*?viewBox=\"([^\"]*)\"[^>]*>", re.DOTALL)
_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)
_STYLE = re.compile(r"<defs>\s*<style[^>]*>.*?</style>\s*</defs>", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_WORDS = re.compile(r">([^<]*)</text>")
_FONT = re.compile(r"font: ([\d.]+)px [^;\"]*")

WIDTH = 7.8  # inches
NARROW = 3.7  # inches that a phone shows without making its text smaller
_ROW = 0.29
_LABELLED = 0.25  # inches of a line above a row, where there is no room at its side
_CUT = 52  # characters that fit a narrow figure
MARKS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p")
_STRAIGHT = 1.5  # a quotient further from 1 than this needs a logarithmic axis
_ABREAST = 3  # entries of a legend that fit side by side
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "rseqbench",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": TEXT,
    "axes.edgecolor": RULE,
    "axes.labelcolor": TEXT,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
    "legend.fontsize": 9,
    "text.parse_math": False,  # a label with dollar signs is no formula
}


def create_rows(
    labels: Sequence[str], notes: Sequence[str], narrow: bool = False, inches: float = _ROW
) -> tuple[Figure, Axes]:
    """Return a figure with one row a label, from top to bottom, and each row's note behind its right end.

    In a narrow one both stand above the row, which has as many `inches`.
    """
    if narrow:
        return _narrow_rows(labels, notes, inches)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 1.0 + inches * len(labels)))
        axes = figure.add_subplot()
        axes.set_yticks(range(len(labels)), labels)
        for y, note in enumerate(notes):
            axes.text(1.015, y, note, transform=axes.get_yaxis_transform(), va="center_baseline")
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    strip_axes(axes, "x")
    return figure, axes


def _narrow_rows(labels: Sequence[str], notes: Sequence[str], inches: float) -> tuple[Figure, Axes]:
    """Return such a figure with label and note above each row, in two lines where one does not hold them."""
    lines = _lines(labels, notes)
    high = inches + _LABELLED * lines
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(NARROW, 1.0 + high * len(labels)))
        axes = figure.add_axes(
            (0.02, 0.5 / (1.0 + high * len(labels)), 0.96, high * len(labels) / (1.0 + high * len(labels)))
        )
        place = axes.get_yaxis_transform()
        above = _LABELLED / high
        for y, (label, note) in enumerate(zip(labels, notes, strict=True)):
            axes.text(0, y - above * (lines - 0.3), _cut(label), transform=place, va="center_baseline")
            x, side = (1, "right") if lines == 1 else (0, "left")
            axes.text(x, y - above * 0.7, _cut(note), transform=place, ha=side, va="center_baseline")
    axes.set_yticks(range(len(labels)), [""] * len(labels))
    axes.set_ylim(len(labels) - 1 + inches / high * 1.3, -above * lines - 0.1)
    axes.tick_params(axis="y", length=0)
    strip_axes(axes, "x")
    return figure, axes


def _lines(labels: Sequence[str], notes: Sequence[str]) -> int:
    """Return how many lines stand above a narrow row: two where one does not hold a label and its note."""
    return 2 if any(len(label) + len(note) > _CUT - 2 for label, note in zip(labels, notes, strict=True)) else 1


def free_share(labels: Sequence[str], notes: Sequence[str], narrow: bool = False, inches: float = _ROW) -> float:
    """Return how much of the way to the next row is free to be drawn in: in a narrow figure its label takes the rest.

    All is as in rows().
    """
    return inches / (inches + _LABELLED * _lines(labels, notes)) if narrow else 1.0


def _cut(text: str) -> str:
    return text if len(text) <= _CUT else f"{text[: _CUT - 1]}…"


def _is_narrow(figure: Figure | None) -> bool:
    return figure is not None and bool(figure.get_figwidth() <= NARROW)


def strip_axes(axes: Axes, grid: Literal["both", "x", "y"]) -> None:
    """Leave of the axes their lower edge, faint ticks, and a faint grid behind what is drawn."""
    axes.tick_params(axis="x", color=RULE)
    if grid != "x":
        axes.tick_params(axis="y", color=RULE)
    axes.grid(axis=grid, color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def draw_estimate(
    axes: Axes,
    number: Estimate | None,
    y: float,
    marker: str,
    colour: str,
    hollow: bool = False,
    visible: float = 1.01,
) -> None:
    """Draw a value with its interval; nothing for None. The range of a count from a quotient of `visible` on."""
    if number is None:
        return
    hidden = number.is_range and (number.low or 0) * visible >= (number.high or 0)
    if number.low is not None and number.high is not None and not hidden:
        axes.hlines(y, number.low, number.high, color=colour, linewidth=1.6, zorder=3)
        axes.plot([number.low, number.high], [y, y], linestyle="", marker="|", markersize=5, color=colour, zorder=3)
    face = "none" if hollow else colour
    axes.plot(number.value, y, marker=marker, markersize=5, color=colour, markerfacecolor=face, zorder=4)


def draw_reference(axes: Axes, x: float) -> None:
    """Draw the dashed line that a figure's values are compared with."""
    axes.axvline(x, color=TEXT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)


def span(number: Estimate | None) -> list[float]:
    """Return all that an axis has to show of a value."""
    return [x for x in (number.value, number.low, number.high) if x is not None] if number else []


def set_logarithmic(axes: Axes, values: Sequence[float]) -> None:
    """Set a logarithmic x axis around `values` (all above 0), its ticks as plain numbers."""
    low, high = min(values) / 1.25, max(values) * 1.25
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    set_decade_ticks(axes.xaxis, fine=high / low < 1e4)


def set_decade_ticks(axis: Axis, fine: bool) -> None:
    """Tick a logarithmic axis at powers of ten, when `fine` at 2 and 5 too, as plain numbers."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if fine else (1.0,), numticks=30))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))


def set_symmetric(axes: Axes, furthest: float) -> None:
    """Set a percent axis around 0 that is straight up to 1 and logarithmic beyond."""
    limit = furthest * 1.3
    axes.set_xscale("symlog", linthresh=1, linscale=1)
    axes.set_xlim(-min(limit, 100), limit)
    steps = [x for x in (1, 3, 10, 30, 100, 300, 1000, 10_000) if x <= limit]
    axes.xaxis.set_major_locator(FixedLocator([*(-x for x in steps if x <= 100), 0, *steps]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:+g}%" if x else "0"))


def draw_legend(axes: Axes, keys: Sequence[tuple[str, bool, str]]) -> None:
    """Explain the marks above the axes: (marker or line style, filled, text)."""
    colours = {mark: (FIRST, SECOND)[place % 2] for place, mark in enumerate(MARKS)}
    handles = []
    for mark, filled, text in keys:
        colour = colours.get(mark, TEXT)
        line = {"linestyle": (0, (4, 3)), "linewidth": 0.8} if mark == "--" else {"linestyle": "", "marker": mark}
        size = 12 if mark == "|" else 6
        handles.append(Line2D([], [], color=colour, label=text, markersize=size,
                              markerfacecolor=colour if filled else "none", **line))  # fmt: skip
    with mpl.rc_context(STYLE):
        abreast = 1 if _is_narrow(axes.get_figure(root=True)) else _ABREAST
        axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=min(len(keys), abreast),
                    frameon=False, borderaxespad=0.2, handletextpad=0.4, labelcolor=TEXT)  # fmt: skip


def render_svg(figure: Figure, name: str, title: str, description: str) -> str:
    """Return a figure as an SVG element; `name` starts its ids, title and description are its text alternative."""
    out = io.StringIO()
    if _is_narrow(figure):
        for axes in figure.axes:
            axes.set_xlabel(textwrap.fill(axes.get_xlabel(), _CUT))
    with mpl.rc_context(STYLE):
        figure.savefig(
            out, format="svg", transparent=True, bbox_inches="tight", pad_inches=0.05, metadata={"Date": None}
        )
    return embed_svg(out.getvalue(), name, title, description)


def choose_mark(number: int) -> tuple[str, str, bool]:
    """Return the mark, colour and hollowness that tell a run from the others: twenty differ."""
    mark = MARKS[number % len(MARKS)]
    return mark, (FIRST, SECOND)[number % 2], bool(number // len(MARKS)) != bool(number % 2)


def center_on_one(axes: Axes, values: Sequence[float]) -> bool:
    """Set an x axis that shows all quotients and as much on the other side of 1; return whether it is logarithmic.

    One that is not has its ticks in percent.
    """
    if max(values) > _STRAIGHT or min(values) < 1 / _STRAIGHT:
        set_logarithmic(axes, values)
        return True
    furthest = max(abs(value - 1) for value in values)
    axes.set_xlim(1 - 1.15 * furthest - 0.001, 1 + 1.15 * furthest + 0.001)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{round(100 * (x - 1), 6):+g}%" if x != 1 else "0"))
    return False


def embed_svg(raw: str, name: str, title: str, description: str) -> str:
    """Return matplotlib's `raw` SVG as an element for HTML; `name` starts all of its ids.

    Global styles, comments, prolog and metadata are gone, so that it cannot reach out of itself; text is harmless.
    """
    head = _HEAD.match(raw)
    if head is None:
        raise ValueError("not an SVG as matplotlib writes it")
    width = float(head[1].split()[2]) * _SCALE
    body = raw[head.end() :]
    for pattern in (_METADATA, _STYLE, _COMMENT):
        body = pattern.sub("", body)
    body = re.sub(r'\bid="([^"]*)"', rf'id="{name}-\1"', body)
    body = re.sub(r"url\(#([^)]*)\)", rf"url(#{name}-\1)", body)
    body = re.sub(r'xlink:href="#([^"]*)"', rf'href="#{name}-\1"', body)
    for drawn, shown in _COLOURS.items():
        body = body.replace(drawn, shown)
    body = _WORDS.sub(lambda text: f">{formatting.line(text[1])}</text>", body)
    body = _FONT.sub(r"font-size: \1px", body)
    spoken = {"title": escape(formatting.line(title)), "desc": escape(formatting.line(description))}
    alternative = "\n".join(f'<{tag} id="{name}-{tag}">{text}</{tag}>' for tag, text in spoken.items())
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{head[1]}" width="{width:.0f}" role="img" '
        f'stroke-linejoin="round" aria-labelledby="{name}-title {name}-desc">\n'
        f"{alternative}{_squeezed(body)}"
    )


def _squeezed(body: str) -> str:
    """Return the body without blank lines and indentation, which are a tenth of it."""
    return "\n".join(stripped for line in body.splitlines() if (stripped := line.strip()))
