"""Speed-up against claim: what was measured beside what the message states."""

from __future__ import annotations

from rseqbench.analysis.verdicts import Judged
from rseqbench.report import formatting
from rseqbench.report.charts import axes as shared
from rseqbench.report.run_view import Contents
from rseqbench.show import svg


def speedups(shown: Contents, name: str = "speedups", narrow: bool = False) -> str:
    """Draw every quotient the message claims for the run's machines: measured with its interval, claimed, today's."""
    arches = {machine.arch for machine in shown.run.header.machines}
    drawn = [j for j in shown.judged if j.claim.kind in ("speedup", "equal") and j.claim.arch in arches]
    if not any(one.measured for one in drawn):
        return ""
    labels = [formatting.claim(one.claim) + (f" ({one.claim.arch})" if len(arches) > 1 else "") for one in drawn]
    figure, axes = shared.rows(labels, [one.verdict.word.value for one in drawn], narrow)
    for y, one in enumerate(drawn):
        if not shown.counts:  # instructions reproduce no time
            axes.hlines(y, *_reproduced(one, shown), color=svg.BAND, linewidth=9, zorder=1)
        axes.plot(one.claim.stated, y, marker="|", markersize=15, markeredgewidth=2.2, color=svg.TEXT, zorder=2)
        shared.point(axes, one.measured, y, "o", svg.FIRST)
        shared.point(axes, one.today, y + (0.2 if narrow else 0.32), "s", svg.SECOND, hollow=True)
    axes.axvline(1, color=svg.TEXT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    values = [x for one in drawn for x in shared.span(one.measured) + shared.span(one.today)] + [
        j.claim.stated for j in drawn
    ]
    shared.logarithmic(axes, [*values, 1.0])
    what = (
        "times the instructions of rseq" if shown.counts else "times faster, or where equality is claimed times as long"
    )
    axes.set_xlabel(f"{what}; 1 is no difference; logarithmic")
    measured, claimed = ("instructions", "claimed, in time") if shown.counts else ("measured", "claimed")
    shared.legend(
        axes, [("o", True, measured), ("|", True, claimed), ("s", False, f"what is in use today, {measured}")]
    )
    return shared.as_svg(figure, name, "What was measured beside what was claimed", "; ".join(map(_spoken, drawn)))


def _reproduced(one: Judged, shown: Contents) -> tuple[float, float]:
    """Return the range that counts as reproduced."""
    rules, stated = shown.rules, one.claim.stated
    share = 1 / (1 + rules.equal_band) if one.claim.kind == "equal" else rules.reach
    return stated * share, stated / share


def _spoken(one: Judged) -> str:
    measured = f"measured {formatting.ratio(one.measured)}" if one.measured else "without a measured value"
    stated = formatting.stated(one.claim.stated, "x")
    return f"{formatting.claim(one.claim)}: claimed {stated}, {measured}, {one.verdict.word}"
