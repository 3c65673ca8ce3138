"""Running on a Linux with a certain CONFIG_RSEQ: which target that takes, and whether what was reached is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rseqbench import targets
from rseqbench.build.architectures import Arch
from rseqbench.build.linux import DEBIAN, build, kvm
from rseqbench.config import LinuxOptions, RunOptions
from rseqbench.errors import UsageError
from rseqbench.model import Facts

ANY = "any"
_ABSENT = "ENOSYS"


def resolve_options(
    arch: Arch,
    options: RunOptions,
    linux: LinuxOptions,
    kvm_unusable: Callable[[Arch, Path], str] | None = None,
    runs_here: Callable[[Arch], bool] = targets.runs_here,
) -> RunOptions:
    """Return the options with "auto" resolved and, where a guest is to boot a Linux that was built, that Linux named.

    A guest runs under KVM where that really works, else emulated. On the running Linux, the static runner measures,
    since only that can be executed again. What has to be tried is tried by `kvm_unusable`, else by the real one, and by
    `runs_here`. Raises UsageError when the Linux was not built yet.
    """
    if options.rseq == ANY or options.linux != DEBIAN:
        return replace(options, target=targets.resolve_target(arch, options.target, runs_here))
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
