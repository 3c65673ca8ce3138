"""Talking line by line with a deadline, over pipes or a socket: to a worker, a remote program, a guest's port."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable

from rseqbench.errors import TargetError

LONGEST = 64 << 20  # a gated round of all benchmarks answers with some megabytes
SEND_TIMEOUT_S = 30.0
_SHOWN = 80


class LineChannel:
    """Lines to a peer, and lines from it. The owner of the descriptors closes them."""

    def __init__(
        self,
        reader: int,
        writer: int | None,
        peer: str,
        ended: Callable[[str], TargetError] | None = None,
        longest: int = LONGEST,
    ) -> None:
        """Take the descriptors to read from and to write to: one pipe each, or twice the same socket.

        `peer` names it in errors. `ended` makes the error for a peer that is gone from the reason that Linux gives,
        which is empty at the end of the stream. A line may have `longest` bytes.
        """
        self._reader, self._writer, self._peer, self._longest = reader, writer, peer, longest
        self._ended = ended or (lambda reason: TargetError(f"{peer} is gone ({reason or 'end of stream'})"))
        self._buffer = bytearray()
        if writer is not None:
            os.set_blocking(writer, False)  # so that a peer that does not read cannot hold us for ever

    def send(self, line: bytes, timeout_s: float = SEND_TIMEOUT_S) -> None:
        """Send one line, to which the newline is added. Raises TargetError when the peer is gone or does not read."""
        assert self._writer is not None, "these lines can only be read"
        left = memoryview(line + b"\n")
        deadline = time.monotonic() + timeout_s
        while left:
            if not _ready(self._writer, select.POLLOUT, deadline):
                raise TargetError(f"{self._peer} did not take a request within {timeout_s:g} s")
            try:
                left = left[os.write(self._writer, left) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise self._ended(error.strerror or str(error)) from error

    def read_line(self, timeout_s: float) -> bytes:
        """Return the next line without its newline.

        Raises TargetError when it is not there whole within `timeout_s` seconds, is too long, or the peer is gone.
        What came of it is shown then, and the peer should be given up: the answer may still come.
        """
        deadline = time.monotonic() + timeout_s
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > self._longest:
                break
            if not _ready(self._reader, select.POLLIN, deadline):
                raise self._shown(TargetError(f"{self._peer} did not answer within {timeout_s:g} s"))
            self._buffer += self._received()
        if max(end, searched) > self._longest:
            raise self._shown(TargetError(f"{self._peer} sent a line of more than {self._longest} bytes"))
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def _received(self) -> bytes:
        try:
            chunk = os.read(self._reader, 65536)
        except BlockingIOError:  # a socket whose data was found damaged after it had woken us
            return b""
        except OSError as error:
            raise self._shown(self._ended(error.strerror or str(error))) from error
        if not chunk:
            raise self._shown(self._ended(""))
        return chunk

    def _shown(self, error: TargetError) -> TargetError:
        """Add the part of a line that came to an error."""
        if not self._buffer:
            return error
        return TargetError(f"{error.message}, in the middle of {bytes(self._buffer[:_SHOWN])!r}", error.hint)


def _ready(descriptor: int, event: int, deadline: float) -> bool:
    """Wait until a descriptor can be used, or has an error to tell; False when the deadline comes first."""
    poll = select.poll()  # not select(), which cannot name a descriptor above 1023
    poll.register(descriptor, event)
    return bool(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))
