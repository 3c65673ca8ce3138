"""`rseqbench linux`: options only; the rooms do the work."""

from __future__ import annotations

import click

from rseqbench.cli import State, completion


@click.group("linux")
def command() -> None:
    """Build the Linuxes, without and with CONFIG_RSEQ, that configurations run on."""


@command.command("build")
@click.argument(
    "configurations", nargs=-1, metavar="[CONFIGURATION]...", shell_complete=completion.booted_configurations
)
@click.option("--arch", shell_complete=completion.arches, help="host, x86_64, arm32 or arm64.")
@click.pass_context
def build(ctx: click.Context, configurations: tuple[str, ...], arch: str | None) -> None:
    """Build what CONFIGURATIONs (default: all) boot, prove that CONFIG_RSEQ is all they differ in, and print both.

    What was built is kept, and needs no second build; one that was interrupted is taken up where it was.
    """
    from rseqbench.build import architectures
    from rseqbench.build.linux.build import build_kernel, compare_configurations, find_built_kernel
    from rseqbench.config import configured_rseq
    from rseqbench.report.progress import run
    from rseqbench.report.tables import kernel_config as grids
    from rseqbench.report.text import terminal

    config = (ctx.find_object(State) or State(None)).config()
    wanted = configured_rseq(config, configurations)
    chosen = architectures.named(arch or config.run.arch)
    made = {}
    for rseq in sorted(set(wanted.values())):
        with run.show_build(f"Linux for {chosen.name}, CONFIG_RSEQ={rseq}") as seen:
            made[rseq] = build_kernel(chosen, config.linux, rseq, seen)
    out = terminal.console()
    terminal.print_grid(grids.tabulate_builds(wanted, made), out)
    both = {rseq: made.get(rseq) or find_built_kernel(chosen, config.linux, rseq) for rseq in ("n", "y")}
    n, y = both["n"], both["y"]
    if n is None or y is None:
        terminal.print_grid(grids.tabulate_size(*made.values()), out)
        return
    for grid in (
        grids.tabulate_options(compare_configurations(n, y, config.linux)),
        *grids.tabulate_sizes("n", n.sizes, "y", y.sizes),
    ):
        terminal.print_grid(grid, out)
