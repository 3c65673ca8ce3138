"""Pure: what limits a run's numbers, derived from its header, said before anybody asks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import pandas as pd

from rseqbench.analysis import stats
from rseqbench.analysis.controls import FalseAlarm, Mode, PlacementSpread, modes
from rseqbench.analysis.dataset import Row
from rseqbench.analysis.patch_tables import PatchTable
from rseqbench.analysis.summary import RunComparison
from rseqbench.config import VerdictRules
from rseqbench.model import BASELINE, USER_ONLY, Check, Facts, Machine, Plan, Registration, Virtualization
from rseqbench.report import formatting
from rseqbench.report.formatting import named
from rseqbench.report.prose import why_nothing
from rseqbench.store.runs import Header, is_replay

_BUSY_SHARE = 0.1  # of all CPUs: more load than this before the run means that something else was at work
_BUSY_LOAD = 0.5
_REPLAY = (
    "these are the values of a run that was recorded elsewhere and comes with rseqbench, shown once more. "
    "Nothing was measured here, and nothing is said of this machine; rseqbench run measures it."
)
_NO_COUNTS = pd.DataFrame({"interrupted": [], "values": []})  # what was left out of each stands in its own page
_NUMBER = re.compile(r"\d+(\.\d+)*")
_KERNEL_GROUP = "linux/"  # of the kernels that are about Linux itself
_MIGRATES = (
    "Counted on one emulated CPU: nothing here migrates, so what rseq costs a migration is not measured; a guest with "
    "two CPUs did the checks."
)
_REPEATS = (
    "Requests reach a guest when we send them, which is no time of its own, and Linux's caches differ with what was "
    "done before: so long operations do not repeat to the digit."
)
NOTHING = "Nothing to compare: no run has a value."
_NAMED_MODES = 3  # benchmarks; the rest is counted


def limits(header: Header, confidence: float) -> tuple[str, ...]:
    """Return a sentence for each thing that limits what the run can say, the lack of these facts included.

    emulation_limits() says what an emulated machine's numbers are. That a run is a replay comes first.
    """
    if is_replay(header):
        return (f"REPLAY: {_REPLAY}", *_of_measurement(header, confidence))
    return _of_measurement(header, confidence)


def _of_measurement(header: Header, confidence: float) -> tuple[str, ...]:
    if all(machine.timing == "published" for machine in header.machines):
        return ()
    timed = [machine for machine in header.machines if machine.timing != "emulated"]
    found = [text for machine in timed for text in _machine(machine, header.plan.engine)]
    rounds = _rounds(header.plan, confidence) if timed else ()
    return tuple(dict.fromkeys([*found, *_plan(header), *rounds, *_checks(header)]))


def _machine(machine: Machine, engine: str) -> Iterable[str]:
    facts = machine.facts
    if facts.virtual is None and facts.load_1min is None:
        yield "Whether this machine was virtual, or busy with something else, is not known."
    if facts.is_virtual:
        yield (
            f"Measured in a virtual machine ({facts.virtual}): neighbours on the same hardware are invisible here, "
            "and may slow some benchmarks more than others."
        )
    if machine.emulates:
        yield "This machine is emulated by qemu, whose clock tells no time: none of its values is one."
    if facts.virtual == Virtualization.QEMU:  # which has a clock of KVM's, and is then called so
        yield "Nothing here tells a qemu that emulates from one that has KVM; if it emulates, none of this is a time."
    busy = _busy(facts)
    if busy:
        yield busy
    if engine == "pyperf" and (busy or facts.is_virtual):
        yield (
            "Engine pyperf keeps every value as it came: on a disturbed machine the intervals cover the disturbance "
            "that varies between rounds, not one that lasts."
        )
    yield from _clock(facts)


def _busy(facts: Facts) -> str:
    load, cpus = facts.load_1min, facts.cpus or 1
    if load is None or load <= max(_BUSY_LOAD, _BUSY_SHARE * cpus):
        return ""
    return f"Something else was running: the load was {load:.1f} on {cpus} CPUs when the run began."


def _clock(facts: Facts) -> Iterable[str]:
    if facts.governor and facts.governor != "performance":
        yield f"The CPU's clock may have changed while measuring: the governor was {facts.governor}."
    if facts.turbo == "on":
        yield "Turbo was on: the clock depends on heat and on what the other CPUs did."


def _plan(header: Header) -> Iterable[str]:
    plan = header.plan
    if not plan.cases and not plan.skips:
        yield "Nothing was measured: no benchmark was selected."
    elif not plan.cases:
        yield f"Nothing was measured{why_nothing(plan)}."
    elif all(case.registration == Registration.NONE for case in plan.cases):
        yield "No process had a registered rseq area, so whatever needs one was not measured."


def _rounds(plan: Plan, confidence: float) -> Iterable[str]:
    units, name = (plan.boots, "boots") if plan.boots > 1 else (plan.rounds, "rounds")
    if plan.cases and stats.sign_rank(units, confidence) is None:
        need = next(n for n in range(1, 10_000) if stats.sign_rank(n, confidence) is not None)
        yield (
            f"Too few {name}: {units} give no {confidence:.0%} interval, which takes {need}; "
            "no speed-up can be called reproduced."
        )
    elif plan.preset == "quick":
        yield f"A quick run: {plan.rounds} rounds a benchmark, so the intervals are wider than they need to be."


def _checks(header: Header) -> Iterable[str]:
    exercised = {check.benchmark for check in header.checks if check.exercised}
    unproved = sorted({check.benchmark for check in header.checks if check.passed} - exercised)
    if unproved:
        yield f"Exact, but its check did not meet all that it should have met (see the checks): {', '.join(unproved)}."


def limits_of(runs: Sequence[Header], confidence: float, alike: bool = False) -> list[str]:
    """Return the sentences of all runs; where `alike`, those that differ in numbers only are told once, of the first.

    Fifty machines have fifty loads.
    """
    about: dict[str, tuple[str, list[str]]] = {}
    for header in runs:
        for text in (*emulation_limits(header, _NO_COUNTS), *limits(header, confidence)):
            key = _NUMBER.sub("0", text) if alike else text
            about.setdefault(key, (text, []))[1].append(header.label)
    return [_about(labels, len(runs)) + text for text, labels in about.values()]


def _about(labels: Sequence[str], of: int) -> str:
    return "" if len(labels) == of else f"{named(labels)}: "


def emulation_limits(header: Header, frame: pd.DataFrame) -> tuple[str, ...]:
    """Return the sentences for every emulated machine of a run; `frame` is its tidy table. Others have none."""
    machines = [machine for machine in header.machines if machine.timing == "emulated"]
    if not machines:
        return ()
    found = [text for machine in machines for text in _emulated_machine(machine, header.checks, header.plan)]
    return (*found, *_left_out_counts(frame))


def _emulated_machine(machine: Machine, checks: Sequence[Check], plan: Plan) -> Iterable[str]:
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
        yield from _booted_kernel(machine)
    if plan.boots == 1:
        yield (
            f"The {plan.rounds} rounds are one sample: where they agree, the count repeats. Another build, C library "
            "or Linux has counts of its own."
        )
    threads = max((check.threads for check in checks), default=0)
    if facts.check_cpus is not None and threads:
        yield (
            f"Counted on one emulated CPU with nothing else at work; checked in a guest of its own, by up to {threads} "
            f"threads on {facts.check_cpus} CPUs."
        )


def _booted_kernel(machine: Machine) -> Iterable[str]:
    facts = machine.facts
    if facts.linux:
        source = (facts.linux_package or "package not known").removeprefix("none: ")
        yield f"Linux {facts.linux} was booted ({source}): what a system call takes is that Linux's."


def _left_out_counts(frame: pd.DataFrame) -> Iterable[str]:
    left_out, kept = int(frame["interrupted"].sum()), int(frame["values"].sum())
    if left_out:
        yield (
            f"{left_out} counts were left out, as they did not agree with most: a timer tick or the like; "
            f"{kept} pairs of counts were kept."
        )


def boot_limits(header: Header) -> Iterable[str]:
    """Yield a sentence for each thing that booting a Linux makes of one run's numbers."""
    machine, boots = header.machines[0], header.plan.boots
    counted = machine.timing == "emulated"
    if boots > 1:
        yield _boot_units(str(boots), counted)
    elif machine.facts.linux_build:
        yield "One boot: nothing here covers what differs from boot to boot; run --boots 10 measures that."
    if counted and _about_linux(header):
        yield _MIGRATES


