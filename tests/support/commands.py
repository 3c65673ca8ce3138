"""The command line as a user calls it: a process of its own in a folder of its own, or quicker, in this process."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from rseqbench.cli import main

PROGRAM = (sys.executable, "-m", "rseqbench")
ROOT = Path(__file__).resolve().parents[2]


def rseqbench(*arguments, cwd, env=None, program=PROGRAM, timeout=300):
    """Run `rseqbench` with these arguments in the folder `cwd` and return what became of it, output as text."""
    return subprocess.run(
        [*program, *arguments],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def in_process(monkeypatch, capsys):
    """Return a function that calls the command line in this process: exit code, standard output, standard error."""

    def call(*arguments):
        handler = signal.getsignal(signal.SIGTERM)
        monkeypatch.setattr(sys, "argv", ["rseqbench", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        signal.signal(signal.SIGTERM, handler)
        return left.value.code, *capsys.readouterr()

    return call


def tree(folder):
    """Return all files and folders below `folder`, relative to it, with the content of the files."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(Path(folder).rglob("*"))
    }


def processes_with(mark):
    """Return the ids of all processes that have `mark` in their environment."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in environ.read_bytes():
                found.append(int(environ.parent.name))
        except OSError:  # it ended meanwhile, or belongs to somebody else
            continue
    return found


def kill_processes_with(mark):
    """Kill all processes that have `mark` in their environment, and what they start meanwhile."""
    deadline = time.monotonic() + 30
    while (left := processes_with(mark)) and time.monotonic() < deadline:
        for number in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        time.sleep(0.01)


def temporary():
    """Return our temporary folders that are there: this session's, and those of ssh, whose sockets want short paths."""
    return {
        *Path(tempfile.gettempdir()).glob("rseqbench-*"),
        *Path("/tmp").glob("rseqbench-ssh-*"),
        *Path("/tmp").glob("rseqlab-*"),
    }


HEAVY = {"numpy", "pandas", "matplotlib", "pyperf", "cffi", "rich", "jinja2", "scipy"}
