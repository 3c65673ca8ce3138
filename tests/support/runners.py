"""A running `runner serve`, and what can be seen of it from outside."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

from rseqbench.targets.runner.line_channel import LineChannel
from rseqbench.targets.runner.target import RunnerSession


@contextlib.contextmanager
def serving(path, *arguments, environment=None, **options):
    """Start a runner in a group of its own and yield its process; whatever became of it, it is gone afterwards."""
    process = subprocess.Popen(
        [str(path), "serve", *arguments],
        **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "start_new_session": True, **options},
        env={**os.environ, **(environment or {})},
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def session(process):
    """Return a conversation with a runner that serves on pipes."""
    return RunnerSession(LineChannel(process.stdout.fileno(), process.stdin.fileno(), "the runner"))


def child(process, timeout_s=10.0):
    """Wait until a runner has a child that has become the runner itself, and return its id."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        for word in children.read_text().split():
            with contextlib.suppress(OSError):
                if b"once" in Path(f"/proc/{word}/cmdline").read_bytes().split(b"\0"):
                    return int(word)
        time.sleep(0.01)
    raise AssertionError("the runner started no child")


def gone(pid, timeout_s=10.0):
    """Whether a process ends in time; one that nobody has waited for counts as ended."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False
