"""A foreign static program under qemu-user, and how many instructions of its own it executed."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rseqbench.build import products
from rseqbench.build.architectures import Arch
from rseqbench.build.linux.image import emulated
from rseqbench.errors import TargetError
from rseqbench.support.process import die_with_parent, ending

_PLUGINS = "-plugin"  # an option that a qemu without plugins does not list in its help


@dataclass(frozen=True)
class Counted:
    """What a program printed, and the instructions it executed in user mode from its first to its last."""

    stdout: bytes
    instructions: int


def run(arch: Arch, program: Path, arguments: Sequence[str] = (), *, stdin: bytes = b"", timeout_s: float) -> Counted:
    """Run a static program of `arch` to its end and count what it executed; exact if it has one thread.

    Raises TargetError when there is no qemu for it, one without plugins, or when the program fails or does not end
    within `timeout_s` seconds.
    """
    qemu = qemu_with_plugins(arch)
    library = products.plugin().path
    answer = os.memfd_create("instructions")
    try:
        pid, stdout = _finished(command(qemu, library, answer, program, arguments), stdin, answer, timeout_s)
        counts = os.pread(answer, 1 << 16, 0).decode()
    finally:
        os.close(answer)
    for line in counts.splitlines():  # a program that forks leaves one line a process
        process, _, count = line.partition(" ")
        if int(process) == pid:
            return Counted(stdout, int(count))
    raise TargetError(f"{program.name} ended under {qemu} without a count of its instructions")


def command(qemu: str, library: Path, answer: int, program: Path, arguments: Sequence[str]) -> list[str]:
    """Return the command line that runs a program and leaves the count in the file descriptor `answer`."""
    return [qemu, _PLUGINS, f"{library},fd={answer}", str(program), *arguments]


def qemu_with_plugins(arch: Arch) -> str:
    """Return the qemu-user of `arch`. Raises TargetError if it is not there or takes no plugins."""
    name, package = emulated(arch).user, emulated(arch).user_package
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


def _bound() -> None:
    """End with us, and leave no core: qemu writes one into the working folder when the program crashes."""
    die_with_parent()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _finished(command: Sequence[str], stdin: bytes, answer: int, timeout_s: float) -> tuple[int, bytes]:
    """Run a command to its good end and return its process id and what it printed."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[answer],
        start_new_session=True,
        preexec_fn=_bound,  # noqa: PLW1509 - it calls two functions of the C library
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
        words = stderr.decode(errors="replace").strip().splitlines() or [ending(process.returncode)]
        raise TargetError(f"{Path(command[3]).name} failed under {command[0]}: {words[-1]}")
    return process.pid, stdout
