"""C compilers: which one is here for an architecture, and what it sees of the system's headers."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rseqbench.build import architectures
from rseqbench.build.architectures import Arch
from rseqbench.errors import BuildError


@dataclass(frozen=True)
class Compiler:
    """A compiler: its path, and the first line that it says of its version."""

    command: str
    version: str


def find(arch: Arch) -> Compiler:
    """Return the first compiler that is there and compiles for `arch`; $CC goes first when it does.

    Raises BuildError when there is none.
    """
    wanted = [os.environ["CC"]] if os.environ.get("CC") else []
    for command in [*wanted, *arch.compilers]:
        path = shutil.which(command)
        if path and answer(path, "-dumpmachine").startswith(arch.triplets):
            return Compiler(path, answer(path, "--version").splitlines()[0])
    raise BuildError(f"no C compiler for {arch.name}", f"apt-get install {arch.package}")


def answer(command: str, option: str) -> str:
    """Return what a compiler prints for an option; nothing where it fails."""
    try:
        done = subprocess.run([command, option], capture_output=True, text=True, errors="replace", check=False)
    except OSError:
        return ""
    return done.stdout if not done.returncode else ""


def include(header: str) -> bool:
    """Whether code of this machine may include a header of the system's; False without a compiler too."""
    try:
        command = [find(architectures.host()).command, "-fsyntax-only", "-xc", "-"]
    except BuildError:
        return False
    done = subprocess.run(command, input=f"#include <{header}>\n", capture_output=True, text=True, check=False)
    return not done.returncode


def seen(compiler: Compiler, flags: Sequence[str], sources: Sequence[Path]) -> str:
    """Return a digest of what sources include: a library of another version inlines other code.

    Where a header is missing it is that of nothing, as nothing can be compiled either.
    """
    command = [compiler.command, *flags, "-E", "-P", *map(str, sources)]
    return hashlib.sha256(subprocess.run(command, capture_output=True, check=False).stdout).hexdigest()
