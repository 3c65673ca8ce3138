"""The words of a doctor's check: where it looks, what it found, what mends it."""

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


def lacking(name: str, value: str, status: Status, packages: Sequence[str]) -> Finding:
    """Return the finding that Debian packages are missing."""
    named = tuple(dict.fromkeys(word for package in packages for word in package.split()))
    return Finding(name, value, status, "", as_root(f"apt-get install -y {' '.join(named)}"), named)


def ourselves(arguments: str) -> str:
    """Return the command that runs rseqbench as root, who does not have our path."""
    beside = Path(sys.executable).parent / "rseqbench"
    program = [str(beside)] if beside.exists() else [sys.executable, "-m", "rseqbench"]
    return as_root(f"{shlex.join(program)} {arguments}")
