"""The places that are held for the other side: acquired, connected to, lost and released."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import grpc
from labgrid.remote.common import Place, Reservation, ReservationState
from labgrid.remote.generated import labgrid_coordinator_pb2 as pb

from rseqbench.errors import unknown
from rseqbench.targets.labgrid.daemon.connections import SERVICE, BoardConnection, Connections
from rseqbench.targets.labgrid.daemon.coordinator import Coordinator, Lost
from rseqbench.targets.labgrid.daemon.messages import LabgridError

_SOON_S = 2.0  # for a release while we go on: what cannot be released now is when the coordinator is back
_RELEASE_S = 20.0  # for a coordinator that is gone at the end to come back
_AGAIN_S = 0.5
_SETTLE_S = 2.0  # for what ran on a board to end, before it is another's
_POLL_S = 1.0  # of a reservation, which lapses when nobody asks for a minute
_TAKEN = (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.PERMISSION_DENIED)


@dataclass
class _Reservation:
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
    board: BoardConnection | None = None
    unwanted: asyncio.Event = field(default_factory=asyncio.Event)
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)

    def give_up(self) -> None:
        """Have whatever is under way about it end soon."""
        self.unwanted.set()
        if self.board is not None:
            self.board.give_up()


class Reservations:
    """All places that are held over one session."""

    def __init__(self, coordinator: Coordinator, boards: Connections) -> None:
        """Take the coordinator, and who connects to boards."""
        self._coordinator, self._boards = coordinator, boards
        self._held: dict[str, _Reservation] = {}
        self._closed = False
        self._aside: set[asyncio.Task[object]] = set()
        coordinator.changed = self._changed
        coordinator.resumed = self._resumed

    async def listed(self) -> list[dict[str, Any]]:
        """Return what there is."""
        return [self._told(place) for _, place in sorted(self._coordinator.places.items())]

    async def acquire(self, place: str, key: str, wait_s: float | None) -> dict[str, Any]:
        """Acquire a place, queueing for it up to `wait_s` seconds. Raises Refused when it is not to be had.

        With the `key`, it can be released.
        """
        if self._closed:
            raise LabgridError(f"place {place} is not wanted any more")
        if place in self._held and self._held[place].unwanted.is_set():
            raise LabgridError(f"place {place} is still to be released", "is its coordinator there?")
        if place in self._held:
            raise LabgridError(f"place {place} is held by this very process", "name each place once")
        if place not in self._coordinator.places:
            error = unknown("place", place, self._coordinator.places, f"at {self._coordinator.address}")
            raise LabgridError(error.message, error.hint, usage=True)
        holding = self._held[place] = _Reservation(place, key)
        try:
            async with holding.busy:
                await acquire_place(self._coordinator, place, wait_s, holding.unwanted)
                self._begin(holding)
                told = self._told(self._coordinator.places.get(place) or Place(place))
        except BaseException:
            self._forget(holding)
            raise
        return told

    async def connect(self, place: str) -> dict[str, Any]:
        """Connect to the board of a place that is held, anew where it was. Raises Refused."""
        holding = self._held[place]
        async with holding.busy:
            await self._disconnect(holding)
            self._check(holding)
            holding.board = self._boards.board(place, self._services(place))
            try:
                found = await self._boards.opened(holding.board)
            except LabgridError:
                self._check(holding)  # that may be why
                raise
            self._check(holding)
            return found

    async def release(self, place: str, key: str) -> bool:
        """Disconnect from a place and release it, if it is ours; whatever is under way there is given up.

        Return False when it could not be released yet.
        """
        holding = self._held.get(place)
        return holding is None or holding.key != key or await self._end(holding, _SOON_S)

    async def close(self) -> list[str]:
        """Release everything, begin nothing more, and return the places that could not be released."""
        self._closed = True
        left = list(self._held.values())
        connected = [holding for holding in left if holding.board is not None]
        for holding in left:
            holding.give_up()
        if connected:  # nobody has ended in order what ran there
            await asyncio.gather(*(self._cut(holding) for holding in connected))
            await asyncio.sleep(_SETTLE_S)
        await asyncio.gather(*(self._end(holding, _RELEASE_S) for holding in left), return_exceptions=True)
        return sorted(self._held)

    def _check(self, holding: _Reservation) -> None:
        """Raise Refused for a place at whose board we have nothing to do any more."""
        if holding.lost:
            hint = f"see: {self._coordinator.by_hand('who')}"
            raise LabgridError(f"place {holding.name} is not ours any more: {holding.lost}", hint)
        if holding.unwanted.is_set():
            raise LabgridError(f"place {holding.name} is not wanted any more")

    async def _end(self, holding: _Reservation, patience_s: float) -> bool:
        """Have done with a place; return False when it could not be released."""
        holding.give_up()
        async with holding.busy:
            await self._disconnect(holding)
            if holding.ours and not await self._released(holding, patience_s):
                return False
        self._forget(holding)
        return True

    def _forget(self, holding: _Reservation) -> None:
        """Forget a place, unless it is somebody else's by now."""
        if self._held.get(holding.name) is holding:
            del self._held[holding.name]

    async def _cut(self, holding: _Reservation) -> None:
        async with holding.busy:
            await self._disconnect(holding)

    async def _disconnect(self, holding: _Reservation) -> None:
        board, holding.board = holding.board, None
        if board is not None:
            await self._boards.closed(board)

    async def _released(self, holding: _Reservation, patience_s: float) -> bool:
        """Release a place, as far as it is still ours; False when nothing answered for `patience_s`."""
        # Nobody else's, should it have been taken away this very moment.
        request = pb.ReleasePlaceRequest(placename=holding.name, fromuser=self._coordinator.user)
        deadline = asyncio.get_running_loop().time() + patience_s
        while holding.ours:
            try:
                await self._coordinator.call("ReleasePlace", request, patience_s)
                holding.ours = False
            except (grpc.RpcError, LabgridError):
                if asyncio.get_running_loop().time() > deadline:
                    return False
                await asyncio.sleep(_AGAIN_S)
        return True

    def _begin(self, holding: _Reservation) -> None:
        """Begin to watch over a place that was just acquired."""
        holding.ours = True
        self._look(holding)

    def _changed(self, name: str) -> None:
        """See whether a place that changed is still ours."""
        if name in self._held:
            self._look(self._held[name])

    def _look(self, holding: _Reservation) -> None:
        if not holding.ours:
            return
        place = self._coordinator.places.get(holding.name)
        if place is None:
            self._lose(holding, "it was deleted")
        elif place.acquired != self._coordinator.user:
            self._lose(holding, f"{place.acquired} has it" if place.acquired else "somebody else has released it")
        else:
            holding.changed = place.changed

    def _resumed(self) -> None:
        """See which places are still ours after a time without a session: what changed meanwhile may have been lost."""
        for holding in self._held.values():
            place = self._coordinator.places.get(holding.name)
            if holding.ours and place is not None and place.acquired and place.changed != holding.changed:
                self._lose(holding, f"it changed while the coordinator was gone, and {place.acquired} has it")
            elif holding.ours and place is not None and not place.acquired:
                self._lose(holding, "the coordinator was started anew and has forgotten it")
            else:
                self._look(holding)
            if holding.ours and holding.unwanted.is_set():  # it could not be released then
                self._do_aside(self._end(holding, _RELEASE_S))

    def _lose(self, holding: _Reservation, why: str) -> None:
        """Leave a place that is not ours any more: nothing of ours goes on at its board."""
        holding.ours, holding.lost = False, why
        if holding.board is not None:
            holding.board.give_up()
        self._do_aside(self._cut(holding))

    def _do_aside(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)

    def _services(self, name: str) -> list[tuple[str, Any]]:
        """Return the NetworkServices of a place by the names that they have there. Raises Refused without any."""
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
            there = ", ".join(self._coordinator.there(place)) or "nothing"
            hint = f"is its exporter running? see: {self._coordinator.by_hand('show', name)}"
            raise LabgridError(f"place {name} has no {SERVICE}, by which its board is reached, but {there}", hint)
        return found

    def _told(self, place: Place) -> dict[str, Any]:
        return {
            "name": place.name,
            "tags": dict(place.tags),
            "holder": place.acquired or "",
            "resources": self._coordinator.there(place),
        }


