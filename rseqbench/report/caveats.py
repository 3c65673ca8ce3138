"""Pure: what limits a run's numbers, derived from its header, said before anybody asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rseqbench.analysis import stats
from rseqbench.model import Fact, Machine, Plan, Registration
from rseqbench.report.prose import replayed, virtual, why_nothing
from rseqbench.store.runs import Header

_BUSY_SHARE = 0.1  # of all CPUs: more load than this before the run means that something else was at work
_BUSY_LOAD = 0.5
_REPLAY = (
    "these are the values of a run that was recorded elsewhere and comes with rseqbench, shown once more. "
    "Nothing was measured here, and nothing is said of this machine; rseqbench run measures it."
)


def limits(header: Header, confidence: float) -> tuple[str, ...]:
    """Return a sentence for each thing that limits what the run can say, the lack of these facts included.

    What an emulated machine's numbers are, emulated.py says. That a run is a replay comes first.
    """
    if replayed(header):
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
    if not {"virtual", "load_1min"} & set(facts):
        yield "Whether this machine was virtual, or busy with something else, is not known."
    if virtual(facts):
        yield (
            f"Measured in a virtual machine ({facts['virtual']}): neighbours on the same hardware are invisible here, "
            "and may slow some benchmarks more than others."
        )
    if machine.emulates:
        yield "This machine is emulated by qemu, whose clock tells no time: none of its values is one."
    if facts.get("virtual") == "qemu":  # which has a clock of KVM's, and is then called so
        yield "Nothing here tells a qemu that emulates from one that has KVM; if it emulates, none of this is a time."
    busy = _busy(facts)
    if busy:
        yield busy
    if engine == "pyperf" and (busy or virtual(facts)):
        yield (
            "Engine pyperf keeps every value as it came: on a disturbed machine the intervals cover the disturbance "
            "that varies between rounds, not one that lasts."
        )
    yield from _clock(facts)


def _busy(facts: Mapping[str, Fact]) -> str:
    load, cpus = facts.get("load_1min"), facts.get("cpus", 1)
    if not isinstance(load, int | float) or not isinstance(cpus, int | float):
        return ""
    if load <= max(_BUSY_LOAD, _BUSY_SHARE * cpus):
        return ""
    return f"Something else was running: the load was {load:.1f} on {cpus} CPUs when the run began."


def _clock(facts: Mapping[str, Fact]) -> Iterable[str]:
    governor = facts.get("governor")
    if isinstance(governor, str) and governor.lower() not in ("performance", "none", "unknown", ""):
        yield f"The CPU's clock may have changed while measuring: the governor was {governor}."
    if _on(facts.get("turbo")):
        yield "Turbo was on: the clock depends on heat and on what the other CPUs did."


def _on(value: Fact | None) -> bool:
    return value is not None and str(value).lower() in ("1", "true", "on", "yes", "enabled")


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
