"""This machine: the benchmarks as a cffi extension, in workers whose registration is chosen before they start."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rseqbench import selection
from rseqbench.build import products
from rseqbench.build.architectures import Arch
from rseqbench.build.cache import Built
from rseqbench.config import CheckOptions, ResolvedOptions
from rseqbench.errors import TargetError, UsageError
from rseqbench.host import facts
from rseqbench.host.rseq_support import make_environment
from rseqbench.model import Benchmark, Case, Check, CommandLine, Facts, Machine, Plan, ProgramResult, Registration
from rseqbench.selection import choose_cpus
from rseqbench.support import process
from rseqbench.targets.measurements import ChunkRequest, GatedRound, LoopTimes
from rseqbench.targets.runner import messages
from rseqbench.targets.runner.line_channel import LineChannel
from rseqbench.workloads import hackbench, jemalloc, library
from rseqbench.workloads.library import Stage

_MEASURE_TIMEOUT_S = 120.0
_START_TIMEOUT_S = 60.0


class WorkerProcess:
    """A running `worker.py`, in a session of its own so that it can be stopped with all it started."""

    def __init__(
        self,
        module: Path,
        registration: str,
        environment: Mapping[str, str],
        preload: Sequence[str] = (),
        prefix: Sequence[str] = (),
    ) -> None:
        """Start it, its command behind `prefix`, and wait for its hello.

        Raises TargetError when it cannot have the registration.
        """
        self._process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "rseqbench.targets.native.worker", str(module), registration, *preload],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        reader, writer = self._process.stdout.fileno(), self._process.stdin.fileno()
        self._lines = LineChannel(reader, writer, "a worker process", self._ended)
        try:
            answer = self._read(_START_TIMEOUT_S)
            self.hello = messages.Hello.read(answer)
            self.benchmarks: list[dict[str, Any]] = answer["kernels"]
        except BaseException:
            self.stop()
            raise

    def request(self, request: messages.Request, timeout_s: float) -> Any:
        """Send a request and return its result. Raises TargetError on failure or after `timeout_s` seconds."""
        return self.ask({"do": request.verb, **vars(request)}, timeout_s)

    def ask(self, request: Mapping[str, Any], timeout_s: float) -> Any:
        """Send the fields of a request and return its result. Raises TargetError as request() does."""
        self._lines.send(json.dumps(request).encode())
        return self._read(timeout_s)

    @property
    def alive(self) -> bool:
        """Whether it still runs; one that died or timed out does not."""
        return self._process.poll() is None

    def stop(self) -> None:
        """Kill the worker and every process it started."""
        process.kill(self._process)

    def _read(self, timeout_s: float) -> Any:
        try:
            line = self._lines.read_line(timeout_s)
        except TargetError:
            self.stop()
            raise
        try:
            answer = json.loads(line)
            if "error" in answer:
                raise TargetError(answer["error"])
            return answer["result"]
        except (ValueError, KeyError, TypeError) as error:
            raise TargetError(f"a worker process answered garbage: {line[:80]!r}") from error

    def _ended(self, reason: str) -> TargetError:
        ending = f"is gone ({reason})" if reason else f"died ({process.describe_exit(self._process.wait())})"
        return TargetError(f"a worker process {ending}")


class NativeTarget:
    """The target `native`."""

    def __init__(self, arch: Arch, options: ResolvedOptions) -> None:
        """Take the architecture, which must be this machine's, and how to run. Raises UsageError otherwise."""
        if not arch.is_host:
            raise UsageError(
                f"{arch.name} code cannot run natively on {os.uname().machine}",
                "--target auto emulates it, --target ssh:HOST runs it on such a machine",
            )
        self._arch = arch
        self._preload = ["pyperf"] if options.engine == "pyperf" else []
        self._default = options.registration or messages.OWN_CHOICE
        isolated = selection.parse_cpu_list(facts.read_isolated_cpus() or "") or ()
        self._cpus = choose_cpus(options.cpus, os.sched_getaffinity(0), set(isolated))
        self._built: Built | None = None
        self._workers: dict[tuple[Registration, bool], WorkerProcess] = {}  # the second: amid what libraries need
        self._resources = contextlib.ExitStack()
        self._groups = selection.requested_libraries(options.benchmarks)
        self._libraries = library.LibrarySession((), self._resources)

    def __enter__(self) -> Self:
        """Compile what is not compiled yet, open what shipped libraries need, and start a first worker."""
        self._built = products.extension(self._arch)
        with contextlib.ExitStack() as stack:
            self._libraries = library.LibrarySession(self._groups, stack)
            amid = self._libraries.any_open
            worker = self._start_worker(self._default, amid)
            self._first = worker
            self._workers[Registration(worker.hello.registration), amid] = worker
            self._resources = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop all workers, and what was opened for them."""
        self.new_round()
        self._resources.close()

    def new_round(self) -> None:
        """Stop all workers, so that the next request starts fresh ones: a new layout in memory."""
        for worker in self._workers.values():
            worker.stop()
        self._workers.clear()

    def calls(self) -> list[CommandLine]:
        """Return the compiler's call, and those of libraries; a worker is this Python again."""
        return [products.extension_call(self._arch), *library.calls(self._groups)]

    @property
    def arch(self) -> str:
        """The name of this machine's architecture."""
        return self._arch.name

    def machine(self) -> Machine:
        """Describe this machine."""
        collected = facts.collect_facts()
        if self._built:
            collected |= Facts(compiler=self._built.compiler, cflags=self._built.cflags, kernels=self._built.digest)
        collected |= self._first.hello.facts() | self._libraries.facts()
        return Machine(self._arch.name, "native", "virtual" if collected.is_virtual else "hardware", collected)

    def cpus(self) -> tuple[int, ...]:
        """Return the CPUs to pin to."""
        return self._cpus

    def registration(self) -> Registration:
        """Return who registers rseq in a worker by default."""
        return Registration(self._first.hello.registration)

    def benchmarks(self) -> list[Benchmark]:
        """Return all benchmarks; those that need rseq to be off are asked of a worker without it."""
        without = self._worker(Registration.NONE, self._libraries.any_open).benchmarks
        programs = [
            hackbench.describe_program(
                program, "" if os.access(program.path, os.X_OK) else hackbench.missing_reason(program)
            )
            for program in hackbench.PROGRAMS.values()
        ]
        kernels = messages.describe_benchmarks(self._first.benchmarks, without)
        shipped = map(self._libraries.describe, [*kernels, *jemalloc.list_benchmarks()])
        return messages.sort_by_name([*shipped, *programs])

    def check(self, benchmark: Benchmark, options: CheckOptions) -> Check:
        """Prove a benchmark exact: the timed code first, then its variant that holds sequences open."""
        registration = Registration.NONE if benchmark.needs_no_rseq else self.registration()

        def ask(request: messages.CheckRequest) -> messages.CheckAnswer:
            self._begin_case(benchmark.name, Stage.STRESSED if request.stress else Stage.CHECKED)
            worker = self._worker(registration, self._libraries.has(benchmark.name))
            answer = messages.CheckAnswer.read(worker.request(request, options.timeout_s))
            why = self._libraries.doubts(benchmark.name) if answer.passed else ""
            return replace(answer, passed=False, message=why) if why else answer

        return messages.run_check(benchmark, options, len(os.sched_getaffinity(0)), ask)

    def measure(self, case: Case, plan: Plan, loops: int) -> LoopTimes:
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
        }
        self._begin_case(case.benchmark, Stage.TIMED)
        worker = self._worker(case.registration, self._libraries.has(case.benchmark))
        answer = worker.ask(request, _MEASURE_TIMEOUT_S)
        warmups = tuple((count, seconds) for count, seconds in answer.pop("warmups"))
        return LoopTimes(**{**answer, "values": tuple(answer["values"])}, warmups=warmups)

    def calibrate(self, case: Case, plan: Plan, chunk_ns: int) -> int:
        """Return how many operations of a case last `chunk_ns`. Raises TargetError when it fails."""
        request = messages.calibrate_request(case, plan, chunk_ns)
        self._libraries.begin([case.benchmark], Stage.TIMED)
        worker = self._worker(self.registration(), self._libraries.has(case.benchmark))
        return int(worker.request(request, _MEASURE_TIMEOUT_S))

    def gate(self, requests: Sequence[ChunkRequest], plan: Plan, options: Mapping[str, int]) -> GatedRound:
        """Run one gated round in a fresh process. Raises TargetError when it dies, fails or is not exact."""
        request = messages.gate_request(requests, plan, options)
        names = [request.case.benchmark for request in requests]
        self._libraries.begin(names, Stage.TIMED)
        worker = self._worker(self.registration(), any(map(self._libraries.has, names)))
        answer = worker.request(request, _MEASURE_TIMEOUT_S)
        return messages.read_gated_round(answer, requests, not self._first.hello.no_counters, self.registration())

    def run(self, path: str, arguments: Sequence[str], registration: Registration, limit_s: float) -> ProgramResult:
        """Run a program of this machine. Raises TargetError when it does not start or end."""
        if registration == Registration.SELF:
            raise TargetError("registration=self is of our own threads: a program has its C library's, or none")
        return process.run_program([path, *arguments], make_environment(registration.value), limit_s)

    def doubts(self, case: Case) -> str:
        """Return what the surroundings of a shipped library say against what a case just did."""
        return self._libraries.doubts(case.benchmark)

    def boot_id(self) -> str:
        """Return Linux's own number of this boot."""
        return facts.read_boot_id() or "unknown"

    def _begin_case(self, benchmark: str, stage: Stage) -> None:
        """Prepare the library of the benchmark measured next. Raises TargetError where that is void already."""
        why = self._libraries.begin([benchmark], stage)
        if why:
            raise TargetError(why)

    def _start_worker(self, registration: str, amid: bool) -> WorkerProcess:
        """Return a new worker; `amid`: where the libraries that are asked for find what they need."""
        assert self._built is not None
        environment = make_environment(registration)
        if not amid:
            return WorkerProcess(self._built.path, registration, environment, self._preload)
        environment |= self._libraries.environment()
        return WorkerProcess(self._built.path, registration, environment, self._preload, self._libraries.prefix())

    def _worker(self, registration: Registration, amid: bool = False) -> WorkerProcess:
        """Return a running worker whose registration really is the given one.

        Only what calls a shipped library is measured `amid` what that needs: with it loaded, a fork takes a quarter
        longer.
        """
        running = self._workers.get((registration, amid))
        if running is None or not running.alive:
            if self._built is None:
                raise TargetError("the target is not entered")
            if running is not None:
                running.stop()
            worker = self._start_worker(registration.value, amid)
            actual = worker.hello.registration
            if actual != registration:
                worker.stop()
                raise TargetError(f"a worker has rseq registered by {actual}, not {registration.value} as chosen")
            self._workers[registration, amid] = worker
        return self._workers[registration, amid]
