"""The parts that all checks share: the machine to look at, the commands for root."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rseqbench.host import facts
from rseqbench.model import Finding, Status


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


def report_missing(name: str, value: str, status: Status, packages: Sequence[str]) -> Finding:
    """Return the finding that Debian packages are missing."""
    names = tuple(dict.fromkeys(word for package in packages for word in package.split()))
    return Finding(name, value, status, "", as_root(f"apt-get install -y {' '.join(names)}"), names)


def rseqbench_as_root(arguments: str) -> str:
    """Return the command that runs rseqbench as root, who does not have our path."""
    script = Path(sys.executable).parent / "rseqbench"
    program = [str(script)] if script.exists() else [sys.executable, "-m", "rseqbench"]
    return as_root(f"{shlex.join(program)} {arguments}")
