"""Pure: what is asked of a process that holds the kernels, and what its answers mean; the same for cffi and runner."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pyperf

from rseqbench.config import CheckOptions
from rseqbench.errors import TargetError
from rseqbench.model import (
    Benchmark,
    Case,
    Check,
    Chunk,
    Facts,
    GatedRequest,
    GatedRound,
    Plan,
    ProgramResult,
    Registration,
)
from rseqbench.targets.runner import protocol

# How host_start() and the runner call the registration that a process has by itself.
OWN_CHOICE = "auto"
# Of all threads of a check together: ring_buffer numbers its payloads with 32 bits, and a 32-bit runner takes no more.
MOST_OPERATIONS = 2**31 - 1
# From numbers of loops, and how often to repeat them, to the ns that each took and its aborts.
Timer = Callable[[Sequence[int], int], tuple[list[int], list[int]]]
_MOST_LOOPS = 2**40


def rseq_facts(hello: Mapping[str, Any]) -> Facts:
    """Return the facts that a process's hello tells of rseq, of its C library and of the CPU's counters."""
    return Facts(
        registration=Registration(hello["registration"]),
        glibc_registers=bool(hello["libc_size"]),
        rseq_size=hello["libc_size"],
        rseq_registered=hello["registered"],
        rseq_feature_size=hello["feature_size"],
        counters=hello["no_counters"] or "instructions, cycles and branch misses, user mode",
        rseq_reason=hello["reason"] or None,
    )


def describe_benchmarks(kernels: Sequence[Mapping[str, Any]], without: Sequence[Mapping[str, Any]]) -> list[Benchmark]:
    """Return the benchmarks, sorted by name, that a process describes; of those that need rseq off, one `without`."""
    off = {kernel["name"]: kernel for kernel in without}
    return sort_by_name(Benchmark(**(off[kernel["name"]] if kernel["needs_no_rseq"] else kernel)) for kernel in kernels)


def sort_by_name(benchmarks: Iterable[Benchmark]) -> list[Benchmark]:
    """Return benchmarks sorted by name."""
    return sorted(benchmarks, key=lambda benchmark: benchmark.name)


def check_request(benchmark: Benchmark, options: CheckOptions, cpus: int) -> dict[str, Any]:
    """Return the arguments of a check but for `stress`, which a benchmark of shared state goes through both ways."""
    threads = options.threads_per_cpu * cpus if benchmark.threaded else 1
    return {
        "kernel": benchmark.name,
        "threads": threads,
        "loops": min(options.operations, MOST_OPERATIONS // threads),
        "wanted": options.disturbances,
    }


def run_check(
    benchmark: Benchmark, options: CheckOptions, cpus: int, ask: Callable[[dict[str, Any]], Mapping[str, Any]]
) -> Check:
    """Prove a benchmark exact by what `ask` answers: the timed code first, then its variant that holds sequences open.

    A TargetError of `ask` is a failed check: a kernel that crashes or hangs is not exact.
    """
    request = check_request(benchmark, options, cpus)
    answers: list[Mapping[str, Any]] = []
    for stress in (False, True) if benchmark.shared else (False,):
        try:
            answer = ask({**request, "stress": stress})
        except TargetError as error:
            answer = {"passed": False, "message": error.message, "operations": 0, "aborts": 0, "disturbances": 0}
        answers.append(answer)
        if not answer["passed"]:
            break
    return conclude_check(benchmark, request["threads"], cpus, answers, request["wanted"])


def gate_request(slots: Sequence[GatedRequest], plan: Plan, options: Mapping[str, int]) -> dict[str, Any]:
    """Return the arguments of a gated round; `options` are those of host_round() in kernels/core/host.h."""
    return {
        "kernels": [slot.case.benchmark for slot in slots],
        "threads": [slot.case.threads for slot in slots],
        "wanted": [slot.wanted for slot in slots],
        "loops": [slot.loops for slot in slots],
        "cpus": list(plan.cpus),
        **options,
    }


def read_gated_round(
    answer: Mapping[str, Any], slots: Sequence[GatedRequest], counts: bool, registration: Registration
) -> GatedRound:
    """Return what a gated round of `slots` was, from the answer to it; `counts`: the CPU's counters could be read."""
    per_tick = answer["ns_per_tick"]
    chunks: list[list[Chunk]] = [[] for _ in slots]
    for number, disturbed, before, after, ticks, aborts, *counters in answer["chunks"]:
        loops = slots[number].loops
        seen = counts and counters[0]  # no instructions: somebody else took the counters meanwhile
        counted = tuple(count / loops for count in counters) if seen else None
        chunks[number].append(Chunk(ticks * per_tick / loops, before, after, bool(disturbed), aborts, counted))
    return GatedRound(
        chunks=tuple(map(tuple, chunks)),
        fastest=answer["fastest"],
        resolution=answer["resolution"],
        ns_per_tick=per_tick,
        inside=answer["inside"] * per_tick / answer["ns"],
        waits=answer["waits"],
        registration=registration.value,
    )


