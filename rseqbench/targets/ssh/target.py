"""What the targets behind ssh share: whose architecture it is, the runner copied there, run, and removed afterwards."""

from __future__ import annotations

import contextlib
from pathlib import Path

from rseqbench.build import architectures
from rseqbench.build.architectures import Arch
from rseqbench.config import ResolvedOptions
from rseqbench.errors import TargetError
from rseqbench.model import CommandLine
from rseqbench.targets.runner.target import RunnerSession, RunnerTarget
from rseqbench.targets.ssh.command import SshClientFactory, openssh
from rseqbench.targets.ssh.remote_host import RemoteHost

_SERVE = ("serve",)


class SshTarget(RunnerTarget):
    """The target `ssh:DESTINATION`, and the base of those that reach their machine over ssh in another way."""

    def __init__(self, arch: Arch, options: ResolvedOptions, make_client: SshClientFactory | None = None) -> None:
        """Take the architecture, which is asked there unless the options name one, and how to run.

        `make_client` makes what calls ssh, by default the user's own. Raises UsageError for a malformed destination.
        """
        super().__init__(arch, options)
        self._asks = options.asks_arch
        self._host = RemoteHost(make_client or openssh(options.target.partition(":")[2]))

    def _approach(self, stack: contextlib.ExitStack) -> None:
        """Connect, and see what machine it is. Raises TargetError when it does not run the architecture's code."""
        machine = stack.enter_context(self._host).machine()
        found = architectures.of_machine(machine)
        if self._asks and found is None:
            hint = f"there are for {', '.join(architectures.known())}; kernels/README.md says how to add one"
            raise TargetError(f"{self._options.target} is {machine}, for which there are no kernels", hint)
        if self._asks and found is not None:
            self._arch, self._asks = found, False
        if machine not in (*self._arch.machines, *self._arch.compat):
            hint = f"--arch {found.name if found else '?'}"
            raise TargetError(f"{self._options.target} is {machine}, not {self._arch.name}", hint)

    def _connect(self, program: Path, stack: contextlib.ExitStack) -> RunnerSession:
        """Copy the runner there and start it."""
        return RunnerSession(self._host.run([self._host.copy(program), *_SERVE]).lines)

    def _start_commands(self, program: Path) -> list[CommandLine]:
        """Return the calls of ssh."""
        return self._host.calls(program, _SERVE)
