"""`rseqbench claims`: options only; the rooms do the work."""

from __future__ import annotations

import click

from rseqbench.cli import State, completion


@click.command("claims")
@click.argument("label", required=False, shell_complete=completion.labels)
@click.option(
    "--format", "style", type=click.Choice(["table", "csv", "json", "markdown"]), default="table", show_default=True
)
@click.pass_context
def command(ctx: click.Context, label: str | None, style: str) -> None:
    """Print each number of the patch message with the arithmetic on it; with LABEL, what that run says of each."""
    from rseqbench.report import run_view
    from rseqbench.report.formats import load_claims_format
    from rseqbench.report.text import terminal
    from rseqbench.store.runs import PATCH

    state = ctx.find_object(State) or State(None)
    store = state.store()
    run = store.load(PATCH if label is None else label)
    view = run_view.build_run_view(run, store.load(PATCH), state.config().verdict)
    if style == "table":
        terminal.print_claims(view, terminal.console(), verdicts=label is not None)
    else:
        click.echo(load_claims_format(style).render_claims(view, verdicts=label is not None), nl=False)
