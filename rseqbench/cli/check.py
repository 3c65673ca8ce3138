"""`rseqbench check`: options only; the rooms do the work."""

from __future__ import annotations

from typing import Any

import click

from rseqbench import selection
from rseqbench.cli import options


@click.command("check")
@options.benchmark_options
@options.target_options
@click.option("--disturbances", type=click.IntRange(1, 1_000_000), help="Migrations and signals a check must see.")
@click.pass_context
def command(ctx: click.Context, /, disturbances: int | None, **values: Any) -> None:
    """Prove BENCHMARKs (default: all) exact under forced migration and signals; time nothing.

    Exits with 1 when one is not exact.
    """
    import dataclasses

    from rseqbench.cli import State
    from rseqbench.measure import rounds
    from rseqbench.model import ALL
    from rseqbench.report.tables import run as run_tables
    from rseqbench.report.text import terminal
    from rseqbench.targets import resolve

    config = (ctx.find_object(State) or State(None)).config()
    patterns = options.benchmark_patterns(values) or [ALL]
    given = {**options.given_options(values), "benchmarks": patterns, "rseq": resolve.ANY}
    requested = config.options(None, given)
    hardness = dataclasses.replace(config.check, **({"disturbances": disturbances} if disturbances else {}))
    with resolve.create_target(resolve.resolve_options(requested, config.linux)) as target:
        benchmarks = selection.select_benchmarks(target.benchmarks(), patterns)
        checks = [event.check for event in rounds.check(target, benchmarks, hardness)]
    terminal.print_grid(run_tables.tabulate_checks(checks, benchmarks), terminal.console())
    failed = [check for check in checks if not check.passed]
    for check in failed:
        click.echo(f"rseqbench: check FAILED: {check.benchmark}: {check.message}", err=True)
    ctx.exit(1 if failed else 0)
