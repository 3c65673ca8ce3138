"""`rseqbench completion`: the script by which a shell completes our words."""

from __future__ import annotations

import click

from rseqbench.cli import COMPLETE

# What installs it, in one line; the comment at the end of each script.
INSTALL = {
    "bash": """echo 'eval "$(rseqbench completion bash)"' >> ~/.bashrc""",
    "zsh": """echo 'eval "$(rseqbench completion zsh)"' >> ~/.zshrc  # below the line with compinit""",
    "fish": "rseqbench completion fish > ~/.config/fish/completions/rseqbench.fish",
}


@click.command("completion")
@click.argument("shell", type=click.Choice(list(INSTALL)))
def command(shell: str) -> None:
    """Print the script that has SHELL complete benchmarks, labels, targets, configurations and options.

    The script's last line says how to have it in every new shell.
    """
    from rseqbench.cli import group, shells

    click.echo(shells.script(shell, group, "rseqbench", COMPLETE))
    click.echo(f"# To have it in every new shell: {INSTALL[shell]}")
