"""`rseqbench list`: options only; the rooms do the work."""

from __future__ import annotations

from typing import Any

import click

from rseqbench.cli import place, what


@click.command("list")
@what.options
@place.options
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_context
def command(ctx: click.Context, /, style: str, **given: Any) -> None:
    """Show what can be measured as a tree of groups, and say why not where not."""
    import dataclasses
    import json

    from rseqbench import arches, plan, targets
    from rseqbench.cli import State
    from rseqbench.model import ALL
    from rseqbench.show import terminal
    from rseqbench.show.grids import kernels
    from rseqbench.suites import libraries

    state = ctx.find_object(State) or State(None)
    asked = what.given(given)
    opened = {"benchmarks": asked or list(libraries.SUITES["all"])}
    options = state.config().options(None, {**place.given(given), **opened})
    with targets.create(arches.named(options.arch), options) as entered:
        everything = entered.benchmarks()
        machine = entered.machine()
    chosen = plan.select(everything, asked or [ALL])  # without whole programs
    if style == "json":
        click.echo(json.dumps([dataclasses.asdict(benchmark) for benchmark in chosen], indent=1))
        return
    terminal.console().print(kernels.tree(chosen if asked else everything, f"{machine.arch} ({machine.target})"))
