"""`rseqbench check`: options only; the rooms do the work."""

from __future__ import annotations

from typing import Any

import click

from rseqbench.cli import complete, place


@click.command("check")
@click.argument("benchmarks", nargs=-1, metavar="[BENCHMARK]...", shell_complete=complete.benchmarks)
@place.options
@click.option("--disturbances", type=click.IntRange(1, 1_000_000), help="Migrations and signals a check must see.")
@click.pass_context
def command(ctx: click.Context, /, benchmarks: tuple[str, ...], disturbances: int | None, **where: Any) -> None:
    """Prove BENCHMARKs (default: all) exact under forced migration and signals; time nothing.

    Exits with 1 when one is not exact.
    """
    import dataclasses

    from rseqbench import arches, plan, rounds, targets
    from rseqbench.cli import State
    from rseqbench.show import terminal
    from rseqbench.show.grids import run as grids

    config = (ctx.find_object(State) or State(None)).config()
    options = config.options(None, place.given(where))
    hardness = dataclasses.replace(config.check, **({"disturbances": disturbances} if disturbances else {}))
    with targets.create(arches.named(options.arch), options) as entered:
        chosen = plan.select(entered.benchmarks(), benchmarks or ["all"])
        checks = [event.check for event in rounds.check(entered, chosen, hardness)]
    terminal.table(grids.checks(checks), terminal.console())
    wrong = [check for check in checks if not check.passed]
    for check in wrong:
        click.echo(f"rseqbench: check FAILED: {check.benchmark}: {check.message}", err=True)
    ctx.exit(1 if wrong else 0)
