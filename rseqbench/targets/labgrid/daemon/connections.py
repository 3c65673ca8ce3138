"""The boards of places: labgrid's SSHDriver to each, opened and closed by a few threads."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import labgrid.resource  # noqa: F401 - registers NetworkService
from labgrid import Target, target_factory
from labgrid.driver import ExecutionError, SSHDriver

from rseqbench.targets.labgrid.daemon.environment import Settings
from rseqbench.targets.labgrid.daemon.errors import Refused

_AT_ONCE = 32  # boards that are connected to at the same time
_AGAIN_S = 0.5
_CLOSE_S = 10.0
SERVICE = "NetworkService"
_DENIED = b"Permission denied"


class _Driver(SSHDriver):  # type: ignore[misc]
    """Stops trying when it was told to, and when the board has refused the key: that does not change in 30 s."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._given_up = threading.Event()
        self._connecting: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The ssh that connects, or has connected."""
        return self._connecting

    @process.setter
    def process(self, started: subprocess.Popen[bytes]) -> None:
        self._connecting = started
        if self._given_up.is_set():  # one of the two sees the other, give_up() or this
            started.kill()

    def give_up(self) -> None:
        """Have what is under way end soon, and nothing begin; this does not block."""
        self._given_up.set()
        if self._connecting is not None:
            self._connecting.kill()

    def _start_own_master(self) -> Any:
        deadline = time.monotonic() + self.connection_timeout
        while True:
            try:
                return self._start_own_master_once(max(1, round(deadline - time.monotonic())))
            except ExecutionError as error:
                if self._connecting is not None:
                    self._connecting.kill()  # labgrid leaves one behind that takes too long
                    self._connecting.wait()
                denied = any(_DENIED in line for line in error.stdout or ())
                if denied or time.monotonic() > deadline or self._given_up.wait(_AGAIN_S):
                    raise


class Board:
    """The board of a place while it is connected to. Its methods block."""

    def __init__(self, place: str, services: Sequence[tuple[str, Any]], settings: Settings) -> None:
        """Take the place's NetworkServices as its exporters describe them. Raises Refused when labgrid takes none."""
        self._ssh = settings.ssh()
        options, bindings = settings.driver(place)
        self._target = Target(place, env=settings.environment)
        atexit.unregister(self._target._atexit_cleanup)  # it would keep each target, and try once more at our end
        try:
            for name, entry in services:
                made = target_factory.make_resource(self._target, SERVICE, name, entry.args)
                made.extra = entry.extra
            self._target.set_binding_map(bindings)
            self._driver = _Driver(self._target, None, **options)
        except Exception as error:  # labgrid's checks of settings throw their own, and TypeError
            why = _without(_secrets(options, *(entry.args for _, entry in services)), error)
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
        self._driver.give_up()

    def close(self) -> None:
        """Disconnect. Raises TimeoutExpired for a connection that does not answer, and lets it be."""
        control = getattr(self._driver, "control", "")
        if control:  # at once: a board that does not answer is waited for by labgrid's own way
            ask = [self._ssh, "-F", "none", f"-oControlPath={control.replace('%', '%%')}", "-O", "exit", "board"]
            subprocess.run(ask, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=_CLOSE_S)
        self._target.cleanup()


def _secrets(*settings: Mapping[str, Any]) -> list[str]:
    return [str(one["password"]) for one in settings if one.get("password")]


def _without(secrets: Sequence[str], error: Exception) -> str:
    """Return one line of what an error says, without the secrets."""
    said = " ".join(str(error.args[0] if error.args else error).split())  # attrs adds the value and its whole class
    for secret in secrets:
        said = said.replace(secret, "***")
    return said


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
        """Close a board; whatever comes in between, its place is to be released."""
        with contextlib.suppress(Exception):
            await asyncio.get_running_loop().run_in_executor(self._threads, board.close)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown()
