"""`rseqbench check`: options only; the rooms do the work."""

from __future__ import annotations

from typing import Any

import click

from rseqbench import selection
from rseqbench.cli import options as place
from rseqbench.cli import options as what
from rseqbench.targets import resolve


@click.command("check")
@what.benchmark_options
@place.target_options
@click.option("--disturbances", type=click.IntRange(1, 1_000_000), help="Migrations and signals a check must see.")
@click.pass_context
def command(ctx: click.Context, /, disturbances: int | None, **given: Any) -> None:
    """Prove BENCHMARKs (default: all) exact under forced migration and signals; time nothing.

    Exits with 1 when one is not exact.
    """
    import dataclasses

    from rseqbench.build import architectures
    from rseqbench.cli import State
    from rseqbench.measure import rounds
    from rseqbench.model import ALL
    from rseqbench.report.tables import run as grids
    from rseqbench.report.text import terminal

    config = (ctx.find_object(State) or State(None)).config()
    asked = what.benchmark_patterns(given) or [ALL]
    options = config.options(None, {**place.given_options(given), "benchmarks": asked})
    hardness = dataclasses.replace(config.check, **({"disturbances": disturbances} if disturbances else {}))
    with resolve.create(architectures.named(options.arch), options) as entered:
        chosen = selection.select(entered.benchmarks(), asked)
        checks = [event.check for event in rounds.check(entered, chosen, hardness)]
    terminal.table(grids.checks(checks, chosen), terminal.console())
    wrong = [check for check in checks if not check.passed]
    for check in wrong:
        click.echo(f"rseqbench: check FAILED: {check.benchmark}: {check.message}", err=True)
    ctx.exit(1 if wrong else 0)
