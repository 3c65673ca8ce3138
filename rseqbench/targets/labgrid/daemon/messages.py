"""What passes between the daemon and its client: requests, answers, errors; and the calls of labgrid-client in hints.

Imports nothing of labgrid, which may be missing.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from typing import Any

from rseqbench.errors import TargetError

_LONGEST_REQUEST = 1 << 20  # bytes


class LabgridError(TargetError):
    """Something that labgrid, or the daemon, did not do.

    usage: it was asked for something that is not there; words: the output of ssh, where it was ssh that failed.
    """

    def __init__(self, message: str, hint: str = "", *, usage: bool = False, words: str = "") -> None:
        """Take the message, what to do about it, and the rest."""
        super().__init__(message, hint)
        self.usage, self.words = usage, words

    def to_answer(self) -> dict[str, Any]:
        """Return it as the fields of an answer."""
        return {"error": self.message, "hint": self.hint, "usage": self.usage, "words": self.words}


def place_command(coordinator: str, place: str, arguments: Sequence[str], environment: str = "") -> tuple[str, ...]:
    """Return the call of labgrid-client with these arguments for a place; an empty coordinator is labgrid's own choice.

    With an environment, which may also come from $LG_ENV, it acquires and releases all places that are in there.
    """
    only = ("env", "LG_ENV=") if os.environ.get("LG_ENV") and not environment else ()
    chosen = ("-c", environment) if environment else ()
    return (*only, *client_command(coordinator, (*chosen, "-p", place, *arguments)))


def client_command(coordinator: str, arguments: Sequence[str]) -> tuple[str, ...]:
    """Return the call of labgrid-client that is about no place of its own, such as `who`."""
    return ("labgrid-client", *(("-x", coordinator) if coordinator else ()), *arguments)


class RequestPipes:
    """Takes standard input and output for itself: what labgrid, an import or a child prints is no answer."""

    def __init__(self) -> None:
        """Leave to everybody else an input that is empty, and standard error for output."""
        self._requests, self._answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "w")
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(2, 1)
        os.close(nothing)

    async def requests(self) -> asyncio.StreamReader:
        """Return what there is to read."""
        reader = asyncio.StreamReader(_LONGEST_REQUEST)
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), self._requests)
        return reader

    def say(self, answer: dict[str, Any]) -> None:
        """Write an answer, to nobody when nobody is there to hear it."""
        try:
            print(json.dumps(answer), file=self._answers, flush=True)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._answers.fileno())
