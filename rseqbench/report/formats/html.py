"""The format html: one self-contained page; report/html/ draws the pages."""

from __future__ import annotations

from collections.abc import Sequence

from rseqbench.analysis.fleet.compare import FleetComparison
from rseqbench.analysis.summary import RunComparison
from rseqbench.config import VerdictRules
from rseqbench.report.html import comparison, fleet, run
from rseqbench.report.run_view import RunView
from rseqbench.store.runs import Run


def render_run(view: RunView) -> str:
    """Return the page of one run."""
    return run.render_page(view)


def render_comparison(runs: Sequence[Run], comparisons: Sequence[RunComparison], rules: VerdictRules) -> str:
    """Return the page of the comparisons of further runs with the first one.

    Args:
        runs: All runs, the one compared against first.
        comparisons: One for each further run, in the same order.
        rules: The tolerances of bench.toml, which the page names.
    """
    return comparison.render_page(runs, comparisons, rules)


def render_fleet(fleets: FleetComparison) -> str:
    """Return the page of one fleet, or of two, machine by machine.

    It has the same matrices as the other formats, with a chart for each pair of benchmarks.
    """
    return fleet.render_page(fleets)
