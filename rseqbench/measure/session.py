"""A run's beginning: its plan for the machine that was reached, and its folder; or the one that was left unfinished."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from rseqbench.build import disassembly
from rseqbench.build.linux.build import list_attachments
from rseqbench.config import Preset, ResolvedOptions
from rseqbench.errors import UsageError
from rseqbench.measure import plan
from rseqbench.model import SAME_IN_A_RUN, Machine
from rseqbench.store import runs
from rseqbench.store.runs import Header, Store, UnfinishedRun
from rseqbench.targets import Target, resolve
from rseqbench.workloads.hackbench import HACKBENCH, choose_arguments


@dataclass(frozen=True)
class RunRequest:
    """One run to be measured, without anything that only the machine knows: the same for all members of a fleet.

    command: repeats it, by default the command line of this process.
    """

    options: ResolvedOptions
    preset: Preset
    seed: int
    label: str
    force: bool = False
    command: str = ""


def command_line() -> str:
    """Return the command line of this process."""
    return shlex.join(["rseqbench", *sys.argv[1:]])


def run_labels(label: str, engine_names: Sequence[str]) -> dict[str, str]:
    """Return the label of the run by each engine: `label` itself where there is but one."""
    return {name: f"{label}-{name}" if len(engine_names) > 1 else label for name in engine_names}


def free_label(arch: str, engine_names: Sequence[str], store: Store) -> str:
    """Return a new label for runs on an architecture, which is free for those of all the engines."""
    taken = store.taken()
    return runs.fresh_label(
        arch, taken | {name.removesuffix(f"-{engine}") for name in taken for engine in engine_names}
    )


def begin_run(target: Target, request: RunRequest, store: Store) -> UnfinishedRun:
    """Plan a run for an entered target and open its folder.

    Raises UsageError when the machine is not the one that the options ask for, ResultsError when the label is taken.
    """
    machine = target.machine()
    mismatch = resolve.check_configuration(request.options, machine.facts)
    if mismatch:
        raise UsageError(f"{machine.target} is not what was asked for: {mismatch}", "boot another Linux, or --config")
    arguments = choose_arguments(HACKBENCH, request.options.hackbench, machine.timing)
    options = replace(request.options, hackbench=arguments)
    benchmarks = target.benchmarks()
    planned = plan.make_plan(benchmarks, options, request.preset, target.registration(), target.cpus(), request.seed)
    header = Header(
        label=request.label,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=request.command or command_line(),
        plan=planned,
        machines=(machine,),
        docs={
            benchmark.name: benchmark.doc for benchmark in benchmarks if benchmark.name in plan.benchmark_names(planned)
        },
    )
    unfinished = store.begin(header, force=request.force)
    for file in [*list_attachments(options.linux), *disassembly.attachments(machine)]:
        unfinished.attach(file)
    return unfinished


def resume_run(target: Target, unfinished: UnfinishedRun) -> None:
    """Take up an unfinished run on the entered target. Raises UsageError when that is not the machine any more."""
    changed = changed_since(unfinished.header.machines[0], target.machine())
    if changed:
        raise UsageError(f"run {unfinished.header.label!r} cannot be resumed: {changed}", "begin a new one")


def changed_since(begun: Machine, now: Machine) -> str:
    """Return which fact of the machine differs from when a run was begun, in words; empty when none does."""
    before, after = begun.facts.to_dict(), now.facts.to_dict()
    for name in SAME_IN_A_RUN:
        if name == "cpu_model" and name not in before:  # begun by a rseqbench that did not know it
            continue
        if before.get(name) != after.get(name):
            return f"{name} was {before.get(name)!r} and is {after.get(name)!r}"
    return ""


def resumed_options(header: Header) -> dict[str, Any]:
    """Return the requested options of a stored run that its target needs again.

    Whether the machine is the same one, its facts tell: no configuration is asked for.
    """
    machine = header.machines[0]
    facts = machine.facts
    options: dict[str, Any] = {
        "arch": machine.arch,
        "target": machine.target,
        "engine": header.plan.engine,
        "cpus": ",".join(map(str, header.plan.cpus)),
        "registration": str(facts.registration or resolve.AUTO),
        "rseq": resolve.ANY,
    }
    benchmarks = sorted({case.benchmark for case in header.plan.cases})
    if benchmarks:  # what is measured decides which libraries are opened, and what lies in a guest
        options["benchmarks"] = benchmarks
    if facts.coordinator is not None:
        options["coordinator"] = facts.coordinator
    if facts.labgrid_environment is not None:
        options["environment"] = facts.labgrid_environment
    if facts.linux_image is not None:
        options["linux"] = facts.linux_image
        options["runner"] = facts.runner or "qemu"
    return options
