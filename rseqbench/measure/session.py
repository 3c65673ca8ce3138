"""A run's beginning: its plan for the machine that was reached, and its folder; or the one that was left unfinished."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from rseqbench import resume, workloads
from rseqbench.build import disassembly
from rseqbench.build.linux.build import attachments
from rseqbench.config import Preset, RunOptions
from rseqbench.errors import UsageError
from rseqbench.measure import plan
from rseqbench.store.runs import Header, Store, Unfinished
from rseqbench.targets import Target, resolve


@dataclass(frozen=True)
class Asked:
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


def anew(target: Target, asked: Asked, store: Store) -> Unfinished:
    """Plan a run for an entered target and open its folder.

    Raises UsageError when the machine there is not what was asked for, ResultsError when the label is taken.
    """
    machine = target.machine()
    refused = resolve.refused(asked.options, machine.facts)
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


def again(target: Target, unfinished: Unfinished) -> None:
    """Take up an unfinished run on the entered target. Raises UsageError when that is not the machine any more."""
    changed = resume.changed_since(unfinished.header.machines[0], target.machine())
    if changed:
        raise UsageError(f"run {unfinished.header.label!r} cannot be resumed: {changed}", "begin a new one")
