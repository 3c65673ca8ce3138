"""`rseqbench list`: options only; the rooms do the work."""

from __future__ import annotations

from typing import Any

import click

from rseqbench import selection
from rseqbench.cli import options


@click.command("list")
@options.benchmark_options
@options.target_options
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_context
def command(ctx: click.Context, /, style: str, **values: Any) -> None:
    """Show what can be measured as a tree of groups, and say why not where not."""
    import dataclasses
    import json

    from rseqbench.cli import State
    from rseqbench.model import ALL
    from rseqbench.report.tables import listing
    from rseqbench.report.text import terminal
    from rseqbench.targets import resolve

    config = (ctx.find_object(State) or State(None)).config()
    patterns = options.benchmark_patterns(values)
    opened = patterns or list(selection.SUITES["all"])  # these libraries say whether they are there
    given = {**options.given_options(values), "benchmarks": opened, "rseq": resolve.ANY}
    requested = config.options(None, given)
    with resolve.create_target(resolve.resolve_options(requested, config.linux)) as target:
        benchmarks = target.benchmarks()
        machine = target.machine()
    selected = selection.select_benchmarks(benchmarks, patterns or [ALL])  # without whole programs
    if style == "json":
        click.echo(json.dumps([dataclasses.asdict(benchmark) for benchmark in selected], indent=1))
        return
    shown = selected if patterns else benchmarks
    terminal.console().print(listing.build_benchmark_tree(shown, f"{machine.arch} ({machine.target})"))
