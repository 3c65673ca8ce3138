"""`rseqbench show`: options only; the rooms do the work."""

from __future__ import annotations

import click

from rseqbench.cli import State, completion
from rseqbench.cli.output import latest_label, print_run


@click.command("show")
@click.argument("label", required=False, shell_complete=completion.labels)
@click.pass_context
def command(ctx: click.Context, label: str | None) -> None:
    """Print the stored run LABEL (default: the last one) as `run` printed it at its end."""
    state = ctx.find_object(State) or State(None)
    store = state.store()
    print_run(store.load(label or latest_label(store)), store, state.config())
