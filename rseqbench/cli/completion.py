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
    from click.shell_completion import get_completion_class

    from rseqbench.cli import group

    made = get_completion_class(shell)
    assert made is not None, "click knows the three of them"
    click.echo(made(group, {}, "rseqbench", COMPLETE).source())
    click.echo(f"# To have it in every new shell: {INSTALL[shell]}")
