"""What reading the CPU number costs, by every method."""

from __future__ import annotations

import math

from rseqbench.model import BASELINE
from rseqbench.report import formatting
from rseqbench.report.charts import axes as shared
from rseqbench.report.run_view import Contents
from rseqbench.show import svg

_FEWEST = 2  # methods besides the empty loop: one alone is compared with nothing


def reading_cpu(shown: Contents, name: str = "reading", narrow: bool = False) -> str:
    """Draw what each way of reading the CPU number costs, loop included, beside what the message printed."""
    group = BASELINE.partition("/")[0]
    drawn = [one for one in shown.measured if one.group == group and one.threads == 1]
    arch = drawn[0].arch if drawn else ""
    drawn = sorted((one for one in drawn if one.arch == arch), key=lambda m: m.row.gross.value if m.row else math.inf)
    if sum(one.row is not None for one in drawn if one.benchmark != BASELINE) < _FEWEST:
        return ""
    notes = [
        f"{formatting.cost(one.row.gross).value} {formatting.short(one.row.unit)}" if one.row else "not measured"
        for one in drawn
    ]
    figure, axes = shared.rows([one.method for one in drawn], notes, narrow)
    printed = _printed(shown, arch)
    values: list[float] = []
    for y, one in enumerate(drawn):
        if one.row:
            shared.point(axes, one.row.gross, y, "o", svg.FIRST)
            values += shared.span(one.row.gross)
        if one.benchmark in printed:
            axes.plot(printed[one.benchmark], y, marker="D", markersize=6, color=svg.SECOND, markerfacecolor="none")
            values.append(printed[one.benchmark])
        if one.benchmark == BASELINE and one.row:
            axes.axvline(one.row.gross.value, color=svg.TEXT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    shared.logarithmic(axes, values)
    axes.set_xlabel(f"{shown.unit} with the loop, logarithmic")
    keys = [("o", True, "measured"), ("--", True, "the empty loop, measured")]
    shared.legend(axes, [*keys, *([("D", False, f"printed in the patch ({arch})")] if printed else [])])
    spoken = "; ".join(f"{one.method}: {note}" for one, note in zip(drawn, notes, strict=True))
    return shared.as_svg(figure, name, "Cost of reading the CPU number", spoken)


def _printed(shown: Contents, arch: str) -> dict[str, float]:
    """Return the message's values for this architecture, where they have the run's unit and are not the run itself."""
    rows = shown.patch[shown.patch["arch"] == arch]
    same = shown.unit == formatting.unit("ns") and not (shown.frame["timing"] == "published").any()
    return dict(zip(rows["benchmark"], rows["value"], strict=True)) if same else {}
