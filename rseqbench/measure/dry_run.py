"""What a run would do, found out by doing none of it: nothing is compiled, booted, reached or written."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from rseqbench import selection
from rseqbench.build import architectures, products
from rseqbench.build.architectures import Arch
from rseqbench.build.linux.image import DEBIAN, find_debian_image
from rseqbench.config import LinuxOptions, Preset, RequestedOptions, ResolvedOptions
from rseqbench.measure import engines
from rseqbench.measure import plan as planning
from rseqbench.measure.engines.composite import create_engine
from rseqbench.model import Benchmark, DryRun, Registration
from rseqbench.targets import resolve
from rseqbench.targets.native.target import NativeTarget
from rseqbench.workloads.hackbench import PROGRAMS, describe_program

_MANY_CPUS = tuple(range(4096))  # where they are not known yet, no case is left out for want of one


def rehearse_run(requested: RequestedOptions, preset: Preset, linux: LinuxOptions, seed: int | None) -> DryRun:
    """Return what a run with these options would do. Raises UsageError for options that make no sense."""
    unknown: list[str] = []
    options = _resolve_untried(requested, linux, unknown)
    kind = resolve.target_kind(options.target)
    target = resolve.create_target(options)
    here = isinstance(target, NativeTarget)
    cpus = target.cpus() if here else ()
    benchmarks, registration = _known_benchmarks(options, here, unknown)
    unknown += _unknown_files(options)
    if kind.has_address and options.asks_arch:
        unknown.append(f"Which architecture it is, the machine there says; the calls are shown for {options.arch}.")
    plans = []
    for engine in engines.choose_engines(requested.engine, kind.emulated):
        own = dataclasses.replace(options, engine=engine, benchmarks=options.benchmarks if benchmarks else [])
        plans.append(planning.make_plan(benchmarks, own, preset, registration, cpus or _MANY_CPUS, seed or 0))
    times = [create_engine(plan.engine).expected_s(plan) for plan in plans if plan.cases]
    return DryRun(
        arch=options.arch,
        target=options.target,
        options=requested,
        plans=tuple(plans),
        cpus=cpus,
        seed=seed,
        expected_s=sum(filter(None, times)) if times and None not in times else None,
        calls=tuple(target.calls()),
        unknown=tuple(unknown),
    )


def _resolve_untried(requested: RequestedOptions, linux: LinuxOptions, unknown: list[str]) -> ResolvedOptions:
    """Resolve the options as a run does, but try nothing; what a run would try goes to `unknown`."""

    def untried_kvm(_: Arch, image: Path) -> str:
        unknown.append(f"Whether KVM boots {image} is tried first; where it does, the target is qemu-kvm.")
        return "not tried"

    def untried_code(arch: Arch) -> bool:
        if resolve.may_run_here(arch):
            unknown.append(f"Whether this machine runs {arch.name} code is tried first; if not, it is emulated.")
        return resolve.may_run_here(arch)

    return resolve.resolve_options(requested, linux, kvm_unusable=untried_kvm, runs_here=untried_code)


def _known_benchmarks(
    options: ResolvedOptions, here: bool, unknown: list[str]
) -> tuple[Sequence[Benchmark], Registration]:
    """Return the benchmarks that are compiled for this machine, none where none are.

    Where the run is to be `here`, they also say what cannot be measured, and who registers rseq.
    """
    host = architectures.host()
    if not products.extension_made(host):
        unknown.append("The kernels are not compiled for this machine yet, and they alone know which benchmarks exist.")
        return (), Registration.NONE
    own = dataclasses.replace(options, arch=host.name, target="native", engine="gated")
    with NativeTarget(host, own if here else dataclasses.replace(own, cpus=None, registration=None)) as native:
        benchmarks, registration = native.benchmarks(), native.registration()
    if here:
        return benchmarks, registration
    unknown.append(
        "Which of the benchmarks cannot be measured there, and on which CPUs the others are, the target says."
    )
    return [dataclasses.replace(benchmark, unavailable="") for benchmark in benchmarks], registration


def _unknown_files(options: ResolvedOptions) -> list[str]:
    """Return which files of a guest are fetched before the run, in sentences."""
    if not resolve.target_kind(options.target).boots:
        return []
    sentences = []
    if options.linux == DEBIAN and find_debian_image(architectures.named(options.arch)) is None:
        sentences.append(
            "Debian's Linux is not in the cache: its package is fetched with apt-get first, modules with it."
        )
    programs = [
        name
        for name, program in PROGRAMS.items()
        if any(selection.matches(describe_program(program), pattern) for pattern in options.benchmarks)
    ]
    if programs and options.runner == "qemu":
        names = ", ".join(programs)
        sentences.append(f"The packages of {names} are fetched with apt-get first, unless the cache has them.")
    return sentences
