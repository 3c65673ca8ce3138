"""`rseqbench report`: options only; the rooms do the work."""

from __future__ import annotations

from pathlib import Path

import click

from rseqbench.cli import State


@click.command("report")
@click.argument("label", required=False)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="In place of reports/LABEL.html.",
)
@click.pass_context
def command(ctx: click.Context, label: str | None, output: Path | None) -> None:
    """Write a page about the run LABEL (default: the last one): one HTML file that needs nothing else.

    Prints the path of the file.
    """
    from rseqbench.results import PATCH
    from rseqbench.show import contents, html

    state = ctx.find_object(State) or State(None)
    config, store = state.config(), state.store()
    run = store.load(store.latest() if label is None else label)
    path = output or Path(config.paths.reports) / f"{run.label}.html"
    html.write(html.page(contents.contents(run, store.load(PATCH), config.verdict)), path)
    click.echo(path)