async def acquire_place(coordinator: Coordinator, place: str, wait_s: float | None, unwanted: asyncio.Event) -> None:
    """Acquire a place; with `wait_s`, queue that long when somebody holds or has reserved it.

    Raises Refused when it is not to be had, or when it is `unwanted` meanwhile.
    """
    try:
        await _acquire(coordinator, place)
    except _Taken as taken:
        if wait_s is None:
            hint = f"--wait queues for it; {coordinator.by_hand('who')} shows who holds what"
            raise LabgridError(str(taken), hint) from taken
        await _queue(coordinator, place, wait_s, unwanted)


class _Taken(Exception):
    """Somebody holds the place, or has reserved it."""


async def _acquire(coordinator: Coordinator, place: str) -> None:
    """Acquire a place. Raises _Taken, or Refused for any other reason."""
    try:
        await coordinator.call("AcquirePlace", pb.AcquirePlaceRequest(placename=place))
    except Lost as lost:
        # Whether it is, nobody can tell for sure: another process of this same user may have it as well.
        hint = f"if nobody of yours has it: {coordinator.by_hand('release', place)}"
        raise LabgridError(f"{lost.message} while place {place} was acquired, which may be held now", hint) from lost
    except grpc.RpcError as error:
        known = coordinator.places.get(place)
        if error.code() in _TAKEN and known is not None and (known.acquired or known.reservation):
            holder = f"held by {known.acquired}" if known.acquired else "reserved by somebody else"
            raise _Taken(f"place {place} is {holder}") from error
        hint = f"see: {coordinator.by_hand('show', place)}"
        raise LabgridError(f"place {place} cannot be acquired: {error.details()}", hint) from error


async def _queue(coordinator: Coordinator, place: str, wait_s: float, unwanted: asyncio.Event) -> None:
    """Reserve a place and acquire it in its turn. Whoever acquires it holds it: the reservation is not needed then."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + wait_s
    token = ""
    try:
        while clock() < deadline:
            if place not in coordinator.places:
                raise LabgridError(f"place {place} was deleted", f"see: {coordinator.by_hand('places')}")
            token, turn = await _turn(coordinator, place, token)
            if turn:
                with contextlib.suppress(_Taken):  # by another process of this same user
                    await _acquire(coordinator, place)
                    return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(unwanted.wait(), min(_POLL_S, max(0.0, deadline - clock())))
                raise LabgridError(f"place {place} is not wanted any more")
        raise LabgridError(f"place {place} was not free within {wait_s:g} s", f"see: {coordinator.by_hand('who')}")
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
    except Lost:  # it is asked again, and refuses that when it stays away
        return token, False
    except grpc.RpcError as error:
        if not token:
            raise LabgridError(f"place {place} cannot be queued for: {error.details()}") from error
        return await _turn(coordinator, place, "")  # a coordinator that was started anew knows of none
    found = Reservation.from_pb2(told.reservation)
    over = found.state in (ReservationState.expired, ReservationState.invalid)
    return "" if over else found.token, found.state is ReservationState.allocated
