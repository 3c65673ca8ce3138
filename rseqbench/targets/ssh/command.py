"""How ssh is called, by hand too, and the errors for what it says when a connection fails."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from rseqbench.errors import TargetError, UsageError
from rseqbench.support.process import describe_exit

_SETTINGS_TIMEOUT_S = 60.0  # a user's `Match exec` may do anything
# Never a question, never a terminal, nothing forwarded; no RemoteCommand of the user's in place of ours.
ALWAYS = ("-T", "-x", "-a", "-oBatchMode=yes", "-oRemoteCommand=none", "-oClearAllForwardings=yes")
# Over the open connection there is no proxy; without it, ssh would make one of its own, by other settings.
_NO_OTHER = ("-oControlMaster=no", "-oProxyCommand=false")
# What OpenSSH would wait for ever for, unless the user has said how long: option, its value when it is not set, ours.
_PATIENCE = (("ConnectTimeout", "none", "15"), ("ServerAliveInterval", "0", "15"))
# ssh takes what begins with a dash for an option, and hands names to a shell for some settings (ProxyCommand %h).
_DESTINATION = re.compile(
    r"""(?P<user>[^\s'"`$\\;&<>|(){}!@-][^\s'"`$\\;&<>|(){}!]*@)?
        (?: \[ (?P<address> [0-9A-Fa-f:.]+ (?: %\w+ )? ) \] | (?P<host> \w[\w.-]* ) )
        (?: : (?P<port> [0-9]{1,5} ) )?""",
    re.ASCII | re.VERBOSE,
)
CONNECTION = 255  # the exit code of ssh itself; all others are the remote command's
# In this order: a pattern in ssh's words, what it means, what to do. {host} is the destination, {login} a call by hand.
_CAUSES = (
    (
        "HOST IDENTIFICATION HAS CHANGED",
        "{host} shows another host key than before",
        "find out why; then remove the old one with the ssh-keygen -R that this shows, and accept the new: {login}",
    ),
    (
        "Host key verification failed|host key is known",
        "the host key of {host} is not known here",
        "log in once by hand to compare and accept it: {login}",
    ),
    ("Could not resolve hostname", "there is no host {host}", "is the name right? try: {login}"),
    ("Connection refused", "{host} refuses connections", "is an sshd running there, on that port?"),
    (
        "Permission denied",
        "{host} wants a password or another key",
        "no password can be typed here: set up a key with ssh-copy-id, or ssh-add yours; it works when this asks "
        "nothing: {login}",
    ),
    ("[Tt]imed out|No route to host|unreachable", "{host} does not answer", "is it on, and in this network?"),
)


class SshClient(Protocol):
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


SshClientFactory = Callable[[Path], SshClient]  # makes a Caller, given an empty folder for its sockets


@dataclass(frozen=True)
class Destination:
    """Where to connect to: what ssh is given, and a port other than the configured one."""

    user_host: str
    port: int | None

    def __str__(self) -> str:
        return self.user_host if self.port is None else f"{self.user_host}:{self.port}"


def parse_destination(text: str) -> Destination:
    """Read [USER@]HOST[:PORT], where an IPv6 address stands in brackets. Raises UsageError for anything else."""
    hint = "write ssh:USER@HOST, ssh:HOST:PORT or ssh:USER@[IPV6]:PORT"
    found = _DESTINATION.fullmatch(text)
    if not found or (found["port"] and not 0 < int(found["port"]) < 65536):
        raise UsageError(f"{text!r} is no destination for ssh", hint)
    user_host = (found["user"] or "") + (found["host"] or found["address"])
    return Destination(user_host, int(found["port"]) if found["port"] else None)


def openssh(text: str) -> SshClientFactory:
    """Return what makes the user's own client for [USER@]HOST[:PORT]. Raises UsageError when that is malformed."""
    return partial(OpenSsh, parse_destination(text))


def missing_ssh(ssh: str) -> TargetError:
    """Return the error for an ssh that is not there."""
    return TargetError(f"there is no {ssh} here", "apt-get install openssh-client")


class OpenSsh:
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
        return missing_ssh(self._ssh[0])

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
            raise TargetError(f"ssh cannot be used: {last_line(done.stderr)}", f"see: {shlex.join(command)}")
        return dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)


@dataclass(frozen=True)
class SharedConnection:
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
        return [*self.words, *ALWAYS, *_NO_OTHER, "--", self.host, remote]

    def by_hand(self) -> str:
        """Return what a person types to log in there."""
        return self.login

    def missing(self) -> TargetError:
        """Return the error for an ssh that is not there."""
        return missing_ssh(self.words[0])


def connection_error(host: object, login: str, words: str, began: bool) -> TargetError:
    """Return the error for ssh's exit code 255 from all it said: the connection was lost, or never `began`."""
    if began:
        return TargetError(f"connection to {host} lost{_said(words)}", "is it still on, and in this network?")
    for pattern, what, advice in _CAUSES:
        if re.search(pattern, words):
            return TargetError(f"{what.format(host=host)}{_said(words)}", advice.format(login=login))
    return TargetError(f"cannot connect to {host}{_said(words)}", f"try: {login}")


def command_error(
    host: object, what: str, code: int, words: str, meanings: Mapping[int, tuple[str, str]]
) -> TargetError:
    """Return the error for a remote command `what` that ended; `meanings` of its exit codes are message and hint."""
    if code in meanings:
        message, hint = meanings[code]
        return TargetError(f"{host}: {message}{_said(words)}", hint)
    return TargetError(f"{what} on {host} ended with {_code(code)}{_said(words)}")


def last_line(words: str) -> str:
    """Return the last line that says something."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _said(words: str) -> str:
    said = last_line(words)
    return f" ({said})" if said else ""


def _code(code: int) -> str:
    if code < 0:
        return f"{describe_exit(code)} of ssh here"
    try:
        return signal.Signals(code - 128).name  # how a shell tells that a signal ended it
    except ValueError:
        return f"exit code {code}"
