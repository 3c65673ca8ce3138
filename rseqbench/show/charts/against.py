"""Further runs against the first, a row a benchmark."""

from __future__ import annotations

from collections.abc import Sequence

from rseqbench.show import svg, words
from rseqbench.show.charts import axes as shared
from rseqbench.show.tables import Compared


def differences(found: Sequence[Compared], name: str = "differences") -> str:
    """Draw how each benchmark of further runs compares with that of the first, a mark for each run."""
    rows = [row for one in found for row in one.rows if row.ratio]
    keys = list(dict.fromkeys((row.arch, row.benchmark, row.threads) for row in rows))
    if not keys:
        return ""
    several = len({arch for arch, *_ in keys}) > 1
    labels = [words.with_threads(benchmark, n) + f" ({arch})" * several for arch, benchmark, n in keys]
    figure, axes = shared.rows(labels, [""] * len(keys))
    values, spoken = [1.0], []
    for number, one in enumerate(found):
        for row in one.rows:
            if row.ratio:
                place = keys.index((row.arch, row.benchmark, row.threads))
                shared.point(axes, row.ratio, place + 0.6 * number / len(found), *shared.shape(number))
                values += shared.span(row.ratio)
                spoken.append(f"{labels[place]}: {words.ratio(row.ratio)} in {one.b}, {row.word}")
    axes.axvline(1, color=svg.TEXT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    scale = shared.around_one(axes, values)
    axes.set_xlabel(f"times what it takes in {found[0].a}{scale}")
    shapes = [shared.shape(number) for number in range(len(found))]
    shared.legend(axes, [(mark, not hollow, one.b) for (mark, _, hollow), one in zip(shapes, found, strict=True)])
    return shared.as_svg(figure, name, "What each takes against the first run", "; ".join(spoken))
