"""A conversation with a runner: numbered requests, one at a time, and their answers."""

from __future__ import annotations

from typing import Any

from rseqbench import wire
from rseqbench.targets.lines import Lines


class Session:
    """Requests to one runner over its lines, which stay their owner's."""

    def __init__(self, lines: Lines) -> None:
        """Take the lines to a runner that serves at their other end."""
        self._lines = lines
        self._number = 0

    def ask(self, verb: str, timeout_s: float, **arguments: wire.Argument) -> Any:
        """Return the answer to a request, for which the runner has `timeout_s` seconds.

        Raises TargetError with the runner's words when it says error, or with Linux's when it is gone, and WireError
        when what comes is no answer to this request.
        """
        self._number += 1
        self._lines.send(wire.encode(self._number, verb, **arguments))
        return wire.decode(self._lines.read_line(timeout_s), self._number)
