"""Another machine, `ssh:[USER@]HOST[:PORT]`: the static runner is copied there, run, and removed afterwards."""

from __future__ import annotations

import contextlib
from pathlib import Path

from rseqbench import arches
from rseqbench.arches import Arch
from rseqbench.config import RunOptions
from rseqbench.errors import TargetError
from rseqbench.model import Call
from rseqbench.targets.remote.host import Host
from rseqbench.targets.runner import Session
from rseqbench.targets.served import Served

_SERVE = ("serve",)


class Ssh(Served):
    """The target `ssh:DESTINATION`."""

    def __init__(self, arch: Arch, options: RunOptions) -> None:
        """Take the architecture of the machine there and how to run. Raises UsageError for a malformed destination."""
        super().__init__(arch, options)
        self._host = Host(options.target.partition(":")[2])

    def _connect(self, program: Path, stack: contextlib.ExitStack) -> Session:
        """Copy the runner there and start it."""
        host = stack.enter_context(self._host)
        machine = host.machine()
        if machine not in (*self._arch.machines, *self._arch.compat):
            right = next((arch.name for arch in arches.known().values() if machine in arch.machines), "?")
            raise TargetError(f"{self._options.target} is {machine}, not {self._arch.name}", f"--arch {right}")
        return Session(host.run([host.copy(program), *_SERVE]).lines)

    def _connecting(self, program: Path) -> list[Call]:
        """Return the calls of ssh."""
        return self._host.calls(program, _SERVE)
