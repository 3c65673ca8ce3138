"""The options that say where something runs, the same for every command that enters a target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from rseqbench.cli import complete
from rseqbench.config import REGISTRATIONS, RUNNERS

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = {
    "arch": click.option("--arch", shell_complete=complete.arches, help="host, x86_64, arm32 or arm64."),
    "target": click.option(
        "--target",
        shell_complete=complete.targets,
        help="native, ssh:[USER@]HOST[:PORT], labgrid:PLACE, runner or qemu-system, -kvm, -user; auto chooses.",
    ),
    "coordinator": click.option("--coordinator", metavar="HOST:PORT", help="labgrid's, in place of $LG_COORDINATOR."),
    "environment": click.option(
        "--environment",
        metavar="PATH",
        shell_complete=complete.files,
        help="labgrid's settings of SSHDrivers, in place of $LG_ENV.",
    ),
    "wait": click.option("--wait", is_flag=True, help="Queue for a place of labgrid that is held."),
    "registration": click.option("--registration", type=click.Choice(REGISTRATIONS), help="Who registers rseq."),
    "linux": click.option(
        "--linux",
        metavar="PATH",
        shell_complete=complete.files,
        help="What qemu-system boots, in place of Debian's own.",
    ),
    "runner": click.option(
        "--runner", type=click.Choice(RUNNERS), help="What starts a guest: qemu, or virtme-ng (vng)."
    ),
}
OF_A_LAB = ("arch", "coordinator", "environment", "wait", "registration")


def options(command: Command, only: Sequence[str] = tuple(_OPTIONS)) -> Command:
    """Add the options, or `only` those, to a command, which gets None for what was not given.

    [run] of bench.toml has the defaults.
    """
    for name in reversed(only):
        command = _OPTIONS[name](command)
    return command


def given(values: dict[str, Any]) -> dict[str, Any]:
    """Return those that were given of the options of a command."""
    return {name: value for name, value in values.items() if value is not None and value is not False and value != ()}
