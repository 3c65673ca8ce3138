"""Start and end child processes, so that none outlives the process that started it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence

from rseqbench.errors import TargetError
from rseqbench.model import ProgramResult

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)  # looked up before a fork: little is safe between fork and exec


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent dies, however that happens (prctl(2), PR_SET_PDEATHSIG).

    The parent is the thread that forked it. It holds over an exec, so it works as the preexec_fn of a Popen.
    """
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


@contextlib.contextmanager
def process_group() -> Iterator[int]:
    """Yield the id of a process group for Popen(process_group=): it is killed on leaving, and when we end, however.

    Its leader is a shell that waits for its input to end, which Linux closes with us.
    """
    watch = ["/bin/sh", "-c", "read -r _; kill -s KILL 0"]
    watcher = subprocess.Popen(watch, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, process_group=0)
    try:
        yield watcher.pid
    finally:
        kill(watcher)


def describe_exit(code: int) -> str:
    """Return in words how a process ended, from what Popen.wait() returns: "SIGKILL" or "exit code 3"."""
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def terminate(process: subprocess.Popen[bytes], patience_s: float) -> None:
    """Ask a process and the group that it leads to end, and kill what has not after `patience_s`; else as kill()."""
    try:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(patience_s)
    except (ProcessLookupError, subprocess.TimeoutExpired):
        pass
    finally:
        kill(process)


def kill(process: subprocess.Popen[bytes], group: int | None = None) -> None:
    """Kill a process and the group that it leads, or is in, with all that it started; wait for it, close its pipes.

    It must have been started in a new session or process group. One that has ended already is no error.
    """
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group or process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):  # a request that it did not take any more is still in the pipe
                pipe.close()


def run_program(command: Sequence[str], environment: Mapping[str, str], limit_s: float) -> ProgramResult:
    """Run a program to its end; all that it starts ends with it, and with us, however that happens.

    Raises TargetError when it does not start, does not end within `limit_s`, or was ended by a signal.
    """
    with process_group() as leader:
        began = time.monotonic_ns()
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                process_group=leader,
            )
        except OSError as error:
            raise TargetError(f"cannot start {command[0]}: {error.strerror}") from error
        try:
            output, errors = process.communicate(timeout=limit_s)
            took = time.monotonic_ns() - began
        except subprocess.TimeoutExpired as error:
            raise TargetError(f"{command[0]} did not end within {limit_s:g} s") from error
        finally:
            kill(process, leader)
    if process.returncode < 0:
        raise TargetError(f"{command[0]} was ended by {describe_exit(process.returncode)}")
    return ProgramResult(process.returncode, took, output.decode(errors="replace"), errors.decode(errors="replace"))
