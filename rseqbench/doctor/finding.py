"""The words of a doctor's check: where it looks, what it found, what mends it."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rseqbench import facts

Status = Literal["ok", "warn", "bad"]


@dataclass(frozen=True)
class Finding:
    """What a check found: `value` is what is there, `advice` what to do, as a command where there is one.

    It is "bad" only when it keeps a native run from working, and "warn" when some rows will be missing or the numbers
    less steady than they could be.
    """

    name: str
    value: str
    status: Status = "ok"
    advice: str = ""


@dataclass(frozen=True)
class Host:
    """The machine to look at; a test lays out another one under `root`."""

    root: Path = facts.ROOT
    machine: str = field(default_factory=platform.machine)
    results: Path = Path("results")


Check = Callable[[Host], Finding | None]  # None: it has nothing to say of this machine


def as_root(command: str) -> str:
    """Return `command` as we would have to type it to run it as root."""
    return command if os.geteuid() == 0 else f"sudo {command}"


def install(packages: str) -> str:
    """Return the command that installs Debian packages, named with a space in between."""
    return as_root(f"apt-get install -y {packages}")


def write(value: str | int, file: str) -> str:
    """Return the command that writes a setting into a file of Linux's."""
    return f"echo {value} | {as_root(f'tee {file}')}"
