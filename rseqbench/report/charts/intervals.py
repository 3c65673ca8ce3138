"""Further runs against the first, a row a benchmark: what each takes more or less, with the interval of that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from rseqbench.analysis.compare import Comparison
from rseqbench.analysis.dataset import Row
from rseqbench.analysis.library_costs import LibraryComparison
from rseqbench.analysis.summary import BenchmarkRow, RunComparison
from rseqbench.analysis.verdicts import JudgedClaim
from rseqbench.model import BASELINE, BenchmarkId
from rseqbench.report import formatting
from rseqbench.report.charts import canvas
from rseqbench.report.run_view import RunView

_NOTED = 2  # further runs whose differences fit behind a row
_WHOLE = 100  # a difference from which on decimals mean nothing
_VISIBLE = 1.0001  # a quotient of the ends of a range of counts
_FEWEST = 2  # methods besides the empty loop: one alone is compared with nothing
_SPREAD = 0.7  # of a row's height
_NARROW_DOTS = 1200  # a narrow drawing is the second one of its page
_MOST_DOTS = 4000  # a page must stay readable and small: beyond this, every n-th round is drawn, and that is said


def draw_differences(comparisons: Sequence[RunComparison], name: str = "differences", narrow: bool = False) -> str:
    """Draw how each benchmark of further runs compares with that of the first, a mark for each run."""
    rows = [row for one in comparisons for row in one.rows if row.ratio]
    keys = list(dict.fromkeys((row.arch, row.benchmark, row.threads) for row in rows))
    if not keys:
        return ""
    several = len({arch for arch, *_ in keys}) > 1
    labels = [formatting.with_threads(benchmark, n) + f" ({arch})" * several for arch, benchmark, n in keys]
    figure, axes = canvas.create_rows(labels, [_note(comparisons, key) for key in keys], narrow)
    values, spoken = [1.0], []
    for number, one in enumerate(comparisons):
        for row in one.rows:
            if row.ratio:
                place = keys.index((row.arch, row.benchmark, row.threads))
                canvas.draw_estimate(
                    axes, row.ratio, place + 0.6 * number / len(comparisons), *canvas.choose_mark(number), _VISIBLE
                )
                values += canvas.span(row.ratio)
                spoken.append(f"{labels[place]}: {formatting.ratio(row.ratio)} in {one.b}, {row.word}")
    for place, (one_key, next_key) in enumerate(pairwise(keys)):
        if BenchmarkId(one_key[1]).group != BenchmarkId(next_key[1]).group:
            axes.axhline(place + (0.35 if narrow else 0.7), color=canvas.RULE, linewidth=0.8)
    canvas.draw_reference(axes, 1)
    times = canvas.center_on_one(axes, values)
    first = formatting.line(comparisons[0].a)
    axes.set_xlabel(
        f"times what it takes in {first}, logarithmic" if times else f"more or less than it takes in {first}"
    )
    shapes = [canvas.choose_mark(number) for number in range(len(comparisons))]
    legend = [
        (mark, not hollow, formatting.line(one.b)) for (mark, _, hollow), one in zip(shapes, comparisons, strict=True)
    ]
    canvas.draw_legend(axes, legend)
    return canvas.render_svg(figure, name, "What each takes against the first run", "; ".join(spoken))


def _note(comparisons: Sequence[RunComparison], key: tuple[str, str, int]) -> str:
    """Return what stands behind a row: by how much each run differs in the unit, or the sign of why not."""
    if len(comparisons) > _NOTED:
        return ""
    rows = [row for one in comparisons for row in one.rows if (row.arch, row.benchmark, row.threads) == key]
    return ", ".join(map(_difference, rows))


def _difference(row: Comparison) -> str:
    if not row.word.is_difference or row.a is None or row.b is None:
        return formatting.SIGNS[row.word]
    difference = row.b.gross.value - row.a.gross.value
    number = f"{difference:+,.0f}" if abs(difference) >= _WHOLE else f"{difference:+.2g}"
    return f"{number} {formatting.short(row.b.unit).removesuffix('/op')}"


def draw_library(comparison: LibraryComparison, name: str, narrow: bool = False) -> str:
    """Draw what each row of a library and its benchmarks costs, loop included."""
    drawn = [(row, row.row) for row in comparison.rows if row.row]
    if not drawn:
        return ""
    notes = [_say_cost(values) for _, values in drawn]
    labels = [formatting.with_threads(row.benchmark, row.threads) for row, _ in drawn]
    figure, axes = canvas.create_rows(labels, notes, narrow)
    for y, (row, values) in enumerate(drawn):
        shipped = row.group == comparison.library.group
        mark, colour = ("o", canvas.FIRST) if shipped else ("s", canvas.SECOND)
        canvas.draw_estimate(axes, values.gross, y, mark, colour, hollow=not shipped)
    canvas.set_logarithmic(axes, [x for _, values in drawn for x in canvas.span(values.gross)])
    axes.set_xlabel(f"{formatting.unit(drawn[0][1].unit)} with the loop, logarithmic")
    canvas.draw_legend(
        axes,
        [("o", True, f"{comparison.library.title} as it is shipped"), ("s", False, "the operation alone, as a kernel")],
    )
    spoken = "; ".join(f"{label}: {note}" for label, note in zip(labels, notes, strict=True))
    return canvas.render_svg(figure, name, f"{comparison.library.title} beside the kernels that do the same", spoken)


def draw_cpu_number(view: RunView, name: str = "reading", narrow: bool = False) -> str:
    """Draw what each way of reading the CPU number costs, loop included, beside what the message printed."""
    group = BASELINE.group
    drawn = [one for one in view.measured if one.group == group and one.threads == 1]
    arch = drawn[0].arch if drawn else ""
    drawn = sorted((one for one in drawn if one.arch == arch), key=lambda m: m.row.gross.value if m.row else math.inf)
    if sum(one.row is not None for one in drawn if one.benchmark != BASELINE) < _FEWEST:
        return ""
    notes = [_say_cost(one.row) if one.row else "not measured" for one in drawn]
    figure, axes = canvas.create_rows([one.method for one in drawn], notes, narrow)
    printed = _printed(view, arch)
    values: list[float] = []
    for y, one in enumerate(drawn):
        if one.row:
            canvas.draw_estimate(axes, one.row.gross, y, "o", canvas.FIRST)
            values += canvas.span(one.row.gross)
        if one.benchmark in printed:
            axes.plot(printed[one.benchmark], y, marker="D", markersize=6, color=canvas.SECOND, markerfacecolor="none")
            values.append(printed[one.benchmark])
        if one.benchmark == BASELINE and one.row:
            canvas.draw_reference(axes, one.row.gross.value)
    canvas.set_logarithmic(axes, values)
    axes.set_xlabel(f"{view.unit} with the loop, logarithmic")
    keys = [("o", True, "measured"), ("--", True, "the empty loop, measured")]
    canvas.draw_legend(axes, [*keys, *([("D", False, f"printed in the patch ({arch})")] if printed else [])])
    spoken = "; ".join(f"{one.method}: {note}" for one, note in zip(drawn, notes, strict=True))
    return canvas.render_svg(figure, name, "Cost of reading the CPU number", spoken)


def _printed(view: RunView, arch: str) -> dict[str, float]:
    """Return the message's values for this architecture, where they have the run's unit and are not the run itself."""
    rows = view.patch[view.patch["arch"] == arch]
    same = view.unit == formatting.unit("ns") and not (view.frame["timing"] == "published").any()
    return dict(zip(rows["benchmark"], rows["value"], strict=True)) if same else {}


def draw_speedups(view: RunView, name: str = "speedups", narrow: bool = False) -> str:
    """Draw every quotient the message claims for the run's machines: measured with its interval, claimed, today's."""
    arches = {machine.arch for machine in view.run.header.machines}
    drawn = [j for j in view.judged if j.claim.kind in ("speedup", "equal") and j.claim.arch in arches]
    if not any(one.measured for one in drawn):
        return ""
    labels = [formatting.claim(one.claim) + (f" ({one.claim.arch})" if len(arches) > 1 else "") for one in drawn]
    figure, axes = canvas.create_rows(labels, [one.verdict.word.value for one in drawn], narrow)
    for y, one in enumerate(drawn):
        if not view.counts:  # instructions reproduce no time
            axes.hlines(y, *_reproduced(one, view), color=canvas.BAND, linewidth=9, zorder=1)
        axes.plot(one.claim.stated, y, marker="|", markersize=15, markeredgewidth=2.2, color=canvas.TEXT, zorder=2)
        canvas.draw_estimate(axes, one.measured, y, "o", canvas.FIRST)
        canvas.draw_estimate(axes, one.current, y + (0.2 if narrow else 0.32), "s", canvas.SECOND, hollow=True)
    canvas.draw_reference(axes, 1)
    values = [x for one in drawn for x in canvas.span(one.measured) + canvas.span(one.current)] + [
        j.claim.stated for j in drawn
    ]
    canvas.set_logarithmic(axes, [*values, 1.0])
    what = (
        "times the instructions of rseq" if view.counts else "times faster, or where equality is claimed times as long"
    )
    axes.set_xlabel(f"{what}; 1 is no difference; logarithmic")
    measured, claimed = ("instructions", "claimed, in time") if view.counts else ("measured", "claimed")
    canvas.draw_legend(
        axes, [("o", True, measured), ("|", True, claimed), ("s", False, f"what is in use today, {measured}")]
    )
    return canvas.render_svg(figure, name, "What was measured beside what was claimed", "; ".join(map(_spoken, drawn)))


def _reproduced(judged: JudgedClaim, view: RunView) -> tuple[float, float]:
    """Return the range that counts as reproduced."""
    rules, stated = view.rules, judged.claim.stated
    share = 1 / (1 + rules.equal_band) if judged.claim.kind == "equal" else rules.reach
    return stated * share, stated / share


def _spoken(judged: JudgedClaim) -> str:
    measured = f"measured {formatting.ratio(judged.measured)}" if judged.measured else "without a measured value"
    stated = formatting.stated(judged.claim.stated, "x")
    return f"{formatting.claim(judged.claim)}: claimed {stated}, {measured}, {judged.verdict.word}"


def draw_rounds(view: RunView, name: str = "rounds", narrow: bool = False) -> str:
    """Draw every round of every benchmark as a dot: how far it lies from its benchmark's median, in percent."""
    drawn = [one for one in view.measured if one.row]
    if not drawn or view.frame["round"].nunique() < 2:
        return ""
    labels = [formatting.with_threads(m.benchmark, m.threads) for m in drawn]
    figure, axes = canvas.create_rows(labels, [_median(m) for m in drawn], narrow)
    step = math.ceil(len(view.frame) / (_NARROW_DOTS if narrow else _MOST_DOTS))
    furthest = 1.0
    for y, one in enumerate(drawn):
        percent = _deviations(view, one)[::step]
        furthest = max(furthest, *map(abs, percent))
        axes.plot(percent, spread_dots(y, len(percent)), linestyle="", marker="o", markersize=3.2, alpha=0.7,
                  color=canvas.FIRST, markeredgewidth=0)  # fmt: skip
        if y and drawn[y - 1].group != one.group:
            axes.axhline(y - 0.5, color=canvas.RULE, linewidth=0.8)
    canvas.set_symmetric(axes, furthest)
    thinned = f"; one round in {step}" if step > 1 else ""
    axes.set_xlabel(f"percent from the benchmark's median; straight to 1%, logarithmic beyond{thinned}")
    spoken = [f"{m.benchmark}: {min(d):+.1f}% to {max(d):+.1f}%" for m in drawn if (d := _deviations(view, m))]
    return canvas.render_svg(
        figure, name, "All rounds of all benchmarks, as distance from the median", "; ".join(spoken)
    )


def spread_dots(y: int, rounds: int) -> list[float]:
    """Return the heights of a row's dots, the first round's on top: rounds that agree do not hide each other."""
    return [y - _SPREAD / 2 + _SPREAD * (number + 0.5) / rounds for number in range(rounds)]


def _median(row: BenchmarkRow) -> str:
    return _say_cost(row.row) if row.row else ""


def _deviations(view: RunView, row: BenchmarkRow) -> list[float]:
    frame = view.frame
    own = (frame["arch"] == row.arch) & (frame["benchmark"] == row.benchmark) & (frame["threads"] == row.threads)
    values = frame[own].sort_values("round")["value"]
    return [float(share) for share in (values / values.median() - 1) * 100]


def _say_cost(row: Row) -> str:
    return f"{formatting.cost(row.gross).value} {formatting.short(row.unit)}"
