"""Shipped libraries that kernels call: what each needs, and the surroundings in which its kernels can be measured."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Protocol

from rseqbench.errors import RseqbenchError
from rseqbench.model import Benchmark, Fact


class Surroundings(Protocol):
    """What is around the processes that measure a library, from before the first to after the last."""

    def environment(self) -> Mapping[str, str]:
        """Return what a process needs in its environment."""

    def prefix(self) -> Sequence[str]:
        """Return the words that a command is put behind, to run where the library finds what it needs."""

    def facts(self) -> Mapping[str, Fact]:
        """Return versions and whatever else decides the numbers."""

    def absent(self, benchmark: str) -> str:
        """Return why a benchmark cannot be measured with this version of the library; empty when it can."""

    def doubts(self, benchmark: str) -> str:
        """Return why what a benchmark just did cannot be believed, as seen from outside; empty when it can."""


@dataclass(frozen=True)
class Library:
    """A library that the kernels of a group call as it is shipped.

    packages: Debian's, that it takes to compile and measure. The module of its group's name in this folder has a
    function open_() that makes its Surroundings and ends them.
    """

    group: str
    title: str
    packages: str


_ALL = (
    Library("lttng", "LTTng-UST", "lttng-tools liblttng-ust-dev babeltrace2"),
    Library("urcu", "liburcu", "liburcu-dev"),
    Library("jemalloc", "jemalloc", "libjemalloc2"),
)
LIBRARIES = {one.group: one for one in _ALL}


def asked(patterns: Sequence[str]) -> list[str]:
    """Return the groups of shipped libraries that patterns of benchmarks ask for by name."""
    return [group for group in LIBRARIES if any(_names(pattern, group) for pattern in patterns)]


def _names(pattern: str, group: str) -> bool:
    """Whether a pattern may name a benchmark of a group; one of stars alone means all kernels."""
    return fnmatchcase(group, pattern.partition("/")[0]) and bool(pattern.strip("*"))


class Opened:
    """The surroundings of the libraries that a run asks for, as one; a library without them is only its reason why."""

    def __init__(self, groups: Sequence[str], stack: contextlib.ExitStack) -> None:
        """Open those of `groups`; `stack` ends them."""
        self._open: dict[str, Surroundings] = {}
        self._absent = dict.fromkeys(LIBRARIES, "")
        for group in groups:
            module = importlib.import_module(f"rseqbench.suites.{group}")
            try:
                self._open[group] = stack.enter_context(module.open_())
            except RseqbenchError as error:
                self._absent[group] = str(error)

    def environment(self) -> dict[str, str]:
        """Return what a process needs in its environment."""
        return {name: value for one in self._open.values() for name, value in one.environment().items()}

    def prefix(self) -> list[str]:
        """Return the words that a command is put behind."""
        return [word for one in self._open.values() for word in one.prefix()]

    def facts(self) -> dict[str, Fact]:
        """Return versions and whatever else decides the numbers."""
        return {name: value for one in self._open.values() for name, value in one.facts().items()}

    def doubts(self, benchmark: str) -> str:
        """Return why what a benchmark just did cannot be believed; empty when it can, or is no library's."""
        found = self._open.get(benchmark.partition("/")[0])
        return found.doubts(benchmark) if found else ""

    def described(self, benchmark: Benchmark) -> Benchmark:
        """Return a benchmark, with the reason why it cannot be measured where its library is not there."""
        found = self._open.get(benchmark.group)
        why = found.absent(benchmark.name) if found else self._absent.get(benchmark.group, "")
        return replace(benchmark, unavailable=why) if why else benchmark
