"""What stands in a compiled kernel library: a little ELF, and the instructions as objdump prints them."""

import re
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from rseqbench.build import architectures, products
from rseqbench.errors import BuildError

_RELA, _DYNAMIC, _NOBITS = 4, 6, 8
_DT_TEXTREL, _DT_FLAGS, _DF_TEXTREL = 22, 30, 0x4
_STT_FUNC, _STT_FILE = 2, 4


@dataclass(frozen=True)
class Section:
    """One section: where it stands in memory and what is in it."""

    name: str
    kind: int
    address: int
    data: bytearray
    link: int

    @property
    def end(self):
        return self.address + len(self.data)


@dataclass(frozen=True)
class Instruction:
    """One line of objdump."""

    address: int
    text: str

    @property
    def mnemonic(self):
        return self.text.split(maxsplit=1)[0]

    @property
    def goes_to(self):
        """The address that a jump names, else None."""
        target = re.match(r"\S+ (?:\w+, )?([0-9a-f]+) <", self.text)
        return int(target[1], 16) if target else None


@dataclass(frozen=True)
class Descriptor:
    """One struct rseq_cs: the sequence from `start` up to but not including `end`, and where it continues aborted."""

    start: int
    end: int
    abort: int


@dataclass(frozen=True)
class Kernel:
    """One struct benchmark of kernels/include/benchmark.h; `run`: the address of its timed loop, 0 if it has none."""

    name: str
    flags: int
    run: int


class Library:
    """A little-endian ELF file."""

    def __init__(self, path):
        self.path = Path(path)
        data = self.path.read_bytes()
        assert data[:4] == b"\x7fELF" and data[5] == 1, "a little-endian ELF file"
        self.wide = data[4] == 2
        self.word = 8 if self.wide else 4
        self.sections = self._read_sections(data)
        self._relocate()

    def _read_sections(self, data):
        (table,) = struct.unpack_from("<Q", data, 0x28) if self.wide else struct.unpack_from("<I", data, 0x20)
        size, count, names = struct.unpack_from("<HHH", data, 0x3A if self.wide else 0x2E)
        rows = [
            struct.unpack_from("<IIQQQQI" if self.wide else "<IIIIIII", data, table + i * size) for i in range(count)
        ]
        strings = rows[names][4]
        found = []
        for name, kind, _, address, offset, length, link in rows:
            text = data[strings + name : data.index(b"\0", strings + name)].decode()
            content = bytearray() if kind == _NOBITS else bytearray(data[offset : offset + length])
            found.append(Section(text, kind, address, content, link))
        return found

    def _relocate(self):
        """Write every address into its place, as the loader will; where relocations have no addend it is there."""
        for table in [section for section in self.sections if section.kind == _RELA]:
            for place, info, addend in struct.iter_unpack("<QQq", table.data):
                home = self._home(place)
                if home and not info >> 32:
                    struct.pack_into("<q", home.data, place - home.address, addend)

    def _home(self, address):
        return next((s for s in self.sections if s.address and s.address <= address < s.end), None)

    def section(self, name):
        return next(section for section in self.sections if section.name == name)

    def has_text_relocations(self):
        dynamic = next((section for section in self.sections if section.kind == _DYNAMIC), None)
        if dynamic is None:  # a static program, which nothing relocates
            return False
        entries = struct.iter_unpack("<qQ" if self.wide else "<iI", dynamic.data)
        return any(tag == _DT_TEXTREL or (tag == _DT_FLAGS and value & _DF_TEXTREL) for tag, value in entries)

    def kernels(self):
        """Return all kernels that the linker gathered."""
        addresses = struct.iter_unpack(self._pointer, self.section("benchmarks").data)
        return [self._kernel(address) for (address,) in addresses]

    def _kernel(self, address):
        name, _, flags, _, _, _, run = (
            struct.unpack(self._pointer, self.at(address + i * self.word, self.word))[0] for i in range(7)
        )
        text = self.at(name, 100)
        return Kernel(bytes(text[: text.index(b"\0")]).decode(), flags & 0xFFFFFFFF, run)

    @property
    def _pointer(self):
        return "<Q" if self.wide else "<I"

    def descriptors(self):
        """Return all descriptors of sequences."""
        fields = struct.iter_unpack("<IIQQQ", self.section("__rseq_cs").data)
        return [Descriptor(start, start + length, abort) for _, _, start, length, abort in fields]

    def at(self, address, size):
        """Return the bytes in memory at an address."""
        home = self._home(address)
        return home.data[address - home.address :][:size]

    def function(self, file, name):
        """Return where the local function `name` of the source `file` begins and ends."""
        return next(place for place, *names in self._functions() if names == [file, name])

    def function_at(self, address):
        """Return where the function that begins at an address ends."""
        return next(end for (begin, end), *_ in self._functions() if begin == address)

    def _functions(self):
        table = self.section(".symtab")
        strings = self.sections[table.link].data
        file = ""
        for entry in struct.iter_unpack("<IBBHQQ" if self.wide else "<IIIBBH", table.data):
            name, kind, value, size = (entry[i] for i in ((0, 1, 4, 5) if self.wide else (0, 3, 1, 2)))
            text = strings[name : strings.index(b"\0", name)].decode()
            if kind & 15 == _STT_FILE:
                file = text
            elif kind & 15 == _STT_FUNC:
                yield (value, value + size), file, text

    def instructions(self, begin, end):
        """Return the instructions from address `begin` up to `end`, data among them left out."""
        command = [
            _objdump(self),
            "-d",
            "--no-show-raw-insn",
            f"--start-address={begin:#x}",
            f"--stop-address={end:#x}",
        ]
        done = subprocess.run([*command, str(self.path)], capture_output=True, text=True, check=True)
        lines = re.findall(r"^ *([0-9a-f]+):\t(.+?) *$", done.stdout, re.MULTILINE)
        found = [Instruction(int(address, 16), " ".join(text.split())) for address, text in lines]
        return [one for one in found if not one.mnemonic.startswith(".")]

    def loop(self, file, name):
        """Return the instructions of the loop in a function with a single one: between a jump back and its target."""
        code = self.instructions(*self.function(file, name))
        last = max(
            i for i, one in enumerate(code) if one.goes_to is not None and code[0].address < one.goes_to <= one.address
        )
        return [one for one in code[: last + 1] if one.address >= code[last].goes_to]


_OBJDUMPS = {  # by e_machine: how the tool's name begins, and Debian's package
    0x3E: ("x86_64-linux-gnu", "binutils-x86-64-linux-gnu"),
    0x28: ("arm-linux-gnueabihf", "binutils-arm-linux-gnueabihf"),
    0xB7: ("aarch64-linux-gnu", "binutils-aarch64-linux-gnu"),
}


def _objdump(library):
    """Return the objdump for a library's machine, or skip the test."""
    (machine,) = struct.unpack_from("<H", library.path.read_bytes(), 0x12)
    triplet, package = _OBJDUMPS[machine]
    found = shutil.which(f"{triplet}-objdump")
    if found is None:
        pytest.skip(f"no objdump for {triplet}: apt-get install {package}")
    return found


def compile_kernels(name, make=products.library):
    """Return the kernels of an architecture, or skip the test where its compiler is not installed."""
    try:
        return Library(make(architectures.named(name), extra=["-Werror"]).path)
    except BuildError as error:
        if "no C compiler" not in error.message:
            raise
        pytest.skip(str(error))
