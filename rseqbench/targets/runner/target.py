"""What all targets share that talk to a runner: everything but how to reach one."""

from __future__ import annotations

import abc
import contextlib
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from rseqbench import selection
from rseqbench.build import products
from rseqbench.build.architectures import Arch
from rseqbench.build.cache import Built
from rseqbench.config import CheckOptions, ResolvedOptions
from rseqbench.errors import TargetError
from rseqbench.host import facts
from rseqbench.model import (
    Benchmark,
    Case,
    Check,
    CommandLine,
    Facts,
    Machine,
    Plan,
    ProgramResult,
    Registration,
    Timing,
)
from rseqbench.selection import choose_cpus
from rseqbench.support import process
from rseqbench.targets.measurements import ChunkRequest, GatedRound, LoopTimes
from rseqbench.targets.runner import messages, protocol
from rseqbench.targets.runner.line_channel import LineChannel
from rseqbench.workloads import hackbench, jemalloc

_TIMEOUT_S = 60.0  # for an answer that takes no measuring
_MEASURE_TIMEOUT_S = 300.0


class Runner(Protocol):
    """A runner that can be asked; see docs/protocol.md for the verbs."""

    def ask(self, verb: str, timeout_s: float, **arguments: protocol.Argument) -> Any:
        """Return the answer. Raises TargetError with the runner's words, or when it is gone or late."""

    @property
    def broken(self) -> bool:
        """Whether it cannot be asked any more."""


class RunnerSession:
    """Requests to one runner over its lines, which stay their owner's.

    broken: an answer did not come, or was none, so that whatever comes next may still be that one: start another.
    """

    def __init__(self, lines: LineChannel) -> None:
        """Take the lines to a runner that serves at their other end."""
        self._lines = lines
        self._number = 0
        self.broken = False

    def ask(self, verb: str, timeout_s: float, **arguments: protocol.Argument) -> Any:
        """Return the answer to a request, for which the runner has `timeout_s` seconds.

        Raises TargetError with the runner's words when it says error, or with Linux's when it is gone, and
        ProtocolError when what comes is no answer to this request.
        """
        self._number += 1
        line = protocol.encode(self._number, verb, **arguments)
        try:
            self._lines.send(line)
            answer = self._lines.read_line(timeout_s)
        except TargetError:
            self.broken = True
            raise
        try:
            return protocol.decode(answer, self._number)
        except protocol.ProtocolError:
            self.broken = True
            raise


