"""Shipped libraries that benchmarks call: what each needs, and the environment that its benchmarks run in."""

from __future__ import annotations

import contextlib
import functools
import importlib
import operator
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from ctypes.util import find_library
from dataclasses import replace
from enum import Enum, auto
from pathlib import Path
from typing import Any, Protocol

from rseqbench.build import compilers
from rseqbench.errors import BuildError, RseqbenchError, TargetError
from rseqbench.model import Benchmark, BenchmarkId, CommandLine, Facts
from rseqbench.selection import LIBRARIES, Library
from rseqbench.support import process


class Stage(Enum):
    """The use that a process makes of a library: it is timed, or checked in one of the two ways of a check."""

    TIMED = auto()
    CHECKED = auto()
    STRESSED = auto()


class LibraryEnvironment(Protocol):
    """All that the processes that measure a library need around them, from the first to the last."""

    def environment(self) -> Mapping[str, str]:
        """Return the environment variables that a process needs."""

    def prefix(self) -> Sequence[str]:
        """Return the words that a command is put behind, to run where the library finds what it needs."""

    def facts(self) -> Facts:
        """Return the versions and the settings that decide the numbers."""

    def unavailable_reason(self, benchmark: str) -> str:
        """Return why a benchmark cannot be measured with this version of the library; empty when it can."""

    def begin(self, stage: Stage) -> str:
        """Take note that a process is about to use the library.

        Return what went wrong here, with which doubts() will void whatever the process does; empty when nothing did.
        """

    def doubts(self, benchmark: str) -> str:
        """Return why what a benchmark just did cannot be believed, as seen from outside; empty when it can."""


def missing_packages(library: Library) -> list[str]:
    """Return the packages of a library that are not installed."""
    return [package for package, needed in library.packages.items() if not _is_installed(needed)]


def ensure_installed(library: Library) -> None:
    """Raise TargetError, with the packages to install, where something of a library is not here."""
    missing = missing_packages(library)
    if missing:
        needed = ", ".join(library.packages[package] for package in missing)
        raise TargetError(
            f"{library.title} cannot be measured without {needed}", f"apt-get install {' '.join(missing)}"
        )


def _is_installed(needed: str) -> bool:
    if needed.endswith(".h"):
        return compilers.include(needed)
    if needed.endswith(".so"):
        return find_library(needed.removeprefix("lib").removesuffix(".so")) is not None
    return shutil.which(needed) is not None


def ensure_loads(path: Path, environment: Mapping[str, str], prefix: Sequence[str]) -> None:
    """Load a compiled provider once, in a new process. Raises BuildError with the loader's words."""
    load = "import ctypes, os, sys; ctypes.CDLL(sys.argv[1], os.RTLD_NOW)"
    command = [*prefix, sys.executable, "-c", load, str(path)]
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        message = done.stderr.strip().rpartition("\n")[2] or process.describe_exit(done.returncode)
        raise BuildError(f"what calls it does not load: {message.removeprefix('OSError: ')}")


def calls(groups: Sequence[str]) -> list[CommandLine]:
    """Return the command lines that opening the libraries of `groups` takes, none of which is executed."""
    return [call for group in groups for call in _module(group).calls()]


def _module(group: str) -> Any:
    return importlib.import_module(f"rseqbench.workloads.{group}")


class LibrarySession:
    """The environments of all libraries that a run asks for; of one that cannot be opened, the reason."""

    def __init__(self, groups: Sequence[str], stack: contextlib.ExitStack) -> None:
        """Open those of `groups`; `stack` ends them."""
        self._environments: dict[str, LibraryEnvironment] = {}
        self._reasons = dict.fromkeys(LIBRARIES, "")
        for group in groups:
            try:
                self._environments[group] = stack.enter_context(_module(group).open_environment())
            except RseqbenchError as error:
                self._reasons[group] = str(error)

    @property
    def any_open(self) -> bool:
        """Whether any library could be opened."""
        return bool(self._environments)

    def has(self, benchmark: str) -> bool:
        """Whether a benchmark calls a library that could be opened."""
        return BenchmarkId(benchmark).group in self._environments

    def environment(self) -> dict[str, str]:
        """Return the environment variables that a process needs."""
        return {name: value for opened in self._environments.values() for name, value in opened.environment().items()}

    def prefix(self) -> list[str]:
        """Return the words that a command is put behind."""
        return [word for opened in self._environments.values() for word in opened.prefix()]

    def facts(self) -> Facts:
        """Return the versions and the settings that decide the numbers."""
        return functools.reduce(operator.or_, (opened.facts() for opened in self._environments.values()), Facts())

    def begin(self, benchmarks: Sequence[str], stage: Stage) -> str:
        """Take note that a process is about to measure `benchmarks`, some of which may be a library's.

        Return what went wrong with a library, whose benchmarks are void with that; empty when nothing did.
        """
        groups = {BenchmarkId(benchmark).group for benchmark in benchmarks} & set(self._environments)
        return next(filter(None, [self._environments[group].begin(stage) for group in sorted(groups)]), "")

    def doubts(self, benchmark: str) -> str:
        """Return why what a benchmark just did cannot be believed; empty when it can, or is no library's."""
        environment = self._environments.get(BenchmarkId(benchmark).group)
        return environment.doubts(benchmark) if environment else ""

    def describe(self, benchmark: Benchmark) -> Benchmark:
        """Return a benchmark, with the reason why it cannot be measured where its library is not there."""
        environment = self._environments.get(benchmark.group)
        why = environment.unavailable_reason(benchmark.name) if environment else self._reasons.get(benchmark.group, "")
        return replace(benchmark, unavailable=why) if why else benchmark
