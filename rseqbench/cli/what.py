"""The options that say what is measured, the same for every command that takes benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from rseqbench.cli import complete

Command = TypeVar("Command", bound=Callable[..., Any])


def options(command: Command) -> Command:
    """Add the argument BENCHMARK... and the option --suite to a command."""
    command = click.option(
        "--suite",
        "suites",
        multiple=True,
        metavar="NAME",
        shell_complete=complete.suites,
        help="A library as it is shipped beside the kernels that do the same: lttng, urcu, jemalloc; kernels; all.",
    )(command)
    shown = click.argument("benchmarks", nargs=-1, metavar="[BENCHMARK]...", shell_complete=complete.benchmarks)
    return shown(command)


def given(values: dict[str, Any]) -> list[str]:
    """Take both out of the options of a command; return the patterns that they mean together. Raises UsageError."""
    from rseqbench.workloads import library

    return library.patterns(values.pop("suites", ()), values.pop("benchmarks", ()))
