"""A foreign program under qemu-user: no rseq there, but the other methods run, and a foreign build is seen to work.

What is counted are the instructions of the program itself; what Linux does in a system call is not among them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rseqbench.build import products
from rseqbench.build.architectures import Arch
from rseqbench.build.linux.image import emulated
from rseqbench.errors import TargetError
from rseqbench.model import Benchmark, Call, Case, Counts, Fact, Plan
from rseqbench.targets.qemu import instruction_count
from rseqbench.targets.runner import protocol
from rseqbench.targets.runner.target import Served

_TIMEOUT_S = 300.0
_REAL_RSEQ = "--target qemu-system has one"
_STEP = 100  # instructions: by so many, writing an answer of other digits differs


class QemuUser(Served):
    """The target `qemu-user`."""

    timing = "emulated"

    def _connect(self, program: Path, stack: contextlib.ExitStack) -> _Once:
        """Return what starts a process for each request."""
        instruction_count.qemu_with_plugins(self._arch)
        self._once = _Once(self._arch, program)
        return self._once

    def _connecting(self, program: Path) -> list[Call]:
        """Return the compiler's call for the plugin, and the first process; one like it follows for each request."""
        plugin = products.plugin_call()
        library = products.plugin_path() if plugin.words else Path("PLUGIN")
        hello = _Once.words("hello", registration=self._options.registration)
        words = instruction_count.command(emulated(self._arch).user, library, 3, program, hello)
        return [plugin, Call("ask the runner who it is", tuple(words), "a process like it follows for each request")]

    def benchmarks(self) -> list[Benchmark]:
        """Return all kernels, and where those that need rseq have it."""
        return [
            replace(one, unavailable=f"{one.unavailable}; {_REAL_RSEQ}") if one.needs_rseq and one.unavailable else one
            for one in super().benchmarks()
        ]

    def count(self, case: Case, plan: Plan, loops: Sequence[int], repeat: int) -> Counts:
        """Count the instructions of whole processes that do each number of `loops` once."""
        operations, taken, aborts = [], [], 0
        for number in loops:
            runs = [self._whole(case, plan, number) for _ in range(repeat)]
            operations.append(runs[0][0]["operations"][0])  # whole processes: their warm-up is in the count
            taken.append(tuple(instructions for _, instructions in runs))
            aborts += sum(sum(answer["aborts"]) for answer, _ in runs)
        return Counts(tuple(operations), tuple(taken), _STEP, aborts, case.registration.value)

    def _whole(self, case: Case, plan: Plan, loops: int) -> tuple[Any, int]:
        return self._once.counted(
            "time",
            _TIMEOUT_S,
            kernel=case.benchmark,
            threads=1,
            cpus=[plan.cpus[0]],
            loops=[loops],
            registration=case.registration.value,
        )

    def _own_facts(self) -> Mapping[str, Fact]:
        return {"emulator": f"{emulated(self._arch).user}, user mode: Linux's instructions are not counted"}


class _Once:
    """A runner that is started anew for each request."""

    broken = False

    def __init__(self, arch: Arch, program: Path) -> None:
        self._arch = arch
        self._program = program

    @staticmethod
    def words(verb: str, **arguments: protocol.Argument) -> list[str]:
        """Return what the runner is started with for a request."""
        return ["once", *protocol.encode(1, verb, **arguments).decode("ascii").split(" ")]

    def ask(self, verb: str, timeout_s: float, **arguments: protocol.Argument) -> Any:
        """Return the answer; see docs/protocol.md. Raises TargetError."""
        return self.counted(verb, timeout_s, **arguments)[0]

    def counted(self, verb: str, timeout_s: float, **arguments: protocol.Argument) -> tuple[Any, int]:
        """Return the answer, and the instructions that it took to be there."""
        done = instruction_count.run(self._arch, self._program, self.words(verb, **arguments), timeout_s=timeout_s)
        line, newline, rest = done.stdout.partition(b"\n")
        if not newline or rest:
            raise TargetError(f"the runner answered with more or less than a line: {done.stdout[:80]!r}")
        return protocol.decode(line, 1), done.instructions
