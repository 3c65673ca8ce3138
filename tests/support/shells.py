"""Shells at a terminal, as somebody sits before them: what is typed, Tab included, and what comes of it."""

import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
import time

PATIENCE_S = 60
# In place of rseqbench: completes as it does, and otherwise says which words it was called with, one a line.
PROGRAM = """#!/bin/sh
if [ -n "$_RSEQBENCH_COMPLETE" ]; then
    {python} -m rseqbench "$@"
    echo >> {completed}
    exit
fi
printf '<%s>\\n' "$@" > {called}.part
mv {called}.part {called}
"""
STARTS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], 'eval "$(rseqbench_real completion bash)"'),
    "zsh": (["zsh", "-f", "-i"], 'autoload -Uz compinit; compinit -D -u; eval "$(rseqbench_real completion zsh)"'),
    "fish": (["fish", "--no-config", "--interactive"], "rseqbench_real completion fish | source"),
}


class Shell:
    """An interactive shell in a folder, with our completion; leave it by close()."""

    def __init__(self, name, folder, env):
        self.called = folder / "called"
        self.completed = folder / "completed"
        self.completed.write_text("")
        bin = folder / "bin"
        bin.mkdir()
        self._program(
            bin / "rseqbench", PROGRAM.format(python=sys.executable, called=self.called, completed=self.completed)
        )
        self._program(bin / "rseqbench_real", f'#!/bin/sh\nexec {sys.executable} -m rseqbench "$@"\n')
        command, setup = STARTS[name]
        control, terminal = pty.openpty()
        ours = {"PATH": f"{bin}:{os.environ['PATH']}", "HOME": str(folder), "TERM": "xterm", "LC_ALL": "C.UTF-8"}
        self._process = subprocess.Popen(
            ["setsid", "--ctty", *command],
            cwd=folder,
            env={**os.environ, **ours, **env},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
        )
        os.close(terminal)
        self._control = control
        self.screen = ""
        self.enter(f"{setup}; touch ready")
        self._until((folder / "ready").exists)

    @staticmethod
    def _program(path, text):
        path.write_text(text)
        path.chmod(0o755)

    def words(self, line):
        """Type a line, in which Tab completes, and Enter; return the words that rseqbench is called with."""
        self.called.unlink(missing_ok=True)
        first, *rest = line.split("\t")
        self.keys(first)
        for part in rest:
            asked = self.completed.stat().st_size
            self.keys("\t")
            self._until(lambda asked=asked: self.completed.stat().st_size > asked)
            self._settle()
            self.keys(part)
        self.enter("")
        self._until(self.called.exists)
        return [word[1:-1] for word in self.called.read_text().splitlines()]

    def enter(self, line):
        self.keys(f"{line}\r")

    def keys(self, text):
        os.write(self._control, text.encode())

    def close(self):
        """Hang up."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._control)

    def _settle(self, quiet_s=0.3):
        """Wait until nothing has been written for a while: completion has done what it does."""
        while self._read(quiet_s):
            pass

    def _until(self, reached):
        end = time.monotonic() + PATIENCE_S
        while not reached():
            assert time.monotonic() < end, f"the shell hangs: {self.screen!r}"
            self._read(0.05)

    def _read(self, wait_s):
        if not select.select([self._control], [], [], wait_s)[0]:
            return False
        with contextlib.suppress(OSError):  # the shell has ended
            self.screen += os.read(self._control, 65536).decode(errors="replace")
        return True
