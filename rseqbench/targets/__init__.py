"""Where benchmarks run. A target can be entered and left, says what it is, checks and measures; a file each."""

from __future__ import annotations

import contextlib
import importlib
import platform
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from rseqbench.build import products
from rseqbench.build.architectures import Arch
from rseqbench.build.linux import DEBIAN
from rseqbench.config import CheckOptions, RunOptions
from rseqbench.errors import UsageError, unknown
from rseqbench.model import (
    Benchmark,
    Case,
    Check,
    CommandLine,
    Counts,
    GatedRequest,
    GatedRound,
    Machine,
    Plan,
    ProgramResult,
    Registration,
)

if TYPE_CHECKING:
    import pyperf  # doctor looks at targets where it is missing


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

    def calls(self) -> list[CommandLine]:
        """Return the command lines that entering it executes, in their order, by executing none; entered or not."""

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

    def gate(self, slots: Sequence[GatedRequest], plan: Plan, options: Mapping[str, int]) -> GatedRound:
        """Run one gated round of the slots; `options` are those of host_round() in kernels/core/host.h."""

    def count(self, case: Case, plan: Plan, loops: Sequence[int], repeat: int) -> Counts:
        """Count the instructions that each number of `loops` takes, `repeat` times, where time is emulated."""

    def run(self, path: str, arguments: Sequence[str], registration: Registration, limit_s: float) -> ProgramResult:
        """Run a program that lies there until it ends, its C library told to register or not."""

    def doubts(self, case: Case) -> str:
        """Return why what a case just did cannot be believed, by a witness outside of it; empty when it can."""

    def boot(self) -> str:
        """Return what is never the same in two boots of it."""

    def reboot(self) -> bool:
        """Boot it anew if it is ours to boot; False where somebody else has to."""


@dataclass(frozen=True)
class TargetKind:
    """A kind of target: the module and class that make one, and what is special about it.

    emulated: its time is; boots: it boots a Linux; where: its name goes on with where it is.
    """

    module: str
    name: str
    emulated: bool = False
    boots: bool = False
    where: bool = False


TARGETS = {
    "native": TargetKind("native.target", "NativeTarget"),
    "runner": TargetKind("runner.target", "LocalRunnerTarget"),
    "ssh": TargetKind("ssh.target", "SshTarget", where=True),
    "labgrid": TargetKind("labgrid.target", "LabgridTarget", where=True),
    "qemu-system": TargetKind("qemu.target", "QemuSystemTarget", emulated=True, boots=True),
    "qemu-kvm": TargetKind("qemu.target", "QemuKvmTarget", boots=True),
    "qemu-user": TargetKind("qemu.user", "QemuUserTarget", emulated=True),
}


def may_run_here(arch: Arch) -> bool:
    """Whether this machine is of a kind that may run the code of an architecture other than its own."""
    return platform.machine() in arch.compat


def runs_here(arch: Arch) -> bool:
    """Whether this machine really runs the code of such an architecture, as seen by running some."""
    if not may_run_here(arch):
        return False
    command = [str(products.runner(arch).path), "once", "rseqbench/1", "1", "hello"]
    with contextlib.suppress(OSError):
        return not subprocess.run(command, capture_output=True, check=False).returncode
    return False


def resolve_target(arch: Arch, target: str, runs_here: Callable[[Arch], bool] = runs_here) -> str:
    """Return the target that "auto" means for an architecture: this machine where it runs its code, else emulation.

    A 64-bit ARM may run arm32 through the static runner; whether this one does is tried, by `runs_here`.
    """
    if target != "auto":
        return target
    if arch.is_host:
        return "native"
    return "runner" if runs_here(arch) else "qemu-system"


def target_kind(target: str) -> TargetKind:
    """Return the kind of a target. Raises UsageError when there is none of that name."""
    name, colon, _ = target.partition(":")
    if name not in TARGETS or (colon and not TARGETS[name].where):
        raise unknown("target", target, [*TARGETS, "auto"])
    return TARGETS[name]


def create(arch: Arch, options: RunOptions) -> Target:
    """Return the target that the options name, "auto" resolved.

    Raises UsageError when there is no such kind, or when it boots no Linux and the options say which or how.
    """
    options = replace(options, target=resolve_target(arch, options.target))
    found = target_kind(options.target)
    if options.linux != DEBIAN and not found.boots:
        why = f"target {options.target} boots no Linux, and {options.linux} was given to boot"
        raise UsageError(why, "--linux is for --target qemu-system")
    if options.runner != "qemu" and not found.boots:
        why = f"target {options.target} boots no Linux, so there is nothing for --runner {options.runner} to start"
        raise UsageError(why, "it is for --config, or --target qemu-system")
    module = importlib.import_module(f"rseqbench.targets.{found.module}")  # a target is loaded when it is used
    made: Target = getattr(module, found.name)(arch, options)
    return made
