"""Fleets of imagined machines, with answers that are known: stored as `rseqbench fleet run` stores them."""

from dataclasses import replace

from rseqbench.config import load
from rseqbench.store import fleets
from rseqbench.store.fleets import Fleet, Member
from rseqbench.store.runs import Store
from tests.support.simulated_runs import COSTS, FACTS, Simulation, store

CPUS = (
    ("x86_64", "Imagined Xeon @ 2.40GHz", "6.1.0-18-amd64", "glibc 2.36"),
    ("x86_64", "Imagined Opteron, 16 cores", "5.10.0-28-amd64", "glibc 2.31"),
    ("arm64", "Imagined Neoverse", "6.12.1-arm64", "glibc 2.40"),
    ("arm32", "Imagined Cortex-A7", "6.6.20-rpi", "glibc 2.36"),
)
_SEED = 1  # of the plan, by which a run is known to be the fleet's
SLOW = "counter/rseq"  # of the machine that differs


def costs(**factors):
    """Return the usual costs, some of them times a factor, by name with "__" for "/"."""
    return {name: cost * factors.get(name.replace("/", "__"), 1) for name, cost in COSTS.items()}


def machine(number, **changes):
    """Return what machine `number` is imagined as: one of a few CPUs, a little faster or slower than the others."""
    arch, cpu, linux, libc = CPUS[number % len(CPUS)]
    facts = {**FACTS, "cpu": cpu, "linux": linux, "libc": libc, "cpus": 2 + number % 7, "kernels": f"{arch}-kernels"}
    given = {"seed": number + 1, "rounds": 12, "arch": arch, "facts": facts, **changes}
    given["costs"] = {name: cost * (1 + number % 5 / 4) for name, cost in given.get("costs", COSTS).items()}
    return Simulation(**given)


def emulated(number=0, **changes):
    """Return an emulated board: instructions, no time."""
    counted = {name: cost * 100 for name, cost in COSTS.items()}
    given = {"seed": number, "rounds": 6, "costs": counted, "spread": 0.0, "arch": "arm32", "timing": "emulated",
             "target": "qemu-system", "facts": {"linux": "6.12.1", "emulator": "qemu 7.2"}}  # fmt: skip
    return Simulation(**{**given, **changes})


def fleet(root, label, machines):
    """Store a fleet: for each place what its machine is imagined as, or why it failed, as text."""
    results, config = Store(root), load()
    members = []
    for place, what in machines.items():
        name = f"{label}@{place}"
        members.append(Member(place, name, what if isinstance(what, str) else ""))
        if not isinstance(what, str):
            store(results, replace(what, label=name, plan_seed=_SEED))
    command = f"rseqbench fleet run --label {label}"
    fleets.save_fleet(
        root,
        Fleet(label, "2024-05-17T12:00:00+00:00", command, config.run, config.presets["quick"], _SEED, tuple(members)),
    )
    return results


def three():
    """Return three machines, on the last of which counter/rseq takes twenty times as long, and one that failed."""
    return {
        "xeon": machine(0),
        "opteron": machine(1),
        "neoverse": machine(2, costs=costs(counter__rseq=20)),
        "pi4": "the board did not answer within 60 s",
    }


def many(number):
    """Return so many machines of four kinds; every seventh has a slow counter/rseq, two failed, three are emulated."""
    made = {}
    for at in range(number):
        slow = {"costs": costs(counter__rseq=15)} if at % 7 == 3 else {}
        made[f"board-{at:02}"] = machine(at, **slow, timing="virtual" if at % 9 == 4 else "hardware")
    names = list(made)
    made |= {names[-1]: "power was lost at round 3", names[-8]: "ssh: connection refused"}
    made |= {name: emulated(at) for at, name in enumerate(names[-5:-2])}
    return made
