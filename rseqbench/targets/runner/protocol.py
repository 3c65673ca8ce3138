"""The runner's protocol, version 1, pure: arguments -> a request's line, a reply's line -> what it says.

docs/protocol.md describes it. A reply is believed only if it is whole, answers the request that was asked, and agrees
with its checksum; anything else is a WireError that shows the bytes, never a number.
"""

from __future__ import annotations

import binascii
import json
import os
import re
import zlib
from collections.abc import Sequence
from typing import Any, NoReturn
from urllib.parse import quote

from rseqbench.errors import TargetError

VERSION = 1
LONGEST_REQUEST = 65535  # bytes, without the newline: MAX_LINE of kernels/runner/request.h

Argument = str | int | bool | Sequence[str] | Sequence[int]

_NAME = f"rseqbench/{VERSION}"
_SHOWN = 60  # bytes of a reply that an error shows from its begin, and again from its end
_REPLY = re.compile(rb"rseqbench/%d (\d{1,18}) (ok|error) ([0-9a-f]{8}) (.+)" % VERSION, re.DOTALL)
_FLAGS = {
    "needs_rseq": 0x01,
    "needs_no_rseq": 0x04,
    "shared": 0x08,
    "sequence": 0x10,
    "threaded": 0x20,
    "trivial": 0x40,
    "own_cpus": 0x80,
    "library": 0x800,
}


class ProtocolError(TargetError):
    """What came is not the reply to what was asked."""

    def __init__(self, wrong: str, line: bytes) -> None:
        """Take what is wrong, and the bytes that came."""
        super().__init__(f"the runner's reply is {wrong}: {_shown(line)}")


def encode(number: int, verb: str, **arguments: Argument) -> bytes:
    """Return the line, without its newline, of request `number`. Raises TargetError when it is longer than allowed."""
    words = [_NAME, str(number), verb, *(f"{key}={_value(value)}" for key, value in arguments.items())]
    line = " ".join(words).encode("ascii")
    if len(line) > LONGEST_REQUEST:
        raise TargetError(
            f"a {verb} request of {len(line)} bytes is too long for the runner", "select fewer benchmarks"
        )
    return line


def _value(value: Argument) -> str:
    if isinstance(value, str):
        return quote(os.fsencode(value), safe="/")
    if isinstance(value, int):  # bool too
        return str(int(value))
    return ",".join(map(_value, value))


def decode(line: bytes, number: int) -> Any:
    """Return the value of a reply's line, without its newline, to request `number`.

    Raises TargetError with the runner's words for a reply that says error, WireError for anything but a reply.
    """
    answered, status, crc, text = _parts(line)
    if int(crc, 16) != zlib.crc32(b"%s %s %s" % (answered, status, text)):
        raise ProtocolError("cut or damaged, as its checksum tells", line)
    said = _json(text, line)
    if int(answered) != number and (int(answered) or status == b"ok"):
        raise ProtocolError(f"late or out of order (number {int(answered)} instead of {number})", line)
    if status == b"ok":
        return said
    if not isinstance(said, str):
        raise ProtocolError("an error without words", line)
    words = os.fsencode(said).decode(errors="replace")
    raise TargetError(words if int(answered) else f"the runner could not read a request: {words}")


def _parts(line: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    if not line.isascii():
        raise ProtocolError("not ASCII", line)
    begin = re.match(rb"rseqbench/(\d{1,9}) ", line)
    if begin is None:
        raise ProtocolError("none, or cut", line)
    if int(begin[1]) != VERSION:
        raise TargetError(f"the runner speaks rseqbench/{int(begin[1])}, this is {VERSION}")
    match = _REPLY.fullmatch(line)
    if match is None:
        raise ProtocolError("cut or damaged", line)
    answered, status, crc, text = match.groups()
    return answered, status, crc, text


def _json(text: bytes, line: bytes) -> Any:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is not JSON")

    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("not JSON", line) from error


def decode_kernels(listed: Any) -> list[dict[str, Any]]:
    """Return what `list` answered as the worker's hello describes benchmarks. Raises WireError when it is not that."""
    try:
        return [describe_benchmark(row["name"], row["doc"], row["unavailable"], row["flags"]) for row in listed]
    except (KeyError, TypeError) as error:
        raise ProtocolError("no list of kernels", json.dumps(listed).encode()) from error


def decode_file(answered: Any) -> bytes:
    """Return the bytes of the file that `read` answered with. Raises WireError when it did not."""
    try:
        return binascii.a2b_base64(answered, strict_mode=True)
    except (ValueError, TypeError) as error:
        raise ProtocolError("no file", json.dumps(answered).encode()) from error


def _shown(line: bytes) -> str:
    if len(line) <= 2 * _SHOWN:
        return repr(line)
    return f"{line[:_SHOWN]!r} ... {line[-_SHOWN:]!r} ({len(line)} bytes)"


def describe_benchmark(name: str, doc: str, unavailable: str, flags: int) -> dict[str, Any]:
    """Return a benchmark as the mapping that a target makes a Benchmark of; `flags` is struct host_benchmark's."""
    named = {flag: bool(flags & bit) for flag, bit in _FLAGS.items()}
    return {"name": name, "doc": doc, "unavailable": unavailable, **named}
