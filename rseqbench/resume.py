"""Taking a stored run up again: with which options, and whether the machine is still the one where it was begun."""

from __future__ import annotations

from typing import Any

from rseqbench.model import Machine
from rseqbench.store.runs import Header

# What must not change between the rounds of one run.
SAME = (
    "cpu",
    "cpu_model",
    "linux",
    "libc",
    "config_rseq",
    "compiler",
    "kernels",
    "registration",
    "rseq_feature_size",
    "virtual",
    "emulator",
    "linux_package",
    "linux_build",
    "runner",
    "lttng_ust",
    "lttng_linked",
    "liburcu",
    "liburcu_linked",
)


def changed_since(begun: Machine, now: Machine) -> str:
    """Return which fact of the machine differs from when a run was begun, in words; empty when none does."""
    for name in SAME:
        if name == "cpu_model" and name not in begun.facts:  # begun by a rseqbench that did not know it
            continue
        if begun.facts.get(name) != now.facts.get(name):
            return f"{name} was {begun.facts.get(name)!r} and is {now.facts.get(name)!r}"
    return ""


def resumed_options(header: Header) -> dict[str, Any]:
    """Return the options under which a stored run was begun, as far as its target needs them again."""
    machine = header.machines[0]
    options: dict[str, Any] = {
        "arch": machine.arch,
        "target": machine.target,
        "engine": header.plan.engine,
        "cpus": ",".join(map(str, header.plan.cpus)),
        "registration": str(machine.facts.get("registration", "auto")),
    }
    benchmarks = sorted({case.benchmark for case in header.plan.cases})
    if benchmarks:  # what is measured decides which libraries are opened, and what lies in a guest
        options["benchmarks"] = benchmarks
    for option, fact in (("coordinator", "coordinator"), ("environment", "labgrid_environment")):
        if fact in machine.facts:
            options[option] = machine.facts[fact]
    if "linux_image" in machine.facts:
        options["linux"] = machine.facts["linux_image"]
        options["runner"] = machine.facts.get("runner", "qemu")
    return options