def read_program_result(answer: Mapping[str, Any]) -> ProgramResult:
    """Return how a program ended, from the answer to `program`."""
    output, errors = (
        protocol.decode_file(answer[stream]).decode(errors="replace")
        + (f"\n({lost} bytes more were not kept)\n" if lost else "")
        for stream, lost in zip(("stdout", "stderr"), answer["lost"], strict=True)
    )
    return ProgramResult(answer["code"], answer["ns"], output, errors)


def conclude_check(
    benchmark: Benchmark, threads: int, cpus: int, answers: Sequence[Mapping[str, Any]], wanted: int = 0
) -> Check:
    """Return the outcome of a check that `threads` threads went through on `cpus` CPUs, once or in two variants.

    Of `wanted` disturbances in each variant there are fewer where its operations were done before.
    """
    aborts = sum(answer["aborts"] for answer in answers)
    disturbances = sum(answer["disturbances"] for answer in answers)
    passed = all(answer["passed"] for answer in answers)
    told = next((answer["message"] for answer in answers if answer["message"]), "")
    missing = told if passed else ""
    if benchmark.sequence and not aborts:
        missing = "no abort was taken"
    elif benchmark.shared and cpus == 1:
        missing = "only one CPU, so no migration"
    elif benchmark.shared and not disturbances:
        missing = "over before anything disturbed it"
    fewest = min(answer["disturbances"] for answer in answers)
    short = passed and not missing and benchmark.shared and fewest < wanted
    if short:
        told = f"its operations were done after {fewest} of the {wanted} disturbances asked for"
    return Check(
        benchmark=benchmark.name,
        passed=passed,
        threads=threads,
        operations=sum(answer["operations"] for answer in answers),
        aborts=aborts,
        disturbances=disturbances,
        exercised=not missing,
        message=missing or told if passed else told,
        trivial=benchmark.trivial,
        short=short,
    )


def time_as_pyperf(time: Timer, case: Case, plan: Plan, number: int, loops: int, arch: str) -> pyperf.Benchmark:
    """Return a case's values of round `number` on `arch`, in seconds per operation: after one warm-up, of `loops` each.

    Without loops, find how many last `value_ms`: then one value, which stands for so many.
    Raises TargetError when the timer does, or when the clock is too coarse.
    """
    if not loops:
        return _benchmark(case, number, _calibrate_loops(time, plan), [plan.value_ms * 1e6], 0, arch)
    ns, aborts = time([loops], plan.values + 1)
    return _benchmark(case, number, loops, ns[1:], sum(aborts), arch)


def _calibrate_loops(time: Timer, plan: Plan) -> int:
    """Double the loops until a value lasts as long as the plan wants, as pyperf does."""
    loops = 1
    while loops < _MOST_LOOPS:
        (ns,), _ = time([loops], 1)
        if ns >= plan.value_ms * 1e6:
            break
        loops *= 2
    return loops


def _benchmark(case: Case, number: int, loops: int, ns: Sequence[float], aborts: int, arch: str) -> pyperf.Benchmark:
    metadata = {
        "name": case.id,
        "unit": "second",
        "loops": loops,
        "benchmark": case.benchmark,
        "arch": arch,
        "threads": case.threads,
        "engine": "pyperf",
        "round": number,
        "registration": case.registration.value,
        "aborts": aborts,
    }
    if any(value <= 0 for value in ns):
        raise TargetError(f"{case.id}: {loops} operations took no time", "the clock there is too coarse")
    values = [value * 1e-9 / loops for value in ns]
    return pyperf.Benchmark([pyperf.Run(values, metadata=metadata, collect_metadata=False)])
