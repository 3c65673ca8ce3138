"""liburcu: each flavour that this version of it has, compiled into a provider of its own. Needs nothing around it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ctypes.util import find_library

from rseqbench.build import products
from rseqbench.build.cache import Built
from rseqbench.errors import BuildError
from rseqbench.model import BenchmarkId, CommandLine, Facts
from rseqbench.selection import LIBRARIES
from rseqbench.workloads import packages
from rseqbench.workloads.library import Stage, ensure_installed, ensure_loads

# A program reaches the library's thread-local data by a fixed distance; so does a provider only if it is told to.
_AS_A_PROGRAM = "-ftls-model=initial-exec"
_FLAVOURS = ("memb", "mb", "bp", "qsbr", "signal")  # signal: until 0.14


@contextlib.contextmanager
def open_() -> Iterator[UrcuEnvironment]:
    """Compile the flavours. Raises TargetError without liburcu, BuildError where none compiles."""
    ensure_installed(LIBRARIES["urcu"])
    made, wrong = {}, {}
    for flavour in _FLAVOURS:
        try:
            built = products.provider("urcu", _linked(flavour), _told(flavour))
            ensure_loads(built.path, _preloaded([flavour]), ())
            made[flavour] = built
        except BuildError as error:
            wrong[flavour] = error.message
    if not made:
        raise BuildError(wrong[_FLAVOURS[0]])
    yield UrcuEnvironment(made, wrong)


def calls() -> list[CommandLine]:
    """Return the command lines of open_(), which are not executed."""
    return [products.provider_call("urcu", _linked(flavour), _told(flavour)) for flavour in _FLAVOURS]


def _told(flavour: str) -> tuple[str, ...]:
    return _AS_A_PROGRAM, f"-DFLAVOUR={flavour}", f"-DURCU_HEADER=<urcu/urcu-{flavour}.h>"


def _linked(flavour: str) -> tuple[str, ...]:
    return f"-lurcu-{flavour}", "-lurcu-common"


def _preloaded(flavours: Iterable[str]) -> dict[str, str]:
    found = filter(None, (find_library(f"urcu-{name}") for name in flavours))
    return {"LD_PRELOAD": ":".join([*filter(None, [os.environ.get("LD_PRELOAD")]), *found])}


class UrcuEnvironment:
    """The compiled flavours, and why others are not there."""

    def __init__(self, made: Mapping[str, Built], wrong: Mapping[str, str]) -> None:
        """Take the providers by flavour, and the compiler's words."""
        self._made, self._wrong = made, wrong
        self._preloaded = _preloaded(made)

    def environment(self) -> Mapping[str, str]:
        """Return where the providers are, and the libraries to load at a process's start, as a program does.

        Loaded later, one whose thread-local data is aligned to more than a cache line finds no place for that.
        """
        where = {f"RSEQBENCH_URCU_{name}": str(built.path) for name, built in self._made.items()}
        return {**where, **self._preloaded}

    def prefix(self) -> Sequence[str]:
        """Return nothing."""
        return ()

    def facts(self) -> Facts:
        """Return the version of what is linked with, and how."""
        flavour, built = next(iter(self._made.items()))
        told = f"{packages.describe_linking(built, _linked(flavour))}, and so for each flavour"
        return Facts(liburcu=packages.read_library_version("liburcu"), liburcu_linked=told)

    def absent(self, benchmark: str) -> str:
        """Return why a flavour is not there, empty when it is."""
        flavour = BenchmarkId(benchmark).method.removesuffix("_inline")
        return f"not in this liburcu: {self._wrong[flavour]}" if flavour in self._wrong else ""

    def begin(self, stage: Stage) -> str:
        """Do nothing, with which nothing goes wrong."""
        return ""

    def doubts(self, benchmark: str) -> str:
        """Return nothing: a check sees in the process itself whether readers are exact."""
        return ""
