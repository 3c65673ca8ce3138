"""A conversation with a runner: numbered requests, one at a time, and their answers."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path
from typing import Any

from rseqbench.errors import TargetError
from rseqbench.model import Call
from rseqbench.support import process as lifetime
from rseqbench.targets.runner import protocol
from rseqbench.targets.runner.line_channel import Lines
from rseqbench.targets.runner.target import Served


class Session:
    """Requests to one runner over its lines, which stay their owner's.

    broken: an answer did not come, or was none, so that whatever comes next may still be that one: start another.
    """

    def __init__(self, lines: Lines) -> None:
        """Take the lines to a runner that serves at their other end."""
        self._lines = lines
        self._number = 0
        self.broken = False

    def ask(self, verb: str, timeout_s: float, **arguments: protocol.Argument) -> Any:
        """Return the answer to a request, for which the runner has `timeout_s` seconds.

        Raises TargetError with the runner's words when it says error, or with Linux's when it is gone, and WireError
        when what comes is no answer to this request.
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
        except protocol.WireError:
            self.broken = True
            raise


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
