"""The format csv: one rectangle of known columns, unrounded, as docs/formats.md describes it."""

from __future__ import annotations

from collections.abc import Sequence

from rseqbench.analysis.fleet.compare import FleetComparison
from rseqbench.analysis.summary import RunComparison
from rseqbench.config import VerdictRules
from rseqbench.report import context, data, fleet_prose
from rseqbench.report.run_view import RunView
from rseqbench.store.runs import Run


def render_run(view: RunView) -> str:
    """Return one run: a row for each record, which its column `kind` names."""
    return data.run_csv(view)


def render_comparison(runs: Sequence[Run], comparisons: Sequence[RunComparison], rules: VerdictRules) -> str:
    """Return the comparisons of further runs with the first one, and the limits of all."""
    return data.comparisons_csv(comparisons, runs, context.limits_of(runs, comparisons, rules))


def render_fleet(fleets: FleetComparison) -> str:
    """Return one fleet, or two, machine by machine: a row for each record."""
    return data.fleets_csv(fleets, fleet_prose.answers(fleets), fleet_prose.limits(fleets))


def render_claims(view: RunView, verdicts: bool) -> str:
    """Return each number of the message, with `verdicts` the run's verdict on each.

    The rows have the columns of docs/formats.md for claims; unlike the other documents they are all of one kind.
    """
    return data.to_csv(data.verdicts(view.judged) if verdicts else data.claims(view.judged))
