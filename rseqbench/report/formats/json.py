"""The format json: everything unrounded, as docs/formats.md describes it."""

from __future__ import annotations

from collections.abc import Sequence

from rseqbench.analysis.fleet.compare import FleetComparison
from rseqbench.analysis.summary import RunComparison
from rseqbench.config import VerdictRules
from rseqbench.report import context, data, fleet_prose
from rseqbench.report.run_view import RunView
from rseqbench.store.runs import Run


def render_run(view: RunView) -> str:
    """Return one run with the value of each round."""
    return data.run_json(view, each_round=True)


def render_comparison(runs: Sequence[Run], comparisons: Sequence[RunComparison], rules: VerdictRules) -> str:
    """Return the comparisons of further runs with the first one, the header of each run, and the limits of all."""
    return data.comparisons_json(comparisons, runs, context.limits_of(runs, comparisons, rules))


def render_fleet(fleets: FleetComparison) -> str:
    """Return one fleet, or two, machine by machine: matrices, answers and limits."""
    return data.fleets_json(fleets, fleet_prose.answers(fleets), fleet_prose.limits(fleets))


def render_claims(view: RunView, verdicts: bool) -> str:
    """Return each number of the message, with `verdicts` the run's verdict on each."""
    if verdicts:
        return data.to_json("claims", label=view.run.label, claims=data.verdicts(view.judged))
    return data.to_json("claims", claims=data.claims(view.judged))
