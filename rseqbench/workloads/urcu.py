"""liburcu: a provider for each flavour that the installed version has. It needs nothing around a process."""

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
def open_environment() -> Iterator[UrcuEnvironment]:
    """Compile the flavours. Raises TargetError without liburcu, BuildError where none compiles."""
    ensure_installed(LIBRARIES["urcu"])
    providers, errors = {}, {}
    for flavour in _FLAVOURS:
        try:
            built = products.provider("urcu", _linker_flags(flavour), _compiler_flags(flavour))
            ensure_loads(built.path, _preload([flavour]), ())
            providers[flavour] = built
        except BuildError as error:
            errors[flavour] = error.message
    if not providers:
        raise BuildError(errors[_FLAVOURS[0]])
    yield UrcuEnvironment(providers, errors)


def calls() -> list[CommandLine]:
    """Return the command lines of open_environment(), which are not executed."""
    return [products.provider_call("urcu", _linker_flags(flavour), _compiler_flags(flavour)) for flavour in _FLAVOURS]


def _compiler_flags(flavour: str) -> tuple[str, ...]:
    return _AS_A_PROGRAM, f"-DFLAVOUR={flavour}", f"-DURCU_HEADER=<urcu/urcu-{flavour}.h>"


def _linker_flags(flavour: str) -> tuple[str, ...]:
    return f"-lurcu-{flavour}", "-lurcu-common"


def _preload(flavours: Iterable[str]) -> dict[str, str]:
    libraries = filter(None, (find_library(f"urcu-{name}") for name in flavours))
    return {"LD_PRELOAD": ":".join([*filter(None, [os.environ.get("LD_PRELOAD")]), *libraries])}


class UrcuEnvironment:
    """The compiled flavours, and why others are not there."""

    def __init__(self, providers: Mapping[str, Built], errors: Mapping[str, str]) -> None:
        """Take the providers by flavour, and the compiler's words."""
        self._providers, self._errors = providers, errors
        self._preloaded = _preload(providers)

    def environment(self) -> Mapping[str, str]:
        """Return where the providers are, and the libraries to load at a process's start, as a program does.

        Loaded later, one whose thread-local data is aligned to more than a cache line finds no place for that.
        """
        where = {f"RSEQBENCH_URCU_{name}": str(built.path) for name, built in self._providers.items()}
        return {**where, **self._preloaded}

    def prefix(self) -> Sequence[str]:
        """Return nothing."""
        return ()

    def facts(self) -> Facts:
        """Return the version of what is linked with, and how."""
        flavour, built = next(iter(self._providers.items()))
        linking = f"{packages.describe_linking(built, _linker_flags(flavour))}, and so for each flavour"
        return Facts(liburcu=packages.read_library_version("liburcu"), liburcu_linked=linking)

    def unavailable_reason(self, benchmark: str) -> str:
        """Return why a flavour is not there, empty when it is."""
        flavour = BenchmarkId(benchmark).method.removesuffix("_inline")
        return f"not in this liburcu: {self._errors[flavour]}" if flavour in self._errors else ""

    def begin(self, stage: Stage) -> str:
        """Do nothing, with which nothing goes wrong."""
        return ""

    def doubts(self, benchmark: str) -> str:
        """Return nothing: a check sees in the process itself whether readers are exact."""
        return ""
