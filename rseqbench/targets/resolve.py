"""Which targets there are, and which one the options of a run mean: "auto" chosen, a Linux to boot named."""

from __future__ import annotations

import contextlib
import importlib
import platform
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from rseqbench.build import products
from rseqbench.build.architectures import Arch
from rseqbench.build.linux import DEBIAN, build, kvm
from rseqbench.config import LinuxOptions, RunOptions
from rseqbench.errors import UsageError, unknown
from rseqbench.model import Facts
from rseqbench.targets import Target

ANY = "any"
_ABSENT = "ENOSYS"


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


def resolve_options(
    arch: Arch,
    options: RunOptions,
    linux: LinuxOptions,
    kvm_unusable: Callable[[Arch, Path], str] | None = None,
    runs_here: Callable[[Arch], bool] = runs_here,
) -> RunOptions:
    """Return the options with "auto" resolved and, where a guest is to boot a Linux that was built, that Linux named.

    A guest runs under KVM where that really works, else emulated. On the running Linux, the static runner measures,
    since only that can be executed again. What has to be tried is tried by `kvm_unusable`, else by the real one, and by
    `runs_here`. Raises UsageError when the Linux was not built yet.
    """
    if options.rseq == ANY or options.linux != DEBIAN:
        return replace(options, target=resolve_target(arch, options.target, runs_here))
    if options.boot == "host":
        return replace(options, target="runner" if options.target == "auto" else options.target)
    found = build.built(arch, linux, options.rseq)
    if found is None:
        how = f"rseqbench linux build --arch {arch.name}"
        raise UsageError(f"Linux for {arch.name} with CONFIG_RSEQ={options.rseq} is not built yet", how)
    options = replace(options, linux=str(found.folder))
    if options.target != "auto":
        return options
    why = (kvm_unusable or kvm.unusable)(arch, found.image)
    return replace(options, target="qemu-system" if why else "qemu-kvm")


def check_configuration(options: RunOptions, facts: Facts) -> str:
    """Return why a machine is not what the options ask for, by its facts; empty when it is.

    What a configuration says, in /proc/config.gz or /boot, must agree with what the system call does.
    """
    if options.rseq == ANY:
        return ""
    says, reason = facts.config_rseq or "unknown", facts.rseq_reason or ""
    if says not in ("unknown", options.rseq):
        return f"its Linux has CONFIG_RSEQ={says}, and this configuration is for {options.rseq}"
    works = _ABSENT not in reason
    if works != (options.rseq == "y"):
        does = "answers" if works else f"says {_ABSENT}"
        return f"its rseq system call {does}, and this configuration is for CONFIG_RSEQ={options.rseq}"
    return ""