class RunnerTarget(abc.ABC):
    """A target whose processes are a runner's children: each request is a fresh process by itself."""

    timing: Timing | None = None  # None: real, and the machine's own facts say whether it is a virtual one's

    def __init__(self, arch: Arch, options: ResolvedOptions) -> None:
        """Take the architecture and how to run."""
        self._arch = arch
        self._options = options
        self._registration = options.registration or messages.OWN_CHOICE
        self._resources = contextlib.ExitStack()
        self._lost: TargetError | None = None
        self._facts = Facts()
        self._cpus: tuple[int, ...] = ()

    def _approach(self, stack: contextlib.ExitStack) -> None:  # noqa: B027 - nothing is a choice
        """Do what has to be done before the runner is compiled, such as finding out for which architecture."""

    @abc.abstractmethod
    def _connect(self, program: Path, stack: contextlib.ExitStack) -> Runner:
        """Start the runner `program` at its place and return it; `stack` gets what ends it."""

    @abc.abstractmethod
    def _start_commands(self, program: Path) -> list[CommandLine]:
        """Return the command lines that start the runner `program` there, each made where it is made to be executed."""

    def calls(self) -> list[CommandLine]:
        """Return the compiler's call, and those that start the runner."""
        compiled = products.runner_call(self._arch)
        path = products.runner_path(self._arch) if compiled.words else Path("RUNNER")
        return [compiled, *self._start_commands(path)]

    def _checker(self) -> Runner:
        """Return the runner that checks, where it is not the one that measures."""
        return self._reachable()

    def _check_cpus(self) -> int:
        """Return how many CPUs there are to check on."""
        return len(self._hello.cpus)

    def _own_files(self) -> Mapping[str, Path]:
        """Return files of the machine that are known from elsewhere, by their names there."""
        return {}

    def _own_facts(self) -> Facts:
        """Return facts that only this kind of target has."""
        return Facts()

    @cached_property
    def _built(self) -> Built:
        """The runner, compiled unless it is already."""
        return products.runner(self._arch)

    def __enter__(self) -> Self:
        """Compile what is not compiled yet, reach the place and start a runner there."""
        self._reach()
        try:
            self._hello = messages.RunnerHello.read(self._ask("hello", _TIMEOUT_S, registration=self._registration))
            self._facts = self._collect()
            isolated = selection.parse_cpu_list(self._facts.isolated_cpus or "") or ()
            self._cpus = choose_cpus(self._options.cpus, set(self._hello.cpus), set(isolated))
        except BaseException:
            self._resources.close()
            raise
        return self

    def _reach(self) -> None:
        with contextlib.ExitStack() as stack:
            self._approach(stack)
            self._runner = self._connect(self._built.path, stack)
            self._resources = stack.pop_all()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the runner and whatever it needed."""
        self._resources.close()

    def _reachable(self) -> Runner:
        """Return the runner, another one if the one there cannot be asked any more: it may still be at what it was."""
        if self._lost is not None:  # tried in this round: nobody waits for a dead host once a case
            raise self._lost
        if self._runner.broken:
            self._resources.close()
            try:
                self._reach()
            except TargetError as error:
                self._lost = error
                raise
        return self._runner

    def new_round(self) -> None:
        """Start another runner if the one there is cannot be asked any more; each request is a fresh process anyway."""
        self._lost = None
        self._reachable()

    @property
    def arch(self) -> str:
        """The name of the architecture."""
        return self._arch.name

    def machine(self) -> Machine:
        """Describe the machine that the runner runs on."""
        timing = self.timing or ("virtual" if self._facts.is_virtual else "hardware")
        return Machine(self._arch.name, self._options.target, timing, self._facts)

    def cpus(self) -> tuple[int, ...]:
        """Return the CPUs to pin to."""
        return self._cpus

    def registration(self) -> Registration:
        """Return who registers rseq in a process by default."""
        return Registration(self._hello.registration)

    def benchmarks(self) -> list[Benchmark]:
        """Return all benchmarks; those that need rseq to be off are asked of a process without it."""
        listed, without = (
            protocol.decode_kernels(self._ask("list", _TIMEOUT_S, registration=registration))
            for registration in (self._registration, Registration.NONE.value)
        )
        programs = [
            hackbench.describe_program(program, self._lacks(program)) for program in hackbench.PROGRAMS.values()
        ]
        programs += jemalloc.list_benchmarks(jemalloc.ELSEWHERE)
        return messages.sort_by_name([*messages.describe_benchmarks(listed, without), *programs])

    def _lacks(self, program: hackbench.Program) -> str:
        """Return why a program cannot be run there, empty when it lies there."""
        return "" if self._ask("glob", _TIMEOUT_S, pattern=program.path) else hackbench.missing_reason(program)

    def check(self, benchmark: Benchmark, options: CheckOptions) -> Check:
        """Prove a benchmark exact: the timed code first, then its variant that holds sequences open."""
        registration = Registration.NONE if benchmark.needs_no_rseq else self.registration()
        checker = self._checker()

        def ask(request: messages.CheckRequest) -> messages.CheckAnswer:
            answer = checker.ask(request.verb, options.timeout_s, registration=registration.value, **vars(request))
            return messages.CheckAnswer.read(answer)

        return messages.run_check(benchmark, options, self._check_cpus(), ask)

    def measure(self, case: Case, plan: Plan, loops: int) -> LoopTimes:
        """Time a case in a fresh process, as the worker of pyperf does. Raises TargetError."""
        return messages.time_as_pyperf(partial(self._time, case, plan), case, plan, loops)

    def _time(self, case: Case, plan: Plan, loops: Sequence[int], repeat: int) -> tuple[list[int], list[int]]:
        answer = self._ask(
            "time",
            _MEASURE_TIMEOUT_S,
            kernel=case.benchmark,
            threads=case.threads,
            cpus=list(plan.cpus),
            loops=list(loops),
            repeat=repeat,
            registration=case.registration.value,
        )
        return answer["ns"], answer["aborts"]

    def calibrate(self, case: Case, plan: Plan, chunk_ns: int) -> int:
        """Return how many operations of a case last `chunk_ns`. Raises TargetError when it fails."""
        return int(self._request(messages.calibrate_request(case, plan, chunk_ns)))

    def gate(self, requests: Sequence[ChunkRequest], plan: Plan, options: Mapping[str, int]) -> GatedRound:
        """Run one gated round in a fresh process. Raises TargetError when it dies, fails or is not exact."""
        answer = self._request(messages.gate_request(requests, plan, options))
        return messages.read_gated_round(answer, requests, not self._hello.no_counters, self.registration())

    def run(self, path: str, arguments: Sequence[str], registration: Registration, limit_s: float) -> ProgramResult:
        """Run a program that lies there. Raises TargetError when it does not start, or not end within `limit_s`."""
        answer = self._ask(
            "program",
            limit_s + _TIMEOUT_S,
            path=path,
            **({"arguments": list(arguments)} if arguments else {}),
            limit_ms=round(limit_s * 1000),
            registration=registration.value,
        )
        return messages.read_program_result(answer)

    def doubts(self, case: Case) -> str:
        """Return nothing: shipped libraries are measured natively only."""
        return ""

    def boot_id(self) -> str:
        """Return Linux's own number of the boot there."""
        return protocol.decode_file(self._ask("read", _TIMEOUT_S, path=f"/{facts.BOOT_ID}")).decode().strip()

    def _request(self, request: messages.Request) -> Any:
        """Send a request of measuring to a process with the registration that is the default."""
        return self._ask(request.verb, _MEASURE_TIMEOUT_S, registration=self.registration().value, **vars(request))

    def _ask(self, verb: str, timeout_s: float, **arguments: protocol.Argument) -> Any:
        return self._reachable().ask(verb, timeout_s, **arguments)

    def _collect(self) -> Facts:
        """Read the facts of the machine there: its files are copied here, and read as those of this machine are."""
        with tempfile.TemporaryDirectory(prefix="rseqbench-facts-") as name:
            root = Path(name)
            for path in self._sources():
                try:
                    _lay_out(root, path, protocol.decode_file(self._ask("read", _TIMEOUT_S, path=path)))
                except TargetError:  # the file is gone, or not for us: a fact that is not known
                    if self._runner.broken:
                        raise
            for path, known in self._own_files().items():
                _lay_out(root, path, known.read_bytes())
            collected = facts.collect_machine_facts(root, self._hello.machine)
        built = Facts(compiler=self._built.compiler, cflags=self._built.cflags, kernels=self._built.digest)
        libc = Facts(libc=f"glibc {self._hello.glibc}", page_size=self._hello.page_size)
        return collected | built | libc | facts.collect_python_facts() | self._hello.facts() | self._own_facts()

    def _sources(self) -> list[str]:
        patterns = [f"/{source.format(release=self._hello.linux)}" for source in facts.SOURCES]
        paths = (self._ask("glob", _TIMEOUT_S, pattern=path) if "*" in path else [path] for path in patterns)
        return list(chain.from_iterable(paths))


