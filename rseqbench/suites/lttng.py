"""LTTng-UST in a session of our own: a daemon, a snapshot session with one event, and the count of what is in it.

The daemon of root has its sockets at one place of the whole machine. Ours gets a mount namespace in which that place is
empty, and so do the processes that are measured: no other daemon sees them, and with the namespace all files are gone.
A user who is not root has a home for each daemon, LTTNG_HOME. Needs LTTng-tools 2.13 (lttng-sessiond(8)).
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rseqbench import build, lifetime
from rseqbench.errors import TargetError
from rseqbench.model import Fact
from rseqbench.suites.libraries import LIBRARIES

_PROVIDER = "RSEQBENCH_LTTNG"
_LINKED = ("-llttng-ust", "-llttng-ust-common", "-ldl")
_NAME = "rseqbench"
_CHANNEL = ("--overwrite", "--buffers-uid", "--subbuf-size=256k", "--num-subbuf=4")  # cold, larger ones cost more
_TIMEOUT_S = 30.0
_PATIENCE_S = 10.0
# As kernels/libraries/lttng.c marks the events that prove: bit 31, the method, the process.
_METHODS = {1: "lsl", 2: "vdso", 3: "syscall", 4: "rseq", 5: "shipped", 6: "constant"}
_PROOFS = (1000, 4000)  # after a round, after a check
_VALUE = re.compile(r"value = (\d+)")


@contextlib.contextmanager
def open_() -> Iterator[Session]:
    """Start a session; end it and all that belongs to it. Raises TargetError or BuildError where it cannot be had."""
    library = LIBRARIES["lttng"]
    for program in ("lttng", "lttng-sessiond", "babeltrace2"):
        if shutil.which(program) is None:
            raise TargetError(f"no {program} here", f"apt-get install {library.packages}")
    provider = build.provider("lttng", _LINKED)
    with tempfile.TemporaryDirectory(prefix="rseqbench-lttng-") as name, lifetime.group() as group:
        session = Session(Path(name), provider.path, group)
        try:
            session.start()
            yield session
        finally:
            session.stop()


class Session:
    """A running session daemon with one recording session."""

    def __init__(self, home: Path, provider: Path, group: int) -> None:
        """Take the folder for everything, the compiled provider and the process group to be in."""
        self._home, self._provider, self._group = home, provider, group
        self._daemon: subprocess.Popen[bytes] | None = None
        self._snapshots = 0
        self._seen: set[int] = set()
        self._fresh: dict[str, Counter[int]] | None = None

    def start(self) -> None:
        """Start the daemon and the session. Raises TargetError with the words of whoever refuses."""
        self._daemon = subprocess.Popen(
            [*_privately(), "lttng-sessiond", "--no-kernel", "--quiet"],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(self._home / "daemon.log").open("wb"),
            process_group=self._group,
        )
        self._wait()
        self._lttng("create", _NAME, "--snapshot", f"--output={self._home / 'traces'}")
        self._lttng("enable-channel", "--userspace", f"--session={_NAME}", *_CHANNEL, "channel")
        self._lttng("enable-event", "--userspace", f"--session={_NAME}", "--channel=channel", "rseqbench:event")
        self._lttng("start", _NAME)

    def stop(self) -> None:
        """End the daemon in order, so that it ends what it started; what does not end is killed with its group."""
        if self._daemon is None or self._daemon.poll() is not None:
            return
        self._daemon.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._daemon.wait(_PATIENCE_S)

    def environment(self) -> Mapping[str, str]:
        """Return where the provider and the daemon are, for a process that is measured."""
        return {_PROVIDER: str(self._provider), "LTTNG_HOME": str(self._home)}

    def prefix(self) -> Sequence[str]:
        """Return what puts a command into the daemon's namespace, in our folder; nothing where it has none."""
        if os.geteuid() or self._daemon is None:
            return ()
        return ("nsenter", f"--mount=/proc/{self._daemon.pid}/ns/mnt", "--", "env", "-C", str(Path.cwd()))

    def facts(self) -> Mapping[str, Fact]:
        """Return the versions of what is measured and of what counts."""
        version = subprocess.run(["lttng", "--version"], capture_output=True, text=True, check=False).stdout
        return {"lttng": version.strip(), "lttng_channel": " ".join(_CHANNEL)}

    def absent(self, benchmark: str) -> str:
        """Return nothing."""
        return ""

    def doubts(self, benchmark: str) -> str:
        """Return how the events that a method left after what it did are not all in the trace; empty when they are."""
        method = benchmark.partition("/")[2]
        try:
            if self._fresh is None or method not in self._fresh:
                self._fresh = self._count()
        except TargetError as error:
            return error.message
        found = self._fresh.pop(method, Counter())
        wrong = [count for count in found.values() if count not in _PROOFS]
        if found and not wrong:
            return ""
        return f"LTTng recorded {sum(found.values())} of the {_PROOFS[0]} events that this method left last"

    def _count(self) -> dict[str, Counter[int]]:
        """Take a snapshot and count, by method and process, the events in it that prove; those seen before are not."""
        self._snapshots += 1
        name = f"s{self._snapshots}"
        self._lttng("snapshot", "record", f"--session={_NAME}", f"--name={name}")
        taken = sorted((self._home / "traces").glob(f"{name}-*"))
        if not taken:
            raise TargetError("LTTng took no snapshot")
        there = any(taken[-1].rglob("metadata"))  # without one event there is no trace
        read = _run(["babeltrace2", str(taken[-1])], self._environment(), ()) if there else ""
        values = Counter(value for value in map(int, _VALUE.findall(read)) if value >> 31)
        shutil.rmtree(taken[-1], ignore_errors=True)
        fresh: dict[str, Counter[int]] = {}
        for value, count in values.items():
            if value not in self._seen:
                fresh.setdefault(_METHODS.get(value >> 24 & 0x7F, "?"), Counter())[value] = count
        self._seen |= set(values)
        return fresh

    def _wait(self) -> None:
        assert self._daemon is not None
        end = time.monotonic() + _PATIENCE_S
        while True:
            if self._daemon.poll() is not None:
                said = (self._home / "daemon.log").read_text(errors="replace").strip().rpartition("\n")[2]
                raise TargetError(f"lttng-sessiond ended with {lifetime.ending(self._daemon.returncode)}: {said}")
            try:
                self._lttng("list")
            except TargetError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)
            else:
                return

    def _lttng(self, *words: str) -> None:
        _run(["lttng", "--no-sessiond", *words], self._environment(), self.prefix())

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "LTTNG_HOME": str(self._home)}


def _privately() -> tuple[str, ...]:
    """Return what gives root's daemon the places for itself that are one for the whole machine."""
    if os.geteuid():
        return ()
    script = 'for place in /run /dev/shm; do mount -t tmpfs tmpfs "$place" || exit; done; exec "$@"'
    return ("unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", script, "sh")


def _run(command: Sequence[str], environment: Mapping[str, str], prefix: Sequence[str]) -> str:
    """Run one of LTTng's programs and return what it prints. Raises TargetError with its first words of complaint."""
    try:
        done = subprocess.run(
            [*prefix, *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TargetError(f"{command[0]}: {error}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().partition("\n")[0]
        raise TargetError(f"{' '.join(command[:3])} failed: {said or lifetime.ending(done.returncode)}")
    return done.stdout
