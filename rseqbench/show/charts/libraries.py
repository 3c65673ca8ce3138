"""What a shipped library takes, beside the kernels that do the same."""

from __future__ import annotations

from rseqbench.analysis.library_costs import Beside
from rseqbench.report import formatting
from rseqbench.report.charts import axes as shared
from rseqbench.show import svg


def beside_kernels(one: Beside, name: str, narrow: bool = False) -> str:
    """Draw what each row of a library and its kernels costs, loop included."""
    drawn = [(row, row.row) for row in one.rows if row.row]
    if not drawn:
        return ""
    notes = [f"{formatting.cost(values.gross).value} {formatting.short(values.unit)}" for _, values in drawn]
    labels = [formatting.with_threads(row.benchmark, row.threads) for row, _ in drawn]
    figure, axes = shared.rows(labels, notes, narrow)
    for y, (row, values) in enumerate(drawn):
        shipped = row.group == one.library.group
        mark, colour = ("o", svg.FIRST) if shipped else ("s", svg.SECOND)
        shared.point(axes, values.gross, y, mark, colour, hollow=not shipped)
    shared.logarithmic(axes, [x for _, values in drawn for x in shared.span(values.gross)])
    axes.set_xlabel(f"{formatting.unit(drawn[0][1].unit)} with the loop, logarithmic")
    shared.legend(
        axes, [("o", True, f"{one.library.title} as it is shipped"), ("s", False, "the operation alone, as a kernel")]
    )
    spoken = "; ".join(f"{label}: {note}" for label, note in zip(labels, notes, strict=True))
    return shared.as_svg(figure, name, f"{one.library.title} beside the kernels that do the same", spoken)
