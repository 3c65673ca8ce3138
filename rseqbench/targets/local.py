"""This machine by way of the static runner: for code that Python cannot load, such as arm32 on a 64-bit ARM."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

from rseqbench.errors import TargetError
from rseqbench.model import Call
from rseqbench.support import process as lifetime
from rseqbench.targets.runner.line_channel import Lines
from rseqbench.targets.runner.local import Session
from rseqbench.targets.runner.target import Served


class Local(Served):
    """The target `runner`."""

    def _connect(self, program: Path, stack: contextlib.ExitStack) -> Session:
        """Start the runner as a child of ours, in a group of its own."""
        try:
            process = subprocess.Popen(
                _command(program),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for us, who end it in order
                preexec_fn=lifetime.die_with_parent,  # noqa: PLW1509 - it calls one function of the C library
            )
        except OSError as error:
            why = f"{self._arch.name} code does not run on this {os.uname().machine}: {error.strerror}"
            raise TargetError(why, f"--target qemu-system emulates {self._arch.name}") from error
        stack.callback(lifetime.kill, process)
        assert process.stdin is not None and process.stdout is not None

        def ended(reason: str) -> TargetError:
            return TargetError(f"the runner is gone ({reason or lifetime.ending(process.wait())})")

        return Session(Lines(process.stdout.fileno(), process.stdin.fileno(), "the runner", ended))

    def _connecting(self, program: Path) -> list[Call]:
        """Return the start of the runner."""
        return [Call("start the runner", tuple(_command(program)))]


def _command(program: Path) -> list[str]:
    return [str(program), "serve"]
