"""A session daemon of LTTng that only we use, and the commands to it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rseqbench.errors import TargetError
from rseqbench.support import process

COMMAND = ("lttng-sessiond", "--no-kernel", "--quiet")
_TIMEOUT_S = 60.0
_PATIENCE_S = 10.0


class SessionDaemon:
    """A running session daemon; `home` is a folder for all that it writes."""

    def __init__(self, home: Path, enter: Sequence[str], group: int) -> None:
        """Take its folder, the words that put a command into its namespace, and the group of its processes."""
        self.home, self._enter, self._group = home, tuple(enter), group
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it and wait until it answers. Raises TargetError with the words of whoever refuses."""
        with (self.home / "daemon.log").open("wb") as log:
            self._process = subprocess.Popen(
                [*self.prefix(), *COMMAND],
                env={**os.environ, **self.environment()},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                process_group=self._group,
            )
        try:
            self._wait()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it in order, so that it ends what it started; what does not end is killed with its group."""
        self._stop()

    def prefix(self) -> list[str]:
        """Return the words that put a command into its namespace, in our folder."""
        return [*self._enter, "env", "-C", str(Path.cwd())] if self._enter else []

    def environment(self) -> dict[str, str]:
        """Return what LTTng's programs and those that are traced need to find it."""
        return {"LTTNG_HOME": str(self.home)}

    def lttng(self, *words: str) -> str:
        """Give a command to it and return what is printed. Raises TargetError with the first words of complaint."""
        if self._process is not None and self._process.poll() is not None:
            raise TargetError(
                f"lttng-sessiond ended with {process.describe_exit(self._process.returncode)}{self._last_words()}"
            )
        return self.run("lttng", "--no-sessiond", *words)

    def run(self, *command: str) -> str:
        """Run one of LTTng's programs where the daemon is, and return what it prints. Raises TargetError as lttng()."""
        try:
            done = subprocess.run(
                [*self.prefix(), *command],
                env={**os.environ, **self.environment(), "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_TIMEOUT_S,
                process_group=self._group,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise TargetError(f"{command[0]}: {error}") from error
        if done.returncode:
            message = (done.stderr or done.stdout).strip().partition("\n")[0]
            failed = " ".join(word for word in command if not word.startswith("--"))
            raise TargetError(f"{failed} failed: {message or process.describe_exit(done.returncode)}")
        return done.stdout

    def _wait(self) -> None:
        end = time.monotonic() + _PATIENCE_S
        while True:
            with contextlib.suppress(TargetError):
                self.lttng("list")
                return
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > end:
                self.lttng("list")  # and let it say why not
                return
            time.sleep(0.1)

    def _last_words(self) -> str:
        """Return its own last words, where it said any."""
        with contextlib.suppress(OSError):
            lines = (self.home / "daemon.log").read_text(errors="replace").strip().splitlines()
            return f": {lines[-1]}" if lines else ""
        return ""

    def _stop(self) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_PATIENCE_S)
