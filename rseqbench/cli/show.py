"""`rseqbench show`, and what other commands print of a stored run, or need of the last one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rseqbench.cli import State, completion

if TYPE_CHECKING:
    from rseqbench.config import Config
    from rseqbench.store.runs import Run, Store


@click.command("show")
@click.argument("label", required=False, shell_complete=completion.labels)
@click.pass_context
def command(ctx: click.Context, label: str | None) -> None:
    """Print the stored run LABEL (default: the last one) as `run` printed it at its end."""
    state = ctx.find_object(State) or State(None)
    store = state.store()
    print_run(store.load(label or latest_label(store)), store, state.config())


def latest_label(store: Store) -> str:
    """Return the label of the last run; what could not be read, and may be later, is named on standard error."""
    label, unreadable = store.latest()
    for line in unreadable:
        click.echo(f"rseqbench: passed over: {line}", err=True)
    return label


def print_run(run: Run, store: Store, config: Config) -> None:
    """Print a run: what `run` does at its end, and `show` at any time."""
    from rseqbench.report import run_view
    from rseqbench.report.text import terminal
    from rseqbench.store.runs import PATCH

    terminal.print_run(run_view.build_run_view(run, store.load(PATCH), config.verdict), terminal.console())
