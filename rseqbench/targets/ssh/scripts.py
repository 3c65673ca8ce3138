"""What runs on the remote machine: POSIX sh, joined to one line; and one call of ssh that runs it and talks to it.

The login shell of the user over there reads the line first, and may be csh or fish: so no newline and no apostrophe is
in it, and an exclamation mark only before a space. Each begins by saying READY, because a login shell may greet before.
"""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import IO

from rseqbench.errors import TargetError
from rseqbench.targets.runner.line_channel import LineChannel
from rseqbench.targets.ssh.command import CONNECTION, SshClient, command_error, connection_error, last_line

READY = b"rseqbench: ready"
NO_FOLDER, NOT_WRITTEN, FOREIGN, GONE, NO_FIFO = range(113, 118)  # exit codes, which a program hardly uses
# The last of TMPDIR, ~/.cache and ~ is for machines whose /tmp is mounted noexec. A file without a first line that
# names an interpreter is run by the shell, but not where executing is forbidden. Whoever opened the connection holds
# it open; at its end, for whatever reason, `read` ends too.
KEEP = """
umask 077; folder=;
remove() { cd /; rm -rf "$folder"; };
trap remove EXIT; trap "exit 1" HUP INT TERM PIPE;
for base in "${TMPDIR:-/tmp}" "${XDG_CACHE_HOME:-$HOME/.cache}" "$HOME"; do
    test -d "$base" || continue;
    folder=$(mktemp -d "$base/rseqbench.XXXXXX") || { folder=; continue; };
    echo : >"$folder/try" && chmod 700 "$folder/try" && "$folder/try" && rm "$folder/try" && break;
    rm -rf "$folder"; folder=;
done;
test -n "$folder" || exit 113;
uname -m; echo "$folder";
while read -r line; do :; done
"""
# A shell that Linux tells "exec format error" takes the file for a script and interprets machine code. So the file is
# first the interpreter of a script whose second line only a shell will reach. (041 is the exclamation mark.)
COPY = r"""
umask 077; cd "$1" || exit 116;
cat >"$2.part" && chmod 700 "$2.part" || exit 114;
for sum in sha256sum cksum "wc -c"; do command -v ${sum% -c} >/dev/null && break; done;
echo $sum; $sum <"$2.part" || exit 114;
mv "$2.part" "$2" || exit 114;
printf "#\041./%s\necho >%s.foreign\n" "$2" "$2" >"$2.try" && chmod 700 "$2.try" || exit 114;
"./$2.try" </dev/null >/dev/null 2>&1;
rm "$2.try"; test -e "$2.foreign" && { rm "$2.foreign"; exit 115; };
echo copied
"""
# The program may be busy for minutes and would not see the end of its input, so that passes through a cat, at whose
# end the program has a second left. It keeps nothing of the connection open after the program.
RUN = """
cd "$1" || exit 116; shift;
fifo=input.$$; mkfifo "$fifo" || exit 117;
exec 3<&0;
"$@" <"$fifo" 3<&- & program=$! ;
{ cat <&3 >"$fifo"; sleep 1; kill -9 $program; } >/dev/null 2>&1 & relay=$! ;
exec 3<&-;
wait $program; code=$?;
kill $relay; rm -f "$fifo"; exit $code
"""

_GRACE_S = 5.0  # for the remote side to end by itself; a second is its own
_COPIED_GRACE_S = 1.0  # a copy that did not end by now was given up
_START_TIMEOUT_S = 90.0


def script_command(script: str, arguments: Sequence[str] = ()) -> str:
    """Return what ssh is given to run a script with its arguments, whatever the login shell.

    (Only fish reads an argument with two backslashes, or with one at its end, in its own way.)
    """
    line = " ".join(part.strip() for part in [f'echo "{READY.decode()}";', *script.splitlines()])
    return f"exec sh -c {shlex.quote(line)} sh {shlex.join(arguments)}"


def ssh_command(client: SshClient, script: str, arguments: Sequence[str], first: bool) -> list[str]:
    """Return the call of ssh that runs a remote script; the `first` one's connection is shared by the others."""
    return client.command(script_command(script, arguments), first=first)


class RemoteScript:
    """A running remote script. `lines` is its standard input and output."""

    def __init__(
        self,
        client: SshClient,
        what: str,
        script: str,
        arguments: Sequence[str] = (),
        *,
        meanings: Mapping[int, tuple[str, str]] | None = None,
        source: IO[bytes] | None = None,
        first: RemoteScript | None = None,
    ) -> None:
        """Connect and wait until the script runs.

        `what` names it in errors, and `meanings` says what its exit codes mean. It reads the file `source`, if any.
        `first` is the session whose connection is shared; without one, this is it. Raises TargetError.
        """
        self._client, self._what, self._meanings, self._first = client, what, meanings or {}, first
        self._began = False
        # Not a pipe: a user's shared connection that goes on in the background would keep it open for ever.
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        command = ssh_command(client, script, arguments, first is None)
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

    def _connected(self) -> LineChannel:
        assert self._process.stdout is not None
        writer = None if self._process.stdin is None else self._process.stdin.fileno()
        peer = f"{self._what} on {self._client.destination}"
        lines = LineChannel(self._process.stdout.fileno(), writer, peer, self._ended)
        deadline = time.monotonic() + _START_TIMEOUT_S
        while lines.read_line(max(0.0, deadline - time.monotonic())) != READY:
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
        if code != CONNECTION:
            return command_error(self._client.destination, self._what, code, self.words(), self._meanings)
        words = self.words()
        if self._first is not None and not last_line(words):  # the reason was told to the shared connection
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._first._process.wait(_GRACE_S)
            words = self._first.words()
        return connection_error(self._client.destination, self._client.by_hand(), words, self._began)
