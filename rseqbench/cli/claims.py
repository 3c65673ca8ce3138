"""`rseqbench claims`: options only; the rooms do the work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rseqbench.cli import State, completion

if TYPE_CHECKING:
    from rseqbench.report.run_view import RunView


@click.command("claims")
@click.argument("label", required=False, shell_complete=completion.labels)
@click.option(
    "--format", "style", type=click.Choice(["table", "csv", "json", "markdown"]), default="table", show_default=True
)
@click.pass_context
def command(ctx: click.Context, label: str | None, style: str) -> None:
    """Print each number of the patch message with the arithmetic on it; with LABEL, what that run says of each."""
    from rseqbench.report import run_view
    from rseqbench.store.runs import PATCH

    state = ctx.find_object(State) or State(None)
    store = state.store()
    run = store.load(PATCH if label is None else label)
    _show(run_view.build_run_view(run, store.load(PATCH), state.config().verdict), style, verdicts=label is not None)


def _show(shown: RunView, style: str, verdicts: bool) -> None:
    from rseqbench.report import data
    from rseqbench.report.tables import claims
    from rseqbench.report.text import markdown, terminal

    grids = claims.tabulate_run(shown.judged, shown.run.label) if verdicts else claims.tabulate_claims(shown.judged)
    records = data.verdicts(shown.judged) if verdicts else data.claims(shown.judged)
    if style == "table":
        terminal.print_claims(shown, terminal.console(), verdicts)
    elif style == "markdown":
        click.echo(markdown.render_grids(grids), nl=False)
    elif style == "csv":
        click.echo(data.to_csv(records), nl=False)
    else:
        label = {"label": shown.run.label} if verdicts else {}
        click.echo(data.to_json("claims", **label, claims=records), nl=False)
