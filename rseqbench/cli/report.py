"""`rseqbench report`: options only; the rooms do the work."""

from __future__ import annotations

from pathlib import Path

import click

from rseqbench.cli import State, complete


@click.command("report")
@click.argument("labels", nargs=-1, metavar="[LABEL] [OTHER]...", shell_complete=complete.labels)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="In place of reports/LABEL.html.",
)
@click.pass_context
def command(ctx: click.Context, labels: tuple[str, ...], output: Path | None) -> None:
    """Write a page about the run LABEL (default: the last one): one HTML file that needs nothing else.

    With OTHER runs, the page is about what they differ by from the first. Prints the path of the file.
    """
    from rseqbench.cli.compare import compared
    from rseqbench.results import PATCH
    from rseqbench.show import contents, html, versus

    state = ctx.find_object(State) or State(None)
    config, store = state.config(), state.store()
    labels = labels or (store.latest(),)
    path = output or Path(config.paths.reports) / f"{'-against-'.join(labels)}.html"
    if len(labels) == 1:
        text = html.page(contents.contents(store.load(labels[0]), store.load(PATCH), config.verdict))
    else:
        text = versus.page(*compared(state, labels), config.verdict)
    html.write(text, path)
    click.echo(path)
