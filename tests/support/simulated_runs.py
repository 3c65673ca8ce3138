"""Runs with known numbers, stored as `rseqbench run` stores them, for tests of everything behind the store."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyperf

from rseqbench.config import load
from rseqbench.model import Case, Check, Fact, Facts, Machine, Plan, Registration, Skip, Timing
from rseqbench.report.data import table_csv
from rseqbench.report.run_view import RunView, build_run_view
from rseqbench.store.runs import PATCH, Header, Run, Store

# ns/op with the loop, of every benchmark on an imagined x86-64 machine.
COSTS: Mapping[str, float] = {
    "cpu_id/baseline": 0.31,
    "cpu_id/rseq": 0.33,
    "cpu_id/rseq_lazy": 0.34,
    "cpu_id/gs": 0.33,
    "cpu_id/lsl": 14.6,
    "cpu_id/sched_getcpu": 1.85,
    "cpu_id/sched_getcpu_norseq": 6.9,
    "cpu_id/getcpu_vdso": 5.1,
    "cpu_id/getcpu_syscall": 141.0,
    "cpu_id/rdpid": 4.1,
    "cpu_id/rdtscp": 12.3,
    "cpu_id/node_id": 0.33,
    "cpu_id/mm_cid": 0.33,
    "counter/getcpu_atomic": 5.25,
    "counter/vdso_atomic": 7.1,
    "counter/rseq_atomic": 1.9,
    "counter/rseq": 0.62,
    "counter/rseq_cmp": 0.79,
    "counter/plain": 0.31,
    "counter/thread_local": 0.31,
    "counter/shared_atomic": 1.86,
    "ring_buffer/getcpu_atomic": 22.0,
    "ring_buffer/vdso_atomic": 24.0,
    "ring_buffer/rseq": 2.9,
    "rcu/getcpu_atomic": 33.0,
    "rcu/vdso_atomic": 15.0,
    "rcu/rseq_atomic": 9.0,
    "rcu/rseq": 17.5,
    "freelist/getcpu_cas": 36.0,
    "freelist/vdso_cas": 18.0,
    "freelist/rseq": 2.1,
    "freelist/thread_local": 1.1,
    "freelist/malloc": 9.4,
}

FACTS: Mapping[str, Fact] = {
    "cpu": "Imagined Xeon @ 2.40GHz",
    "cpus": 2,
    "linux": "6.1.0-18-amd64",
    "config_rseq": "y",
    "libc": "glibc 2.36",
    "glibc_registers": True,
    "rseq_size": 32,
    "rseq_feature_size": 28,
    "compiler": "gcc 12.2.0",
    "cflags": "-O2 -fno-plt",
    "virtual": "none",
    "governor": "performance",
    "smt": "off",
    "turbo": "off",
    "load_1min": 0.1,
    "isolated_cpus": "none",
    "vdso_getcpu": "lsl",
    "python": "3.11.2",
    "pyperf": "2.10.0",
}

SKIPS = (Skip("cpu_id/mm_cid", 1, "mm_cid: Linux < 6.3"),)


@dataclass(frozen=True)
class Simulation:
    """What to imagine; `spread` is the standard deviation of a round's values, as a share of the cost.

    `threads` has the thread counts of a benchmark, each of which may have its own cost under the case's id.
    """

    label: str = "simulated"
    costs: Mapping[str, float] = field(default_factory=lambda: COSTS)
    rounds: int = 20
    values: int = 3
    spread: float = 0.005
    seed: int = 1
    arch: str = "x86_64"
    timing: Timing = "hardware"
    facts: Mapping[str, Fact] = field(default_factory=lambda: FACTS)
    skips: Sequence[Skip] = SKIPS
    threads: Mapping[str, int | Sequence[int]] = field(default_factory=dict)
    plan_seed: int | None = None  # None: the same
    created: str = "2024-05-17T12:08:41+00:00"
    finished: str = "2024-05-17T12:11:02+00:00"
    docs: Mapping[str, str] | None = None
    notes: tuple[str, ...] = ()
    preset: str = "default"
    loops: int = 1_000_000
    aborts: int = 3
    target: str = "native"
    interrupted: int = 0  # counts of an emulated round
    boots: int = 1
    hackbench: str = ""
    attached: Mapping[str, str] = field(default_factory=dict)  # text of the files beside the run's own


def store(where: Store, simulation: Simulation) -> Run:
    """Write the imagined run into the results folder `where`, replacing one of its label, and return it."""
    skipped = {skip.benchmark for skip in simulation.skips}
    names = [name for name in simulation.costs if name not in skipped and "threads=" not in name]
    cases = [_case(name, count) for name in names for count in _counts(simulation.threads.get(name, 1))]
    header = _header(simulation, cases)
    unfinished = where.begin(header, force=True)
    dice = random.Random(simulation.seed)
    for number in range(simulation.rounds):
        runs = [_benchmark(simulation, case, number, dice) for case in cases] or [_nothing(simulation)]
        unfinished.save_round(number, pyperf.BenchmarkSuite(runs))
    for name, text in simulation.attached.items():
        (unfinished.folder / name).write_text(text, encoding="utf-8")
    unfinished.update(replace(header, finished=simulation.finished))
    return unfinished.finish(table_csv)


def _counts(given: int | Sequence[int]) -> Sequence[int]:
    return [given] if isinstance(given, int) else given


def _case(name: str, threads: int) -> Case:
    uses_rseq = "rseq" in name and "norseq" not in name
    return Case(name, threads, Registration.GLIBC if uses_rseq else Registration.NONE)


def _plan_seed(simulation: Simulation) -> int:
    return simulation.seed if simulation.plan_seed is None else simulation.plan_seed


def _header(simulation: Simulation, cases: Sequence[Case]) -> Header:
    checks = [_check(case.benchmark) for case in cases if not case.benchmark.startswith("cpu_id/")]
    docs = simulation.docs
    return Header(
        label=simulation.label,
        created=simulation.created,
        command=f"rseqbench run --label {simulation.label}",
        plan=Plan(tuple(cases), tuple(simulation.skips), simulation.rounds, simulation.values, 1.0,
                  _plan_seed(simulation), "pyperf", simulation.preset, (1,), simulation.boots, simulation.hackbench),
        machines=(Machine(simulation.arch, simulation.target, simulation.timing, Facts.from_dict(simulation.facts)),),
        checks=tuple(checks),
        docs={name: f"what {name} does" for name in simulation.costs} if docs is None else docs,
        notes=simulation.notes,
    )  # fmt: skip


def _check(benchmark: str) -> Check:
    exercised = not benchmark.endswith("_cmp")
    return Check(
        benchmark=benchmark,
        passed=True,
        threads=8,
        operations=320_000,
        aborts=812 if exercised else 0,
        disturbances=100,
        exercised=exercised,
        message="" if exercised else "no abort was taken",
    )


def _benchmark(simulation: Simulation, case: Case, number: int, dice: random.Random) -> pyperf.Benchmark:
    cost = simulation.costs.get(case.id, simulation.costs[case.benchmark])
    drawn = [cost * max(0.5, dice.gauss(1, simulation.spread)) for _ in range(simulation.values)]
    emulated = simulation.timing == "emulated"
    values = [max(1, round(value)) if emulated else value * 1e-9 for value in drawn]
    metadata = {
        "name": case.id,
        "unit": "integer" if emulated else "second",
        "benchmark": case.benchmark,
        "arch": simulation.arch,
        "threads": case.threads,
        "registration": case.registration.value,
        "engine": "pyperf",
        "round": number,
        "aborts": simulation.aborts if case.registration != Registration.NONE else 0,
        "loops": simulation.loops,
        **({"interrupted": simulation.interrupted} if emulated else {}),
    }
    return pyperf.Benchmark([pyperf.Run(values, metadata=metadata, collect_metadata=False)])


def _nothing(simulation: Simulation) -> pyperf.Benchmark:
    """Return a benchmark without a value: a pyperf suite cannot be empty."""
    metadata = {"name": "nothing", "unit": "second", "arch": simulation.arch}
    return pyperf.Benchmark([pyperf.Run([], warmups=[(1, 1e-9)], metadata=metadata, collect_metadata=False)])


def shown(where: Path, simulation: Simulation) -> RunView:
    """Return what is shown of an imagined run, stored below `where`."""
    results = Store(where)
    return build_run_view(store(results, simulation), results.load(PATCH), load().verdict)
