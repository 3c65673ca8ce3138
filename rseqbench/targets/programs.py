"""Running a whole program on this machine, from outside: what it takes, what it says, and nothing of it left behind."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence

from rseqbench.errors import TargetError
from rseqbench.model import Ran
from rseqbench.support import process as lifetime


def run(command: Sequence[str], environment: Mapping[str, str], limit_s: float) -> Ran:
    """Run a program to its end; all that it starts ends with it, and with us, however that happens.

    Raises TargetError when it does not start, does not end within `limit_s`, or was ended by a signal.
    """
    with lifetime.group() as group:
        began = time.monotonic_ns()
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                process_group=group,
            )
        except OSError as error:
            raise TargetError(f"cannot start {command[0]}: {error.strerror}") from error
        try:
            output, errors = process.communicate(timeout=limit_s)
            took = time.monotonic_ns() - began
        except subprocess.TimeoutExpired as error:
            raise TargetError(f"{command[0]} did not end within {limit_s:g} s") from error
        finally:
            lifetime.kill(process, group)
    if process.returncode < 0:
        raise TargetError(f"{command[0]} was ended by {lifetime.ending(process.returncode)}")
    return Ran(process.returncode, took, output.decode(errors="replace"), errors.decode(errors="replace"))
