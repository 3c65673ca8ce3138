"""Connections to the boards of places by labgrid's SSHDriver, whose settings are in labgrid's environment file."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import labgrid.resource  # noqa: F401 - registers NetworkService
from labgrid import Environment, Target, target_factory
from labgrid.driver import ExecutionError, SSHDriver

from rseqbench.targets.labgrid.daemon.messages import LabgridError

_AT_ONCE = 32  # connections that are opened at the same time
_AGAIN_S = 0.5
_CLOSE_S = 10.0
SERVICE = "NetworkService"
_DENIED = b"Permission denied"
_DRIVER = "SSHDriver"
_DEFAULT = "127.0.0.1:20408"


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


class BoardConnection:
    """A connection to the board of a place. Its methods block."""

    def __init__(self, place: str, services: Sequence[tuple[str, Any]], settings: LabEnvironment) -> None:
        """Take the NetworkServices as exporters describe them. Raises LabgridError when labgrid takes none."""
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
            raise LabgridError(
                f"place {place} cannot have an SSHDriver: {why}", f"see {settings.path or '$LG_ENV'}"
            ) from error

    def open(self) -> dict[str, Any]:
        """Connect, and return how ssh is called over the connection. Raises LabgridError with what ssh said."""
        try:
            self._target.activate(self._driver)
        except Exception as error:  # labgrid's own kinds, and plain ones
            said = getattr(error, "stdout", None) or getattr(error.__cause__, "stdout", None) or ()
            text = "\n".join(line.decode(errors="replace") if isinstance(line, bytes) else line for line in said)
            raise LabgridError(" ".join(str(error).split()), words=text or str(error)) from error
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


class Connections:
    """Opens and closes connections to boards, some at the same time, without blocking the caller."""

    def __init__(self, settings: LabEnvironment) -> None:
        """Take the settings of their SSHDrivers."""
        self._settings = settings
        self._threads = ThreadPoolExecutor(_AT_ONCE, "boards")

    def make(self, place: str, services: Sequence[tuple[str, Any]]) -> BoardConnection:
        """Return the connection to the board of a place, not open yet."""
        return BoardConnection(place, services, self._settings)

    async def open(self, connection: BoardConnection) -> dict[str, Any]:
        """Open a connection."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, connection.open)

    async def close(self, connection: BoardConnection) -> None:
        """Close a connection; whatever comes in between, its place is to be released."""
        with contextlib.suppress(Exception):
            await asyncio.get_running_loop().run_in_executor(self._threads, connection.close)

    def shut_down(self) -> None:
        """End the threads."""
        self._threads.shutdown()


class LabEnvironment:
    """labgrid's environment file: that of a path, else of $LG_ENV; without both it has nothing."""

    def __init__(self, path: str) -> None:
        """Read it. Raises LabgridError when it cannot be read or is malformed."""
        self.path = path or os.environ.get("LG_ENV", "")
        self.environment: Environment | None = None
        if not self.path:
            return
        if not os.access(self.path, os.R_OK):
            raise LabgridError(f"cannot read the labgrid environment {self.path}", "is the path right?", usage=True)
        try:
            self.environment = Environment(self.path)
            self._targets = {
                role: target_factory.normalize_config(config)
                for role, config in (self.environment.config.get_targets() or {}).items()
            }
        except Exception as error:  # its parser, its checks and its imports each throw their own
            why = " ".join(str(error).split())
            raise LabgridError(
                f"{self.path}: no labgrid environment: {why}", "see labgrid's manual", usage=True
            ) from error

    def coordinator(self, given: str) -> str:
        """Return the coordinator: the one that was `given`, else the file's, else $LG_COORDINATOR, else this machine's.

        It is the order of labgrid-client.
        """
        of_file = self.environment.config.get_option("coordinator_address", "") if self.environment else ""
        return given or of_file or os.environ.get("LG_COORDINATOR", "") or _DEFAULT

    def ssh(self) -> str:
        """Return the command that is ssh."""
        return str(self.environment.config.get_tool("ssh")) if self.environment else "ssh"

    def driver(self, place: str) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the settings of a place's SSHDriver and its bindings.

        They are those of the target whose RemotePlace names it. Where none does, those that all targets agree on, so
        that a lab with one key needs one target only. Raises LabgridError where they do not agree.
        """
        if self.environment is None:
            return {}, {}
        for resources, drivers in self._targets.values():
            if place in resources.get("RemotePlace", {}):
                return next(iter(drivers.get(_DRIVER, {}).values()), ({}, {}))
        found: list[tuple[dict[str, Any], dict[str, str]]] = []
        for _, drivers in self._targets.values():
            found += [one for one in drivers.get(_DRIVER, {}).values() if one not in found]
        if len(found) > 1:
            hint = "give it a target whose RemotePlace has that name"
            raise LabgridError(
                f"{self.path}: no target is for place {place}, and their SSHDrivers differ", hint, usage=True
            )
        return found[0] if found else ({}, {})
