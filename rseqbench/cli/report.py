"""`rseqbench report`: options only; the rooms do the work."""

from __future__ import annotations

from collections.abc import Sequence

import click

from rseqbench.cli import State, completion
from rseqbench.cli.output import name_document, write_document
from rseqbench.report.formats import list_formats, load_format

HISTORY = 5  # labels from which on a page is their history without being asked to be: fewer are held against the first


@click.command(
    "report",
    help=f"""Write about the run LABEL (default: the last one): a page, one HTML file that needs nothing else, or text.

    With OTHER runs, it is about what they differ by from the first. A page of {HISTORY} or more is their history: all
    of them in the order of their dates, and where something changed. The other formats have no history: in them any
    number of runs is held against the first. LABEL may be that of a fleet, alone or with another one: all its machines
    then stand in one matrix. A page goes to a file, and the command prints its path; everything else
    goes to standard output, unless --output names a file.
    """,
)
@click.argument("labels", nargs=-1, metavar="[LABEL] [OTHER]...", shell_complete=completion.labels_and_fleets)
@click.option(
    "--format",
    "style",
    type=click.Choice(list_formats()),
    default="html",
    show_default=True,
    help="A page; text for a mail or a pull request; or everything as data.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="In place of reports/LABEL.html, or of standard output, which is -.",
)
@click.option(
    "--history", is_flag=True, help="That page also of fewer runs; without labels, of all that are stored. HTML only."
)
@click.pass_context
def command(ctx: click.Context, labels: tuple[str, ...], style: str, output: str | None, history: bool) -> None:
    """Write about runs; `help` says it to users, with the number of labels."""
    from rseqbench.cli import compare
    from rseqbench.cli.compare import compare_runs
    from rseqbench.cli.show import latest_label
    from rseqbench.errors import UsageError
    from rseqbench.report import run_view
    from rseqbench.store.runs import PATCH

    state = ctx.find_object(State) or State(None)
    config, store = state.config(), state.store()
    if history and style != "html":
        raise UsageError(f"a history is a page, and nothing in {style}", "give --format html, or no --history")
    fleet = None if history else compare.load_fleets(state, labels)
    if fleet:
        name, text = name_document(labels), load_format(style).render_fleet(fleet)
    elif history or (style == "html" and len(labels) >= HISTORY):
        text, number = _history(state, labels)
        name = f"history-of-{number}-runs"
    elif len(labels := labels or (latest_label(store),)) == 1:
        name, text = (
            name_document(labels),
            load_format(style).render_run(
                run_view.build_run_view(store.load(labels[0]), store.load(PATCH), config.verdict)
            ),
        )
    else:
        runs, comparisons = compare_runs(state, labels)
        name = name_document(labels)
        text = load_format(style).render_comparison(runs, comparisons, config.verdict)
    path = write_document(text, "-" if output is None and style != "html" else output, name, config)
    if path:
        click.echo(path)


def _history(state: State, labels: Sequence[str]) -> tuple[str, int]:
    """Return the page of many runs, and of how many it is; without labels of all stored ones that can be read.

    Raises UsageError for fewer than two, or one given twice.
    """
    from rseqbench.analysis import summary_csv
    from rseqbench.errors import ResultsError, UsageError
    from rseqbench.report.html import history
    from rseqbench.store.runs import PATCH

    config, store = state.config(), state.store()
    stored = [label for label in store.labels() if label != PATCH]
    if not labels and not stored:
        raise ResultsError(f"no runs in {store.root}", "rseqbench run")
    twice = next((label for label in labels if labels.count(label) > 1), "") if len(set(labels)) < len(labels) else ""
    found, unreadable = [], []
    for label in () if twice or len(labels) == 1 else labels or stored:
        try:
            found.append(summary_csv.load(store, label, config.verdict.confidence))
        except ResultsError as error:
            if labels:
                raise
            unreadable.append(f"Left out, as it cannot be read: {error}")
    if len(found) < 2:
        number = "1 run" if len(labels or found) == 1 else "0 runs"
        said = f"{twice!r} is given twice" if twice else "; ".join([f"a history of {number}", *unreadable])
        raise UsageError(said, "give the labels of two runs, or more")
    return history.render_page(found, config.verdict, unreadable), len(found)
