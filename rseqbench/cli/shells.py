"""click's completion, mended where a word is not whole: `--option=value`, and what bash breaks words at.

Without it zsh would put a completed value in place of `--option=value`, fish and bash would offer none, and bash would
not complete a label beyond its `@`.
"""

from __future__ import annotations

import os
from typing import Any

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

_KEPT = "$@"  # readline breaks words before these, and behind all others


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
