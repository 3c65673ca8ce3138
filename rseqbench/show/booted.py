"""Pure: what limits runs on a Linux that had to be booted, and the comparison of two, said before anybody asks."""

from __future__ import annotations

from collections.abc import Iterable

from rseqbench.model import Machine
from rseqbench.store.runs import Header

_GROUP = "linux/"  # of the kernels that are about Linux itself
_MIGRATES = (
    "Counted on one emulated CPU: nothing here migrates, so what rseq costs a migration is not measured; a guest with "
    "two CPUs did the checks."
)
_REPEATS = (
    "Requests reach a guest when we send them, which is no time of its own, and Linux's caches differ with what was "
    "done before: so long operations do not repeat to the digit."
)


def of_run(header: Header) -> Iterable[str]:
    """Yield a sentence for each thing that booting a Linux makes of one run's numbers."""
    machine, boots = header.machines[0], header.plan.boots
    counted = machine.timing == "emulated"
    if boots > 1:
        yield _units(str(boots), counted)
    elif "linux_build" in machine.facts:
        yield "One boot: nothing here covers what differs from boot to boot; run --boots 10 measures that."
    if counted and _about_linux(header):
        yield _MIGRATES


def _units(boots: str, counted: bool) -> str:
    rest = f"range the least and the most of them. {_REPEATS}" if counted else "interval one over them."
    return f"The units are boots, {boots}: a value is the median of theirs, its {rest}"


def _about_linux(header: Header) -> bool:
    return any(case.benchmark.startswith(_GROUP) for case in header.plan.cases)


def limits(a: Header, b: Header) -> Iterable[str]:
    """Yield a sentence for each thing that limits what two runs on two Linuxes, or two boots of one, can say."""
    machines = a.machines[0], b.machines[0]
    if any(machine.timing == "published" for machine in machines) or _same_boot(*machines):
        return
    single = [header.label for header in (a, b) if header.plan.boots == 1]
    counted = all(machine.timing == "emulated" for machine in machines)
    if len(single) == 2:
        yield "One boot each: no interval here covers what differs from boot to boot; run --boots 10 measures that."
    elif single:
        yield f"{single[0]} is one boot: its interval does not cover what differs from boot to boot."
    else:
        yield _units(f"{a.plan.boots} and {b.plan.boots}", counted)
    if counted and (_about_linux(a) or _about_linux(b)):
        yield _MIGRATES


def _same_boot(a: Machine, b: Machine) -> bool:
    """Whether two runs may well be of one boot: nothing was booted for them, and all that is known agrees."""
    names = ("linux", "config_rseq", "registration")
    built = any("linux_build" in machine.facts for machine in (a, b))
    return not built and all(a.facts.get(name) == b.facts.get(name) for name in names)
