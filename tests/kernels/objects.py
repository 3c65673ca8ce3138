"""What stands in a compiled kernel library: a little ELF, and the instructions as objdump prints them."""

import re
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

_DYNAMIC, _REL_RELA = 6, (9, 4)
_DT_TEXTREL, _DT_FLAGS, _DF_TEXTREL = 22, 30, 0x4
_STT_FUNC, _STT_FILE = 2, 4


@dataclass(frozen=True)
class Section:
    """One section: where it stands in memory and what is in it."""

    name: str
    kind: int
    address: int
    data: bytes
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


class Library:
    """A little-endian ELF file."""

    def __init__(self, path):
        self.path = Path(path)
        data = self.path.read_bytes()
        assert data[:4] == b"\x7fELF" and data[5] == 1, "a little-endian ELF file"
        self.wide = data[4] == 2
        self.word = 8 if self.wide else 4
        self.sections = self._read_sections(data)

    def _read_sections(self, data):
        table, = struct.unpack_from("<Q", data, 0x28) if self.wide else struct.unpack_from("<I", data, 0x20)
        size, count, names = struct.unpack_from("<HHH", data, 0x3A if self.wide else 0x2E)
        rows = [struct.unpack_from("<IIQQQQI" if self.wide else "<IIIIIII", data, table + i * size) for i in range(count)]
        strings = rows[names][4]
        found = []
        for name, kind, _, address, offset, length, link in rows:
            text = data[strings + name : data.index(b"\0", strings + name)].decode()
            found.append(Section(text, kind, address, b"" if kind == 8 else data[offset : offset + length], link))
        return found

    def section(self, name):
        return next(section for section in self.sections if section.name == name)

    def has_text_relocations(self):
        dynamic = next(section for section in self.sections if section.kind == _DYNAMIC)
        entries = struct.iter_unpack("<qQ" if self.wide else "<iI", dynamic.data)
        return any(tag == _DT_TEXTREL or (tag == _DT_FLAGS and value & _DF_TEXTREL) for tag, value in entries)

    def kernels(self):
        """Return how many kernels the linker gathered."""
        count, rest = divmod(len(self.section("kernels").data), self.word)
        assert not rest
        return count

    def descriptors(self):
        """Return all descriptors as the loader will lay them out, its relocations applied."""
        place = self.section("__rseq_cs")
        data = bytearray(place.data)
        for address, addend in self._relative_relocations():
            if place.address <= address < place.end:
                struct.pack_into("<Q" if self.wide else "<I", data, address - place.address, addend)
        fields = struct.iter_unpack("<IIQQQ", bytes(data))
        return [Descriptor(start, start + length, abort) for _, _, start, length, abort in fields]

    def _relative_relocations(self):
        """Yield the place and the value of each relocation with an addend of its own (RELA); REL has it in place."""
        for section in self.sections:
            if section.kind == _REL_RELA[1]:
                for address, _, addend in struct.iter_unpack("<QQq", section.data):
                    yield address, addend

    def at(self, address, size):
        """Return the bytes in memory at an address."""
        home = next(s for s in self.sections if s.address and s.address <= address < s.end)
        return home.data[address - home.address :][:size]

    def function(self, file, name):
        """Return where the local function `name` of the source `file` begins and ends."""
        table = self.section(".symtab")
        strings = self.sections[table.link].data
        current = ""
        for entry in struct.iter_unpack("<IBBHQQ" if self.wide else "<IIIBBH", table.data):
            if self.wide:
                at, info, _, _, value, size = entry
            else:
                at, value, size, info, _, _ = entry
            text = strings[at : strings.index(b"\0", at)].decode()
            if info & 15 == _STT_FILE:
                current = text
            elif (current, text, info & 15) == (file, name, _STT_FUNC):
                return value, value + size
        raise AssertionError(f"no function {name} of {file} in {self.path}")

    def instructions(self, begin, end):
        """Return the instructions from address `begin` up to `end`, data among them left out."""
        command = [_objdump(self), "-d", "--no-show-raw-insn", f"--start-address={begin:#x}", f"--stop-address={end:#x}"]
        done = subprocess.run([*command, str(self.path)], capture_output=True, text=True, check=True)
        lines = re.findall(r"^ *([0-9a-f]+):\t(.+?) *$", done.stdout, re.MULTILINE)
        found = [Instruction(int(address, 16), " ".join(text.split())) for address, text in lines]
        return [one for one in found if not one.mnemonic.startswith(".")]

    def loop(self, file, name):
        """Return the instructions of the loop in a function with a single one: between a jump back and its target."""
        code = self.instructions(*self.function(file, name))
        last = max(i for i, one in enumerate(code) if one.goes_to is not None and code[0].address < one.goes_to <= one.address)
        return [one for one in code[: last + 1] if one.address >= code[last].goes_to]


_OBJDUMPS = {0x3E: ("x86_64-linux-gnu", "binutils-x86-64-linux-gnu"), 0x28: ("arm-linux-gnueabihf", "binutils-arm-linux-gnueabihf"),
             0xB7: ("aarch64-linux-gnu", "binutils-aarch64-linux-gnu")}  # fmt: skip


def _objdump(library):
    """Return the objdump for a library's machine, or skip the test."""
    machine, = struct.unpack_from("<H", library.path.read_bytes(), 0x12)
    triplet, package = _OBJDUMPS[machine]
    found = shutil.which(f"{triplet}-objdump")
    if found is None:
        pytest.skip(f"no objdump for {triplet}: apt-get install {package}")
    return found
