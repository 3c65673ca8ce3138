"""Requests to a process that holds the benchmarks, a worker or a runner, and its answers. Pure.

The fields of a request are its arguments in both protocols: JSON for a worker, docs/protocol.md for a runner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self

from rseqbench.config import CheckOptions
from rseqbench.errors import TargetError
from rseqbench.model import Benchmark, Case, Check, Facts, Plan, ProgramResult, Registration
from rseqbench.targets.measurements import Chunk, ChunkRequest, GatedRound, LoopTimes
from rseqbench.targets.runner import protocol

# How host_start() and the runner call the registration that a process has by itself.
OWN_CHOICE = "auto"
# Of all threads of a check together: ring_buffer numbers its payloads with 32 bits, and a 32-bit runner takes no more.
MOST_OPERATIONS = 2**31 - 1
# From numbers of loops, and how often to repeat them, to the ns that each took and its aborts.
Timer = Callable[[Sequence[int], int], tuple[list[int], list[int]]]
_MOST_LOOPS = 2**40


@dataclass(frozen=True)
class Hello:
    """What a process says of itself: who registered rseq in it, and why nobody did.

    libc_size: of the C library's rseq area, 0 without one; no_counters: why it cannot read the CPU's counters.
    """

    registration: str
    reason: str
    libc_size: int
    registered: int
    feature_size: int
    no_counters: str

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> Self:
        """Return the fields of an answer, which may have more."""
        return cls(**{field.name: answer[field.name] for field in fields(cls)})

    def facts(self) -> Facts:
        """Return the facts about rseq, the C library and the CPU's counters."""
        return Facts(
            registration=Registration(self.registration),
            glibc_registers=bool(self.libc_size),
            rseq_size=self.libc_size,
            rseq_registered=self.registered,
            rseq_feature_size=self.feature_size,
            counters=self.no_counters or "instructions, cycles and branch misses, user mode",
            rseq_reason=self.reason or None,
        )


@dataclass(frozen=True)
class RunnerHello(Hello):
    """What a runner says of its machine too, which may be another one; docs/protocol.md has the fields."""

    machine: str
    linux: str
    glibc: str
    page_size: int
    cpus: list[int]
    clock_step_ns: int


@dataclass(frozen=True)
class CheckRequest:
    """A check of one benchmark; `stress` for its variant that holds sequences open."""

    verb: ClassVar = "check"
    kernel: str
    threads: int
    loops: int
    wanted: int
    stress: bool = False


@dataclass(frozen=True)
class CalibrateRequest:
    """How many operations of a benchmark last `chunk_ns`."""

    verb: ClassVar = "calibrate"
    kernel: str
    threads: int
    cpus: list[int]
    chunk_ns: int


@dataclass(frozen=True)
class GateRequest:
    """A gated round; the fields are those of host_round() in kernels/core/host.h."""

    verb: ClassVar = "gate"
    kernels: list[str]
    threads: list[int]
    wanted: list[int]
    loops: list[int]
    cpus: list[int]
    fastest: int
    limit_ms: int
    seed: int
    capacity: int


Request = CheckRequest | CalibrateRequest | GateRequest


@dataclass(frozen=True)
class CheckAnswer:
    """The outcome of one check."""

    passed: bool
    message: str
    operations: int = 0
    aborts: int = 0
    disturbances: int = 0

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> Self:
        """Return the fields of an answer, which may have more."""
        return cls(**{field.name: answer[field.name] for field in fields(cls)})


def describe_benchmarks(kernels: Sequence[Mapping[str, Any]], without: Sequence[Mapping[str, Any]]) -> list[Benchmark]:
    """Return the benchmarks, sorted by name, that a process describes; of those that need rseq off, one `without`."""
    off = {kernel["name"]: kernel for kernel in without}
    return sort_by_name(Benchmark(**(off[kernel["name"]] if kernel["needs_no_rseq"] else kernel)) for kernel in kernels)


def sort_by_name(benchmarks: Iterable[Benchmark]) -> list[Benchmark]:
    """Return benchmarks sorted by name."""
    return sorted(benchmarks, key=lambda benchmark: benchmark.name)


