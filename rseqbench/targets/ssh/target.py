"""What the targets behind ssh share: whose architecture it is, the runner copied there, run, and removed afterwards."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from rseqbench.build import architectures
from rseqbench.build.architectures import Arch
from rseqbench.config import RunOptions
from rseqbench.errors import TargetError
from rseqbench.model import Call
from rseqbench.targets.runner.local import Session
from rseqbench.targets.runner.target import Served
from rseqbench.targets.ssh import command
from rseqbench.targets.ssh import command as client
from rseqbench.targets.ssh.command import Calling
from rseqbench.targets.ssh.remote_host import Host

_SERVE = ("serve",)
# Over the open connection there is no proxy; without it, ssh would make one of its own, by other settings.
_NO_OTHER = ("-oControlMaster=no", "-oProxyCommand=false")


class Far(Served):
    """A target whose runner is at the other end of ssh."""

    def __init__(self, arch: Arch, options: RunOptions, calling: Calling) -> None:
        """Take the architecture, which is asked there unless the options name one, how to run, how ssh is called."""
        super().__init__(arch, options)
        self._asks = options.arch == architectures.HOST
        self._host = Host(calling)

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

    def _connect(self, program: Path, stack: contextlib.ExitStack) -> Session:
        """Copy the runner there and start it."""
        return Session(self._host.run([self._host.copy(program), *_SERVE]).lines)

    def _connecting(self, program: Path) -> list[Call]:
        """Return the calls of ssh."""
        return self._host.calls(program, _SERVE)


class Ssh(Far):
    """The target `ssh:DESTINATION`."""

    def __init__(self, arch: Arch, options: RunOptions) -> None:
        """Take the architecture of the machine there and how to run. Raises UsageError for a malformed destination."""
        super().__init__(arch, options, command.own(options.target.partition(":")[2]))


@dataclass(frozen=True)
class Joined:
    """How ssh is called for a machine to which a connection is open.

    destination: what it is called in errors; words: ssh with its options, the control socket among them; host: what
    it is given to connect to; login: what a person types to log in there.
    """

    destination: str
    words: tuple[str, ...]
    host: str
    login: str

    def command(self, remote: str, first: bool) -> list[str]:
        """Return the call of ssh that runs the command line `remote`."""
        return [*self.words, *client.ALWAYS, *_NO_OTHER, "--", self.host, remote]

    def by_hand(self) -> str:
        """Return what a person types to log in there."""
        return self.login

    def missing(self) -> TargetError:
        """Return the error for an ssh that is not there."""
        return client.missing(self.words[0])
