"""The protocols of a target: `Target` for all of them, and one for each capability that only some have.

An engine asks for a capability with require(), which raises the one error for a target without it. Each folder here is
a way to reach a machine; resolve.py finds them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, TypeVar, runtime_checkable

from rseqbench.config import CheckOptions
from rseqbench.errors import TargetError
from rseqbench.model import Benchmark, Case, Check, CommandLine, Machine, Plan, ProgramResult, Registration
from rseqbench.targets.measurements import ChunkRequest, Counts, GatedRound, LoopTimes

Capability = TypeVar("Capability")


@dataclass(frozen=True)
class TargetKind:
    """A kind of target: its module and class, and its special properties.

    emulated: its time is; boots: it boots a kernel; has_address: its name goes on with one, such as ssh:HOST.
    """

    module: str
    name: str
    emulated: bool = False
    boots: bool = False
    has_address: bool = False


class Target(Protocol):
    """A machine to measure on. Methods raise TargetError when the machine fails them."""

    def __enter__(self) -> Self:
        """Make it ready: compile, connect, boot."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave nothing behind: no process, no file."""

    @property
    def arch(self) -> str:
        """The name of its architecture."""

    def calls(self) -> list[CommandLine]:
        """Return the command lines that entering it executes, in their order, by executing none; entered or not."""

    def machine(self) -> Machine:
        """Describe the machine: its architecture, its facts, and whether its time is real."""

    def cpus(self) -> tuple[int, ...]:
        """Return the CPUs to pin to, the preferred one first."""

    def registration(self) -> Registration:
        """Return who registers rseq in its processes."""

    def benchmarks(self) -> list[Benchmark]:
        """Return everything that is compiled in, with the reason where something cannot run."""

    def check(self, benchmark: Benchmark, options: CheckOptions) -> Check:
        """Check that a benchmark is exact."""

    def new_round(self) -> None:
        """Make the next request run in fresh processes."""

    def doubts(self, case: Case) -> str:
        """Return why the values just measured of a case are void, by a witness outside of it; else nothing."""

    def boot_id(self) -> str:
        """Return an identifier that no two boots of the machine share."""


@runtime_checkable
class TimesCases(Protocol):
    """It times one case in one process, as pyperf does."""

    def measure(self, case: Case, plan: Plan, loops: int) -> LoopTimes:
        """Time a case with `loops` operations a value; with 0 loops, find out how many last `value_ms` of the plan."""


@runtime_checkable
class RunsGatedRounds(Protocol):
    """It times chunks of many cases, interleaved in one process."""

    def calibrate(self, case: Case, plan: Plan, chunk_ns: int) -> int:
        """Return how many operations, in each thread, of a case last `chunk_ns` with a core for each."""

    def gate(self, requests: Sequence[ChunkRequest], plan: Plan, options: Mapping[str, int]) -> GatedRound:
        """Run one gated round of the requests; `options` are those of host_round() in kernels/core/host.h."""


@runtime_checkable
class CountsInstructions(Protocol):
    """It counts instructions: the machine is emulated."""

    def count(self, case: Case, plan: Plan, loops: Sequence[int], repeat: int) -> Counts:
        """Count the instructions that each number of `loops` takes, `repeat` times."""


@runtime_checkable
class RunsPrograms(Protocol):
    """It runs programs that lie on the machine."""

    def run(self, path: str, arguments: Sequence[str], registration: Registration, limit_s: float) -> ProgramResult:
        """Run a program to its end; its C library registers rseq or does not, as `registration` says."""


@runtime_checkable
class Reboots(Protocol):
    """It can be booted again by us."""

    def reboot(self) -> None:
        """Boot it again."""


_LACKING = {
    TimesCases: "times no single case",
    RunsGatedRounds: "runs no gated rounds",
    CountsInstructions: "counts no instructions, as time is real there",
    RunsPrograms: "runs no programs",
}


def require(target: Target, capability: type[Capability]) -> Capability:
    """Return the target as one that has a capability: one of the protocols above. Raises TargetError if it lacks it."""
    if isinstance(target, capability):
        return target
    raise TargetError(f"target {target.machine().target} {_LACKING[capability]}")