def _boot_units(boots: str, counted: bool) -> str:
    rest = f"range the least and the most of them. {_REPEATS}" if counted else "interval one over them."
    return f"The units are boots, {boots}: a value is the median of theirs, its {rest}"


def _about_linux(header: Header) -> bool:
    return any(case.benchmark.startswith(_KERNEL_GROUP) for case in header.plan.cases)


def comparison_notes(found: RunComparison) -> tuple[str, ...]:
    """Return a sentence for each thing that limits what one comparison of two runs can say."""
    if not found.rows:
        return (NOTHING,)
    return () if found.headers is None else tuple(boot_comparison_limits(*found.headers))


def boot_comparison_limits(a: Header, b: Header) -> Iterable[str]:
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
        yield _boot_units(f"{a.plan.boots} and {b.plan.boots}", counted)
    if counted and (_about_linux(a) or _about_linux(b)):
        yield _MIGRATES


def _same_boot(a: Machine, b: Machine) -> bool:
    """Whether two runs may well be of one boot: nothing was booted for them, and all that is known agrees."""
    if a.facts.linux_build or b.facts.linux_build:
        return False
    kernels = [(machine.facts.linux, machine.facts.config_rseq, machine.facts.registration) for machine in (a, b)]
    return kernels[0] == kernels[1]


