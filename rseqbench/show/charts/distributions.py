"""Every round of every benchmark."""

from __future__ import annotations

import math

from rseqbench.analysis.summary import Measured
from rseqbench.report import formatting
from rseqbench.report.charts import axes as shared
from rseqbench.report.run_view import Contents
from rseqbench.show import svg

_SPREAD = 0.7  # of a row's height
_NARROW_DOTS = 1200  # a narrow drawing is the second one of its page
_MOST_DOTS = 4000  # a page must stay readable and small: beyond this, every n-th round is drawn, and that is said


def rounds(shown: Contents, name: str = "rounds", narrow: bool = False) -> str:
    """Draw every round of every benchmark as a dot: how far it lies from its benchmark's median, in percent."""
    drawn = [one for one in shown.measured if one.row]
    if not drawn or shown.frame["round"].nunique() < 2:
        return ""
    labels = [formatting.with_threads(m.benchmark, m.threads) for m in drawn]
    figure, axes = shared.rows(labels, [_median(m) for m in drawn], narrow)
    step = math.ceil(len(shown.frame) / (_NARROW_DOTS if narrow else _MOST_DOTS))
    furthest = 1.0
    for y, one in enumerate(drawn):
        percent = _deviations(shown, one)[::step]
        furthest = max(furthest, *map(abs, percent))
        axes.plot(percent, places(y, len(percent)), linestyle="", marker="o", markersize=3.2, alpha=0.7,
                  color=svg.FIRST, markeredgewidth=0)  # fmt: skip
        if y and drawn[y - 1].group != one.group:
            axes.axhline(y - 0.5, color=svg.RULE, linewidth=0.8)
    shared.symmetric(axes, furthest)
    thinned = f"; one round in {step}" if step > 1 else ""
    axes.set_xlabel(f"percent from the benchmark's median; straight to 1%, logarithmic beyond{thinned}")
    spoken = [f"{m.benchmark}: {min(d):+.1f}% to {max(d):+.1f}%" for m in drawn if (d := _deviations(shown, m))]
    return shared.as_svg(figure, name, "All rounds of all benchmarks, as distance from the median", "; ".join(spoken))


def places(y: int, rounds: int) -> list[float]:
    """Return the heights of a row's dots, the first round's on top: rounds that agree do not hide each other."""
    return [y - _SPREAD / 2 + _SPREAD * (number + 0.5) / rounds for number in range(rounds)]


def _median(one: Measured) -> str:
    return f"{formatting.cost(one.row.gross).value} {formatting.short(one.row.unit)}" if one.row else ""


def _deviations(shown: Contents, one: Measured) -> list[float]:
    frame = shown.frame
    own = (frame["arch"] == one.arch) & (frame["benchmark"] == one.benchmark) & (frame["threads"] == one.threads)
    values = frame[own].sort_values("round")["value"]
    return [float(share) for share in (values / values.median() - 1) * 100]