def _lay_out(root: Path, path: str, content: bytes) -> None:
    copy = root / path.removeprefix("/")
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_bytes(content)


class LocalRunnerTarget(RunnerTarget):
    """The target `runner`."""

    def _connect(self, program: Path, stack: contextlib.ExitStack) -> RunnerSession:
        """Start the runner as a child of ours, in a group of its own."""
        try:
            child = subprocess.Popen(
                _command(program),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for us, who end it in order
                preexec_fn=process.die_with_parent,  # noqa: PLW1509 - it calls one function of the C library
            )
        except OSError as error:
            why = f"{self._arch.name} code does not run on this {os.uname().machine}: {error.strerror}"
            raise TargetError(why, f"--target qemu-system emulates {self._arch.name}") from error
        stack.callback(process.kill, child)
        assert child.stdin is not None and child.stdout is not None

        def ended(reason: str) -> TargetError:
            return TargetError(f"the runner is gone ({reason or process.describe_exit(child.wait())})")

        return RunnerSession(LineChannel(child.stdout.fileno(), child.stdin.fileno(), "the runner", ended))

    def _start_commands(self, program: Path) -> list[CommandLine]:
        """Return the start of the runner."""
        return [CommandLine("start the runner", tuple(_command(program)))]


def _command(program: Path) -> list[str]:
    return [str(program), "serve"]