def share(shown: PatchTable) -> str:
    """Return a sentence on the empty loop's share in the run's values of a table of pairs; empty without such values.

    A list of times has the loop as a line of its own.
    """
    measured = {row.benchmark: row for line in shown.pairs for row in line.values if row and row.timing != "published"}
    if not measured:
        return ""
    parts = {formatting.method(name): _percent(row) for name, row in measured.items()}
    if not all(parts.values()):
        return f"How much of these is the empty loop is not known: {BASELINE} was not measured."
    listed = ", ".join(f"{name} {part}" for name, part in parts.items())
    return f"The empty loop is left in, as the patch left it. Its share of this run's values: {listed}."


def _percent(row: Row) -> str:
    """Return the loop's share of a value; empty where it was not taken apart."""
    if row.net is None:
        return ""
    part = 1 - row.net.value / row.gross.value
    return "below 1%" if part < 0.01 else f"{part:.0%}"


def modes_sentence(frame: pd.DataFrame, rules: VerdictRules) -> str:
    """Return what the modes of a run are, the first of them by name; empty where it has none."""
    found = modes(frame, rules)
    if not found:
        return ""
    said = [_took(one) for one in found[:_NAMED_MODES]]
    if found[_NAMED_MODES:]:
        said.append(f"{len(found) - _NAMED_MODES} more have such rounds")
    *others, last = said
    told = f"{', '.join(others)}, and {last}" if others else last
    return (
        f"{told}: apart from all others, as of a process that keeps another state from start to end. "
        "The median does not move with it, and an interval has it only where it is frequent."
    )


def _took(one: Mode) -> str:
    name = formatting.with_threads(one.benchmark, one.threads)
    return f"{one.rounds} of {one.of} rounds of {name} took {one.factor:.2f} times its median"


def false_alarm_sentence(alarm: FalseAlarm) -> str:
    """Return that a run cannot be trusted, and why."""
    a, b = alarm.names
    return (
        f"This run cannot be trusted: {a} and {b} are the same code on {alarm.arch}, and it finds them "
        f"{alarm.difference:.1%} apart."
    )


def placement_sentence(placement: PlacementSpread) -> str:
    """Return by how much the same loop differs between places in memory."""
    return (
        f"Where code lands in memory moves the per-CPU increment by {placement.spread:.2%} on {placement.arch} "
        f"({placement.places} places); no interval covers that."
    )
