"""This machine: the kernels as a cffi extension, in worker processes whose registration is chosen before they start."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import pyperf

from rseqbench import build, facts
from rseqbench.arches import Arch
from rseqbench.config import CheckOptions, RunOptions
from rseqbench.errors import TargetError, UsageError
from rseqbench.model import Benchmark, Case, Check, Chunk, GatedRound, Machine, Plan, Registration, Slot
from rseqbench.plan import parse_cpus
from rseqbench.targets.workers import Worker, environment

_MEASURE_TIMEOUT_S = 120.0
_MOST_OPERATIONS = 2**31  # of all threads of a check together: ring_buffer numbers its payloads with 32 bits


class Native:
    """The target `native`."""

    def __init__(self, arch: Arch, options: RunOptions) -> None:
        """Take the architecture, which must be this machine's, and how to run. Raises UsageError otherwise."""
        if not arch.is_host:
            raise UsageError(
                f"{arch.name} code cannot run natively on {os.uname().machine}",
                "native is the only target there is so far; run it on such a machine",
            )
        self._arch = arch
        self._preload = ["pyperf"] if options.engine == "pyperf" else []
        self._wanted = options.registration
        isolated = facts.cpu_list(facts.isolated_cpus() or "") or ()
        self._cpus = parse_cpus(options.cpus, os.sched_getaffinity(0), set(isolated))
        self._built: build.Built | None = None
        self._workers: dict[Registration, Worker] = {}
        self._hello: dict[str, Any] = {}

    def __enter__(self) -> Self:
        """Compile what is not compiled yet and start a first worker."""
        self._built = build.extension(self._arch)
        worker = Worker(self._built.path, self._wanted, environment(self._wanted), self._preload)
        self._hello = worker.hello
        self._workers[Registration(worker.hello["registration"])] = worker
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop all workers."""
        self.new_round()

    def new_round(self) -> None:
        """Stop all workers, so that the next request starts fresh ones: a new layout in memory."""
        for worker in self._workers.values():
            worker.stop()
        self._workers.clear()

    @property
    def arch(self) -> str:
        """The name of this machine's architecture."""
        return self._arch.name

    def machine(self) -> Machine:
        """Say what this machine is."""
        found = facts.collect()
        if self._built:
            found |= {"compiler": self._built.compiler, "cflags": self._built.cflags, "kernels": self._built.digest}
        found |= {
            "registration": self._hello["registration"],
            "glibc_registers": bool(self._hello["libc_size"]),
            "rseq_size": self._hello["libc_size"],
            "rseq_registered": self._hello["registered"],
            "rseq_feature_size": self._hello["feature_size"],
        }
        found["counters"] = self._hello["no_counters"] or "instructions, cycles and branch misses, user mode"
        if self._hello["reason"]:
            found["rseq_reason"] = self._hello["reason"]
        virtual = found.get("virtual", "none") != "none"
        return Machine(self._arch.name, "native", "virtual" if virtual else "hardware", found)

    def cpus(self) -> tuple[int, ...]:
        """Return the CPUs to pin to."""
        return self._cpus

    def registration(self) -> Registration:
        """Return who registers rseq in a worker by default."""
        return Registration(self._hello["registration"])

    def benchmarks(self) -> list[Benchmark]:
        """Return all kernels; those that need rseq to be off are asked of a worker without it."""
        without = {k["name"]: k for k in self._worker(Registration.NONE).hello["kernels"]}
        found = [Benchmark(**(without[k["name"]] if k["needs_no_rseq"] else k)) for k in self._hello["kernels"]]
        return sorted(found, key=lambda benchmark: benchmark.name)

    def check(self, benchmark: Benchmark, options: CheckOptions) -> Check:
        """Prove a benchmark exact: the timed code first, then its variant that holds sequences open."""
        threads = options.threads_per_cpu * len(os.sched_getaffinity(0)) if benchmark.threaded else 1
        registration = Registration.NONE if benchmark.needs_no_rseq else self.registration()
        request = {
            "do": "check",
            "kernel": benchmark.name,
            "threads": threads,
            "loops": min(options.operations, _MOST_OPERATIONS // threads),
            "wanted": options.disturbances,
        }
        answers = []
        for stress in (False, True) if benchmark.shared else (False,):
            try:
                answer = self._worker(registration).ask({**request, "stress": stress}, options.timeout_s)
            except TargetError as error:  # a kernel that crashes or hangs is not exact
                answer = {"passed": False, "message": error.message, "operations": 0, "aborts": 0, "disturbances": 0}
            answers.append(answer)
            if not answer["passed"]:
                break
        return _concluded(benchmark, threads, answers)

    def measure(self, case: Case, plan: Plan, number: int, loops: int) -> pyperf.Benchmark:
        """Time a case in a fresh process. Raises TargetError when it dies, fails, or has another registration."""
        request = {
            "do": "measure",
            "kernel": case.benchmark,
            "id": case.id,
            "threads": case.threads,
            "cpus": list(plan.cpus),
            "min_time": plan.value_ms * 1e-3,
            "values": plan.values,
            "loops": loops,
            "metadata": {
                "benchmark": case.benchmark,
                "arch": self._arch.name,
                "threads": case.threads,
                "engine": "pyperf",
                "round": number,
            },
        }
        text = self._worker(case.registration).ask(request, _MEASURE_TIMEOUT_S)
        return pyperf.Benchmark.loads(text)

    def calibrate(self, case: Case, plan: Plan, chunk_ns: int) -> int:
        """Return how many operations of a case last `chunk_ns`. Raises TargetError when it fails."""
        request = {
            "do": "calibrate",
            "kernel": case.benchmark,
            "threads": case.threads,
            "cpus": list(plan.cpus),
            "chunk_ns": chunk_ns,
        }
        return int(self._worker(self.registration()).ask(request, _MEASURE_TIMEOUT_S))

    def gate(self, slots: Sequence[Slot], plan: Plan, options: Mapping[str, int]) -> GatedRound:
        """Run one gated round in a fresh process. Raises TargetError when it dies, fails or is not exact."""
        request = {
            "do": "gate",
            "kernels": [slot.case.benchmark for slot in slots],
            "threads": [slot.case.threads for slot in slots],
            "wanted": [slot.wanted for slot in slots],
            "loops": [slot.loops for slot in slots],
            "cpus": list(plan.cpus),
            **options,
        }
        answer = self._worker(self.registration()).ask(request, _MEASURE_TIMEOUT_S)
        per_tick = answer["ns_per_tick"]
        chunks: list[list[Chunk]] = [[] for _ in slots]
        for number, disturbed, before, after, ticks, aborts, *counts in answer["chunks"]:
            loops = slots[number].loops
            value = ticks * per_tick / loops
            counted = None if self._hello["no_counters"] else tuple(count / loops for count in counts)
            chunks[number].append(Chunk(value, before, after, bool(disturbed), aborts, counted))
        return GatedRound(
            chunks=tuple(map(tuple, chunks)),
            fastest=answer["fastest"],
            resolution=answer["resolution"],
            ns_per_tick=per_tick,
            inside=answer["inside"] * per_tick / answer["ns"],
            waits=answer["waits"],
            registration=self.registration().value,
        )

    def _worker(self, registration: Registration) -> Worker:
        """Return a running worker whose registration really is the given one."""
        running = self._workers.get(registration)
        if running is None or not running.alive:
            if self._built is None:
                raise TargetError("the target is not entered")
            if running is not None:
                running.stop()
            worker = Worker(self._built.path, registration.value, environment(registration.value), self._preload)
            got = worker.hello["registration"]
            if got != registration:
                worker.stop()
                raise TargetError(f"a worker has rseq registered by {got}, not {registration.value} as chosen")
            self._workers[registration] = worker
        return self._workers[registration]


def _concluded(benchmark: Benchmark, threads: int, answers: list[dict[str, Any]]) -> Check:
    aborts = sum(answer["aborts"] for answer in answers)
    disturbances = sum(answer["disturbances"] for answer in answers)
    passed = all(answer["passed"] for answer in answers)
    told = next((answer["message"] for answer in answers if answer["message"]), "")
    missing = told if passed else ""
    if benchmark.sequence and not aborts:
        missing = "no abort was taken"
    elif benchmark.shared and len(os.sched_getaffinity(0)) == 1:
        missing = "only one CPU, so no migration"
    elif benchmark.shared and not disturbances:
        missing = "over before anything disturbed it"
    return Check(
        benchmark=benchmark.name,
        passed=passed,
        threads=threads,
        operations=sum(answer["operations"] for answer in answers),
        aborts=aborts,
        disturbances=disturbances,
        exercised=not missing,
        message=missing if passed else told,
        trivial=benchmark.trivial,
    )
