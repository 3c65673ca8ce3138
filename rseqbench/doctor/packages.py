"""Installing the packages that are missing: Debian's and nothing else, after naming them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable

from rseqbench.errors import RseqbenchError


def install_commands(packages: list[str]) -> list[list[str]]:
    """Return the commands that install these packages, as root, or through sudo if that can ask for a password.

    Raises RseqbenchError, with what to type or to install, where neither works.
    """
    if shutil.which("apt-get") is None:
        raise RseqbenchError(f"no apt-get here; missing, by Debian's names: {' '.join(packages)}", "install their like")
    lines = [["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", *packages]]
    if os.geteuid() == 0:
        return lines
    if not _may_sudo():
        typed = " && ".join(" ".join(["sudo", *line]) for line in lines)
        raise RseqbenchError("packages are root's to install, and sudo cannot ask for a password here", f"run: {typed}")
    return [["sudo", *line] for line in lines]


def run_install(lines: Iterable[list[str]]) -> None:
    """Run these commands, their output where ours goes. Raises RseqbenchError when one fails."""
    for line in lines:
        # sudo resets the environment, so the setting goes with the command; without it, a package could stop to ask.
        start = 1 if line[0] == "sudo" else 0
        command = [*line[:start], "env", "DEBIAN_FRONTEND=noninteractive", *line[start:]]
        done = subprocess.run(command, check=False)
        if done.returncode:
            raise RseqbenchError(f"{' '.join(line)} exited with {done.returncode}", "its own words are above")


def _may_sudo() -> bool:
    if shutil.which("sudo") is None:
        return False
    if sys.stdin is not None and sys.stdin.isatty():
        return True
    return not subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode
