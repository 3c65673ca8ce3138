"""Whole programs that are measured, hackbench of them: where they lie, and with which arguments they run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from rseqbench.errors import TargetError
from rseqbench.model import Benchmark, BenchmarkId, ProgramResult, Timing


@dataclass(frozen=True)
class Program:
    """A program that is measured as a whole.

    package: the Debian package that has it; path: the same on a machine and in a guest; figure: matches the seconds
    that the program prints; arguments: by the machine's kind of time, since a run takes seconds to minutes.
    """

    benchmark: BenchmarkId
    doc: str
    package: str
    path: str
    figure: re.Pattern[str]
    arguments: Mapping[Timing, str]

    def seconds(self, result: ProgramResult) -> float:
        """Return the program's own figure. Raises TargetError when it failed, or printed none."""
        if result.code:
            words = (result.errors or result.output).strip().partition("\n")[0]
            raise TargetError(f"{self.path} exited with {result.code}: {words or 'it says no more'}")
        match = self.figure.search(result.output)
        if match is None:
            raise TargetError(f"{self.path} printed no time: {result.output.strip()[:80]!r}")
        return float(match[1])


# The patch ran `hackbench -l 100000` ten times; its defaults are 10 groups of 40 processes over socket pairs. On a
# virtual machine that takes minutes, and an emulated one has to count each of some hundred million instructions.
HACKBENCH = Program(
    BenchmarkId("hackbench/processes"),
    "hackbench of Debian's rt-tests: groups of processes that send each other messages",
    "rt-tests",
    "/usr/bin/hackbench",
    re.compile(r"^Time: (\d+\.\d+)$", re.MULTILINE),
    {"hardware": "-l 100000", "virtual": "-l 1000", "emulated": "-l 100 -g 2"},
)


PROGRAMS = {program.benchmark: program for program in (HACKBENCH,)}


def describe_program(program: Program, unavailable: str = "") -> Benchmark:
    """Return a program as a benchmark, with the reason why it cannot be measured here if it cannot."""
    return Benchmark(program.benchmark, program.doc, unavailable, whole=True)


def missing_reason(program: Program) -> str:
    """Return the reason why a program cannot be measured on a machine that lacks it."""
    return f"no {program.path}: apt-get install {program.package}"


def choose_arguments(program: Program, wanted: str | None, timing: Timing) -> str:
    """Return the arguments that are `wanted` for a program, by default those that fit a machine's time."""
    return program.arguments.get(timing, "") if wanted is None else wanted
