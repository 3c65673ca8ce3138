"""`rseqbench report`: options only; the rooms do the work."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rseqbench.cli import State, complete

if TYPE_CHECKING:
    from rseqbench.config import VerdictRules
    from rseqbench.results import Run
    from rseqbench.show.contents import Contents
    from rseqbench.show.tables import Compared

FORMATS = ("html", "mail", "markdown", "json", "csv")
_LONGEST = 200  # characters of a file's name; a filesystem takes 255


@click.command("report")
@click.argument("labels", nargs=-1, metavar="[LABEL] [OTHER]...", shell_complete=complete.labels)
@click.option(
    "--format",
    "style",
    type=click.Choice(FORMATS),
    default="html",
    show_default=True,
    help="A page; text for a mail or a pull request; or everything as data.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="In place of reports/LABEL.html, or of standard output.",
)
@click.option(
    "--history", is_flag=True, help="The page of many labels also for few; of all stored runs, if none given."
)
@click.pass_context
def command(ctx: click.Context, labels: tuple[str, ...], style: str, output: Path | None, history: bool) -> None:
    """Write about the run LABEL (default: the last one): a page, one HTML file that needs nothing else, or text.

    With OTHER runs, it is about what they differ by from the first; a page of more than three is about all of them in
    the order of their dates, and where something changed. A page goes to a file, and the command prints its path;
    everything else goes to standard output, unless --output names a file.
    """
    from rseqbench import disk
    from rseqbench.cli.compare import compared
    from rseqbench.errors import UsageError
    from rseqbench.results import PATCH
    from rseqbench.show import contents

    state = ctx.find_object(State) or State(None)
    config, store = state.config(), state.store()
    if history and style != "html":
        raise UsageError(f"a history is a page, and nothing in {style}", "give --format html, or no --history")
    if history or (style == "html" and _are_many(labels)):
        path = _history(state, labels or tuple(label for label in store.labels() if label != PATCH), output)
        click.echo(path)
        return
    labels = labels or (store.latest(),)
    if len(labels) == 1:
        text = of_run(contents.contents(store.load(labels[0]), store.load(PATCH), config.verdict), style)
    else:
        text = of_runs(*compared(state, labels), config.verdict, style)
    if output is None and style != "html":
        say(text)
    else:
        path = output or Path(config.paths.reports) / f"{_name(labels)}.html"
        disk.save(path, text)
        click.echo(path)


def _are_many(labels: Sequence[str]) -> bool:
    """Whether a page of these runs is their history."""
    from rseqbench.show.history import FEWEST

    return len(labels) >= FEWEST


def _history(state: State, labels: Sequence[str], output: Path | None) -> Path:
    """Write the page of many runs; return its path. Raises UsageError for fewer than two, or one given twice."""
    from rseqbench import disk, summary
    from rseqbench.errors import UsageError
    from rseqbench.show import history

    config, store = state.config(), state.store()
    twice = next((label for label in labels if labels.count(label) > 1), "") if len(set(labels)) < len(labels) else ""
    if twice or len(labels) < 2:
        said = f"{twice!r} is given twice" if twice else f"a history of {len(labels)} runs"
        raise UsageError(said, "give the labels of two runs, or more")
    found = [summary.load(store, label, config.verdict.confidence) for label in labels]
    path = output or Path(config.paths.reports) / f"history-of-{len(labels)}-runs.html"
    disk.save(path, history.page(found, config.verdict))
    return path


def of_run(shown: Contents, style: str) -> str:
    """Return all that is shown of one run in one of FORMATS."""
    from rseqbench.show import data, mail, markdown

    if style == "html":
        from rseqbench.show import html

        return html.page(shown)
    if style == "json":
        return data.run_json(shown, each_round=True)
    return {"mail": mail.run, "markdown": markdown.run, "csv": data.run_csv}[style](shown)


def of_runs(runs: list[Run], found: list[Compared], rules: VerdictRules, style: str) -> str:
    """Return all that is shown of the comparisons of further runs with the first one, in one of FORMATS."""
    from rseqbench.show import around, data, mail, markdown

    if style == "html":
        from rseqbench.show import versus

        return versus.page(runs, found, rules)
    if style in ("mail", "markdown"):
        return {"mail": mail.runs, "markdown": markdown.runs}[style](runs, found, rules)
    limits = around.limits_of(runs, found, rules)
    return {"json": data.comparisons_json, "csv": data.comparisons_csv}[style](found, runs, limits)


def say(text: str) -> None:
    """Print a document as UTF-8, whatever the locale: it may be on its way to a file."""
    click.echo(text.encode("utf-8", errors="replace"), nl=False)


def _name(labels: Sequence[str]) -> str:
    """Return the name of a page's file without its ending, short enough for a filesystem."""
    name = "-against-".join(labels)
    if len(name) <= _LONGEST:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{labels[0]}-against-{len(labels) - 1}-others-{digest}"
