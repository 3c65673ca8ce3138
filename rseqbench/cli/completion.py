"""`rseqbench completion`: the script by which a shell completes our words."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    split_arg_string,
)

from rseqbench.cli import COMPLETE
from rseqbench.workloads import hackbench

if TYPE_CHECKING:
    from rseqbench.config import Config

# What installs it, in one line; the comment at the end of each script.
INSTALL = {
    "bash": """echo 'eval "$(rseqbench completion bash)"' >> ~/.bashrc""",
    "zsh": """echo 'eval "$(rseqbench completion zsh)"' >> ~/.zshrc  # below the line with compinit""",
    "fish": "rseqbench completion fish > ~/.config/fish/completions/rseqbench.fish",
}
Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem[str]]]
# What no shell takes for anything but itself: only such words are offered, so that none has to be quoted.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+@:/-]*")
_KEPT = "$@"  # readline breaks words before these, and behind all others


@click.command("completion")
@click.argument("shell", type=click.Choice(list(INSTALL)))
def command(shell: str) -> None:
    """Print the script that has SHELL complete benchmarks, labels, targets, configurations and options.

    The script's last line says how to have it in every new shell.
    """
    from rseqbench.cli import group

    click.echo(script(shell, group, "rseqbench", COMPLETE))
    click.echo(f"# To have it in every new shell: {INSTALL[shell]}")


def _completer(words: Callable[[click.Context], Iterable[str]]) -> Completer:
    """Make a completer from what lists the words. It may fail: main() keeps quiet about that."""

    def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        given = ctx.params.get(parameter.name or "") or ()
        used = {given} if isinstance(given, str) else set(given)
        fitting = [word for word in words(ctx) if word.startswith(incomplete) and word not in used]
        return [CompletionItem(word) for word in fitting if _PLAIN.fullmatch(word)]

    return complete


def _config(ctx: click.Context) -> Config:
    from rseqbench import config

    return config.load(ctx.find_root().params.get("config_file"))


def _benchmarks(ctx: click.Context) -> list[str]:
    from rseqbench.build import products

    return ["all", *products.groups(), *products.names(), *hackbench.PROGRAMS]


def _labels(ctx: click.Context) -> list[str]:
    from pathlib import Path

    from rseqbench.store.runs import Store

    return Store(Path(_config(ctx).paths.results)).labels()


def _labels_and_fleets(ctx: click.Context) -> list[str]:
    from pathlib import Path

    from rseqbench.store import fleets

    return [*_labels(ctx), *fleets.list_labels(Path(_config(ctx).paths.results))]


def _unfinished(ctx: click.Context) -> list[str]:
    from pathlib import Path

    from rseqbench.store.runs import UNFINISHED

    found = Path(_config(ctx).paths.results).glob(f"{UNFINISHED}*")
    return sorted(folder.name.removeprefix(UNFINISHED) for folder in found)


def _targets(ctx: click.Context) -> list[str]:
    from rseqbench.targets.resolve import TARGETS

    return [*(f"{name}:" if kind.has_address else name for name, kind in TARGETS.items()), "auto"]


def _arches(ctx: click.Context) -> list[str]:
    from rseqbench.build import architectures

    return [architectures.HOST, *architectures.known()]


def _engines(ctx: click.Context) -> list[str]:
    from rseqbench.measure import engines

    return [*engines.ENGINES, "auto", "both"]


def _booted(ctx: click.Context) -> Iterable[str]:
    from rseqbench.config import configured_rseq

    return configured_rseq(_config(ctx), ())


def _suites(ctx: click.Context) -> Iterable[str]:
    from rseqbench.selection import SUITES

    return SUITES


benchmarks = _completer(_benchmarks)


suites = _completer(_suites)


labels = _completer(_labels)


labels_and_fleets = _completer(_labels_and_fleets)


unfinished = _completer(_unfinished)


targets = _completer(_targets)


arches = _completer(_arches)


engines = _completer(_engines)


configurations = _completer(lambda ctx: _config(ctx).configurations)


booted_configurations = _completer(_booted)


presets = _completer(lambda ctx: _config(ctx).presets)


def files(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Leave it to the shell, which knows its files."""
    return [CompletionItem(incomplete, type="file")]


class _Joined(ShellComplete):
    """Completes the value of `--option=value`, and gives back the whole of it."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
        found = super().get_completions(args, incomplete)
        option, equals, _ = incomplete.partition("=")
        if equals and option.startswith("--"):
            for item in found:
                item.value = f"{option}={item.value}" if item.type == "plain" else item.value
        return found


class Bash(_Joined, BashComplete):
    """bash gives us its line, not the words that it broke it into, and gets what is behind the last break."""

    source_template = """\
%(complete_func)s() {
    local item
    COMPREPLY=()
    while IFS= read -r item; do
        case $item in
        plain,*) COMPREPLY+=("${item#plain,}") ;;
        file,*) compopt -o default ;;
        dir,*) compopt -o dirnames ;;
        esac
    done < <(env RSEQBENCH_LINE="${COMP_LINE:0:COMP_POINT}" RSEQBENCH_BREAKS="$COMP_WORDBREAKS" \\
        %(complete_var)s=bash_complete "$1" 2>/dev/null)
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the whole words before the one that is incomplete, and that."""
        line = os.environ["RSEQBENCH_LINE"]
        words = split_arg_string(line)
        incomplete = words.pop() if words and not line[-1:].isspace() else ""
        at, mark = max((incomplete.rfind(mark), mark) for mark in os.environ["RSEQBENCH_BREAKS"] or " ")
        self._done = max(at + (mark not in _KEPT), 0)
        return words[1:], incomplete

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """Return what is to stand behind the last break."""
        return f"{item.type},{item.value[self._done :]}" if item.type == "plain" else f"{item.type},"


class Zsh(_Joined, ZshComplete):
    """zsh, with whole words."""


class Fish(_Joined, FishComplete):
    """fish, with whole words."""


_SHELLS: dict[str, type[ShellComplete]] = {"bash": Bash, "zsh": Zsh, "fish": Fish}


def register() -> None:
    """Let click use these for the shells that ask it to complete."""
    for name, shell in _SHELLS.items():
        add_completion_class(shell, name)


def script(name: str, group: click.Command, program: str, variable: str) -> str:
    """Return the script that makes a shell ask `program` for completions through the environment's `variable`."""
    return _SHELLS[name](group, {}, program, variable).source()
