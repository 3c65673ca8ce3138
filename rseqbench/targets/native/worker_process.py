"""A running `worker.py`: started with the environment that its registration needs, asked, and killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rseqbench.errors import TargetError
from rseqbench.model import Registration
from rseqbench.support import process
from rseqbench.targets.runner.line_channel import Lines

START_TIMEOUT_S = 60.0
_TUNABLE = "glibc.pthread.rseq"


class Worker:
    """A running `worker.py`, in a session of its own so that it can be stopped with all it started."""

    def __init__(
        self,
        module: Path,
        registration: str,
        environment: Mapping[str, str],
        preload: Sequence[str] = (),
        prefix: Sequence[str] = (),
    ) -> None:
        """Start it, its command behind `prefix`, and wait for its hello.

        Raises TargetError when it cannot have the registration.
        """
        self._process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "rseqbench.targets.native.worker", str(module), registration, *preload],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        reader, writer = self._process.stdout.fileno(), self._process.stdin.fileno()
        self._lines = Lines(reader, writer, "a worker process", self._ended)
        try:
            self.hello: dict[str, Any] = self._read(START_TIMEOUT_S)
        except BaseException:
            self.stop()
            raise

    def ask(self, request: dict[str, Any], timeout_s: float) -> Any:
        """Send a request and return its result. Raises TargetError on failure or after `timeout_s` seconds."""
        self._lines.send(json.dumps(request).encode())
        return self._read(timeout_s)

    @property
    def alive(self) -> bool:
        """Whether it still runs; one that died or timed out does not."""
        return self._process.poll() is None

    def stop(self) -> None:
        """Kill the worker and every process it started."""
        process.kill(self._process)

    def _read(self, timeout_s: float) -> Any:
        try:
            line = self._lines.read_line(timeout_s)
        except TargetError:
            self.stop()
            raise
        try:
            answer = json.loads(line)
            if "error" in answer:
                raise TargetError(answer["error"])
            return answer["result"]
        except (ValueError, KeyError, TypeError) as error:
            raise TargetError(f"a worker process answered garbage: {line[:80]!r}") from error

    def _ended(self, reason: str) -> TargetError:
        return TargetError(
            f"a worker process {f'is gone ({reason})' if reason else f'died ({process.ending(self._process.wait())})'}"
        )


def environment(registration: str) -> dict[str, str]:
    """Return our environment with the tunable that makes a registration possible (glibc 2.35 and newer)."""
    found = dict(os.environ)
    if registration != "auto":
        others = [t for t in found.get("GLIBC_TUNABLES", "").split(":") if t and not t.startswith(_TUNABLE)]
        choice = f"{_TUNABLE}={int(registration == Registration.GLIBC)}"
        found["GLIBC_TUNABLES"] = ":".join([*others, choice])
    return found
