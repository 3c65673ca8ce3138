"""A conversation with a runner: numbered requests, one at a time, and their answers."""

from __future__ import annotations

from typing import Any

from rseqbench.errors import TargetError
from rseqbench.targets.runner import protocol
from rseqbench.targets.runner.line_channel import Lines


class Session:
    """Requests to one runner over its lines, which stay their owner's.

    broken: an answer did not come, or was none, so that whatever comes next may still be that one: start another.
    """

    def __init__(self, lines: Lines) -> None:
        """Take the lines to a runner that serves at their other end."""
        self._lines = lines
        self._number = 0
        self.broken = False

    def ask(self, verb: str, timeout_s: float, **arguments: protocol.Argument) -> Any:
        """Return the answer to a request, for which the runner has `timeout_s` seconds.

        Raises TargetError with the runner's words when it says error, or with Linux's when it is gone, and WireError
        when what comes is no answer to this request.
        """
        self._number += 1
        line = protocol.encode(self._number, verb, **arguments)
        try:
            self._lines.send(line)
            answer = self._lines.read_line(timeout_s)
        except TargetError:
            self.broken = True
            raise
        try:
            return protocol.decode(answer, self._number)
        except protocol.WireError:
            self.broken = True
            raise
