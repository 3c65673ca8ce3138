"""`rseqbench compare`: options only; the rooms do the work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rseqbench.cli import State

if TYPE_CHECKING:
    from rseqbench.show.tables import Compared


@click.command("compare")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option(
    "--format", "style", type=click.Choice(["table", "csv", "json", "markdown"]), default="table", show_default=True
)
@click.option(
    "--fail-above",
    type=click.FloatRange(min=0),
    metavar="PERCENT",
    help="Exit with 1 when a benchmark is slower in B, or takes more instructions, by more than this, and surely so.",
)
@click.pass_context
def command(ctx: click.Context, a: str, b: str, style: str, fail_above: float | None) -> None:
    """Hold stored run B against stored run A, a row a benchmark, with intervals; and the speed-ups inside each.

    The patch's own table is a run too: rseqbench compare patch-2018 LABEL.
    """
    from rseqbench import compare
    from rseqbench.errors import RseqbenchError, UsageError
    from rseqbench.show import sentences, tables

    if a == b:
        raise UsageError(f"{a!r} is given twice", "give the labels of two runs")
    state = ctx.find_object(State) or State(None)
    store = state.store()
    found = tables.compared(store.load(a), store.load(b), state.config().verdict)
    _show(found, style)
    worst = compare.worst_slowdown(found.rows)
    too_slow = "" if fail_above is None or worst is None else sentences.slower(worst, a, b, fail_above)
    if too_slow:
        raise RseqbenchError(too_slow)


def _show(found: Compared, style: str) -> None:
    from rseqbench.show import data, markdown, terminal
    from rseqbench.show.grids import comparison

    if style == "table":
        terminal.comparison(found, terminal.console())
    elif style == "markdown":
        click.echo(markdown.document([*comparison.comparison(found), comparison.speedups(found)]), nl=False)
    elif style == "csv":
        click.echo(data.to_csv([*data.comparison(found), *data.speedups(found)]), nl=False)
    else:
        rows, speedups = data.comparison(found), data.speedups(found)
        click.echo(data.to_json("compare", a=found.a, b=found.b, benchmarks=rows, speedups=speedups), nl=False)
