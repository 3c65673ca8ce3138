"""Further runs against the first, a row a benchmark: what each takes more or less, with the interval of that."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from rseqbench.analysis import compare
from rseqbench.analysis.compare import Comparison
from rseqbench.analysis.summary import Compared
from rseqbench.report import formatting
from rseqbench.report.charts import axes as shared
from rseqbench.show import svg

_NOTED = 2  # further runs whose differences fit behind a row
_WHOLE = 100  # a difference from which on decimals mean nothing
_VISIBLE = 1.0001  # a quotient of the ends of a range of counts


def differences(found: Sequence[Compared], name: str = "differences", narrow: bool = False) -> str:
    """Draw how each benchmark of further runs compares with that of the first, a mark for each run."""
    rows = [row for one in found for row in one.rows if row.ratio]
    keys = list(dict.fromkeys((row.arch, row.benchmark, row.threads) for row in rows))
    if not keys:
        return ""
    several = len({arch for arch, *_ in keys}) > 1
    labels = [formatting.with_threads(benchmark, n) + f" ({arch})" * several for arch, benchmark, n in keys]
    figure, axes = shared.rows(labels, [_note(found, key) for key in keys], narrow)
    values, spoken = [1.0], []
    for number, one in enumerate(found):
        for row in one.rows:
            if row.ratio:
                place = keys.index((row.arch, row.benchmark, row.threads))
                shared.point(axes, row.ratio, place + 0.6 * number / len(found), *shared.shape(number), _VISIBLE)
                values += shared.span(row.ratio)
                spoken.append(f"{labels[place]}: {formatting.ratio(row.ratio)} in {one.b}, {row.word}")
    for place, (one_key, next_key) in enumerate(pairwise(keys)):
        if one_key[1].partition("/")[0] != next_key[1].partition("/")[0]:
            axes.axhline(place + (0.35 if narrow else 0.7), color=svg.RULE, linewidth=0.8)
    axes.axvline(1, color=svg.TEXT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    times = shared.around_one(axes, values)
    first = formatting.line(found[0].a)
    axes.set_xlabel(
        f"times what it takes in {first}, logarithmic" if times else f"more or less than it takes in {first}"
    )
    shapes = [shared.shape(number) for number in range(len(found))]
    legend = [(mark, not hollow, formatting.line(one.b)) for (mark, _, hollow), one in zip(shapes, found, strict=True)]
    shared.legend(axes, legend)
    return shared.as_svg(figure, name, "What each takes against the first run", "; ".join(spoken))


def _note(found: Sequence[Compared], key: tuple[str, str, int]) -> str:
    """Return what stands behind a row: by how much each run differs in the unit, or the sign of why not."""
    if len(found) > _NOTED:
        return ""
    rows = [row for one in found for row in one.rows if (row.arch, row.benchmark, row.threads) == key]
    return ", ".join(map(_difference, rows))


def _difference(row: Comparison) -> str:
    if row.word not in compare.DIFFERENT or row.a is None or row.b is None:
        return formatting.SIGNS[row.word]
    difference = row.b.gross.value - row.a.gross.value
    number = f"{difference:+,.0f}" if abs(difference) >= _WHOLE else f"{difference:+.2g}"
    return f"{number} {formatting.short(row.b.unit).removesuffix('/op')}"
