"""One call of ssh: a remote script that is talked to, and what became of it."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import IO

from rseqbench.errors import TargetError
from rseqbench.targets.runner.line_channel import Lines
from rseqbench.targets.ssh import failures, scripts
from rseqbench.targets.ssh.command import Caller

_GRACE_S = 5.0  # for the remote side to end by itself; a second is its own
_COPIED_GRACE_S = 1.0  # a copy that did not end by now was given up
_START_TIMEOUT_S = 90.0


def call(client: Caller, script: str, arguments: Sequence[str], first: bool) -> list[str]:
    """Return the call of ssh that runs a remote script; the `first` one's connection is shared by the others."""
    return client.command(scripts.command(script, arguments), first=first)


class Session:
    """A running remote script. `lines` is its standard input and output."""

    def __init__(
        self,
        client: Caller,
        what: str,
        script: str,
        arguments: Sequence[str] = (),
        *,
        meanings: Mapping[int, tuple[str, str]] | None = None,
        source: IO[bytes] | None = None,
        first: Session | None = None,
    ) -> None:
        """Connect and wait until the script runs.

        `what` names it in errors, and `meanings` says what its exit codes mean. It reads the file `source`, if any.
        `first` is the session whose connection is shared; without one, this is it. Raises TargetError.
        """
        self._client, self._what, self._meanings, self._first = client, what, meanings or {}, first
        self._began = False
        # Not a pipe: a user's shared connection that goes on in the background would keep it open for ever.
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        command = call(client, script, arguments, first is None)
        try:
            self._process = subprocess.Popen(
                command,
                stdin=source or subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._words,
                start_new_session=True,  # Ctrl-C is for us, who end it in order
            )
        except OSError as error:
            self._words.close()
            raise client.missing() from error
        try:
            self.lines = self._connected()
        except BaseException:
            self.close()
            raise

    @property
    def alive(self) -> bool:
        """Whether it still runs and is connected."""
        return self._process.poll() is None

    def words(self) -> str:
        """Return what ssh and the remote side wrote to standard error so far."""
        self._words.seek(0)
        return self._words.read().decode(errors="replace")

    def close(self) -> None:
        """End the input, give the remote side some seconds to end by itself, and cut the connection otherwise."""
        try:
            if self._process.stdin is not None:
                with contextlib.suppress(OSError):
                    self._process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE_S if self._process.stdin is not None else _COPIED_GRACE_S)
        finally:
            if self._process.poll() is None:
                self._process.kill()
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._words.close()

    def _connected(self) -> Lines:
        assert self._process.stdout is not None
        writer = None if self._process.stdin is None else self._process.stdin.fileno()
        peer = f"{self._what} on {self._client.destination}"
        lines = Lines(self._process.stdout.fileno(), writer, peer, self._ended)
        deadline = time.monotonic() + _START_TIMEOUT_S
        while lines.read_line(max(0.0, deadline - time.monotonic())) != scripts.READY:
            pass  # what the login shell says
        self._began = True
        return lines

    def _ended(self, reason: str) -> TargetError:
        """Return the error for a stream that ended: why, is in ssh's exit code and words."""
        try:
            code = self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            peer = f"{self._what} on {self._client.destination}"
            return TargetError(f"{peer} closed its output ({reason or 'it still runs'})")
        if code != failures.CONNECTION:
            return failures.command(self._client.destination, self._what, code, self.words(), self._meanings)
        words = self.words()
        if self._first is not None and not failures.last(words):  # the reason was told to the shared connection
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._first._process.wait(_GRACE_S)
            words = self._first.words()
        return failures.connection(self._client.destination, self._client.by_hand(), words, self._began)
