"""liburcu: each flavour that this version of it has, compiled into a provider of its own. Needs nothing around it."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from ctypes.util import find_library

from rseqbench import build
from rseqbench.errors import BuildError, TargetError
from rseqbench.model import Fact
from rseqbench.suites.libraries import LIBRARIES

# A program reaches the library's thread-local data by a fixed distance; so does a provider only if it is told to.
_AS_A_PROGRAM = "-ftls-model=initial-exec"
_FLAVOURS = ("memb", "mb", "bp", "qsbr", "signal")  # signal: until 0.14


@contextlib.contextmanager
def open_() -> Iterator[Flavours]:
    """Compile the flavours. Raises TargetError where there is no liburcu to compile with."""
    made, wrong = {}, {}
    for flavour in _FLAVOURS:
        told = (_AS_A_PROGRAM, f"-DFLAVOUR={flavour}", f"-DURCU_HEADER=<urcu/urcu-{flavour}.h>")
        try:
            made[flavour] = build.provider("urcu", (f"-lurcu-{flavour}", "-lurcu-common"), told)
        except BuildError as error:
            wrong[flavour] = error.message
    if not made:
        raise TargetError(f"liburcu: {wrong['memb']}", f"apt-get install {LIBRARIES['urcu'].packages}")
    yield Flavours({name: str(built.path) for name, built in made.items()}, wrong)


class Flavours:
    """The compiled flavours, and why others are not there."""

    def __init__(self, made: Mapping[str, str], wrong: Mapping[str, str]) -> None:
        """Take the providers by flavour, and the compiler's words."""
        self._made, self._wrong = made, wrong

    def environment(self) -> Mapping[str, str]:
        """Return where the providers are, and the libraries to load at a process's start, as a program does.

        Loaded later, one whose thread-local data is aligned to more than a cache line finds no place for that.
        """
        where = {f"RSEQBENCH_URCU_{name}": path for name, path in self._made.items()}
        linked = filter(None, (find_library(f"urcu-{name}") for name in self._made))
        return {**where, "LD_PRELOAD": ":".join([*filter(None, [os.environ.get("LD_PRELOAD")]), *linked])}

    def prefix(self) -> Sequence[str]:
        """Return nothing."""
        return ()

    def facts(self) -> Mapping[str, Fact]:
        """Return the version of what is linked with."""
        done = subprocess.run(["pkg-config", "--modversion", "liburcu"], capture_output=True, text=True, check=False)
        return {"liburcu": done.stdout.strip() or "not known"}

    def absent(self, benchmark: str) -> str:
        """Return why a flavour is not there, empty when it is."""
        flavour = benchmark.partition("/")[2].removesuffix("_inline")
        return f"not in this liburcu: {self._wrong[flavour]}" if flavour in self._wrong else ""

    def doubts(self, benchmark: str) -> str:
        """Return nothing: a check sees in the process itself whether readers are exact."""
        return ""
