"""Where benchmarks run. A target can be entered and left, says what it is, checks and measures; a file each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self

import pyperf

from rseqbench.arches import Arch
from rseqbench.config import CheckOptions, RunOptions, unknown
from rseqbench.model import Benchmark, Case, Check, Counts, GatedRound, Machine, Plan, Registration, Slot


class Target(Protocol):
    """One place to measure. Methods raise TargetError when the place fails them."""

    def __enter__(self) -> Self:
        """Make it ready: compile, connect, boot."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave nothing behind: no process, no file."""

    @property
    def arch(self) -> str:
        """The name of its architecture."""

    def machine(self) -> Machine:
        """Say what it is, and whether its time is real."""

    def cpus(self) -> tuple[int, ...]:
        """Return the CPUs to pin to, the preferred one first."""

    def registration(self) -> Registration:
        """Return who registers rseq in its processes."""

    def benchmarks(self) -> list[Benchmark]:
        """Return everything that is compiled in, with the reason where something cannot run."""

    def check(self, benchmark: Benchmark, options: CheckOptions) -> Check:
        """Prove a benchmark exact, or say how it is not."""

    def new_round(self) -> None:
        """Make what comes next run in fresh processes."""

    def measure(self, case: Case, plan: Plan, number: int, loops: int) -> pyperf.Benchmark:
        """Time a case for round `number` with `loops` operations a value; with 0 loops, calibrate them."""

    def calibrate(self, case: Case, plan: Plan, chunk_ns: int) -> int:
        """Return how many operations, in each thread, of a case last `chunk_ns` on cores of its own."""

    def gate(self, slots: Sequence[Slot], plan: Plan, options: Mapping[str, int]) -> GatedRound:
        """Run one gated round of the slots; `options` are those of host_gate() in kernels/core/host.h."""

    def count(self, case: Case, plan: Plan, loops: Sequence[int], repeat: int) -> Counts:
        """Count the instructions that each number of `loops` takes, `repeat` times, where time is emulated."""


def _native(arch: Arch, options: RunOptions) -> Target:
    from rseqbench.targets.native import Native  # noqa: PLC0415 - a target is loaded when it is used

    return Native(arch, options)


KINDS: dict[str, Callable[[Arch, RunOptions], Target]] = {"native": _native}


def create(arch: Arch, options: RunOptions) -> Target:
    """Return the target that the options name. Raises UsageError when there is no such kind."""
    kind = options.target.partition(":")[0]
    if kind not in KINDS:
        raise unknown("target", options.target, KINDS)
    return KINDS[kind](arch, options)
