"""A run, its claims, a comparison or a fleet as one document, in one of the formats of the commands."""

from __future__ import annotations

from collections.abc import Sequence

from rseqbench.analysis.fleet.compare import FleetComparison
from rseqbench.analysis.summary import RunComparison
from rseqbench.config import VerdictRules
from rseqbench.report import context, data, fleet_prose
from rseqbench.report.run_view import RunView
from rseqbench.report.tables import claims
from rseqbench.report.text import mail, markdown
from rseqbench.store.runs import Run


def render_run(view: RunView, style: str) -> str:
    """Return all that is shown of one run as html, mail, markdown, json or csv."""
    if style == "html":
        from rseqbench.report.html import run  # noqa: PLC0415 - and with it matplotlib, which takes a second

        return run.render_page(view)
    if style == "json":
        return data.run_json(view, each_round=True)
    return {"mail": mail.render_run, "markdown": markdown.render_run, "csv": data.run_csv}[style](view)


def render_claims(view: RunView, style: str, verdicts: bool) -> str:
    """Return each number of the message, with `verdicts` what the run says of it, as markdown, json or csv."""
    if style == "markdown":
        grids = claims.tabulate_run(view.judged, view.run.label) if verdicts else claims.tabulate_claims(view.judged)
        return markdown.render_grids(grids)
    records = data.verdicts(view.judged) if verdicts else data.claims(view.judged)
    if style == "csv":
        return data.to_csv(records)
    label = {"label": view.run.label} if verdicts else {}
    return data.to_json("claims", **label, claims=records)


def render_comparison(
    runs: Sequence[Run], comparisons: Sequence[RunComparison], rules: VerdictRules, style: str
) -> str:
    """Return all that is shown of the comparisons of further runs with the first one, in one of the same formats."""
    if style == "html":
        from rseqbench.report.html import comparison  # noqa: PLC0415 - as above

        return comparison.render_page(runs, comparisons, rules)
    if style in ("mail", "markdown"):
        return {"mail": mail.render_comparison, "markdown": markdown.render_comparison}[style](runs, comparisons, rules)
    limits = context.limits_of(runs, comparisons, rules)
    return {"json": data.comparisons_json, "csv": data.comparisons_csv}[style](comparisons, runs, limits)


def render_fleet(fleets: FleetComparison, style: str) -> str:
    """Return all that is shown of one fleet, or of two place by place, in one of the same formats."""
    if style == "html":
        from rseqbench.report.html import fleet  # noqa: PLC0415 - as above

        return fleet.render_page(fleets)
    if style in ("mail", "markdown"):
        return {"mail": mail.render_fleet, "markdown": markdown.render_fleet}[style](fleets)
    write = data.fleets_json if style == "json" else data.fleets_csv
    return write(fleets, fleet_prose.answers(fleets), fleet_prose.limits(fleets))
