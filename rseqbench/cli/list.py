"""`rseqbench list`: options only; the rooms do the work."""

from __future__ import annotations

from typing import Any

import click

from rseqbench.cli import complete, place


@click.command("list")
@click.argument("benchmarks", nargs=-1, metavar="[BENCHMARK]...", shell_complete=complete.benchmarks)
@place.options
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_context
def command(ctx: click.Context, /, benchmarks: tuple[str, ...], style: str, **where: Any) -> None:
    """Show what can be measured as a tree of groups, and say why not where not."""
    import dataclasses
    import json

    from rseqbench import arches, plan, targets
    from rseqbench.cli import State
    from rseqbench.show import terminal
    from rseqbench.show.grids import kernels

    state = ctx.find_object(State) or State(None)
    options = state.config().options(None, place.given(where))
    with targets.create(arches.named(options.arch), options) as entered:
        everything = entered.benchmarks()
        machine = entered.machine()
    chosen = plan.select(everything, benchmarks or ["all"])  # without whole programs
    if style == "json":
        click.echo(json.dumps([dataclasses.asdict(benchmark) for benchmark in chosen], indent=1))
        return
    terminal.console().print(kernels.tree(chosen if benchmarks else everything, f"{machine.arch} ({machine.target})"))
