"""Acquiring a place: at once, or when a reservation has brought us to its turn."""

from __future__ import annotations

import asyncio
import contextlib

import grpc
from labgrid.remote.common import Reservation, ReservationState
from labgrid.remote.generated import labgrid_coordinator_pb2 as pb

from rseqbench.targets.labgrid.daemon.coordinator import Coordinator, Lost
from rseqbench.targets.labgrid.daemon.errors import Refused

_POLL_S = 1.0  # of a reservation, which lapses when nobody asks for a minute
_TAKEN = (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.PERMISSION_DENIED)


async def acquire(coordinator: Coordinator, place: str, wait_s: float | None, unwanted: asyncio.Event) -> None:
    """Acquire a place; with `wait_s`, queue that long when somebody holds or has reserved it.

    Raises Refused when it is not to be had, or when it is `unwanted` meanwhile.
    """
    try:
        await _acquired(coordinator, place)
    except _Taken as taken:
        if wait_s is None:
            hint = f"--wait queues for it; {coordinator.by_hand('who')} shows who holds what"
            raise Refused(str(taken), hint) from taken
        await _queue(coordinator, place, wait_s, unwanted)


class _Taken(Exception):
    """Somebody holds the place, or has reserved it."""


async def _acquired(coordinator: Coordinator, place: str) -> None:
    """Acquire a place. Raises _Taken, or Refused for any other reason."""
    try:
        await coordinator.call("AcquirePlace", pb.AcquirePlaceRequest(placename=place))
    except Lost as lost:
        # Whether it is, nobody can tell for sure: another process of this same user may have it as well.
        hint = f"if nobody of yours has it: {coordinator.by_hand('release', place)}"
        raise Refused(f"{lost} while place {place} was acquired, which may be held now", hint) from lost
    except grpc.RpcError as error:
        known = coordinator.places.get(place)
        if error.code() in _TAKEN and known is not None and (known.acquired or known.reservation):
            holder = f"held by {known.acquired}" if known.acquired else "reserved by somebody else"
            raise _Taken(f"place {place} is {holder}") from error
        hint = f"see: {coordinator.by_hand('show', place)}"
        raise Refused(f"place {place} cannot be acquired: {error.details()}", hint) from error


async def _queue(coordinator: Coordinator, place: str, wait_s: float, unwanted: asyncio.Event) -> None:
    """Reserve a place and acquire it in its turn. Whoever acquires it holds it: the reservation is not needed then."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + wait_s
    token = ""
    try:
        while clock() < deadline:
            if place not in coordinator.places:
                raise Refused(f"place {place} was deleted", f"see: {coordinator.by_hand('places')}")
            token, turn = await _turn(coordinator, place, token)
            if turn:
                with contextlib.suppress(_Taken):  # by another process of this same user
                    await _acquired(coordinator, place)
                    return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(unwanted.wait(), min(_POLL_S, max(0.0, deadline - clock())))
                raise Refused(f"place {place} is not wanted any more")
        raise Refused(f"place {place} was not free within {wait_s:g} s", f"see: {coordinator.by_hand('who')}")
    finally:
        if token:
            with contextlib.suppress(grpc.RpcError, Refused):  # it lapses by itself
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
            raise Refused(f"place {place} cannot be queued for: {error.details()}") from error
        return await _turn(coordinator, place, "")  # a coordinator that was started anew knows of none
    found = Reservation.from_pb2(told.reservation)
    over = found.state in (ReservationState.expired, ReservationState.invalid)
    return "" if over else found.token, found.state is ReservationState.allocated
