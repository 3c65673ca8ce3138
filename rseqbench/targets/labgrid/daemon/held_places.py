"""The places that are held for clients: acquired, at once or by a reservation, connected to, lost and released."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import grpc
from labgrid.remote.common import Place, Reservation, ReservationState
from labgrid.remote.generated import labgrid_coordinator_pb2 as pb

from rseqbench.errors import unknown_name
from rseqbench.targets.labgrid.daemon.connections import SERVICE, BoardConnection, Connections
from rseqbench.targets.labgrid.daemon.coordinator import Coordinator, CoordinatorLost
from rseqbench.targets.labgrid.daemon.messages import LabgridError

_SOON_S = 2.0  # for a release while we go on: what cannot be released now is when the coordinator is back
_RELEASE_S = 20.0  # for a coordinator that is gone at the end to come back
_AGAIN_S = 0.5
_SETTLE_S = 2.0  # for what ran on a board to end, before it is another's
_POLL_S = 1.0  # of a reservation, which lapses when nobody asks for a minute
_HELD_CODES = (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.PERMISSION_DENIED)


@dataclass
class _HeldPlace:
    """A place that is held, or wanted.

    key: tells who wants it; ours: it is acquired by us; changed: what the coordinator last said of when it changed, to
    see whether a session that was lost has missed anything; lost: why it is not ours any more; busy: something is being
    done about it.
    """

    name: str
    key: str
    ours: bool = False
    changed: float = 0.0
    lost: str = ""
    connection: BoardConnection | None = None
    unwanted: asyncio.Event = field(default_factory=asyncio.Event)
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)

    def give_up(self) -> None:
        """Have whatever is under way about it end soon."""
        self.unwanted.set()
        if self.connection is not None:
            self.connection.give_up()


class HeldPlaces:
    """All places that are held over one session."""

    def __init__(self, coordinator: Coordinator, connections: Connections) -> None:
        """Take the coordinator, and the connections to boards."""
        self._coordinator, self._connections = coordinator, connections
        self._held: dict[str, _HeldPlace] = {}
        self._closed = False
        self._tasks: set[asyncio.Task[object]] = set()
        coordinator.changed = self._on_change
        coordinator.resumed = self._on_resume

    async def list_places(self) -> list[dict[str, Any]]:
        """Return all places of the lab."""
        return [self._describe(place) for _, place in sorted(self._coordinator.places.items())]

    async def acquire(self, place: str, key: str, wait_s: float | None) -> dict[str, Any]:
        """Acquire a place, queueing for it up to `wait_s` seconds. Raises LabgridError when it is not to be had.

        With the `key`, it can be released.
        """
        if self._closed:
            raise LabgridError(f"place {place} is not wanted any more")
        if place in self._held and self._held[place].unwanted.is_set():
            raise LabgridError(f"place {place} is still to be released", "is its coordinator there?")
        if place in self._held:
            raise LabgridError(f"place {place} is held by this very process", "name each place once")
        if place not in self._coordinator.places:
            error = unknown_name("place", place, self._coordinator.places, f"at {self._coordinator.address}")
            raise LabgridError(error.message, error.hint, usage=True)
        held = self._held[place] = _HeldPlace(place, key)
        try:
            async with held.busy:
                await acquire_place(self._coordinator, place, wait_s, held.unwanted)
                self._begin(held)
                description = self._describe(self._coordinator.places.get(place) or Place(place))
        except BaseException:
            self._forget(held)
            raise
        return description

    async def connect(self, place: str) -> dict[str, Any]:
        """Connect to the board of a place that is held, anew where it was. Raises LabgridError."""
        held = self._held[place]
        async with held.busy:
            await self._disconnect(held)
            self._check(held)
            held.connection = self._connections.make(place, self._services(place))
            try:
                answer = await self._connections.open(held.connection)
            except LabgridError:
                self._check(held)  # that may be why
                raise
            self._check(held)
            return answer

    async def release(self, place: str, key: str) -> bool:
        """Disconnect from a place and release it, if it is ours; whatever is under way there is given up.

        Return False when it could not be released yet.
        """
        held = self._held.get(place)
        return held is None or held.key != key or await self._end(held, _SOON_S)

    async def close(self) -> list[str]:
        """Release everything, begin nothing more, and return the places that could not be released."""
        self._closed = True
        left = list(self._held.values())
        connected = [held for held in left if held.connection is not None]
        for held in left:
            held.give_up()
        if connected:  # nobody has ended in order what ran there
            await asyncio.gather(*(self._cut(held) for held in connected))
            await asyncio.sleep(_SETTLE_S)
        await asyncio.gather(*(self._end(held, _RELEASE_S) for held in left), return_exceptions=True)
        return sorted(self._held)

    def _check(self, held: _HeldPlace) -> None:
        """Raise LabgridError for a place at whose board we have nothing to do any more."""
        if held.lost:
            hint = f"see: {self._coordinator.command_by_hand('who')}"
            raise LabgridError(f"place {held.name} is not ours any more: {held.lost}", hint)
        if held.unwanted.is_set():
            raise LabgridError(f"place {held.name} is not wanted any more")

    async def _end(self, held: _HeldPlace, patience_s: float) -> bool:
        """Have done with a place; return False when it could not be released."""
        held.give_up()
        async with held.busy:
            await self._disconnect(held)
            if held.ours and not await self._release(held, patience_s):
                return False
        self._forget(held)
        return True

    def _forget(self, held: _HeldPlace) -> None:
        """Forget a place, unless it is somebody else's by now."""
        if self._held.get(held.name) is held:
            del self._held[held.name]

    async def _cut(self, held: _HeldPlace) -> None:
        async with held.busy:
            await self._disconnect(held)

    async def _disconnect(self, held: _HeldPlace) -> None:
        connection, held.connection = held.connection, None
        if connection is not None:
            await self._connections.close(connection)

    async def _release(self, held: _HeldPlace, patience_s: float) -> bool:
        """Release a place, as far as it is still ours; False when nothing answered for `patience_s`."""
        # Nobody else's, should it have been taken away this very moment.
        request = pb.ReleasePlaceRequest(placename=held.name, fromuser=self._coordinator.user)
        deadline = asyncio.get_running_loop().time() + patience_s
        while held.ours:
            try:
                await self._coordinator.call("ReleasePlace", request, patience_s)
                held.ours = False
            except (grpc.RpcError, LabgridError):
                if asyncio.get_running_loop().time() > deadline:
                    return False
                await asyncio.sleep(_AGAIN_S)
        return True

    def _begin(self, held: _HeldPlace) -> None:
        """Begin to watch over a place that was just acquired."""
        held.ours = True
        self._update(held)

    def _on_change(self, name: str) -> None:
        """See whether a place that changed is still ours."""
        if name in self._held:
            self._update(self._held[name])

    def _update(self, held: _HeldPlace) -> None:
        if not held.ours:
            return
        place = self._coordinator.places.get(held.name)
        if place is None:
            self._lose(held, "it was deleted")
        elif place.acquired != self._coordinator.user:
            self._lose(held, f"{place.acquired} has it" if place.acquired else "somebody else has released it")
        else:
            held.changed = place.changed

    def _on_resume(self) -> None:
        """See which places are still ours after a time without a session: what changed meanwhile may have been lost."""
        for held in self._held.values():
            place = self._coordinator.places.get(held.name)
            if held.ours and place is not None and place.acquired and place.changed != held.changed:
                self._lose(held, f"it changed while the coordinator was gone, and {place.acquired} has it")
            elif held.ours and place is not None and not place.acquired:
                self._lose(held, "the coordinator was started anew and has forgotten it")
            else:
                self._update(held)
            if held.ours and held.unwanted.is_set():  # it could not be released then
                self._spawn(self._end(held, _RELEASE_S))

    def _lose(self, held: _HeldPlace, why: str) -> None:
        """Leave a place that is not ours any more: nothing of ours goes on at its board."""
        held.ours, held.lost = False, why
        if held.connection is not None:
            held.connection.give_up()
        self._spawn(self._cut(held))

    def _spawn(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _services(self, name: str) -> list[tuple[str, Any]]:
        """Return the NetworkServices of a place by the names that they have there. Raises LabgridError without any."""
        place = self._coordinator.places[name]
        found = []
        for path in place.acquired_resources:
            exporter, group, kind, resource = path
            if kind != SERVICE:
                continue
            entry = self._coordinator.resource(exporter, group, resource)
            if entry is None:
                raise LabgridError(f"{'/'.join(path)} of place {name} is gone", f"is exporter {exporter} running?")
            found.append((place.getmatch(path).rename or resource, entry))
        if not found:
            there = ", ".join(self._coordinator.resource_kinds(place)) or "nothing"
            hint = f"is its exporter running? see: {self._coordinator.command_by_hand('show', name)}"
            raise LabgridError(f"place {name} has no {SERVICE}, by which its board is reached, but {there}", hint)
        return found

    def _describe(self, place: Place) -> dict[str, Any]:
        return {
            "name": place.name,
            "tags": dict(place.tags),
            "holder": place.acquired or "",
            "resources": self._coordinator.resource_kinds(place),
        }


async def acquire_place(coordinator: Coordinator, place: str, wait_s: float | None, unwanted: asyncio.Event) -> None:
    """Acquire a place; with `wait_s`, queue that long when somebody holds or has reserved it.

    Raises LabgridError when it is not to be had, or when it is `unwanted` meanwhile.
    """
    try:
        await _acquire(coordinator, place)
    except _PlaceTaken as taken:
        if wait_s is None:
            hint = f"--wait queues for it; {coordinator.command_by_hand('who')} shows who holds what"
            raise LabgridError(str(taken), hint) from taken
        await _queue(coordinator, place, wait_s, unwanted)


class _PlaceTaken(Exception):
    """Somebody holds the place, or has reserved it."""


async def _acquire(coordinator: Coordinator, place: str) -> None:
    """Acquire a place. Raises _PlaceTaken, or LabgridError for any other reason."""
    try:
        await coordinator.call("AcquirePlace", pb.AcquirePlaceRequest(placename=place))
    except CoordinatorLost as lost:
        # Whether it is, nobody can tell for sure: another process of this same user may have it as well.
        hint = f"if nobody of yours has it: {coordinator.command_by_hand('release', place)}"
        raise LabgridError(f"{lost.message} while place {place} was acquired, which may be held now", hint) from lost
    except grpc.RpcError as error:
        known = coordinator.places.get(place)
        if error.code() in _HELD_CODES and known is not None and (known.acquired or known.reservation):
            holder = f"held by {known.acquired}" if known.acquired else "reserved by somebody else"
            raise _PlaceTaken(f"place {place} is {holder}") from error
        hint = f"see: {coordinator.command_by_hand('show', place)}"
        raise LabgridError(f"place {place} cannot be acquired: {error.details()}", hint) from error


async def _queue(coordinator: Coordinator, place: str, wait_s: float, unwanted: asyncio.Event) -> None:
    """Reserve a place and acquire it in its turn. Whoever acquires it holds it: the reservation is not needed then."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + wait_s
    token = ""
    try:
        while clock() < deadline:
            if place not in coordinator.places:
                raise LabgridError(f"place {place} was deleted", f"see: {coordinator.command_by_hand('places')}")
            token, turn = await _turn(coordinator, place, token)
            if turn:
                with contextlib.suppress(_PlaceTaken):  # by another process of this same user
                    await _acquire(coordinator, place)
                    return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(unwanted.wait(), min(_POLL_S, max(0.0, deadline - clock())))
                raise LabgridError(f"place {place} is not wanted any more")
        raise LabgridError(
            f"place {place} was not free within {wait_s:g} s", f"see: {coordinator.command_by_hand('who')}"
        )
    finally:
        if token:
            with contextlib.suppress(grpc.RpcError, LabgridError):  # it lapses by itself
                await coordinator.call("CancelReservation", pb.CancelReservationRequest(token=token))


async def _turn(coordinator: Coordinator, place: str, token: str) -> tuple[str, bool]:
    """Return our reservation, a new one where it has none or is over, and whether it is its turn."""
    wanted = pb.Reservation.Filter(filter={"name": place})
    create = pb.CreateReservationRequest(filters={"main": wanted}, prio=0.0)
    try:
        if token:
            told = await coordinator.call("PollReservation", pb.PollReservationRequest(token=token))
        else:
            told = await coordinator.call("CreateReservation", create)
    except CoordinatorLost:  # it is asked again, and refuses that when it stays away
        return token, False
    except grpc.RpcError as error:
        if not token:
            raise LabgridError(f"place {place} cannot be queued for: {error.details()}") from error
        return await _turn(coordinator, place, "")  # a coordinator that was started anew knows of none
    found = Reservation.from_pb2(told.reservation)
    over = found.state in (ReservationState.expired, ReservationState.invalid)
    return "" if over else found.token, found.state is ReservationState.allocated
