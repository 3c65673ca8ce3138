"""Acquiring a place: at once, or when a reservation has brought us to its turn."""

from __future__ import annotations

import asyncio
import contextlib

import grpc
from labgrid.remote.common import Reservation, ReservationState
from labgrid.remote.generated import labgrid_coordinator_pb2 as pb

from rseqbench.lab.keeper.coordinator import Coordinator
from rseqbench.lab.keeper.refused import Refused

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
            raise Refused(str(taken), "--wait queues for it; labgrid-client who shows who holds what") from taken
        await _queue(coordinator, place, wait_s, unwanted)


class _Taken(Exception):
    """Somebody holds the place, or has reserved it."""


async def _acquired(coordinator: Coordinator, place: str) -> None:
    """Acquire a place. Raises _Taken, or Refused for any other reason."""
    try:
        await coordinator.call("AcquirePlace", pb.AcquirePlaceRequest(placename=place))
    except grpc.RpcError as error:
        known = coordinator.places.get(place)
        if error.code() in _TAKEN and known is not None and (known.acquired or known.reservation):
            holder = f"held by {known.acquired}" if known.acquired else "reserved by somebody else"
            raise _Taken(f"place {place} is {holder}") from error
        hint = f"see: labgrid-client -p {place} show"
        raise Refused(f"place {place} cannot be acquired: {error.details()}", hint) from error


async def _queue(coordinator: Coordinator, place: str, wait_s: float, unwanted: asyncio.Event) -> None:
    """Reserve a place and acquire it in its turn. Whoever acquires it holds it: the reservation is not needed then."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + wait_s
    token = ""
    try:
        while clock() < deadline:
            token, turn = await _turn(coordinator, place, token)
            if turn:
                with contextlib.suppress(_Taken):  # by another process of this same user
                    await _acquired(coordinator, place)
                    return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(unwanted.wait(), min(_POLL_S, max(0.0, deadline - clock())))
                raise Refused(f"place {place} is not wanted any more")
        raise Refused(f"place {place} was not free within {wait_s:g} s", "see: labgrid-client who")
    finally:
        if token:
            with contextlib.suppress(grpc.RpcError, Refused):  # it lapses by itself
                await coordinator.call("CancelReservation", pb.CancelReservationRequest(token=token))


async def _turn(coordinator: Coordinator, place: str, token: str) -> tuple[str, bool]:
    """Return our reservation, a new one where it has none or is over, and whether it is its turn."""
    if token:
        try:
            told = await coordinator.call("PollReservation", pb.PollReservationRequest(token=token))
        except grpc.RpcError as error:
            if error.code() not in _TAKEN:
                raise Refused(f"the labgrid coordinator at {coordinator.address} is gone", "start it again") from error
            token = ""  # a coordinator that was started anew knows of none
    if not token:
        wanted = pb.Reservation.Filter(filter={"name": place})
        told = await coordinator.call(
            "CreateReservation", pb.CreateReservationRequest(filters={"main": wanted}, prio=0.0)
        )
    found = Reservation.from_pb2(told.reservation)
    over = found.state in (ReservationState.expired, ReservationState.invalid)
    return "" if over else found.token, found.state is ReservationState.allocated
