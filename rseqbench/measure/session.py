"""A run's beginning: its plan for the machine that was reached, and its folder; or the one that was left unfinished."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from rseqbench import workloads
from rseqbench.build import disassembly
from rseqbench.build.linux.build import attachments
from rseqbench.config import Preset, RunOptions
from rseqbench.errors import UsageError
from rseqbench.measure import plan
from rseqbench.model import SAME_IN_A_RUN, Machine
from rseqbench.store.runs import Header, Store, UnfinishedRun
from rseqbench.targets import Target, resolve


@dataclass(frozen=True)
class RunRequest:
    """What a run is asked to do, as far as that does not depend on the machine: the same for many of them."""

    options: RunOptions
    preset: Preset
    seed: int
    label: str
    force: bool = False
    command: str = ""  # that repeats it, where it is not the one that we were called with


def command() -> str:
    """Return the command line that we were called with."""
    return shlex.join(["rseqbench", *sys.argv[1:]])


def begin_run(target: Target, asked: RunRequest, store: Store) -> UnfinishedRun:
    """Plan a run for an entered target and open its folder.

    Raises UsageError when the machine there is not what was asked for, ResultsError when the label is taken.
    """
    machine = target.machine()
    refused = resolve.check_configuration(asked.options, machine.facts)
    if refused:
        raise UsageError(f"{machine.target} is not what was asked for: {refused}", "boot another Linux, or --config")
    given = workloads.arguments(workloads.HACKBENCH, asked.options.hackbench, machine.timing)
    options = replace(asked.options, hackbench=given)
    benchmarks = target.benchmarks()
    planned = plan.make(benchmarks, options, asked.preset, target.registration(), target.cpus(), asked.seed)
    header = Header(
        label=asked.label,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=asked.command or command(),
        plan=planned,
        machines=(machine,),
        docs={benchmark.name: benchmark.doc for benchmark in benchmarks if benchmark.name in plan.names(planned)},
    )
    unfinished = store.begin(header, force=asked.force)
    for file in [*attachments(options.linux), *disassembly.attachments(machine)]:
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
    """Return the options under which a stored run was begun, as far as its target needs them again."""
    machine = header.machines[0]
    facts = machine.facts
    options: dict[str, Any] = {
        "arch": machine.arch,
        "target": machine.target,
        "engine": header.plan.engine,
        "cpus": ",".join(map(str, header.plan.cpus)),
        "registration": str(facts.registration or "auto"),
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
