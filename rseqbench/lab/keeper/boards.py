"""The boards of places: labgrid's SSHDriver to each, opened and closed by a few threads."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import labgrid.resource  # noqa: F401 - registers NetworkService
from labgrid import Target, target_factory
from labgrid.driver import ExecutionError, SSHDriver

from rseqbench.lab.keeper.environment import Settings
from rseqbench.lab.keeper.refused import Refused

_AT_ONCE = 32  # boards that are connected to at the same time
_AGAIN_S = 0.5
SERVICE = "NetworkService"
_DENIED = b"Permission denied"


class _Driver(SSHDriver):  # type: ignore[misc]
    """Stops trying when it was told to, and when the board has refused the key: that does not change in 30 s."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.given_up = threading.Event()

    def _start_own_master(self) -> Any:
        deadline = time.monotonic() + self.connection_timeout
        while True:
            try:
                return self._start_own_master_once(max(1, round(deadline - time.monotonic())))
            except ExecutionError as error:
                denied = any(_DENIED in line for line in error.stdout or ())
                if denied or time.monotonic() > deadline or self.given_up.wait(_AGAIN_S):
                    raise


class Board:
    """The board of a place while it is connected to. Its methods block."""

    def __init__(self, place: str, services: Sequence[tuple[str, Any]], settings: Settings) -> None:
        """Take the place's NetworkServices as its exporters describe them. Raises Refused when labgrid takes none."""
        self._ssh = settings.ssh()
        options, bindings = settings.driver(place)
        self._target = Target(place, env=settings.environment)
        try:
            for name, entry in services:
                made = target_factory.make_resource(self._target, SERVICE, name, entry.args)
                made.extra = entry.extra
            self._target.set_binding_map(bindings)
            self._driver = _Driver(self._target, None, **options)
        except Exception as error:  # labgrid's checks of settings throw their own, and TypeError
            why = " ".join(str(error).split())
            raise Refused(
                f"place {place} cannot have an SSHDriver: {why}", f"see {settings.path or '$LG_ENV'}"
            ) from error

    def open(self) -> dict[str, Any]:
        """Connect, and return how ssh is called over the connection. Raises Refused with what ssh said."""
        try:
            self._target.activate(self._driver)
        except Exception as error:  # labgrid's own kinds, and plain ones
            said = getattr(error, "stdout", None) or getattr(error.__cause__, "stdout", None) or ()
            text = "\n".join(line.decode(errors="replace") if isinstance(line, bytes) else line for line in said)
            raise Refused(" ".join(str(error).split()), words=text or str(error)) from error
        service = self._driver.networkservice
        user = self._driver.username or service.username
        words = [self._ssh, *self._driver.ssh_prefix, "-p", str(service.port), "-l", user]
        return {"ssh": words, "host": service.address}

    def give_up(self) -> None:
        """Have an open() under way end soon; this does not block."""
        self._driver.given_up.set()
        with contextlib.suppress(AttributeError, OSError):  # ssh is not running yet
            self._driver.process.kill()

    def close(self) -> None:
        """Disconnect."""
        control = getattr(self._driver, "control", "")
        if control:  # at once: a board that does not answer is waited for by labgrid's own way
            ask = [self._ssh, "-F", "none", f"-oControlPath={control.replace('%', '%%')}", "-O", "exit", "board"]
            subprocess.run(ask, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        self._target.cleanup()


class Boards:
    """Opens and closes boards, some at the same time, without blocking who asks."""

    def __init__(self, settings: Settings) -> None:
        """Take the settings of their SSHDrivers."""
        self._settings = settings
        self._threads = ThreadPoolExecutor(_AT_ONCE, "boards")

    def board(self, place: str, services: Sequence[tuple[str, Any]]) -> Board:
        """Return the board of a place, not connected to yet."""
        return Board(place, services, self._settings)

    async def opened(self, board: Board) -> dict[str, Any]:
        """Open a board."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, board.open)

    async def closed(self, board: Board) -> None:
        """Close a board."""
        await asyncio.get_running_loop().run_in_executor(self._threads, board.close)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown()
