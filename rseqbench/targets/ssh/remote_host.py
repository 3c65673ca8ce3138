"""A remote machine while we use it: its folder for our files, copies into it, programs in it; all gone afterwards."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from rseqbench.errors import TargetError
from rseqbench.model import CommandLine
from rseqbench.targets.ssh import scripts
from rseqbench.targets.ssh.command import SshClientFactory
from rseqbench.targets.ssh.scripts import RemoteScript

_COPY_TIMEOUT_S = 300.0  # some megabytes over the slowest network that anybody benchmarks through
_HELLO_TIMEOUT_S = 30.0
_CONTROLS = "rseqbench-ssh-"
_DIGITS = 16  # of its digest name a file there
_ROOM = "free some space there, or let TMPDIR there name a folder on another disk"
_MEANINGS = {
    scripts.NO_FOLDER: ("none of $TMPDIR (or /tmp), ~/.cache and ~ can be written to and executed from", _ROOM),
    scripts.NOT_WRITTEN: ("the file cannot be written there", _ROOM),
    scripts.FOREIGN: (
        "exec format error: the program is for another architecture",
        "choose that machine's with --arch",
    ),
    scripts.GONE: ("our folder there is gone", "does something clean up over there? start again"),
    scripts.NO_FIFO: ("no named pipe can be made there", "is mkfifo there, and a file system that has named pipes?"),
}


class RemoteHost:
    """A machine behind ssh, as a context.

    What we leave there lives in one private folder, which the remote side removes by itself when the connection ends,
    however it ends. When a network vanishes without a word, that is when the remote sshd notices (its ClientAlive or
    TCP keep-alive); this side notices within a minute.
    """

    def __init__(self, calling: SshClientFactory) -> None:
        """Take how ssh is called; connects when entered."""
        self._calling = calling
        self._copied: dict[str, str] = {}
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Connect, make the folder, and ask for the machine. Raises TargetError with ssh's own last words."""
        with contextlib.ExitStack() as opened:
            try:  # a socket's name may have 108 bytes only, so it cannot be under any $TMPDIR
                controls = opened.enter_context(tempfile.TemporaryDirectory(prefix=_CONTROLS, dir="/tmp"))
            except OSError as error:
                raise TargetError(
                    f"cannot write to /tmp: {error.strerror or error}", "see: df /tmp; ls -ld /tmp"
                ) from error
            self._client = self._calling(Path(controls))
            self._holder = RemoteScript(self._client, "our shell", scripts.KEEP, meanings=_MEANINGS)
            opened.callback(self._holder.close)
            self._machine, self._folder = (
                os.fsdecode(self._holder.lines.read_line(_HELLO_TIMEOUT_S)) for _ in range(2)
            )
            self._copied.clear()  # what an earlier folder held is gone with it
            self._open = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all programs and remove the folder."""
        self.close()

    def close(self) -> None:
        """End all programs, the newest first, let the remote side remove its folder, and disconnect."""
        self._open.close()

    def machine(self) -> str:
        """Return what `uname -m` said there."""
        return self._machine

    def copy(self, path: Path) -> str:
        """Copy an executable there, unless the same is there already, and return its remote path.

        It is verified there, and started once, without input and with one argument that it cannot know, to see whether
        the Linux there executes it at all. Raises TargetError when it does not, when the disk is full, and so on.
        """
        digest = _summed("sha256sum", path)
        if digest not in self._copied:
            name = digest[:_DIGITS]
            with path.open("rb") as source:
                session = self._session("the copy", *_copying(self._folder, name), source)
            try:
                how, told, _ = (os.fsdecode(session.lines.read_line(_COPY_TIMEOUT_S)) for _ in range(3))
            finally:
                session.close()
            if told.split()[: len(_summed(how, path).split())] != _summed(how, path).split():
                raise TargetError(f"{self._client.destination}: {path.name} arrived damaged ({how}: {told})", _ROOM)
            self._copied[digest] = f"{self._folder}/{name}"
        return self._copied[digest]

    def run(self, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> RemoteScript:
        """Start a program in our folder, its path first, with additions to its environment; talk to it by `lines`.

        It has to end when its input does: a second later it is killed, but not what it may have started. SIGINT is
        ignored in it. `close()` ends it; so does the end of the connection. Raises TargetError.
        """
        added = [f"{name}={value}" for name, value in (environment or {}).items()]
        command = [*(["env", *added] if added else []), *arguments]
        session = self._session("the program", *_running(self._folder, command))
        self._open.callback(session.close)
        return session

    def calls(self, program: Path, arguments: Sequence[str]) -> list[CommandLine]:
        """Return the calls of ssh that copy a program there and run it, by executing none.

        Only the settings here are asked for, with ssh -G. Raises TargetError without ssh, or sense in them.
        """
        called = self._calling(Path(f"/tmp/{_CONTROLS}XXXXXXXX"))
        there = program.is_file()
        name = _summed("sha256sum", program)[:_DIGITS] if there else "DIGEST"
        unknown = "FOLDER is what the first call answers" + ("" if there else ", DIGEST of what is compiled")

        def call(what: str, script: str, given: Sequence[str], note: str, first: bool = False) -> CommandLine:
            return CommandLine(what, tuple(scripts.ssh_command(called, script, given, first)), note)

        return [
            call("connect, and make a folder there", scripts.KEEP, (), "XXXXXXXX is new each time", first=True),
            call("copy the runner there", *_copying("FOLDER", name), f"reads {program}; {unknown}"),
            call("start it", *_running("FOLDER", [f"FOLDER/{name}", *arguments]), unknown),
        ]

    def _session(
        self, what: str, script: str, arguments: Sequence[str], source: IO[bytes] | None = None
    ) -> RemoteScript:
        return RemoteScript(
            self._client, what, script, arguments, meanings=_MEANINGS, source=source, first=self._holder
        )


def _copying(folder: str, name: str) -> tuple[str, list[str]]:
    """Return the script that takes a file, with its arguments."""
    return scripts.COPY, [folder, name]


def _running(folder: str, command: Sequence[str]) -> tuple[str, list[str]]:
    """Return the script that runs a command in our folder, with its arguments."""
    return scripts.RUN, [folder, *command]


def _summed(how: str, path: Path) -> str:
    """Return what the command `how` prints of a file that it reads from its standard input, without the name."""
    with path.open("rb") as file:
        if how == "sha256sum":
            return hashlib.file_digest(file, "sha256").hexdigest()
        if how == "cksum":
            return subprocess.run(["cksum"], stdin=file, capture_output=True, text=True, check=True).stdout
    return str(path.stat().st_size)
