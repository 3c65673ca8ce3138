"""Pure: benchmarks x options -> the cases of a run in order, and the skips with their reasons."""

from __future__ import annotations

import random
from collections.abc import Sequence

from rseqbench.config import Preset, ResolvedOptions
from rseqbench.model import Benchmark, Case, Plan, Registration, Skip, SkipKind
from rseqbench.selection import ALWAYS_MEASURED, select_benchmarks

_OWN_LIBRARY = "a program registers rseq as its C library does, or not at all"
_ONE_THREAD = "measured with one thread only"
_CROWDED = "a thread preempted within an operation makes the others lose theirs: needs a CPU for each thread"


def make_plan(
    benchmarks: Sequence[Benchmark],
    options: ResolvedOptions,
    preset: Preset,
    registration: Registration,
    cpus: Sequence[int],
    seed: int,
) -> Plan:
    """Plan a run. `registration` is what a process of the target has by default; `cpus` are the CPUs to pin to.

    The preset's rounds are those of one boot. A benchmark that cannot run, or not with so many threads, becomes a Skip
    that says why. Raises UsageError for an unknown benchmark.
    """
    cases: list[Case] = []
    skips: list[Skip] = []
    for benchmark in select_benchmarks(benchmarks, options.benchmarks, ALWAYS_MEASURED):
        needed = Registration.NONE if benchmark.needs_no_rseq else registration
        thread_counts = _thread_counts(benchmark, options.threads)
        unmeasurable = _why_unmeasurable(benchmark, needed, thread_counts)
        if unmeasurable:
            skips.append(Skip(benchmark.name, min(options.threads), *unmeasurable))
            continue
        for threads in thread_counts:
            reason = _too_many(benchmark, threads, options.engine, len(cpus))
            if reason:
                skips.append(Skip(benchmark.name, threads, reason, SkipKind.THREADS))
            else:
                cases.append(Case(benchmark.name, threads, needed))
    return Plan(
        cases=tuple(cases),
        skips=tuple(skips),
        rounds=preset.rounds * options.boots,
        values=preset.values,
        value_ms=preset.value_ms,
        seed=seed,
        engine=options.engine,
        preset=options.preset,
        cpus=tuple(cpus),
        boots=options.boots,
        hackbench=options.hackbench or "",
    )


def _why_unmeasurable(
    benchmark: Benchmark, registration: Registration, thread_counts: Sequence[int]
) -> tuple[str, SkipKind] | None:
    """Return why a benchmark cannot be measured with any number of threads; None when it can."""
    if benchmark.unavailable:
        return benchmark.unavailable, SkipKind.UNAVAILABLE
    if benchmark.whole and registration == Registration.SELF:
        return _OWN_LIBRARY, SkipKind.REGISTRATION
    if not thread_counts:
        return _ONE_THREAD, SkipKind.THREADS
    return None


def _too_many(benchmark: Benchmark, threads: int, engine: str, cpus: int) -> str:
    """Return why a benchmark cannot be measured with so many threads, or nothing when it can."""
    if threads > 1 and engine == "counted":
        return "what is counted are the instructions of one thread: several are measured where time is real"
    if benchmark.own_cpus and threads > cpus:
        return f"{_CROWDED}, and there are {cpus}"
    return ""


def _thread_counts(benchmark: Benchmark, asked: Sequence[int]) -> list[int]:
    """Return the thread counts that this benchmark is measured with; what comes along has one thread in any case."""
    if benchmark.name in ALWAYS_MEASURED:
        return [1]
    return [threads for threads in sorted(set(asked)) if threads == 1 or benchmark.threaded]


def benchmark_names(plan: Plan) -> set[str]:
    """Return the benchmarks that a plan measures or skips."""
    return {case.benchmark for case in plan.cases} | {skip.benchmark for skip in plan.skips}


def order_cases(plan: Plan, number: int, cases: Sequence[Case]) -> list[Case]:
    """Return the cases in the random order of round `number`: the same for the same seed, so a run can be repeated.

    Counts of an emulated machine are shifted by their place in its boot, and by nothing else: there every other round
    goes back the way the one before it came, A B B A, and each boot has an order of its own.
    """
    shuffled = list(cases)
    if plan.engine != "counted":
        random.Random(f"{plan.seed}/{number}").shuffle(shuffled)
        return shuffled
    boot = plan.boot(number)
    random.Random(f"{plan.seed}/boot {boot}").shuffle(shuffled)
    return shuffled[:: -1 if (number - plan.rounds_of(boot)[0]) % 2 else 1]
