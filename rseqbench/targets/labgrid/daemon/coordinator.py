"""Our one session with labgrid's coordinator, made again when it is lost."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
from collections.abc import Callable
from typing import Any

import grpc
from labgrid.remote.client import ClientSession, Error
from labgrid.remote.common import Place
from labgrid.util.proxy import proxymanager

from rseqbench.targets.labgrid.daemon import messages
from rseqbench.targets.labgrid.daemon.messages import LabgridError

_PORT = 20408
_OPEN_S = 15.0
_CALL_S = 60.0  # an acquire asks each exporter, for ten seconds each
_AGAIN_S = 0.5
# What it answers itself, and has done nothing then. Any other error comes on the way.
_UNDONE = (
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNIMPLEMENTED,
)


class CoordinatorLost(LabgridError):
    """The coordinator was lost during a call, which it may or may not have done."""

    def __init__(self, address: str, why: str | None = "") -> None:
        """Take where it was, and what gRPC says of it."""
        said = f" ({' '.join(why.split())})" if why else ""
        super().__init__(f"the labgrid coordinator at {address} was lost{said}", "is it still running?")


class _Session(ClientSession):  # type: ignore[misc]
    """Tells of each change of a place as it comes, so that none is missed between two looks."""

    def __init__(self, address: str, changed: Callable[[str], None]) -> None:
        super().__init__(proxymanager.get_grpc_address(address, default_port=_PORT), asyncio.get_running_loop())
        self._changed = changed

    async def on_place_changed(self, place_pb2: Any) -> None:
        await super().on_place_changed(place_pb2)
        self._changed(place_pb2.name)

    async def on_place_deleted(self, name: str) -> None:
        await super().on_place_deleted(name)
        self._changed(name)


class Coordinator:
    """The coordinator at an address, HOST:PORT.

    changed: is called with a place's name when it changed; resumed: when a lost session was made again, and changes
    may have been missed.
    """

    def __init__(self, address: str) -> None:
        """Take where it is."""
        self.address = address
        self.changed: Callable[[str], None] = lambda name: None
        self.resumed: Callable[[], None] = lambda: None
        self._connected_event = asyncio.Event()
        self._reconnecting: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect. Raises LabgridError when it does not answer."""
        try:
            self._session = await self._connect()
        except Exception as error:  # labgrid's proxies and addresses have errors of their own
            expected = isinstance(error, Error | OSError | TimeoutError)
            why = "" if expected else f" ({' '.join(str(error).split())})"
            hint = "is labgrid-coordinator running there? --coordinator HOST:PORT names another"
            raise LabgridError(f"no labgrid coordinator answers at {self.address}{why}", hint) from error
        self.user = f"{self._session.gethostname()}/{self._session.getuser()}"
        self._connected_event.set()
        self._reconnecting = asyncio.create_task(self._reconnect())

    async def close(self) -> None:
        """Disconnect."""
        if self._reconnecting is not None:
            self._reconnecting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reconnecting
        await _drop(self._session)

    @property
    def places(self) -> dict[str, Place]:
        """All places by their names, as far as is known."""
        found: dict[str, Place] = self._session.places
        return found

    def resource(self, exporter: str, group: str, name: str) -> Any:
        """Return what the exporter says of a resource, None when it is not there now."""
        entry = self._session.resources.get(exporter, {}).get(group, {}).get(name)
        return entry if entry is not None and "cls" in entry.data else None

    def resource_kinds(self, place: Place) -> list[str]:
        """Return the kinds of the resources that are there now of a place."""
        found = []
        for exporter, groups in self._session.resources.items():
            for group, entries in groups.items():
                for name, entry in entries.items():
                    if "cls" in entry.data and place.hasmatch((exporter, group, entry.cls, name)):
                        found.append(entry.cls)
        return sorted(found)

    def command_by_hand(self, what: str, place: str = "") -> str:
        """Return the call of labgrid-client that does `what` with a place, or with none."""
        return shlex.join(
            messages.place_command(self.address, place, (what,))
            if place
            else messages.client_command(self.address, (what,))
        )

    async def call(self, verb: str, request: Any, patience_s: float = _OPEN_S) -> Any:
        """Return its answer to a call, and know then all that it had said before, also when that is an error.

        One that is gone is waited for, `patience_s` long. Raises LabgridError when it does not come, AioRpcError for
        what it refused, CoordinatorLost when it may or may not have done it.
        """
        session = await self._wait_for_session(patience_s)
        try:
            answer = await getattr(session.stub, verb)(request, timeout=_CALL_S)
        except grpc.RpcError as error:
            await self._synchronize(patience_s)
            if error.code() in _UNDONE:
                raise
            raise CoordinatorLost(self.address, error.details()) from error
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise CoordinatorLost(self.address) from error  # its session was dropped
        except grpc.aio.UsageError as error:  # it was before the call had begun
            raise CoordinatorLost(self.address) from error
        await self._synchronize(patience_s)
        return answer

    async def _wait_for_session(self, patience_s: float) -> _Session:
        """Return the session, waited for."""
        try:
            await asyncio.wait_for(self._connected_event.wait(), patience_s)
        except TimeoutError as error:
            raise LabgridError(f"the labgrid coordinator at {self.address} is gone", "is it still running?") from error
        return self._session

    async def _synchronize(self, patience_s: float) -> None:
        """Wait until all is known that it said before now, over a new session if need be. Raises CoordinatorLost."""
        try:
            async with asyncio.timeout(_CALL_S):
                while not await (await self._wait_for_session(patience_s)).sync_with_coordinator():
                    await asyncio.sleep(0)
        except (LabgridError, TimeoutError) as error:
            raise CoordinatorLost(self.address) from error

    async def _reconnect(self) -> None:
        """Make a session that was lost again."""
        while True:
            await self._session.stopping.wait()
            self._connected_event.clear()
            await _drop(self._session)
            while True:
                try:
                    self._session = await self._connect()
                    break
                except Exception:  # as in open(); it may come back
                    await asyncio.sleep(_AGAIN_S)
            self._connected_event.set()
            self.resumed()

    async def _connect(self) -> _Session:
        session = _Session(self.address, lambda name: self.changed(name) if session is self._current() else None)
        try:
            await asyncio.wait_for(session.start(), _OPEN_S)
        except BaseException:
            await _drop(session)
            raise
        return session

    def _current(self) -> _Session | None:
        """Return the session whose changes count: none while it begins, when it tells all there is as a change."""
        return self._session if self._connected_event.is_set() else None


async def _drop(session: _Session) -> None:
    with contextlib.suppress(Exception):  # whatever it was that ended it
        await session.stop()
    with contextlib.suppress(Exception):
        await session.close()
