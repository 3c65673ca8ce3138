"""A running `worker.py`: started with the environment that its registration needs, asked, and killed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rseqbench.errors import TargetError
from rseqbench.support import process
from rseqbench.targets.runner import messages
from rseqbench.targets.runner.line_channel import LineChannel

START_TIMEOUT_S = 60.0


class WorkerProcess:
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
        self._lines = LineChannel(reader, writer, "a worker process", self._ended)
        try:
            answer = self._read(START_TIMEOUT_S)
            self.hello = messages.Hello.read(answer)
            self.benchmarks: list[dict[str, Any]] = answer["kernels"]
        except BaseException:
            self.stop()
            raise

    def request(self, request: messages.Request, timeout_s: float) -> Any:
        """Send a request and return its result. Raises TargetError on failure or after `timeout_s` seconds."""
        return self.ask({"do": request.verb, **vars(request)}, timeout_s)

    def ask(self, request: Mapping[str, Any], timeout_s: float) -> Any:
        """Send the fields of a request and return its result. Raises TargetError as request() does."""
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
        ending = f"is gone ({reason})" if reason else f"died ({process.describe_exit(self._process.wait())})"
        return TargetError(f"a worker process {ending}")
