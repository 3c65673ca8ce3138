"""Pure: what the numbers of an emulated machine are, and are not, said before anybody asks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from rseqbench.model import USER_ONLY, Check, Machine, Plan
from rseqbench.report import formatting
from rseqbench.store.runs import Header


def limits(header: Header, frame: pd.DataFrame) -> tuple[str, ...]:
    """Return the sentences for every emulated machine of a run; `frame` is its tidy table. Others have none."""
    machines = [machine for machine in header.machines if machine.timing == "emulated"]
    if not machines:
        return ()
    found = [text for machine in machines for text in _machine(machine, header.checks, header.plan)]
    return (*found, *_interrupted(frame))


def _machine(machine: Machine, checks: Sequence[Check], plan: Plan) -> Iterable[str]:
    facts = machine.facts
    user = machine.target == USER_ONLY
    word = formatting.short("user instructions" if user else "instructions")
    whose = "the program alone; Linux's in a system call are not counted" if user else "the program and of Linux"
    yield f"Emulated by {machine.target}: {word} means instructions per operation, those of {whose}."
    yield (
        "Instructions are no time: caches, barriers, traps and what an atomic costs are not in them. "
        "Nothing here can be held against the patch's nanoseconds but the direction."
    )
    if user:
        yield "There is no rseq under user-mode emulation: qemu-system boots a Linux that has it."
    else:
        yield from _booted(machine)
    if plan.boots == 1:
        yield (
            f"The {plan.rounds} rounds are one sample: where they agree, the count repeats. Another build, C library "
            "or Linux has counts of its own."
        )
    threads = max((check.threads for check in checks), default=0)
    if "check_cpus" in facts and threads:
        yield (
            f"Counted on one emulated CPU with nothing else at work; checked in a guest of its own, by up to {threads} "
            f"threads on {facts['check_cpus']} CPUs."
        )


def _booted(machine: Machine) -> Iterable[str]:
    facts = machine.facts
    if "linux" in facts:
        source = str(facts.get("linux_package", "package not known")).removeprefix("none: ")
        yield f"Linux {facts['linux']} was booted ({source}): what a system call takes is that Linux's."


def _interrupted(frame: pd.DataFrame) -> Iterable[str]:
    left_out, kept = int(frame["interrupted"].sum()), int(frame["values"].sum())
    if left_out:
        yield (
            f"{left_out} counts were left out, as they did not agree with most: a timer tick or the like; "
            f"{kept} pairs of counts were kept."
        )
