"""`rseqbench report`: options only; the rooms do the work."""

from __future__ import annotations

from collections.abc import Sequence
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
@click.option(
    "--history", is_flag=True, help="The page of many labels also for few; of all stored runs, if none given."
)
@click.pass_context
def command(ctx: click.Context, labels: tuple[str, ...], output: Path | None, history: bool) -> None:
    """Write a page about the run LABEL (default: the last one): one HTML file that needs nothing else.

    With a few OTHER runs, the page is about what they differ by from the first; with more than three, about all of them
    in the order of their dates, and where something changed. Prints the path of the file.
    """
    from rseqbench.cli.compare import compared
    from rseqbench.results import PATCH
    from rseqbench.show import contents, html, versus
    from rseqbench.show.history import FEWEST

    state = ctx.find_object(State) or State(None)
    config, store = state.config(), state.store()
    if history or len(labels) >= FEWEST:
        path = _history(state, labels or tuple(label for label in store.labels() if label != PATCH), output)
        click.echo(path)
        return
    labels = labels or (store.latest(),)
    path = output or Path(config.paths.reports) / f"{'-against-'.join(labels)}.html"
    if len(labels) == 1:
        text = html.page(contents.contents(store.load(labels[0]), store.load(PATCH), config.verdict))
    else:
        text = versus.page(*compared(state, labels), config.verdict)
    html.write(text, path)
    click.echo(path)


def _history(state: State, labels: Sequence[str], output: Path | None) -> Path:
    """Write the page of many runs; return its path. Raises UsageError for fewer than two, or one given twice."""
    from rseqbench import summary
    from rseqbench.errors import UsageError
    from rseqbench.show import history, html

    config, store = state.config(), state.store()
    twice = next((label for label in labels if labels.count(label) > 1), "") if len(set(labels)) < len(labels) else ""
    if twice or len(labels) < 2:
        said = f"{twice!r} is given twice" if twice else f"a history of {len(labels)} runs"
        raise UsageError(said, "give the labels of two runs, or more")
    found = [summary.load(store, label, config.verdict.confidence) for label in labels]
    path = output or Path(config.paths.reports) / f"history-of-{len(labels)}-runs.html"
    html.write(history.page(found, config.verdict), path)
    return path
