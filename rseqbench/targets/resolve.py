"""All targets, found in their folders, and the resolving of options: RequestedOptions -> ResolvedOptions."""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
import platform
import subprocess
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from rseqbench import targets
from rseqbench.build import architectures, products
from rseqbench.build.architectures import Arch
from rseqbench.build.linux import build, kvm
from rseqbench.build.linux.image import DEBIAN
from rseqbench.config import LinuxOptions, RequestedOptions, ResolvedOptions
from rseqbench.errors import UsageError, unknown_name
from rseqbench.model import Facts
from rseqbench.targets import Target, TargetKind

ANY, AUTO = "any", "auto"
_ABSENT = "ENOSYS"


def _find_targets() -> dict[str, TargetKind]:
    """Return all kinds of targets by name: each folder beside this file lists its own in its __init__.py."""
    folders = sorted(module.name for module in pkgutil.iter_modules(targets.__path__) if module.ispkg)
    modules = [importlib.import_module(f"{targets.__name__}.{folder}") for folder in folders]
    return {name: kind for module in modules for name, kind in module.TARGETS.items()}


TARGETS = _find_targets()


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
    if target != AUTO:
        return target
    if arch.is_host:
        return "native"
    return "runner" if runs_here(arch) else "qemu-system"


def target_kind(target: str) -> TargetKind:
    """Return the kind of a target. Raises UsageError when there is none of that name."""
    name, colon, _ = target.partition(":")
    if name not in TARGETS or (colon and not TARGETS[name].has_address):
        raise unknown_name("target", target, [*TARGETS, AUTO])
    return TARGETS[name]


def create_target(options: ResolvedOptions) -> Target:
    """Return the target that the options name, which is not entered yet."""
    kind = target_kind(options.target)
    module = importlib.import_module(kind.module)  # a target is loaded when it is used
    target: Target = getattr(module, kind.name)(architectures.named(options.arch), options)
    return target


def resolve_options(
    requested: RequestedOptions,
    linux: LinuxOptions,
    engine: str = "",
    kvm_unusable: Callable[[Arch, Path], str] | None = None,
    runs_here: Callable[[Arch], bool] = runs_here,
) -> ResolvedOptions:
    """Return the options with all choices made; `engine` is chosen by who measures, once the target is known.

    `kvm_unusable` and `runs_here` try what has to be tried, by default for real. Raises UsageError when there is no
    such target, when it boots no Linux and the options say which or how, or when the Linux to boot was not built yet.
    """
    arch = architectures.named(requested.arch)
    target, image = _choose_target(arch, requested, linux, kvm_unusable or kvm.find_kvm_problem, runs_here)
    kind = target_kind(target)
    if image != DEBIAN and not kind.boots:
        why = f"target {target} boots no Linux, and {image} was given to boot"
        raise UsageError(why, "--linux is for --target qemu-system")
    if requested.runner != "qemu" and not kind.boots:
        why = f"target {target} boots no Linux, so there is nothing for --runner {requested.runner} to start"
        raise UsageError(why, "it is for --config, or --target qemu-system")
    values: dict[str, Any] = {field.name: getattr(requested, field.name, None) for field in fields(ResolvedOptions)}
    return ResolvedOptions(**values | {
        "arch": arch.name,
        "asks_arch": requested.arch == architectures.HOST,
        "target": target,
        "engine": engine,
        **{name: None for name in ("cpus", "registration", "hackbench") if getattr(requested, name) == AUTO},
        "linux": image,
        "rseq": None if requested.rseq == ANY else requested.rseq,
    })  # fmt: skip


def _choose_target(
    arch: Arch,
    requested: RequestedOptions,
    linux: LinuxOptions,
    kvm_unusable: Callable[[Arch, Path], str],
    runs_here: Callable[[Arch], bool],
) -> tuple[str, str]:
    """Return the target and the Linux to boot there.

    A Linux that was built for a configuration runs in a guest: under KVM where that works, else emulated. On the
    running Linux, the static runner measures, since only that can be executed again.
    """
    if requested.rseq == ANY or requested.linux != DEBIAN:
        return resolve_target(arch, requested.target, runs_here), requested.linux
    if requested.boot == "host":
        return "runner" if requested.target == AUTO else requested.target, requested.linux
    built = build.find_built_kernel(arch, linux, requested.rseq)
    if built is None:
        hint = f"rseqbench linux build --arch {arch.name}"
        raise UsageError(f"Linux for {arch.name} with CONFIG_RSEQ={requested.rseq} is not built yet", hint)
    if requested.target != AUTO:
        return requested.target, str(built.folder)
    return "qemu-system" if kvm_unusable(arch, built.image) else "qemu-kvm", str(built.folder)


def check_configuration(options: ResolvedOptions, facts: Facts) -> str:
    """Return why a machine is not the one that the options ask for, by its facts; empty when it is.

    CONFIG_RSEQ as /proc/config.gz or /boot states it must agree with the system call.
    """
    if options.rseq is None:
        return ""
    configured = facts.config_rseq or "unknown"
    if configured not in ("unknown", options.rseq):
        return f"its Linux has CONFIG_RSEQ={configured}, and this configuration is for {options.rseq}"
    works = _ABSENT not in (facts.rseq_reason or "")
    if works != (options.rseq == "y"):
        does = "answers" if works else f"says {_ABSENT}"
        return f"its rseq system call {does}, and this configuration is for CONFIG_RSEQ={options.rseq}"
    return ""
