"""The user's own OpenSSH client: where it connects, with which options, and how it would be called by hand."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from rseqbench.errors import TargetError, UsageError
from rseqbench.targets.ssh import failures

_SETTINGS_TIMEOUT_S = 60.0  # a user's `Match exec` may do anything
# Never a question, never a terminal, nothing forwarded; no RemoteCommand of the user's in place of ours.
ALWAYS = ("-T", "-x", "-a", "-oBatchMode=yes", "-oRemoteCommand=none", "-oClearAllForwardings=yes")
# What OpenSSH would wait for ever for, unless the user has said how long: option, its value when it is not set, ours.
_PATIENCE = (("ConnectTimeout", "none", "15"), ("ServerAliveInterval", "0", "15"))
# ssh takes what begins with a dash for an option, and hands names to a shell for some settings (ProxyCommand %h).
_DESTINATION = re.compile(
    r"""(?P<user>[^\s'"`$\\;&<>|(){}!@-][^\s'"`$\\;&<>|(){}!]*@)?
        (?: \[ (?P<address> [0-9A-Fa-f:.]+ (?: %\w+ )? ) \] | (?P<host> \w[\w.-]* ) )
        (?: : (?P<port> [0-9]{1,5} ) )?""",
    re.ASCII | re.VERBOSE,
)


class Caller(Protocol):
    """How ssh is called for one machine."""

    @property
    def destination(self) -> object:
        """What the machine is called in errors."""

    def command(self, remote: str, first: bool) -> list[str]:
        """Return the call of ssh that runs the command line `remote`; the others may share the `first` one's."""

    def by_hand(self) -> str:
        """Return what a person types to log in there."""

    def missing(self) -> TargetError:
        """Return the error for an ssh that is not there."""


Calling = Callable[[Path], Caller]  # makes a Caller, given an empty folder for its sockets


@dataclass(frozen=True)
class Destination:
    """Where to connect to: what ssh is given, and a port other than the configured one."""

    user_host: str
    port: int | None

    def __str__(self) -> str:
        return self.user_host if self.port is None else f"{self.user_host}:{self.port}"


def parse(text: str) -> Destination:
    """Read [USER@]HOST[:PORT], where an IPv6 address stands in brackets. Raises UsageError for anything else."""
    hint = "write ssh:USER@HOST, ssh:HOST:PORT or ssh:USER@[IPV6]:PORT"
    found = _DESTINATION.fullmatch(text)
    if not found or (found["port"] and not 0 < int(found["port"]) < 65536):
        raise UsageError(f"{text!r} is no destination for ssh", hint)
    user_host = (found["user"] or "") + (found["host"] or found["address"])
    return Destination(user_host, int(found["port"]) if found["port"] else None)


def own(text: str) -> Calling:
    """Return what makes the user's own client for [USER@]HOST[:PORT]. Raises UsageError when that is malformed."""
    return partial(Client, parse(text))


def missing(ssh: str) -> TargetError:
    """Return the error for an ssh that is not there."""
    return TargetError(f"there is no {ssh} here", "apt-get install openssh-client")


class Client:
    """How ssh is called for one destination. Its command is `ssh`, or that in $RSEQBENCH_SSH with options."""

    def __init__(self, destination: Destination, controls: Path) -> None:
        """Ask ssh for the user's settings. A connection of ours is shared through a socket in the folder `controls`.

        Raises UsageError when $RSEQBENCH_SSH is no command, TargetError when there is no ssh or its settings are wrong.
        """
        self.destination = destination
        try:
            self._ssh = shlex.split(os.environ.get("RSEQBENCH_SSH", "")) or ["ssh"]
        except ValueError as error:
            hint = 'write for example RSEQBENCH_SSH="ssh -F FILE"'
            raise UsageError(f"RSEQBENCH_SSH is no command: {error}", hint) from error
        self._port = [] if destination.port is None else ["-p", str(destination.port)]
        settings = self._settings()
        unset = [(name, ours) for name, none, ours in _PATIENCE if settings.get(name.lower(), none) == none]
        self._options = [f"-o{name}={ours}" for name, ours in unset]
        # The key exchange takes 0.2 s on a fast machine and seconds on a small board, and a shared connection 0.01 s.
        shared_already = settings.get("controlmaster", "false") != "false" or "controlpath" in settings
        self._control = None if shared_already else controls / "socket"

    def command(self, remote: str, first: bool) -> list[str]:
        """Return the call of ssh that runs the command line `remote`; the others share the `first` one's connection."""
        shared = []
        if self._control is not None:
            shared = [f"-oControlMaster={'yes' if first else 'no'}", f"-oControlPath={self._control}"]
        return [*self._ssh, *ALWAYS, *self._options, *shared, *self._port, "--", self.destination.user_host, remote]

    def by_hand(self) -> str:
        """Return what a person types to log in there."""
        return shlex.join([*self._ssh, *self._port, self.destination.user_host])

    def missing(self) -> TargetError:
        """Return the error for an ssh that is not there."""
        return missing(self._ssh[0])

    def _settings(self) -> dict[str, str]:
        # Without our options: Debian's BatchMode sets a ServerAliveInterval of 300 s, as if the user had.
        command = [*self._ssh, "-G", *self._port, "--", self.destination.user_host]
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_SETTINGS_TIMEOUT_S,
                check=False,
            )
        except OSError as error:
            raise self.missing() from error
        except subprocess.TimeoutExpired as error:
            what = f"ssh does not finish reading its settings for {self.destination}"
            raise TargetError(what, f"see: {shlex.join(command)}") from error
        if done.returncode:
            raise TargetError(f"ssh cannot be used: {failures.last(done.stderr)}", f"see: {shlex.join(command)}")
        return dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
