"""`rseqbench compare`: options only; the rooms do the work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from rseqbench.cli import State, completion, output
from rseqbench.report.formats import list_formats, load_format

if TYPE_CHECKING:
    from rseqbench.analysis.fleet.compare import FleetComparison
    from rseqbench.analysis.summary import RunComparison
    from rseqbench.store.runs import Run

_MOST = 2  # fleets


@click.command("compare")
@click.argument("labels", nargs=-1, required=True, metavar="A [B] [C]...", shell_complete=completion.labels_and_fleets)
@click.option(
    "--format",
    "style",
    type=click.Choice(["table", *(name for name in list_formats() if name != "html")]),
    default="table",
    show_default=True,
    help="A table for this terminal; everything as data; text for a pull request or a mail.",
)
@click.option(
    "--fail-above",
    type=click.FloatRange(min=0),
    metavar="PERCENT",
    help="Exit with 1 when a benchmark is more than this slower in B, and surely slower, or takes so many more "
    "instructions; of two fleets, on any machine. Of one fleet, when on any machine the fast way of a pair is so much "
    "slower. Also when that cannot be judged: nothing to compare, too few rounds for any slowdown to be seen, a "
    "machine's clock that moved so much between two runs that it may be so; of fleets, a machine without a run.",
)
@click.pass_context
def command(ctx: click.Context, labels: tuple[str, ...], style: str, fail_above: float | None) -> None:
    """Hold stored run B, and each further one, against stored run A: a row a benchmark, and the speed-ups inside each.

    The patch's own table is a run too: rseqbench compare patch-2018 LABEL. Runs on Linux without and with CONFIG_RSEQ
    are held against what the patch claims of the two: rseqbench compare config-n config-y config-y-registered.

    Of a fleet, one label is enough: its machines are held against each other, those pairs first on which they differ.
    Two fleets are compared place by place.
    """
    from rseqbench.errors import RseqbenchError

    state = ctx.find_object(State) or State(None)
    machines = load_fleets(state, labels)
    slow = _fleets(machines, style, fail_above) if machines else _runs(state, labels, style, fail_above)
    if slow:
        raise RseqbenchError(slow)


def _fleets(found: FleetComparison, style: str, limit: float | None) -> str:
    """Print fleets; return the line that says what is slower than the limit, or could not be judged; else nothing."""
    from rseqbench.report import prose
    from rseqbench.report.text import terminal

    if style == "table":
        terminal.print_fleet(found, terminal.console())
    else:
        output.print_document(load_format(style).render_fleet(found))
    return "" if limit is None else prose.failure(found, limit)


def _runs(state: State, labels: Sequence[str], style: str, limit: float | None) -> str:
    """Print runs against the first of them; return the same."""
    from rseqbench.report import prose
    from rseqbench.report.text import terminal

    (runs, found), rules = compare_runs(state, labels), state.config().verdict
    if style == "table":
        terminal.print_comparison(found, terminal.console())
    else:
        output.print_document(load_format(style).render_comparison(runs, found, rules))
    return "" if limit is None else prose.failure_of_runs(found, rules, limit)


def compare_runs(state: State, labels: Sequence[str]) -> tuple[list[Run], list[RunComparison]]:
    """Load runs and compare each further one with the first; return both.

    Raises UsageError for fewer than two, or one that is there twice.
    """
    from rseqbench.analysis import summary
    from rseqbench.errors import UsageError

    twice = [label for number, label in enumerate(labels) if label in labels[:number]]
    if twice or len(labels) < 2:
        said = f"{twice[0]!r} is given twice" if twice else f"{labels[0]!r} is given alone"
        raise UsageError(said, "give the labels of two runs, or more")
    store, rules = state.store(), state.config().verdict
    runs = [store.load(label) for label in labels]
    return runs, [summary.compare_runs(runs[0], other, rules) for other in runs[1:]]


def load_fleets(state: State, labels: Sequence[str]) -> FleetComparison | None:
    """Return what a fleet says, or two of them; None where the labels are those of runs.

    Raises UsageError for a mixture, for more than two, and for the same one twice.
    """
    from rseqbench.analysis.fleet import compare
    from rseqbench.errors import UsageError
    from rseqbench.store import fleets as index

    store, rules = state.store(), state.config().verdict
    known = [label for label in labels if index.is_fleet(store.root, label)]
    if not known:
        return None
    if len(known) < len(labels):
        other = next(label for label in labels if label not in known)
        raise UsageError(f"{known[0]!r} is a fleet and {other!r} is none", "give one fleet, two fleets, or runs only")
    if len(set(labels)) < len(labels):
        raise UsageError(f"{labels[0]!r} is given twice", "give one fleet, or two different ones")
    if len(labels) > _MOST:
        raise UsageError(f"{len(labels)} fleets", "give one, or two to be held against each other")
    if len(labels) == 1:
        return compare.compare_machines(store, labels[0], rules)
    return compare.compare_fleets(store, labels[0], labels[1], rules)
