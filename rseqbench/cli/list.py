"""`rseqbench list`: options only; the rooms do the work."""

from __future__ import annotations

from typing import Any

import click

from rseqbench import selection
from rseqbench.cli import options as place
from rseqbench.cli import options as what
from rseqbench.targets import resolve


@click.command("list")
@what.benchmark_options
@place.target_options
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_context
def command(ctx: click.Context, /, style: str, **given: Any) -> None:
    """Show what can be measured as a tree of groups, and say why not where not."""
    import dataclasses
    import json

    from rseqbench.build import architectures
    from rseqbench.cli import State
    from rseqbench.model import ALL
    from rseqbench.report.tables import listing
    from rseqbench.report.text import terminal

    state = ctx.find_object(State) or State(None)
    asked = what.benchmark_patterns(given)
    opened = {"benchmarks": asked or list(selection.SUITES["all"])}
    options = state.config().options(None, {**place.given_options(given), **opened})
    with resolve.create(architectures.named(options.arch), options) as entered:
        everything = entered.benchmarks()
        machine = entered.machine()
    chosen = selection.select(everything, asked or [ALL])  # without whole programs
    if style == "json":
        click.echo(json.dumps([dataclasses.asdict(benchmark) for benchmark in chosen], indent=1))
        return
    terminal.console().print(listing.tree(chosen if asked else everything, f"{machine.arch} ({machine.target})"))
