"""The keeper's requests and answers, and what it does when the other side is gone."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import resource
import shlex
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable
from typing import Any

from rseqbench.lab import by_hand
from rseqbench.lab.keeper.boards import Boards
from rseqbench.lab.keeper.coordinator import Coordinator
from rseqbench.lab.keeper.environment import Settings
from rseqbench.lab.keeper.places import Places
from rseqbench.lab.keeper.refused import Refused

_FOLDER = "rseqlab-"  # short, as it is part of a socket's name, which may have 108 bytes
_LONGEST = 1 << 20


def main(address: str, environment: str) -> int:
    """Serve requests until standard input ends; 1 when there was nothing to serve them with."""
    logging.getLogger().addHandler(logging.NullHandler())  # what matters is told in answers
    _many_files()
    with tempfile.TemporaryDirectory(prefix=f"{_FOLDER}{os.getpid()}-", dir="/tmp") as folder:
        tempfile.tempdir = folder  # labgrid leaves folders behind
        return asyncio.run(_serve(address, environment))


def _many_files() -> None:
    """Allow as many open files as we may: a board takes some."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _serve(address: str, environment: str) -> int:
    try:
        settings = Settings(environment)
        coordinator = Coordinator(settings.coordinator(address))
        await coordinator.open()
    except Refused as refused:
        _say({"id": 0, **refused.told()})
        return 1
    boards = Boards(settings)
    places = Places(coordinator, boards)
    _say({"id": 0, "ok": {"coordinator": coordinator.address}})
    try:
        await _answer_all(places)
    finally:
        left = await places.close()
        await coordinator.close()
        boards.close()
    for name in left:
        free = shlex.join(by_hand.client(coordinator.address, name, ("release",)))
        print(
            f"rseqbench: place {name} is still held: the coordinator is gone; when it is back: {free}", file=sys.stderr
        )
    return 0


async def _answer_all(places: Places) -> None:
    """Answer requests, all at once, until there are no more."""
    verbs: dict[str, Callable[..., Awaitable[Any]]] = {
        "places": places.listed,
        "acquire": places.acquire,
        "connect": places.connect,
        "release": places.release,
    }
    under_way = set()
    requests = await _standard_input()
    while line := await requests.readline():
        request = json.loads(line)
        number, do = request.pop("id"), request.pop("do")
        task = asyncio.create_task(_answer(number, verbs[do](**request)))
        under_way.add(task)
        task.add_done_callback(under_way.discard)


async def _answer(number: int, work: Awaitable[Any]) -> None:
    try:
        answer = {"ok": await work}
    except Refused as refused:
        answer = refused.told()
    except Exception as error:  # one line, whatever labgrid threw
        answer = Refused(f"labgrid failed: {type(error).__name__}: {error}").told()
    _say({"id": number, **answer})


async def _standard_input() -> asyncio.StreamReader:
    reader, loop = asyncio.StreamReader(_LONGEST), asyncio.get_running_loop()
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
        signal.SIGHUP,
    ):  # told to end, it has the same to do as when it is left
        loop.add_signal_handler(number, reader.feed_eof)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


def _say(answer: dict[str, Any]) -> None:
    try:
        print(json.dumps(answer), flush=True)
    except OSError:  # nobody is there to hear it
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
