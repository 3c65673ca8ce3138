"""What of a compiled set of benchmarks says where each one's timed loop is: just enough of ELF, little-endian.

The benchmarks name themselves: section "benchmarks" holds the address of each struct benchmark of
kernels/include/benchmark.h. So do their sequences: section "__rseq_cs" holds the descriptors that Linux reads.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rseqbench.errors import BuildError

_SYMTAB, _RELA, _NOBITS = 2, 4, 8
_FUNCTION = 2
_DESCRIPTOR = "<IIQQQ"  # struct rseq_cs: version, flags, start, length, where it aborts to
_RUN = 6  # the place of `run` in struct benchmark, in words


@dataclass(frozen=True)
class Loop:
    """The function that is timed of one benchmark: its symbol, where it begins and ends, and the sequences in it.

    Each sequence is the address of its first instruction and that behind its last, the commit; `descriptors` are the
    addresses of their struct rseq_cs.
    """

    benchmark: str
    symbol: str
    begin: int
    end: int
    sequences: tuple[tuple[int, int], ...]
    descriptors: tuple[int, ...]


@dataclass(frozen=True)
class _Section:
    name: str
    kind: int
    address: int
    data: bytearray
    link: int


def loops(path: Path) -> list[Loop]:
    """Return the timed loops of all benchmarks in a linked object, sorted by name; without those that are absent.

    Raises BuildError when it is not such an object.
    """
    try:
        found = sorted(_File(path.read_bytes()).loops(), key=lambda loop: loop.benchmark)
    except (OSError, struct.error, StopIteration, ValueError, LookupError) as error:
        raise BuildError(f"{path}: no compiled kernels ({error!r})") from error
    if not found:
        raise BuildError(f"{path}: no compiled kernels (none has a loop)")
    return found


class _File:
    """An ELF file whose addresses are in their places."""

    def __init__(self, data: bytes) -> None:
        if data[:4] != b"\x7fELF" or data[5] != 1:
            raise ValueError("no little-endian ELF")
        self._wide = data[4] == 2
        self._pointer = "<Q" if self._wide else "<I"
        self._sections = list(self._read(data))
        self._relocate()

    def loops(self) -> Iterator[Loop]:
        functions = {begin: (symbol, end) for symbol, begin, end in self._functions()}
        sequences = dict(self._sequences())
        for (address,) in struct.iter_unpack(self._pointer, self._named("benchmarks").data):
            run = self._word(address, _RUN)
            if run:
                symbol, end = functions[run]
                inside = {where: one for where, one in sequences.items() if run <= one[0] < end}
                name = self._text(self._word(address, 0))
                yield Loop(name, symbol, run, end, tuple(inside.values()), tuple(inside))

    def _sequences(self) -> Iterator[tuple[int, tuple[int, int]]]:
        section = self._named("__rseq_cs")
        for number, (_, _, start, length, _) in enumerate(struct.iter_unpack(_DESCRIPTOR, section.data)):
            yield section.address + number * struct.calcsize(_DESCRIPTOR), (start, start + length)

    def _read(self, data: bytes) -> Iterator[_Section]:
        (table,) = struct.unpack_from("<Q" if self._wide else "<I", data, 0x28 if self._wide else 0x20)
        size, count, names = struct.unpack_from("<HHH", data, 0x3A if self._wide else 0x2E)
        row = "<IIQQQQI" if self._wide else "<IIIIIII"
        rows = [struct.unpack_from(row, data, table + number * size) for number in range(count)]
        strings = rows[names][4]
        for name, kind, _, address, offset, length, link in rows:
            content = b"" if kind == _NOBITS else data[offset : offset + length]
            yield _Section(_string(data, strings + name), kind, address, bytearray(content), link)

    def _relocate(self) -> None:
        """Put into its place what a loader would: tables with addends; where they have none, it is there already."""
        for table in [one for one in self._sections if one.kind == _RELA and self._wide]:
            for place, info, addend in struct.iter_unpack("<QQq", table.data):
                home = self._home(place)
                if home and not info >> 32:  # of no symbol: an address in this file
                    struct.pack_into("<q", home.data, place - home.address, addend)

    def _functions(self) -> Iterator[tuple[str, int, int]]:
        table = next(one for one in self._sections if one.kind == _SYMTAB)
        names = self._sections[table.link].data
        for entry in struct.iter_unpack("<IBBHQQ" if self._wide else "<IIIBBH", table.data):
            name, kind, begin, size = (entry[i] for i in ((0, 1, 4, 5) if self._wide else (0, 3, 1, 2)))
            if kind & 15 == _FUNCTION and size:
                yield _string(names, name), begin, begin + size

    def _named(self, name: str) -> _Section:
        return next(one for one in self._sections if one.name == name)

    def _home(self, address: int) -> _Section | None:
        inside = (one for one in self._sections if one.address and 0 <= address - one.address < len(one.data))
        return next(inside, None)

    def _word(self, address: int, number: int) -> int:
        place = address + number * struct.calcsize(self._pointer)
        home = self._home(place)
        if home is None:
            raise ValueError(f"nothing at {place:#x}")
        (found,) = struct.unpack_from(self._pointer, home.data, place - home.address)
        return int(found)

    def _text(self, address: int) -> str:
        home = self._home(address)
        if home is None:
            raise ValueError(f"nothing at {address:#x}")
        return _string(home.data, address - home.address)


def _string(data: bytes | bytearray, begin: int) -> str:
    return data[begin : data.index(b"\0", begin)].decode()
