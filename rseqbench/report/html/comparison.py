"""Runs against the first of them as one HTML file: no network, no script, everything inside."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from rseqbench import __version__
from rseqbench.analysis.summary import RunComparison
from rseqbench.config import VerdictRules
from rseqbench.report import charts, context, data, formatting, prose
from rseqbench.report.html import page
from rseqbench.report.html.page import Figure
from rseqbench.report.tables import comparison
from rseqbench.store.runs import Run

_CAPTION = "What each takes in the other runs, against the first"
_COST = "What restartable sequences cost the rest of the system, measured"


def render_page(runs: Sequence[Run], comparisons: Sequence[RunComparison], rules: VerdictRules) -> str:
    """Return the whole page of the comparisons of all further `runs` with the first one."""
    return page.create_environment().get_template("comparison.html").render(**_parts(runs, comparisons, rules))


def _parts(runs: Sequence[Run], comparisons: Sequence[RunComparison], rules: VerdictRules) -> dict[str, object]:
    """Return what the template names."""
    labels = [one.label for one in runs]
    title = " against ".join([", ".join(labels[1:]), labels[0]])
    drawn = page.draw_twice(partial(charts.draw_differences, comparisons), "differences")
    measured, absent = comparison.split_unmeasured(comparisons)
    return {
        "version": __version__,
        "title": title,
        "summaries": [f"{one.label}: {_summary(one)}" for one in runs],
        "heading": _COST if any(one.said or one.sizes for one in comparisons) else f"{title}, measured",
        "notes": context.limits_of(runs, comparisons, rules),
        "figure": Figure("differences", _CAPTION, _reading(rules), drawn),
        "result": context.of_runs(runs, comparisons, rules).holds,
        "parts": [{"title": title, "grids": grids} for title, grids in comparison.tabulate_sections(measured)],
        "absent": absent,
        "facts": context.facts_of(runs),
        "commands": [*map(formatting.line, context.commands_of(runs))],
        "download": page.embed_download(
            f"{'-against-'.join(labels)}.json",
            "every table",
            "application/json",
            data.comparisons_json(comparisons, runs, context.limits_of(runs, comparisons, rules)),
        ),
        "icons": formatting.ICONS,
        "style": page.load_style(),
    }


def _reading(rules: VerdictRules) -> str:
    return (
        "A mark to the right of the line takes more than in the first run, one to the left less; its bar is the "
        "interval, or of counts the range of what was counted. "
        "Behind a row stands by how much an operation differs in each, or “=” for equal, “~” for no difference "
        f"resolved. A time less than {rules.floor:.1%} away is no difference, even where its interval excludes 1, and "
        f"it is equal where the whole interval lies within {rules.same_within:.1%}."
    )


def _summary(one: Run) -> str:
    return prose.measured_where(one.header, len({bench.get_name() for bench in one.suite}))
