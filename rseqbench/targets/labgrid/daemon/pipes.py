"""The two pipes to whoever started the keeper: a JSON object a line, requests in and answers out."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

_LONGEST = 1 << 20


class Pipes:
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
        reader = asyncio.StreamReader(_LONGEST)
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), self._requests)
        return reader

    def say(self, answer: dict[str, Any]) -> None:
        """Write an answer, to nobody when nobody is there to hear it."""
        try:
            print(json.dumps(answer), file=self._answers, flush=True)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._answers.fileno())
