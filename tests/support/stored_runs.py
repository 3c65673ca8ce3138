"""A small run, stored step by step."""

from __future__ import annotations

import dataclasses

import pyperf

from rseqbench.model import Case, Check, Facts, Machine, Plan, Registration, Skip
from rseqbench.store.runs import Header

NAMES = ("cpu_id/baseline", "counter/rseq")
PLAN = Plan(
    cases=(Case(NAMES[0], 1, Registration.NONE), Case(NAMES[1], 2, Registration.GLIBC)),
    skips=(Skip("cpu_id/gs", 1, "x86 only"),),
    rounds=3,
    values=2,
    value_ms=0.5,
    seed=7,
    engine="pyperf",
    preset="quick",
    cpus=(1, 0),
)


def header(label="mine", **changes):
    facts = Facts(
        cpu="Imagined \u00b5 CPU", cpus=2, load_1min=0.25, registration=Registration.GLIBC, glibc_registers=True
    )
    made = Header(
        label=label,
        created="2024-05-17T12:08:41+00:00",
        command="rseqbench run 'counter/*'",
        plan=PLAN,
        machines=(Machine("x86_64", "native", "virtual", facts),),
        checks=(Check(NAMES[1], True, 8, 1000, 3, 100, True), Check(NAMES[0], False, 1, 0, 0, 0, False, "wrong", True)),
        docs={NAMES[0]: "the empty loop"},
        notes=("one", "two"),
    )
    return dataclasses.replace(made, **changes)


def suite(number, value=1e-9):
    benchmarks = []
    for name in NAMES:
        metadata = {
            "name": name,
            "benchmark": name,
            "arch": "x86_64",
            "threads": 1,
            "engine": "pyperf",
            "round": number,
        }
        metadata |= {"registration": "glibc", "aborts": 0, "loops": 1000, "unit": "second"}
        benchmarks.append(pyperf.Benchmark([pyperf.Run([value, value], metadata=metadata, collect_metadata=False)]))
    return pyperf.BenchmarkSuite(benchmarks)


def stored(store, label="mine", value=1e-9, force=False, **changes):
    """Store a whole run and return it."""
    unfinished = store.begin(header(label, **changes), force)
    for number in range(PLAN.rounds):
        unfinished.save_round(number, suite(number, value))
    return unfinished.finish(lambda run: f"{run.label},{value}\n")
