"""A foreign program under qemu-user: no rseq there, but the other methods run, and a foreign build is seen to work.

What is counted are the instructions of the program itself; what Linux does in a system call is not among them.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rseqbench.build import products
from rseqbench.build.architectures import Arch
from rseqbench.build.linux.image import require_qemu
from rseqbench.errors import TargetError
from rseqbench.model import Benchmark, Case, CommandLine, Facts, Plan
from rseqbench.support.process import describe_exit, die_with_parent
from rseqbench.targets.measurements import Counts
from rseqbench.targets.runner import protocol
from rseqbench.targets.runner.target import RunnerTarget

_TIMEOUT_S = 300.0
_REAL_RSEQ = "--target qemu-system has one"
_STEP = 100  # instructions: by so many, writing an answer of other digits differs
_PLUGINS = "-plugin"  # an option that a qemu without plugins does not list in its help


class QemuUserTarget(RunnerTarget):
    """The target `qemu-user`."""

    timing = "emulated"

    def _connect(self, program: Path, stack: contextlib.ExitStack) -> _OneShotRunner:
        """Return what starts a process for each request."""
        qemu_with_plugins(self._arch)
        self._once = _OneShotRunner(self._arch, program)
        return self._once

    def _start_commands(self, program: Path) -> list[CommandLine]:
        """Return the compiler's call for the plugin, and the first process; one like it follows for each request."""
        plugin = products.plugin_call()
        library = products.plugin_path() if plugin.words else Path("PLUGIN")
        hello = _OneShotRunner.arguments("hello", registration=self._registration)
        command = counting_command(require_qemu(self._arch).user, library, 3, program, hello)
        return [
            plugin,
            CommandLine("ask the runner who it is", tuple(command), "a process like it follows for each request"),
        ]

    def benchmarks(self) -> list[Benchmark]:
        """Return all benchmarks, and where those that need rseq have it."""
        return [
            replace(benchmark, unavailable=f"{benchmark.unavailable}; {_REAL_RSEQ}")
            if benchmark.needs_rseq and benchmark.unavailable
            else benchmark
            for benchmark in super().benchmarks()
        ]

    def count(self, case: Case, plan: Plan, loops: Sequence[int], repeat: int) -> Counts:
        """Count the instructions of whole processes that do each number of `loops` once."""
        operations, taken, aborts = [], [], 0
        for number in loops:
            runs = [self._time_process(case, plan, number) for _ in range(repeat)]
            operations.append(runs[0][0]["operations"][0])  # whole processes: their warm-up is in the count
            taken.append(tuple(instructions for _, instructions in runs))
            aborts += sum(sum(answer["aborts"]) for answer, _ in runs)
        return Counts(tuple(operations), tuple(taken), _STEP, aborts, case.registration.value)

    def _time_process(self, case: Case, plan: Plan, loops: int) -> tuple[Any, int]:
        return self._once.ask_counted(
            "time",
            _TIMEOUT_S,
            kernel=case.benchmark,
            threads=1,
            cpus=[plan.cpus[0]],
            loops=[loops],
            registration=case.registration.value,
        )

    def _own_facts(self) -> Facts:
        return Facts(emulator=f"{require_qemu(self._arch).user}, user mode: Linux's instructions are not counted")


class _OneShotRunner:
    """A runner that is started anew for each request."""

    broken = False

    def __init__(self, arch: Arch, program: Path) -> None:
        self._arch = arch
        self._program = program

    @staticmethod
    def arguments(verb: str, **arguments: protocol.Argument) -> list[str]:
        """Return what the runner is started with for a request."""
        return ["once", *protocol.encode(1, verb, **arguments).decode("ascii").split(" ")]

    def ask(self, verb: str, timeout_s: float, **arguments: protocol.Argument) -> Any:
        """Return the answer; see docs/protocol.md. Raises TargetError."""
        return self.ask_counted(verb, timeout_s, **arguments)[0]

    def ask_counted(self, verb: str, timeout_s: float, **arguments: protocol.Argument) -> tuple[Any, int]:
        """Return the answer, and the instructions that it took to be there."""
        done = count_instructions(self._arch, self._program, self.arguments(verb, **arguments), timeout_s=timeout_s)
        line, newline, rest = done.stdout.partition(b"\n")
        if not newline or rest:
            raise TargetError(f"the runner answered with more or less than a line: {done.stdout[:80]!r}")
        return protocol.decode(line, 1), done.instructions


@dataclass(frozen=True)
class CountedProcess:
    """What a program printed, and the instructions it executed in user mode from its first to its last."""

    stdout: bytes
    instructions: int


def count_instructions(
    arch: Arch, program: Path, arguments: Sequence[str] = (), *, stdin: bytes = b"", timeout_s: float
) -> CountedProcess:
    """Run a static program of `arch` to its end and count what it executed; exact if it has one thread.

    Raises TargetError when there is no qemu for it, one without plugins, or when the program fails or does not end
    within `timeout_s` seconds.
    """
    qemu = qemu_with_plugins(arch)
    library = products.plugin().path
    answer = os.memfd_create("instructions")
    try:
        pid, stdout = _run_to_end(counting_command(qemu, library, answer, program, arguments), stdin, answer, timeout_s)
        counts = os.pread(answer, 1 << 16, 0).decode()
    finally:
        os.close(answer)
    for line in counts.splitlines():  # a program that forks leaves one line a process
        process, _, count = line.partition(" ")
        if int(process) == pid:
            return CountedProcess(stdout, int(count))
    raise TargetError(f"{program.name} ended under {qemu} without a count of its instructions")


def counting_command(qemu: str, library: Path, answer: int, program: Path, arguments: Sequence[str]) -> list[str]:
    """Return the command line that runs a program and leaves the count in the file descriptor `answer`."""
    return [qemu, _PLUGINS, f"{library},fd={answer}", str(program), *arguments]


def qemu_with_plugins(arch: Arch) -> str:
    """Return the qemu-user of `arch`. Raises TargetError if it is not there or takes no plugins."""
    name, package = require_qemu(arch).user, require_qemu(arch).user_package
    try:
        shown = subprocess.run([name, "-h"], capture_output=True, text=True, errors="replace", check=False).stdout
    except FileNotFoundError as error:
        raise TargetError(f"no {name} to run {arch.name} with", f"apt-get install {package}") from error
    except OSError as error:
        raise TargetError(f"{name} does not start: {error.strerror}", f"apt-get install {package}") from error
    if _PLUGINS not in shown:
        hint = "Debian 12's own qemu-user has them, that of its backports has not"
        raise TargetError(f"this {name} was built without plugins, which count instructions", hint)
    return name


def _bind_to_parent() -> None:
    """End with us, and leave no core: qemu writes one into the working folder when the program crashes."""
    die_with_parent()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _run_to_end(command: Sequence[str], stdin: bytes, answer: int, timeout_s: float) -> tuple[int, bytes]:
    """Run a command to its good end and return its process id and what it printed."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[answer],
        start_new_session=True,
        preexec_fn=_bind_to_parent,  # noqa: PLW1509 - it calls two functions of the C library
    )
    with process:
        try:
            stdout, stderr = process.communicate(stdin, timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            raise TargetError(
                f"{Path(command[3]).name} did not end within {timeout_s:g} s under {command[0]}"
            ) from error
        finally:
            with contextlib.suppress(ProcessLookupError):  # whatever it started, too
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode:
        words = stderr.decode(errors="replace").strip().splitlines() or [describe_exit(process.returncode)]
        raise TargetError(f"{Path(command[3]).name} failed under {command[0]}: {words[-1]}")
    return process.pid, stdout
