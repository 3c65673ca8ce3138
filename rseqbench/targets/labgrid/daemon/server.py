"""The daemon's requests and answers, and what it does when the other side is gone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable
from typing import Any

from rseqbench.targets.labgrid.daemon.connections import Connections, LabEnvironment
from rseqbench.targets.labgrid.daemon.coordinator import Coordinator
from rseqbench.targets.labgrid.daemon.held_places import HeldPlaces
from rseqbench.targets.labgrid.daemon.messages import LabgridError, RequestPipes

_FOLDER = "rseqlab-"  # short, as it is part of a socket's name, which may have 108 bytes


def main(pipes: RequestPipes, address: str, environment: str) -> int:
    """Serve requests until there are no more; 1 when there was nothing to serve them with."""
    logging.getLogger().addHandler(logging.NullHandler())  # what matters is told in answers
    _allow_open_files()
    with tempfile.TemporaryDirectory(prefix=f"{_FOLDER}{os.getpid()}-", dir="/tmp") as folder:
        tempfile.tempdir = folder  # labgrid leaves folders behind
        return asyncio.run(_serve(pipes, address, environment))


def _allow_open_files() -> None:
    """Allow as many open files as the hard limit does: each board takes some."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _serve(pipes: RequestPipes, address: str, environment: str) -> int:
    try:
        settings = LabEnvironment(environment)
        coordinator = Coordinator(settings.coordinator(address))
        await coordinator.open()
    except LabgridError as error:
        pipes.say({"id": 0, **error.to_answer()})
        return 1
    connections = Connections(settings)
    held = HeldPlaces(coordinator, connections)
    pipes.say({"id": 0, "ok": {"coordinator": coordinator.address}})
    try:
        await _answer_all(pipes, held)
    finally:
        _print_unreleased(await held.close(), coordinator)
        await coordinator.close()
        connections.shut_down()
    return 0


def _print_unreleased(places: list[str], coordinator: Coordinator) -> None:
    """Say which places could not be released."""
    for name in places:
        what = f"place {name} is still held: the coordinator is gone; when it is back"
        with contextlib.suppress(OSError):  # nobody is there to read it
            print(f"rseqbench: {what}: {coordinator.command_by_hand('release', name)}", file=sys.stderr, flush=True)


async def _answer_all(pipes: RequestPipes, held: HeldPlaces) -> None:
    """Answer requests, all at once, until there are no more, or we are told to end: that is the same to us."""
    verbs: dict[str, Callable[..., Awaitable[Any]]] = {
        "places": held.list_places,
        "acquire": held.acquire,
        "connect": held.connect,
        "release": held.release,
    }
    under_way = set()
    requests = await pipes.requests()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, requests.feed_eof)
    while (line := await requests.readline()).endswith(b"\n"):  # who dies may leave half a line
        request = json.loads(line)
        number, do = request.pop("id"), request.pop("do")
        task = asyncio.create_task(_answer(pipes, number, verbs[do](**request)))
        under_way.add(task)
        task.add_done_callback(under_way.discard)


async def _answer(pipes: RequestPipes, number: int, work: Awaitable[Any]) -> None:
    try:
        answer = {"ok": await work}
    except LabgridError as error:
        answer = error.to_answer()
    except Exception as error:  # one line, whatever labgrid threw
        why = " ".join(str(error).split())
        answer = LabgridError(f"labgrid failed: {type(error).__name__}: {why}").to_answer()
    pipes.say({"id": number, **answer})