def run_check(
    benchmark: Benchmark, options: CheckOptions, cpus: int, ask: Callable[[CheckRequest], CheckAnswer]
) -> Check:
    """Check a benchmark by what `ask` answers: the timed code first, then its variant that holds sequences open.

    A TargetError of `ask` is a failed check: a benchmark that crashes or hangs is not exact.
    """
    threads = options.threads_per_cpu * cpus if benchmark.threaded else 1
    loops = min(options.operations, MOST_OPERATIONS // threads)
    request = CheckRequest(benchmark.name, threads, loops, options.disturbances)
    answers: list[CheckAnswer] = []
    for stress in (False, True) if benchmark.shared else (False,):
        try:
            answers.append(ask(replace(request, stress=stress)))
        except TargetError as error:
            answers.append(CheckAnswer(False, error.message))
        if not answers[-1].passed:
            break
    return conclude_check(benchmark, threads, cpus, answers, request.wanted)


def calibrate_request(case: Case, plan: Plan, chunk_ns: int) -> CalibrateRequest:
    """Return the request for how many operations of a case last `chunk_ns`."""
    return CalibrateRequest(case.benchmark, case.threads, list(plan.cpus), chunk_ns)


def gate_request(requests: Sequence[ChunkRequest], plan: Plan, options: Mapping[str, int]) -> GateRequest:
    """Return the request for a gated round; `options` are those of host_round() in kernels/core/host.h."""
    return GateRequest(
        kernels=[request.case.benchmark for request in requests],
        threads=[request.case.threads for request in requests],
        wanted=[request.wanted for request in requests],
        loops=[request.loops for request in requests],
        cpus=list(plan.cpus),
        **options,
    )


def read_gated_round(
    answer: Mapping[str, Any], requests: Sequence[ChunkRequest], counts: bool, registration: Registration
) -> GatedRound:
    """Return the gated round that answers `requests`; `counts`: the CPU's counters could be read."""
    per_tick = answer["ns_per_tick"]
    chunks: list[list[Chunk]] = [[] for _ in requests]
    for number, disturbed, before, after, ticks, aborts, *counters in answer["chunks"]:
        loops = requests[number].loops
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
    benchmark: Benchmark, threads: int, cpus: int, answers: Sequence[CheckAnswer], wanted: int = 0
) -> Check:
    """Return the outcome of a check that `threads` threads went through on `cpus` CPUs, once or in two variants.

    Of `wanted` disturbances in each variant there are fewer where its operations were done before.
    """
    aborts = sum(answer.aborts for answer in answers)
    disturbances = sum(answer.disturbances for answer in answers)
    passed = all(answer.passed for answer in answers)
    message = next((answer.message for answer in answers if answer.message), "")
    missing = message if passed else ""
    if benchmark.sequence and not aborts:
        missing = "no abort was taken"
    elif benchmark.shared and cpus == 1:
        missing = "only one CPU, so no migration"
    elif benchmark.shared and not disturbances:
        missing = "over before anything disturbed it"
    fewest = min(answer.disturbances for answer in answers)
    short = passed and not missing and benchmark.shared and fewest < wanted
    if short:
        message = f"its operations were done after {fewest} of the {wanted} disturbances asked for"
    return Check(
        benchmark=benchmark.name,
        passed=passed,
        threads=threads,
        operations=sum(answer.operations for answer in answers),
        aborts=aborts,
        disturbances=disturbances,
        exercised=not missing,
        message=missing or message if passed else message,
        trivial=benchmark.trivial,
        short=short,
    )


def time_as_pyperf(time: Timer, case: Case, plan: Plan, loops: int) -> LoopTimes:
    """Return a case's times after one warm-up, in seconds per operation, of `loops` operations each.

    Without loops, find how many last `value_ms`: then one value, which stands for so many.
    Raises TargetError when the timer does, or when the clock is too coarse.
    """
    if loops:
        ns, aborts = time([loops], plan.values + 1)
        times: Sequence[float] = ns[1:]
    else:
        loops, times, aborts = _calibrate_loops(time, plan), [plan.value_ms * 1e6], [0]
    if any(value <= 0 for value in times):
        raise TargetError(f"{case.id}: {loops} operations took no time", "the clock there is too coarse")
    return LoopTimes(loops, tuple(value * 1e-9 / loops for value in times), sum(aborts), case.registration)


def _calibrate_loops(time: Timer, plan: Plan) -> int:
    """Double the loops until a value lasts as long as the plan wants, as pyperf does."""
    loops = 1
    while loops < _MOST_LOOPS:
        (ns,), _ = time([loops], 1)
        if ns >= plan.value_ms * 1e6:
            break
        loops *= 2
    return loops
