"""What a run would do, found out by doing none of it: nothing is compiled, booted, reached or written."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from rseqbench import selection
from rseqbench.build import architectures, products
from rseqbench.build.architectures import Arch
from rseqbench.build.linux import DEBIAN, fetched
from rseqbench.config import LinuxOptions, Preset, RunOptions
from rseqbench.measure import engines
from rseqbench.measure import plan as planning
from rseqbench.measure.engines.composite import create_engine
from rseqbench.model import Benchmark, DryRun, Registration
from rseqbench.targets import resolve
from rseqbench.targets.native.target import NativeTarget
from rseqbench.workloads import PROGRAMS, benchmark

_MANY_CPUS = tuple(range(4096))  # where they are not known yet, no case is left out for want of one


def rehearse_run(options: RunOptions, preset: Preset, linux: LinuxOptions, seed: int | None) -> DryRun:
    """Return what a run with these options would do. Raises UsageError for options that make no sense."""
    arch = architectures.named(options.arch)
    unknown: list[str] = []
    options = _placed(arch, options, linux, unknown)
    kind = resolve.target_kind(options.target)
    target = resolve.create(arch, options)
    here = isinstance(target, NativeTarget)
    cpus = target.cpus() if here else ()
    listed, registration = _listed(options, here, unknown)
    unknown += _at_the_target(arch, options)
    if kind.where and options.arch == architectures.HOST:
        unknown.append(f"Which architecture it is, the machine there says; the calls are shown for {arch.name}.")
    plans = []
    for engine in engines.choose_engines(options.engine, kind.emulated):
        own = dataclasses.replace(options, engine=engine, benchmarks=options.benchmarks if listed else [])
        plans.append(planning.make(listed, own, preset, registration, cpus or _MANY_CPUS, seed or 0))
    times = [create_engine(plan.engine).expected_s(plan) for plan in plans if plan.cases]
    return DryRun(
        arch=arch.name,
        target=options.target,
        options=options,
        plans=tuple(plans),
        cpus=cpus,
        seed=seed,
        expected_s=sum(filter(None, times)) if times and None not in times else None,
        calls=tuple(target.calls()),
        unknown=tuple(unknown),
    )


def _placed(arch: Arch, options: RunOptions, linux: LinuxOptions, unknown: list[str]) -> RunOptions:
    """Resolve "auto" as a run does, but for what it would try out."""

    def untried_kvm(_: Arch, image: Path) -> str:
        unknown.append(f"Whether KVM boots {image} is tried first; where it does, the target is qemu-kvm.")
        return "not tried"

    def untried_code(one: Arch) -> bool:
        if resolve.may_run_here(one):
            unknown.append(f"Whether this machine runs {one.name} code is tried first; if not, it is emulated.")
        return resolve.may_run_here(one)

    return resolve.resolve_options(arch, options, linux, untried_kvm, untried_code)


def _listed(options: RunOptions, here: bool, unknown: list[str]) -> tuple[Sequence[Benchmark], Registration]:
    """Return the benchmarks as the kernels that are compiled for this machine name them, none where none are.

    Where the run is to be `here`, they also say what cannot be measured, and who registers rseq.
    """
    host = architectures.host()
    if not products.extension_made(host):
        unknown.append("The kernels are not compiled for this machine yet, and they alone know which benchmarks exist.")
        return (), Registration.NONE
    own = dataclasses.replace(options, arch=host.name, target="native", engine="gated")
    with NativeTarget(host, own if here else dataclasses.replace(own, cpus="auto", registration="auto")) as native:
        found, registration = native.benchmarks(), native.registration()
    if here:
        return found, registration
    unknown.append(
        "Which of the benchmarks cannot be measured there, and on which CPUs the others are, the target says."
    )
    return [dataclasses.replace(one, unavailable="") for one in found], registration


def _at_the_target(arch: Arch, options: RunOptions) -> list[str]:
    """Return what else is done before the run, and depends on what is found."""
    if not resolve.target_kind(options.target).boots:
        return []
    found = []
    if options.linux == DEBIAN and fetched(arch) is None:
        found.append("Debian's Linux is not in the cache: its package is fetched with apt-get first, modules with it.")
    asked = [
        name
        for name in PROGRAMS
        if any(selection.matches(benchmark(PROGRAMS[name]), pattern) for pattern in options.benchmarks)
    ]
    if asked and options.runner == "qemu":
        found.append(f"The packages of {', '.join(asked)} are fetched with apt-get first, unless the cache has them.")
    return found
